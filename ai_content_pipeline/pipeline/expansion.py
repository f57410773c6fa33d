"""Static expansion: every item of every step, known from the file alone. Plan, price and run share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Pending, Role
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.pipeline.load import Pipeline, PipelineStep
from ai_content_pipeline.pipeline.own_files import OwnFiles
from ai_content_pipeline.pipeline.source import unknown_key
from ai_content_pipeline.steps.fields import Selection, StepFields
from ai_content_pipeline.steps.protocol import MAX_ITEMS, Fault, Faults, Input, Item, Setting, Step, YamlPath


@dataclass(frozen=True, slots=True)
class ExpandedStep:
    """A step with its items. `position` counts from 0 in the file."""

    fields: StepFields
    verbs: Step
    setting: Setting
    items: tuple[Item, ...]
    position: int

    @property
    def name(self) -> str:
        return self.fields.name


@dataclass(frozen=True, slots=True)
class Expansion:
    """All that a file asks for. `files` maps the content of the user's own files to their paths."""

    pipeline: Pipeline
    steps: tuple[ExpandedStep, ...]
    files: Mapping[str, Path]
    draft: bool
    warnings: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for step in self.steps for item in step.items)


def expand(pipeline: Pipeline, *, draft: bool = False) -> Expansion:
    """Every item of the pipeline; with `draft`, on the draft renderer in place of its models.

    Raises:
        InvalidPipeline: models, parameters, inputs or counts that do not fit.
    """
    return _Expander(pipeline, draft).run()


@dataclass
class _Expander:
    pipeline: Pipeline
    draft: bool
    found: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    done: dict[str, ExpandedStep] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.files = OwnFiles(self.pipeline.path.parent)

    def run(self) -> Expansion:
        for step in self.pipeline.steps:
            expanded = self._step(step)
            if expanded is None:
                self.broken.add(step.name)
                continue
            self.done[step.name] = expanded
            self.items |= {item.address: item for item in expanded.items}
            if len(self.items) > MAX_ITEMS and not self.found:
                message = f"{len(self.items):,} items are more than the limit of {MAX_ITEMS:,}"
                self._problem(step, (), message, "split the work over several files")
        if self.found:
            raise InvalidPipeline(self.found)
        return Expansion(
            self.pipeline, tuple(self.done.values()), self.files.paths, self.draft, tuple(self.warnings)
        )

    def _step(self, step: PipelineStep) -> ExpandedStep | None:
        cards = self._cards(step)
        if cards is None:
            return None
        top = self.pipeline.top
        setting = Setting(step.name, cards, self.files.read, self._find, top.prompt, top.seed)
        problems_before = len(self.found)
        self._report(step, step.verbs.check(setting))
        if self.draft:
            setting = replace(setting, cards=self._stand_ins(step, cards))
        inputs = self._inputs(step)
        if inputs is None or len(self.found) > problems_before:
            return None
        try:
            items = step.verbs.items(inputs, setting)
        except Faults as faults:
            self._report(step, faults.faults)
            return None
        return ExpandedStep(step.fields, step.verbs, setting, items, step.position)

    # -- models ------------------------------------------------------------------------------------

    def _cards(self, step: PipelineStep) -> dict[str, Card] | None:
        cards: dict[str, Card] = {}
        task = step.verbs.task
        for path, name in step.verbs.models.items():
            assert task is not None
            try:
                cards[name] = catalog.resolve(name, task)
            except catalog.UnknownModel as error:
                self._problem(step, path, error.message, error.hint)
                continue
            if cards[name].parameters is None and not self.draft:
                self.warnings.append(
                    f"{step.name}: the schema of {name} is not known here; its params are sent unchecked"
                )
        return cards if len(cards) == len(set(step.verbs.models.values())) else None

    def _stand_ins(self, step: PipelineStep, cards: Mapping[str, Card]) -> dict[str, Card]:
        task = step.verbs.task
        return {name: catalog.stand_in(card, task) for name, card in cards.items() if task is not None}

    # -- inputs ------------------------------------------------------------------------------------

    def _inputs(self, step: PipelineStep) -> dict[Role, list[Input]] | None:
        """What the step is given, by role; None where that is a problem (which is noted)."""
        takes = step.verbs.takes
        spec = step.fields.input
        if not takes:
            if spec is None:
                return {}
            self._problem(step, ("input",), f"a {step.fields.type} step takes no input", "remove it")
            return None
        try:
            found = self._selected(step) if spec is not None else self._default(step)
            if found is None:
                return None
            self._check_kinds(step, found)
        except LookupError as error:
            self._problem(step, ("input",) if spec is not None else (), str(error.args[0]))
            return None
        return found

    def _selected(self, step: PipelineStep) -> dict[Role, list[Input]] | None:
        spec = step.fields.input
        assert spec is not None
        first = next(iter(step.verbs.takes))
        if spec.files is not None:
            return {first: self.files.glob(spec.files)}
        found: dict[Role, list[Input]] = {}
        for role, selections in spec.roles(first).items():
            if role not in step.verbs.takes:
                raise LookupError(f"a {step.fields.type} step takes no {role.value!r} input")
            picked = [self._select(step, selection) for selection in selections]
            if any(inputs is None for inputs in picked):
                return None
            found[role] = [entry for inputs in picked for entry in inputs or ()]
        return found

    def _select(self, step: PipelineStep, selection: Selection) -> list[Input] | None:
        name = selection.step
        if name in self.broken:
            return None  # its own problem is reported already
        if name not in self.done:
            raise LookupError(self._no_such_step(step, name))
        return selection.pick([_as_input(item) for item in self.done[name].items])

    def _no_such_step(self, step: PipelineStep, name: str) -> str:
        later = {other.name: other for other in self.pipeline.steps}
        if name == step.name:
            return f"step {name!r} takes itself as input: a cycle"
        if name in later:
            wants = later[name].fields.input
            back = wants is not None and step.name in str(wants.model_dump())
            why = "which takes this step's output: a cycle" if back else "which comes later: move it up"
            return f"input {name!r} is step {later[name].position + 1}, {why}"
        return f"there is no step {name!r} to take as input; {unknown_key(name, list(self.done))}"

    def _default(self, step: PipelineStep) -> dict[Role, list[Input]] | None:
        """The nearest earlier step that is not a thumbnail, else the file's own input."""
        first = next(iter(step.verbs.takes))
        earlier = [
            s for s in self.pipeline.steps if s.position < step.position and s.fields.type != "thumbnail"
        ]
        if earlier and earlier[-1].name in self.broken:
            return None
        if earlier:
            return {first: [_as_input(item) for item in self.done[earlier[-1].name].items]}
        top = self.pipeline.top
        own = [name for name in (top.input_image, top.input_video) if name is not None]
        if own:
            return {first: [self.files.read(name) for name in own]}
        if self._brings_its_own(step):
            return {}
        hint = "put a step before it, or give it 'input: {files: [...]}', or 'input_image:' at the top"
        raise LookupError(f"step {step.name!r} has nothing to work on; {hint}")

    @staticmethod
    def _brings_its_own(step: PipelineStep) -> bool:
        prompts = getattr(getattr(step.fields, "params", None), "prompts", None) or ()
        return bool(prompts) and all(entry.file or entry.start for entry in prompts)

    def _check_kinds(self, step: PipelineStep, found: Mapping[Role, Sequence[Input]]) -> None:
        for role, inputs in found.items():
            for entry in inputs:
                kinds = step.verbs.takes[role]
                if entry.source.kind not in kinds:
                    wanted = " or ".join(sorted(f"{kind.value}s" for kind in kinds))
                    raise LookupError(
                        f"a {step.fields.type} step takes {wanted}, and {entry.label!r} is"
                        f" {'a video' if entry.source.kind is Kind.VIDEO else 'an image'}"
                    )

    def _find(self, text: str) -> Input:
        """An item's address (``scenes/scene_2``, ``clips/scene_2.last_frame``), else a file's path."""
        item = self.items.get(text)
        if item is not None:
            return _as_input(item)
        address, dot, suffix = text.rpartition(".")
        item = self.items.get(address) if dot else None
        if item is not None and suffix in tuple(Frame):
            return _still(item, Frame(suffix))
        return self.files.read(text)

    # -- problems ----------------------------------------------------------------------------------

    def _report(self, step: PipelineStep, faults: Sequence[Fault]) -> None:
        for fault in faults:
            self._problem(step, fault.path, fault.message, fault.hint)

    def _problem(self, step: PipelineStep, path: YamlPath, message: str, hint: str | None = None) -> None:
        where = ("steps", step.position, *path)
        self.found.append(self.pipeline.source.problem(where, message, hint))


def _as_input(item: Item) -> Input:
    return Input(item.given or item.makes, item.label)


def _still(item: Item, frame: Frame) -> Input:
    if item.makes.kind is not Kind.VIDEO:
        raise LookupError(f"{item.address} is an image: it has no {frame.value}")
    if isinstance(item.given, Artifact):
        raise LookupError(f"{item.address} is your own footage; frames are taken of generated clips")
    makes = item.makes
    return Input(Pending(makes.address, Kind.IMAGE, makes.width, makes.height, frame=frame), item.label)

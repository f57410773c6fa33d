"""Static expansion: every item of every step, known from the file alone. Plan, price and run share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Pending, Role
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.pipeline.checked import Pipeline, PipelineStep
from ai_content_pipeline.pipeline.own_files import OwnFiles
from ai_content_pipeline.pipeline.source import closest, in_order
from ai_content_pipeline.steps.fields import InputSpec, Selection, StepFields
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
    expander = _Expander(pipeline, draft)
    expander.run()
    if expander.found:
        raise InvalidPipeline(in_order(expander.found))
    steps = tuple(expander.done.values())
    return Expansion(pipeline, steps, expander.files.paths, draft, tuple(expander.warnings))


def find_problems(pipeline: Pipeline) -> list[Problem]:
    """What else is wrong with a pipeline of which some steps could not even be read."""
    expander = _Expander(pipeline, draft=False)
    expander.run()
    return expander.found


class _Unresolved(LookupError):
    """An input that comes of a step with a problem of its own, which is noted already."""


class _Misplaced(LookupError):
    """A problem with an input that stands at `path`, seen from the step."""

    def __init__(self, path: YamlPath, message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass
class _Expander:
    pipeline: Pipeline
    draft: bool
    found: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    done: dict[str, ExpandedStep] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    own_input_used: bool = False

    def __post_init__(self) -> None:
        self.files = OwnFiles(self.pipeline.path.parent)
        self.broken = {name for _, name in self.pipeline.unreadable}

    def run(self) -> None:
        for step in self.pipeline.steps:
            expanded = self._step(step)
            if expanded is None:
                self.broken.add(step.name)
                continue
            self.done[step.name] = expanded
            self.items |= {item.address: item for item in expanded.items}
            if len(self.items) > MAX_ITEMS:
                message = f"{len(self.items):,} items up to here are more than the limit of {MAX_ITEMS:,}"
                self._problem(step, (), message, "split the work over several files")
                return
        self._warn_of_unused_input()

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
            if name in cards:
                continue
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
        if not step.verbs.takes:
            if step.fields.input is not None:
                message = f"{step.fields.type} takes no input"
                self._problem(step, ("input",), message, "remove it")
            return {} if step.fields.input is None else None
        try:
            if step.fields.input is not None:
                return self._selected(step, step.fields.input)
            return self._default(step)
        except _Unresolved:
            return None
        except _Misplaced as error:
            self._problem(step, error.path, *_halves(str(error.args[0])))
            return None

    def _selected(self, step: PipelineStep, spec: InputSpec) -> dict[Role, list[Input]]:
        first = next(iter(step.verbs.takes))
        if spec.files is not None:
            return {first: self._own_files(step, first, spec.files)}
        found: dict[Role, list[Input]] = {}
        for role, selections in spec.roles(first).items():
            path: YamlPath = ("input",) if spec.items else ("input", role.value)
            if role not in step.verbs.takes:
                message = f"{step.fields.type} takes no {role.value!r}"
                raise _Misplaced(path, f"{message}; write the step alone, as in 'input: scenes'")
            for number, selection in enumerate(selections):
                where = (*path, number)
                picked = self._select(step, selection, where)
                self._check_kinds(step, role, picked, where)
                found.setdefault(role, []).extend(picked)
        return found

    def _own_files(self, step: PipelineStep, role: Role, patterns: Sequence[str]) -> list[Input]:
        found: list[Input] = []
        for number, pattern in enumerate(patterns):
            path = ("input", "files", number)
            try:
                matches = self.files.glob(pattern)
            except LookupError as error:
                raise _Misplaced(path, str(error.args[0])) from error
            self._check_kinds(step, role, matches, path)
            found += matches
        return found

    def _select(self, step: PipelineStep, selection: Selection, path: YamlPath) -> list[Input]:
        name = selection.step
        if name in self.broken:
            raise _Unresolved
        if name not in self.done:
            raise _Misplaced(path, self._no_such_step(step, name))
        try:
            return selection.pick([_as_input(item) for item in self.done[name].items])
        except LookupError as error:
            raise _Misplaced(path, str(error.args[0])) from error

    def _no_such_step(self, step: PipelineStep, name: str) -> str:
        later = {other.name: other for other in self.pipeline.steps}
        if name == step.name:
            return f"step {name!r} takes itself as input, a cycle; name an earlier step"
        if name in later:
            wants = later[name].fields.input
            back = wants is not None and step.name in wants.steps
            why = (
                "which takes this step's output, a cycle; name an earlier step"
                if back
                else "which comes later; move it up"
            )
            return f"input {name!r} is step {later[name].position + 1}, {why}"
        if name in self.pipeline.disabled:
            return f"step {name!r} is disabled; remove its 'enabled: false', or name another step"
        names = [(s.position, s.name) for s in self.pipeline.steps] + list(self.pipeline.unreadable)
        earlier = [other for position, other in sorted(names) if position < step.position and other]
        if not earlier:
            return (
                f"there is no step {name!r} before this one; for files of your own write {{files: [{name}]}}"
            )
        meant = closest(name, earlier)
        hint = f"did you mean {meant!r}?" if meant else f"there are {', '.join(earlier)}"
        return f"there is no step {name!r}; {hint}"

    def _default(self, step: PipelineStep) -> dict[Role, list[Input]] | None:
        """The nearest earlier step that is not a thumbnail, else the file's own input."""
        first = next(iter(step.verbs.takes))
        earlier = [
            (s.position, s.name)
            for s in self.pipeline.steps
            if s.position < step.position and s.fields.type != "thumbnail"
        ]
        earlier += [
            (position, name) for position, name in self.pipeline.unreadable if position < step.position
        ]
        if earlier:
            _, name = max(earlier)
            if name in self.broken:
                raise _Unresolved
            inputs = [_as_input(item) for item in self.done[name].items]
            if self._brings_its_own(step) and not any(
                i.source.kind in step.verbs.takes[first] for i in inputs
            ):
                return {}
            self._check_kinds(
                step, first, inputs, (), f"write 'input:' with the step it works on, not {name!r}"
            )
            return {first: inputs}
        return self._files_own_input(step, first)

    def _files_own_input(self, step: PipelineStep, role: Role) -> dict[Role, list[Input]] | None:
        """``input_image`` and ``input_video``, what of them the step takes; {} where entries bring files."""
        top = self.pipeline.top
        named = {"input_image": (Kind.IMAGE, top.input_image), "input_video": (Kind.VIDEO, top.input_video)}
        found, sound = list[Input](), True
        for key, (kind, name) in named.items():
            if name is None or kind not in step.verbs.takes[role]:
                continue
            self.own_input_used = True
            try:
                entry = self.files.read(name)
            except LookupError as error:
                sound = self._top_problem(key, *_halves(str(error.args[0])))
                continue
            if entry.source.kind is not kind:
                other = "input_video" if key == "input_image" else "input_image"
                message = f"{name} is {_article(entry.source.kind)}"
                sound = self._top_problem(key, message, f"write '{other}: {name}'")
            found.append(entry)
        if found or not sound:
            return {role: found} if sound else None
        if self._brings_its_own(step):
            return {}
        message = f"step {step.name!r} has nothing to work on"
        unfit = next((key for key, (_, name) in named.items() if name is not None), None)
        if unfit:
            message += f": {step.fields.type} takes no {unfit}"
        hint = "put a step before it, or give it 'input: {files: [...]}', or 'input_image:' at the top"
        raise _Misplaced((), f"{message}; {hint}")

    @staticmethod
    def _brings_its_own(step: PipelineStep) -> bool:
        prompts = getattr(getattr(step.fields, "params", None), "prompts", None) or ()
        return bool(prompts) and all(entry.file or entry.start for entry in prompts)

    def _check_kinds(
        self, step: PipelineStep, role: Role, inputs: Sequence[Input], path: YamlPath, hint: str = ""
    ) -> None:
        kinds = step.verbs.takes[role]
        for entry in inputs:
            if entry.source.kind not in kinds:
                wanted = " or ".join(sorted(f"{kind.value}s" for kind in kinds))
                message = f"{step.fields.type} takes {wanted}, and {entry.label!r} is"
                hint = hint or f"name a step that makes {wanted}, or files of your own"
                raise _Misplaced(path, f"{message} {_article(entry.source.kind)}; {hint}")

    def _find(self, text: str) -> Input:
        """An item's address (``scenes/scene_2``, ``clips/scene_2.last_frame``), else a file's path."""
        item = self.items.get(text)
        if item is not None:
            return _as_input(item)
        address, dot, suffix = text.rpartition(".")
        item = self.items.get(address) if dot else None
        if item is not None and suffix in tuple(Frame):
            return _still(item, Frame(suffix))
        step, slash, _ = text.partition("/")
        if slash and step in self.broken:
            raise LookupError(
                f"{text} comes of step {step!r}, which has a problem of its own; mend that first"
            )
        if slash and step in self.done and not (self.files.folder / text).exists():
            labels = [item.label for item in self.done[step].items[:8]]
            raise LookupError(
                f"step {step!r} has no item {text.partition('/')[2]!r}; it has {', '.join(labels)}"
            )
        if slash and any(step == other.name for other in self.pipeline.steps if other.name not in self.done):
            hint = "name an item of an earlier step, or previous.last_frame for the clip before"
            raise LookupError(f"{text} is not there yet; {hint}")
        return self.files.read(text)

    # -- problems ----------------------------------------------------------------------------------

    def _report(self, step: PipelineStep, faults: Sequence[Fault]) -> None:
        for fault in faults:
            message, hint = (fault.message, fault.hint) if fault.hint else _halves(fault.message)
            self._problem(step, fault.path, message, hint)

    def _problem(self, step: PipelineStep, path: YamlPath, message: str, hint: str | None = None) -> None:
        where = ("steps", step.position, *path)
        self.found.append(self.pipeline.source.problem(where, message, hint))

    def _top_problem(self, key: str, message: str, hint: str | None = None) -> bool:
        """Notes the problem, and is False."""
        self.found.append(self.pipeline.source.problem((key,), message, hint))
        return False

    def _warn_of_unused_input(self) -> None:
        top = self.pipeline.top
        if not self.own_input_used and (top.input_image or top.input_video):
            key = "input_image" if top.input_image else "input_video"
            self.warnings.append(f"{key} is used by no step: the first one makes its own pictures")


def _halves(text: str) -> tuple[str, str | None]:
    """A message and, after its first semicolon, what to write instead."""
    message, _, hint = text.partition("; ")
    return message, hint or None


def _article(kind: Kind) -> str:
    return "an image" if kind is Kind.IMAGE else "a video"


def _as_input(item: Item) -> Input:
    return Input(item.given or item.makes, item.label)


def _still(item: Item, frame: Frame) -> Input:
    if item.makes.kind is not Kind.VIDEO:
        raise LookupError(f"{item.address} is an image and has no {frame.value}; write {item.address}")
    if isinstance(item.given, Artifact):
        raise LookupError(f"{item.address} is your own footage; save the frame as a picture and name that")
    makes = item.makes
    return Input(Pending(makes.address, Kind.IMAGE, makes.width, makes.height, frame=frame), item.label)

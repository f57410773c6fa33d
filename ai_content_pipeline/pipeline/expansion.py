"""Static expansion: every item of every step, known from the file alone. Plan, price and run share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card, Catalogue
from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.pipeline import stages
from ai_content_pipeline.pipeline.checked import Pipeline, PipelineStep
from ai_content_pipeline.pipeline.fallbacks import Fallbacks, unmeasurable
from ai_content_pipeline.pipeline.inputs import Inputs, Misplaced, Unresolved
from ai_content_pipeline.pipeline.own_files import OwnFiles
from ai_content_pipeline.pipeline.project import find_project
from ai_content_pipeline.pipeline.raising import raises
from ai_content_pipeline.pipeline.references import References
from ai_content_pipeline.pipeline.routing import Routing, still_model, unheeded
from ai_content_pipeline.pipeline.source import in_order
from ai_content_pipeline.pipeline.stages import Stills
from ai_content_pipeline.references.routes import can_do
from ai_content_pipeline.steps.fields import StepFields
from ai_content_pipeline.steps.protocol import MAX_ITEMS, Fault, Faults, Input, Item, Setting, Step, YamlPath
from ai_content_pipeline.steps.references import ReferenceFields


@dataclass(frozen=True, slots=True)
class ExpandedStep:
    """A step with its items. `position` counts from 0 in the file."""

    fields: StepFields
    verbs: Step
    setting: Setting
    items: tuple[Item, ...]
    position: int
    fallbacks: tuple[ExpandedStep, ...] = ()  # the same items on other models, in the order they are tried

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


def expand(pipeline: Pipeline, *, draft: bool = False, catalogue: Catalogue | None = None) -> Expansion:
    """Every item of the pipeline; with `draft`, on the draft renderer in place of its models.

    `catalogue`: the cards to use; else those in the box, with the project's own over them.

    Raises:
        InvalidPipeline: models, parameters, inputs or counts that do not fit, or the project's own cards.
    """
    expander = _Expander(pipeline, draft, catalogue or Catalogue.of(find_project(pipeline.path).root))
    expander.run()
    if expander.found:
        raise InvalidPipeline(in_order(expander.found))
    paths = expander.inputs.files.paths
    warnings = (*pipeline.warnings, *expander.warnings)
    return Expansion(pipeline, tuple(expander.done), paths, draft, warnings)


def find_problems(pipeline: Pipeline) -> list[Problem]:
    """What else is wrong with a pipeline of which some steps could not even be read."""
    expander = _Expander(pipeline, False, Catalogue.of(find_project(pipeline.path).root))
    expander.run()
    return expander.found


@dataclass
class _Expander:
    pipeline: Pipeline
    draft: bool
    catalogue: Catalogue
    found: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    done: list[ExpandedStep] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.pipeline, OwnFiles(self.pipeline.path.parent))
        self.references = References(self.pipeline, self.inputs)

    def run(self) -> None:
        if self.references.declared:
            self.found += self.references.check()
            self.warnings += self.references.warnings
        for step in self.pipeline.steps:
            if not self._step(step):
                self.inputs.add_broken(step.name)
                continue
            if self.inputs.count > MAX_ITEMS:
                message = f"{self.inputs.count:,} items up to here are more than the limit of {MAX_ITEMS:,}"
                self._problem(step, (), message, "split the work over several files")
                return
        self._warn_of_unused()

    def _step(self, step: PipelineStep) -> bool:
        """Expand a step, if there is nothing wrong with it."""
        cards = self._cards(step)
        if cards is None:
            return False
        setting = self._setting(step.name, cards, self.pipeline.top.prompt)
        problems_before = len(self.found)
        self._report(step, step.verbs.check(setting))
        shown = replace(setting, cards=self._shown(cards, step.verbs.task))
        inputs = self._inputs(step)
        if inputs is None or len(self.found) > problems_before:
            return False
        if isinstance(step.fields, ReferenceFields) and self.references.concern(step.fields):
            return self._conditioned(step, step.fields, setting, shown, inputs)
        return self._expanded(step, shown, inputs)

    def _expanded(
        self,
        step: PipelineStep,
        setting: Setting,
        inputs: Mapping[Role, Sequence[Input]],
        origin: Callable[[YamlPath], YamlPath] = tuple,
    ) -> bool:
        """Add a step's items. `origin` leads from the path of a fault to where the file says it."""
        try:
            items = step.verbs.items(inputs, setting)
        except Faults as faults:
            self._report(step, [replace(fault, path=origin(fault.path)) for fault in faults.faults])
            return False
        others = Fallbacks(step, setting, inputs, items)
        variants = () if self.draft else others.variants()
        self.warnings += others.warnings
        if wrong := [*others.faults, *unmeasurable(step.fields, setting, items)]:
            self._report(step, [replace(fault, path=origin(fault.path)) for fault in wrong])
            return False
        fallbacks = tuple(
            ExpandedStep(one.step.fields, one.step.verbs, setting, one.items, step.position)
            for one in variants
        )
        self.done.append(ExpandedStep(step.fields, step.verbs, setting, items, step.position, fallbacks))
        self.inputs.add(step.name, items)
        return True

    # -- references --------------------------------------------------------------------------------

    def _conditioned(
        self,
        step: PipelineStep,
        fields: ReferenceFields,
        setting: Setting,
        shown: Setting,
        inputs: Mapping[Role, Sequence[Input]],
    ) -> bool:
        """Expand a step that may keep references: itself, or stills first and clips from them."""
        try:
            still = still_model(fields, setting, self.catalogue) if self.references.wanted(fields) else None
            card = still.card if still else None
            jobs = Routing(fields, setting, self.references, self.catalogue, card, inputs).jobs()
        except Faults as faults:
            self._report(step, faults.faults)
            return False
        except Unresolved:
            return False
        except Misplaced as error:
            self.found.append(self.pipeline.source.problem(error.path, *_halves(str(error))))
            return False
        self.warnings += unheeded(fields, jobs, self.references, card)
        wrong, warnings = raises(fields, jobs, card, self.catalogue)
        self._report(step, wrong)
        self.warnings += warnings
        if wrong:
            return False
        made = stages.stills(fields, jobs, still.name, self.pipeline.names) if still else None
        if made is not None and still is not None:
            if not self._stills(step, fields, made, still.card):
                return False
            fields, find = stages.from_stills(fields, jobs, made, self.done[-1].items, shown.find)
            step, shown = PipelineStep(fields, step.position), replace(shown, find=find)
        return self._expanded(step, stages.with_references(fields, shown, jobs, self.references), inputs)

    def _stills(self, step: PipelineStep, fields: ReferenceFields, made: Stills, card: Card) -> bool:
        """Expand the first of two stages."""
        stage = PipelineStep(made.fields, step.position)
        setting = self._setting(stage.name, {made.fields.model: card}, prompt=None)
        faults = [replace(fault, path=made.origin(fault.path)) for fault in stage.verbs.check(setting)]
        faults += stages.several(fields, card)
        self._report(step, faults)
        if faults:
            return False
        template = fields.keyframe.prompt if fields.keyframe else None
        shown = replace(setting, cards=self._shown(setting.cards, stage.verbs.task))
        setting = stages.still_setting(made, shown, step.name, template, self.references)
        return self._expanded(stage, setting, made.inputs, made.origin)

    def _setting(self, name: str, cards: Mapping[str, Card], prompt: str | None) -> Setting:
        return Setting(name, cards, self.inputs.files.read, self.inputs.find, prompt, self.pipeline.top.seed)

    def _cards(self, step: PipelineStep) -> dict[str, Card] | None:
        cards: dict[str, Card] = {}
        task = step.verbs.task
        for path, name in step.verbs.models.items():
            if name in cards:
                continue
            assert task is not None
            try:
                cards[name] = self._card(step, path, name, task)
            except catalog.UnknownModel as error:
                self._problem(step, path, error.message, error.hint)
                continue
            if cards[name].parameters is None and not self.draft:
                self.warnings.append(
                    f"{step.name}: the schema of {name} is not known here; its params are sent unchecked"
                )
            if cards[name].status == "deprecated" and not self.draft:
                self.warnings.append(f"{step.name}: {name} is deprecated; it may stop answering any day")
        return cards if len(cards) == len(set(step.verbs.models.values())) else None

    def _card(self, step: PipelineStep, path: YamlPath, name: str, task: Task) -> Card:
        """The card of a model that does the step's task; with references, a neighbouring one will do."""
        try:
            return catalog.resolve(name, task, self.catalogue)
        except catalog.UnknownModel as error:
            keeps = isinstance(step.fields, ReferenceFields) and self.references.wanted(step.fields)
            card = catalog.find(name, self.catalogue, task)  # raises the same, if there is no such model
            if keeps and can_do(card, task):
                return card
            if isinstance(step.fields, ReferenceFields) and can_do(card, task):
                hint = f"it does so with references: write 'references' on the step, or {error.hint}"
                raise catalog.UnknownModel(error.message, hint) from error
            raise

    def _shown(self, cards: Mapping[str, Card], task: Task | None) -> Mapping[str, Card]:
        """The cards that a step runs on: in a draft, their stand-ins."""
        if not self.draft or task is None:
            return cards
        return {name: catalog.stand_in(card, task) for name, card in cards.items()}

    def _inputs(self, step: PipelineStep) -> dict[Role, list[Input]] | None:
        """What the step is given, by role; None where that is a problem (which is noted)."""
        try:
            return self.inputs.of(step)
        except Unresolved:
            return None
        except Misplaced as error:
            where = error.path if error.top else ("steps", step.position, *error.path)
            self.found.append(self.pipeline.source.problem(where, *_halves(str(error))))
            return None

    def _report(self, step: PipelineStep, faults: Sequence[Fault]) -> None:
        for fault in faults:
            message, hint = (fault.message, fault.hint) if fault.hint else _halves(fault.message)
            self._problem(step, fault.path, message, hint)

    def _problem(self, step: PipelineStep, path: YamlPath, message: str, hint: str | None = None) -> None:
        where = ("steps", step.position, *path)
        self.found.append(self.pipeline.source.problem(where, message, hint))

    def _warn_of_unused(self) -> None:
        top = self.pipeline.top
        if not self.inputs.own_input_used and (top.input_image or top.input_video):
            key = "input_image" if top.input_image else "input_video"
            self.warnings.append(f"{key} is used by no step: the first one makes its own pictures")
        for name in self.references.unused() if not self.found else ():
            self.warnings.append(
                f"reference {name!r} is kept by no step: name it under a step's 'references'"
            )


def _halves(text: str) -> tuple[str, str | None]:
    """A message and, after its first semicolon, what to write instead."""
    message, _, hint = text.partition("; ")
    return message, hint or None

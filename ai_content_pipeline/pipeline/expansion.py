"""Static expansion: every item of every step, known from the file alone. Plan, price and run share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card, Catalogue
from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.pipeline.checked import Pipeline, PipelineStep
from ai_content_pipeline.pipeline.inputs import Inputs, Misplaced, Unresolved
from ai_content_pipeline.pipeline.own_files import OwnFiles
from ai_content_pipeline.pipeline.project import find_project
from ai_content_pipeline.pipeline.source import in_order
from ai_content_pipeline.steps.fields import StepFields
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

    def run(self) -> None:
        for step in self.pipeline.steps:
            expanded = self._step(step)
            if expanded is None:
                self.inputs.add_broken(step.name)
                continue
            self.done.append(expanded)
            self.inputs.add(step.name, expanded.items)
            if self.inputs.count > MAX_ITEMS:
                message = f"{self.inputs.count:,} items up to here are more than the limit of {MAX_ITEMS:,}"
                self._problem(step, (), message, "split the work over several files")
                return
        self._warn_of_unused_input()

    def _step(self, step: PipelineStep) -> ExpandedStep | None:
        cards = self._cards(step)
        if cards is None:
            return None
        top = self.pipeline.top
        setting = Setting(step.name, cards, self.inputs.files.read, self.inputs.find, top.prompt, top.seed)
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

    def _cards(self, step: PipelineStep) -> dict[str, Card] | None:
        cards: dict[str, Card] = {}
        task = step.verbs.task
        for path, name in step.verbs.models.items():
            if name in cards:
                continue
            assert task is not None
            try:
                cards[name] = catalog.resolve(name, task, self.catalogue)
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

    def _stand_ins(self, step: PipelineStep, cards: Mapping[str, Card]) -> dict[str, Card]:
        task = step.verbs.task
        return {name: catalog.stand_in(card, task) for name, card in cards.items() if task is not None}

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

    def _warn_of_unused_input(self) -> None:
        top = self.pipeline.top
        if not self.inputs.own_input_used and (top.input_image or top.input_video):
            key = "input_image" if top.input_image else "input_video"
            self.warnings.append(f"{key} is used by no step: the first one makes its own pictures")


def _halves(text: str) -> tuple[str, str | None]:
    """A message and, after its first semicolon, what to write instead."""
    message, _, hint = text.partition("; ")
    return message, hint or None

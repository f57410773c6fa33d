"""From a file to a typed pipeline: everything that can be wrong with it is found here, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.pipeline.overrides import apply_overrides
from ai_content_pipeline.pipeline.problems import problems
from ai_content_pipeline.pipeline.source import SourceFile, load, unknown_key
from ai_content_pipeline.pipeline.top import Top, file_name
from ai_content_pipeline.steps.fields import StepFields
from ai_content_pipeline.steps.protocol import Step
from ai_content_pipeline.steps.registry import STEP_TYPES, step_type


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """A step's typed fields and where it stands in the file's ``steps:``."""

    fields: StepFields
    position: int

    @property
    def name(self) -> str:
        return self.fields.name

    @property
    def verbs(self) -> Step:
        """The same object, as what a step can do (every registered type satisfies `Step`)."""
        return cast(Step, self.fields)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A checked file. `steps` are the enabled ones, in order."""

    source: SourceFile
    top: Top
    steps: tuple[PipelineStep, ...]

    @property
    def path(self) -> Path:
        return self.source.path


def load_pipeline(path: Path, *, environ: Mapping[str, str], overrides: Sequence[str] = ()) -> Pipeline:
    """Read and check a pipeline file. `overrides` are ``--set`` texts: ``a.b=c``.

    Raises:
        InvalidPipeline: with every problem found.
    """
    return check_pipeline(apply_overrides(load(path, environ=environ), overrides))


def check_pipeline(source: SourceFile) -> Pipeline:
    """The typed form of a file that was read. Raises InvalidPipeline."""
    found: list[Problem] = []
    top = _top(source, found)
    steps = _steps(source, found)
    if found or top is None:
        raise InvalidPipeline(found)
    return Pipeline(source, top, tuple(step for step in steps if step.fields.enabled))


def _top(source: SourceFile, found: list[Problem]) -> Top | None:
    data = {key: value for key, value in source.data.items() if key != "steps"}
    name = data.setdefault("name", source.path.stem)
    data.setdefault("output_dir", f"output/{file_name(str(name))}")
    try:
        return Top.model_validate(data)
    except ValidationError as error:
        found += problems(error, source, (), (*Top.model_fields, "steps"))
        return None


def _steps(source: SourceFile, found: list[Problem]) -> list[PipelineStep]:
    raw = source.data.get("steps")
    if not isinstance(raw, list) or not raw:
        what = "'steps' is missing" if raw is None else "'steps' must be a list of at least one step"
        hint = "write '- type: text_to_image' and so on below 'steps:'"
        found.append(source.problem(("steps",), what, hint))
        return []
    numbers: Counter[str] = Counter()
    steps = [_step(source, index, value, numbers, found) for index, value in enumerate(raw)]
    present = [step for step in steps if step is not None]
    found += _name_clashes(source, present)
    return present


def _step(
    source: SourceFile, index: int, value: object, numbers: Counter[str], found: list[Problem]
) -> PipelineStep | None:
    path = ("steps", index)
    if not isinstance(value, dict):
        found.append(source.problem(path, "a step must be a mapping with at least a 'type'"))
        return None
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in STEP_TYPES:
        found.append(_no_type(source, path, kind))
        return None
    numbers[kind] += 1
    fields: dict[str, Any] = {"name": f"{kind}_{numbers[kind]}", **value}
    step_class = step_type(kind)
    try:
        return PipelineStep(step_class.model_validate(fields), index)
    except ValidationError as error:
        found += problems(error, source, path, tuple(step_class.model_fields))
        return None


def _no_type(source: SourceFile, path: tuple[str | int, ...], kind: object) -> Problem:
    if kind is None:
        return source.problem(path, "this step has no 'type'", f"choose one of {', '.join(STEP_TYPES)}")
    return source.problem((*path, "type"), f"unknown step type {kind!r}", unknown_key(str(kind), STEP_TYPES))


def _name_clashes(source: SourceFile, steps: Sequence[PipelineStep]) -> list[Problem]:
    """Names must differ in more than upper and lower case: they are folders."""
    seen: dict[str, PipelineStep] = {}
    clashes = []
    for step in steps:
        first = seen.setdefault(step.name.casefold(), step)
        if first is not step:
            message = f"step name {step.name!r} is taken by step {first.position + 1}"
            clashes.append(source.problem(("steps", step.position, "name"), message, "choose another name"))
    return clashes

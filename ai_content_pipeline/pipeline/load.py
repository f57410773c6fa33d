"""From a file to a typed pipeline: everything that can be wrong with it is found here, at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.pipeline.checked import Pipeline, PipelineStep
from ai_content_pipeline.pipeline.layers import apply_layers
from ai_content_pipeline.pipeline.overrides import apply_overrides
from ai_content_pipeline.pipeline.problems import problems
from ai_content_pipeline.pipeline.source import SourceFile, closest, in_order, load
from ai_content_pipeline.pipeline.top import Top, file_name
from ai_content_pipeline.steps.registry import STEP_TYPES, default_names, step_type

#: More steps than this are made by a program, or meant to keep one busy.
MAX_STEPS = 1_000


def load_pipeline(
    path: Path, *, environ: Mapping[str, str], overrides: Sequence[str] = (), profile: str | None = None
) -> Pipeline:
    """Read and check a pipeline file. `overrides` are ``--set`` texts: ``a.b=c``; `profile` is the name of
    one of the file's ``profiles:``.

    Raises:
        InvalidPipeline: with every problem found.
        UsageError: an override that leads nowhere, or no such profile.
    """
    layered = apply_layers(load(path, environ=environ), profile)
    pipeline = check_pipeline(apply_overrides(layered.source, overrides), layered.problems)
    return replace(pipeline, warnings=layered.warnings)


def check_pipeline(source: SourceFile, known: Sequence[Problem] = ()) -> Pipeline:
    """The typed form of a file that was read, of which some problems are known. Raises InvalidPipeline."""
    found = list(known)
    top = _top(source, found)
    pipeline = _steps(source, top or _any_top(source), found)
    if found:
        from ai_content_pipeline.pipeline.expansion import find_problems  # only a wrong file needs both

        raise InvalidPipeline(in_order([*found, *find_problems(pipeline)]))
    return pipeline


def _top(source: SourceFile, found: list[Problem]) -> Top | None:
    data = {key: value for key, value in source.data.items() if key != "steps"}
    name = data.setdefault("name", source.path.stem)
    data.setdefault("output_dir", f"output/{file_name(str(name))}")
    try:
        return Top.model_validate(data)
    except ValidationError as error:
        found += problems(error, source, (), Top)
        return None


def _any_top(source: SourceFile) -> Top:
    """A top that raises no question, so that the steps below a wrong one can be looked at as well."""
    own = {key: source.data.get(key) for key in ("input_image", "input_video")}
    given = {key: value for key, value in own.items() if isinstance(value, str)}
    return Top.model_validate({"name": "unnamed", "output_dir": "output", "prompt": "unknown", **given})


def _steps(source: SourceFile, top: Top, found: list[Problem]) -> Pipeline:
    raw = source.data.get("steps")
    if not isinstance(raw, list) or not raw:
        what = "'steps' is missing" if "steps" not in source.data else "'steps' must be a list of steps"
        hint = "write '- type: text_to_image' and so on below 'steps:'"
        found.append(source.problem(("steps",), what, hint))
        return Pipeline(source, top, ())
    if len(raw) > MAX_STEPS:
        what = f"{len(raw):,} steps are more than the limit of {MAX_STEPS:,}"
        found.append(source.problem(("steps", MAX_STEPS), what, "split the work over several files"))
        return Pipeline(source, top, ())
    names = default_names(raw)
    steps = [_step(source, index, value, names[index], found) for index, value in enumerate(raw)]
    present = [step for step in steps if step is not None]
    found += _name_clashes(source, present)
    enabled = tuple(step for step in present if step.fields.enabled)
    if len(present) == len(raw) and not enabled:
        found.append(source.problem(("steps",), "every step is disabled", "remove an 'enabled: false'"))
    unreadable = tuple((index, names[index]) for index, step in enumerate(steps) if step is None)
    return Pipeline(
        source, top, enabled, frozenset(step.name for step in present if not step.fields.enabled), unreadable
    )


def _step(
    source: SourceFile, index: int, value: object, name: str, found: list[Problem]
) -> PipelineStep | None:
    path = ("steps", index)
    if not isinstance(value, dict):
        hint = "write '- type: text_to_image' and so on"
        found.append(source.problem(path, "a step must be a mapping with at least a 'type'", hint))
        return None
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in STEP_TYPES:
        found.append(_no_type(source, path, kind))
        return None
    fields: dict[str, Any] = {"name": name, **value}
    step_class = step_type(kind)
    try:
        return PipelineStep(step_class.model_validate(fields), index)
    except ValidationError as error:
        found += problems(error, source, path, step_class)
        return None


def _no_type(source: SourceFile, path: tuple[str | int, ...], kind: object) -> Problem:
    choice = f"choose one of {', '.join(STEP_TYPES)}"
    if not isinstance(kind, str):
        words = "this step has no 'type'" if kind is None else "a step's 'type' must be text"
        return source.problem((*path, "type"), words, choice)
    meant = closest(kind, STEP_TYPES)
    hint = f"did you mean {meant!r}?" if meant else choice
    return source.problem((*path, "type"), f"unknown step type {kind[:60]!r}", hint)


def _name_clashes(source: SourceFile, steps: Sequence[PipelineStep]) -> list[Problem]:
    """Names must differ in more than upper and lower case: they are folders."""
    seen: dict[str, PipelineStep] = {}
    clashes = []
    for step in steps:
        first = seen.setdefault(step.name.casefold(), step)
        if first is not step:
            taken = f"the name {step.name!r} is taken by step {first.position + 1}"
            if step.name != first.name:
                taken += f", {first.name!r}, and to some systems these are one folder"
            clashes.append(source.problem(("steps", step.position, "name"), taken, "choose another name"))
    return clashes

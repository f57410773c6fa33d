"""What can be wrong with ``defaults:`` and ``profiles:``, whether a profile is chosen or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline import nodes
from ai_content_pipeline.pipeline.blocks import (
    OWN_KEYS,
    TOP_KEYS,
    Layer,
    defaults,
    hidden,
    keys_of,
    profiles,
)
from ai_content_pipeline.pipeline.nodes import MappingNode
from ai_content_pipeline.pipeline.problems import problems
from ai_content_pipeline.pipeline.source import Path, SourceFile, closest
from ai_content_pipeline.pipeline.top import Top
from ai_content_pipeline.steps.registry import STEP_TYPES, default_names, step_type


def check(source: SourceFile) -> Iterator[Problem]:
    """Every problem of the file's layers; the shapes of the two mappings themselves apart."""
    named = source.data.get("profiles")
    for name, value in named.items() if isinstance(named, dict) else ():
        if not isinstance(value, dict):
            hint = f"as in '{name[:60]}: {{image_to_video: {{params: {{duration: 5}}}}}}'"
            yield source.problem(("profiles", name), f"profile {name[:60]!r} must be a mapping", hint)
    kinds = _kinds(source)
    below = defaults(source)
    for layer in (*((below,) if below else ()), *profiles(source).values()):
        yield from _layer(source, layer, kinds)
        if layer.is_profile:
            yield from _without_effect(source, layer)


def warnings(source: SourceFile, chosen: Layer) -> Iterator[str]:
    """What the chosen profile says of a step type, and a step of that type states itself."""
    for name, path, line in _hidden(source, chosen, by_name=False):
        yield (
            f"{chosen.words} does not change {path[-1]!r} of {name}: the step states it itself (line {line});"
            " a profile changes what stands under 'defaults:'"
        )


def _without_effect(source: SourceFile, layer: Layer) -> Iterator[Problem]:
    """A block for one step is meant to change it; what cannot must not look as if it did."""
    for name, path, line in _hidden(source, layer, by_name=True):
        message = f"{path[-1]!r} of step {name!r} cannot be changed by a profile: the step states it itself"
        hint = f"move it from line {line} to 'defaults: {{{name}: …}}', which a profile changes"
        yield source.problem((*layer.path, name, *path), message, hint, key=True)


def _hidden(source: SourceFile, layer: Layer, *, by_name: bool) -> Iterator[tuple[str, Path, int]]:
    """The name of a step, a value of its block that the step hides, and the line where it does."""
    raw = source.data.get("steps")
    steps = raw if isinstance(raw, list) else []
    for index, (step, name) in enumerate(zip(steps, default_names(steps), strict=True)):
        node = source.node(("steps", index))
        if not isinstance(step, dict) or not isinstance(node, MappingNode):
            continue
        for key in keys_of(step.get("type"), name):
            block = layer.block(key)
            if block is None or (key in STEP_TYPES) is by_name:
                continue
            for path, reason in hidden(block, node):
                yield name, path, source.position(("steps", index, *reason), key=True).line


def _kinds(source: SourceFile) -> dict[str, str | None]:
    """The step type that each block is for, by its key; None for a step whose own type is wrong."""
    raw = source.data.get("steps")
    steps = raw if isinstance(raw, list) else []
    found: dict[str, str | None] = {}
    for step, name in zip(steps, default_names(steps), strict=True):
        kind = step.get("type") if isinstance(step, dict) else None
        if name:
            found[name] = kind if isinstance(kind, str) and kind in STEP_TYPES else None
    return found | {kind: kind for kind in STEP_TYPES}


def _layer(source: SourceFile, layer: Layer, kinds: dict[str, str | None]) -> Iterator[Problem]:
    top = TOP_KEYS if layer.is_profile else frozenset[str]()
    data = nodes.value(layer.node, [])
    assert isinstance(data, dict)
    yield from _top(source, layer, {key: value for key, value in data.items() if key in top})
    for key, value in data.items():
        path = (*layer.path, key)
        if key in top:
            continue
        if key not in kinds:
            yield _unknown(source, path, key, [*kinds, *sorted(top)])
        elif not isinstance(value, dict):
            example = "write what its steps have in common, as in 'image_to_video: {params: {duration: 5}}'"
            yield source.problem(path, f"{key[:60]!r} must be a mapping", example)
        elif (kind := kinds[key]) is not None:
            yield from _block(source, path, kind, value)


def _unknown(source: SourceFile, path: Path, key: str, known: list[str]) -> Problem:
    if key in TOP_KEYS or key in Top.model_fields:
        where = "write it at the top of the file" if path[0] == "defaults" else "a profile cannot change it"
        return source.problem(path, f"{key!r} is no step and no step type", where, key=True)
    meant = closest(key, known)
    hint = f"did you mean {meant!r}?" if meant else f"there are {', '.join(known)}"
    return source.problem(path, f"there is no step or step type {key[:60]!r}", hint, key=True)


def _top(source: SourceFile, layer: Layer, given: Mapping[str, object]) -> list[Problem]:
    try:
        Top.model_validate({"name": "unnamed", "output_dir": "output", **given})
    except ValidationError as error:
        return problems(error, source, layer.path, Top)
    return []


def _block(source: SourceFile, path: Path, kind: str, block: Mapping[str, object]) -> Iterator[Problem]:
    for key in OWN_KEYS:
        if key in block:
            yield source.problem((*path, key), f"{key!r} stands on the step itself", "remove it", key=True)
    own = {key: value for key, value in block.items() if key not in OWN_KEYS}
    step_class = step_type(kind)
    try:
        step_class.model_validate({**own, "name": "unnamed", "type": kind})
    except ValidationError as error:
        yield from problems(error, source, path, step_class, partial=True)

"""``--set a.b=c``: one value of the file replaced on the command line, before it is checked."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.pipeline.source import SourceFile, closest, loads

_TOP = frozenset(
    ("name", "description", "prompt", "output_dir", "save_intermediates", "seed", "max_cost", "input_image",
     "input_video")
)  # fmt: skip


def apply_overrides(source: SourceFile, overrides: Sequence[str]) -> SourceFile:
    """`source` with every override applied; values are read as YAML scalars or flow collections.

    A path starts with a top-level key, or with a step: ``clips.params.duration=10``,
    ``steps.clips.params.duration=10`` or ``steps.2.params.duration=10``.

    Raises:
        UsageError: a path that leads nowhere.
    """
    if not overrides:
        return source
    data = copy.deepcopy(source.data)
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise UsageError(
                f"--set {text!r}: write it as path=value", hint="e.g. --set clips.params.duration=10"
            )
        _set(data, path.split("."), _parse(value), text)
    return replace(source, data=data)


def _parse(text: str) -> Any:
    return loads(f"value: {text}\n" if text else "value:\n", name=f"--set …={text}").data["value"]


def _set(data: dict[str, Any], path: list[str], value: Any, text: str) -> None:
    here: Any = data
    names = _resolve(data, path, text)
    for part in names[:-1]:
        here = _step_into(here, part, text)
    last = names[-1]
    if isinstance(here, list):
        here[_index(here, last, text)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise UsageError(f"--set {text!r}: {'.'.join(names[:-1])} holds a single value, not keys")


def _resolve(data: dict[str, Any], path: list[str], text: str) -> list[str]:
    """The path from the top of the file: a step's name stands for its place in the list."""
    if path[0] == "steps" and len(path) > 1:
        return ["steps", str(_step_index(data, path[1], text)), *path[2:]]
    if path[0] in data or path[0] in _TOP:
        return path
    return ["steps", str(_step_index(data, path[0], text)), *path[1:]]


def _step_index(data: dict[str, Any], name: str, text: str) -> int:
    steps = data.get("steps")
    steps = steps if isinstance(steps, list) else []
    if name.isdigit() and int(name) < len(steps):
        return int(name)
    names = [step.get("name") if isinstance(step, dict) else None for step in steps]
    if name in names:
        return names.index(name)
    near = closest(name, [*filter(None, names), *sorted(_TOP)])
    hint = f"did you mean {near!r}?" if near else "start with a top-level key or the name of a step"
    raise UsageError(f"--set {text!r}: there is no {name!r}", hint=hint)


def _step_into(here: Any, part: str, text: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, part, text)]
    if isinstance(here, dict):
        if not isinstance(here.get(part), dict | list):
            here[part] = {}
        return here[part]
    raise UsageError(f"--set {text!r}: {part!r} stands below a single value")


def _index(items: list[Any], part: str, text: str) -> int:
    if part.isdigit() and int(part) < len(items):
        return int(part)
    raise UsageError(
        f"--set {text!r}: {part!r} is no place in a list of {len(items)}", hint="places count from 0"
    )

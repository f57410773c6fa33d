"""``--set a.b=c``: one value of the file replaced on the command line, before it is checked."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ai_content_pipeline.errors import InvalidPipeline, UsageError
from ai_content_pipeline.pipeline.source import Path as YamlPath
from ai_content_pipeline.pipeline.source import SourceFile, Value, closest, loads
from ai_content_pipeline.steps.registry import default_names

_TOP = frozenset(
    ("name", "description", "prompt", "output_dir", "save_intermediates", "seed", "max_cost", "input_image",
     "input_video", "steps")
)  # fmt: skip


def apply_overrides(source: SourceFile, overrides: Sequence[str]) -> SourceFile:
    """`source` with every override applied; values are read as YAML scalars or flow collections.

    A path starts with a top-level key, or with a step: ``clips.params.duration=10``,
    ``steps.clips.params.duration=10`` or ``steps.2.params.duration=10``. Places count from 0. A later
    override wins over an earlier one.

    Raises:
        UsageError: a path that leads nowhere, or a value that is no YAML.
    """
    if not overrides:
        return source
    data = copy.deepcopy(source.data)
    overridden: dict[YamlPath, str] = {}
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise UsageError(
                f"--set {text!r}: write it as path=value", hint="e.g. --set clips.params.duration=10"
            )
        overridden[_set(data, path.split("."), _parse(value, text), text)] = f"--set {text}"
    return replace(source, data=data, overridden=overridden)


def _parse(value: str, text: str) -> Value:
    try:
        data = loads(f"value: {value}").data
    except InvalidPipeline as error:
        found = error.problems[0]
        raise UsageError(f"--set {text!r}: {found.message}", hint=found.hint) from error
    if set(data) != {"value"}:
        raise UsageError(f"--set {text!r}: a value is one line", hint="give each value a --set of its own")
    return data["value"]


def _set(data: dict[str, Any], path: list[str], value: Value, text: str) -> YamlPath:
    """Where the value went."""
    here: Any = data
    names = _resolve(data, path, text)
    found: list[str | int] = []
    for part in names[:-1]:
        found.append(_index(here, part, text) if isinstance(here, list) else part)
        here = _step_into(here, part, text)
    last = names[-1]
    if isinstance(here, list):
        found.append(_index(here, last, text))
    elif isinstance(here, dict):
        found.append(last)
    else:
        where = ".".join(names[:-1])
        raise UsageError(f"--set {text!r}: {where} holds a single value", hint=f"write --set {where}={last}")
    here[found[-1]] = value
    return tuple(found)


def _resolve(data: dict[str, Any], path: list[str], text: str) -> list[str]:
    """The path from the top of the file: a step's name stands for its place in the list."""
    if path[0] == "steps" and len(path) > 1:
        return ["steps", str(_step_index(data, path[1], text)), *path[2:]]
    if path[0] in _TOP:
        return path
    if path[0] == "env":
        raise UsageError(f"--set {text!r}: 'env' is read before", hint="set the variable in the environment")
    if path[0] in ("defaults", "profiles"):
        hint = "set the value where it ends, as in --set clips.params.duration=10"
        raise UsageError(f"--set {text!r}: {path[0]!r} is read before", hint=hint)
    return ["steps", str(_step_index(data, path[0], text)), *path[1:]]


def _step_index(data: dict[str, Any], name: str, text: str) -> int:
    steps = data.get("steps")
    steps = steps if isinstance(steps, list) else []
    if name.isdigit() and int(name) < len(steps):
        return int(name)
    names = default_names(steps)
    if name and name in names:
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

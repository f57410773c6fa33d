"""What pydantic found, in words for people, with the position in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline.source import SourceFile, closest, unknown_key
from ai_content_pipeline.steps.fields import EXCLUSION_LIST

YamlPath = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "decimal_type": "an amount in dollars",
    "is_instance_of": "an amount in dollars",
}
_LIMITS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}


def problems(
    error: ValidationError, source: SourceFile, path: YamlPath, keys: Iterable[str]
) -> list[Problem]:
    """One problem for each error below `path`. `keys` are the known ones of the mapping at `path`."""
    return [_problem(detail, source, path, tuple(keys)) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails, source: SourceFile, prefix: YamlPath, keys: tuple[str, ...]) -> Problem:
    loc = tuple(part for part in detail["loc"])
    path = (*prefix, *loc)
    name = loc[-1] if loc else (prefix[-1] if prefix else "the file")
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = keys if len(loc) == 1 else ()
        return source.problem(path, f"unknown key {name!r}", _unknown_hint(str(name), loc, known), key=True)
    if kind == "missing":
        return source.problem(path[:-1], f"{name!r} is missing")
    if kind in _EXPECTED:
        return source.problem(path, f"{name!r} must be {_EXPECTED[kind]}, not {_shown(detail['input'])}")
    if kind in _LIMITS:
        words, bound = _LIMITS[kind]
        return source.problem(
            path, f"{name!r} must be {words} {context[bound]}, not {_shown(detail['input'])}"
        )
    if kind == "literal_error":
        return _literal(source, path, name, detail["input"], context)
    if kind == "value_error":
        return source.problem(path, str(context["error"]))
    if kind in ("too_short", "string_too_short"):
        return source.problem(path, f"{name!r} is empty")
    return source.problem(path, f"{name!r}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")


def _literal(
    source: SourceFile, path: YamlPath, name: object, value: object, context: Mapping[str, Any]
) -> Problem:
    allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
    near = closest(value, allowed) if isinstance(value, str) else None
    hint = f"did you mean {near!r}?" if near else None
    expected = allowed[0] if len(allowed) == 1 else f"one of {', '.join(allowed)}"
    return source.problem(path, f"{name!r} must be {expected}, not {_shown(value)}", hint)


def _unknown_hint(name: str, loc: YamlPath, keys: tuple[str, ...]) -> str | None:
    if len(loc) == 1 and name in EXCLUSION_LIST:
        return "write it under 'params'"
    return unknown_key(name, keys) if keys else None


def _shown(value: object) -> str:
    """A value as the user would recognise it, cut short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"

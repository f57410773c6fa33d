"""What pydantic found, in words for people, with the position in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline.source import SourceFile, closest, unknown_key
from ai_content_pipeline.pipeline.top import Top
from ai_content_pipeline.steps.fields import Entry, InputSpec, ModelFields, StepFields

YamlPath = tuple[str | int, ...]
Model = type[BaseModel]

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
    "decimal_type": "an amount in dollars, such as 5.00",
    "is_instance_of": "an amount in dollars, such as 5.00",
}
_NUMBERS = ("int_type", "int_from_float", "float_type", "decimal_type", "is_instance_of")
_QUOTED = re.compile(r"'([a-z_]+)(?:'|: )")
_LIMITS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
_TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def problems(
    error: ValidationError, source: SourceFile, prefix: YamlPath, model: Model, *, partial: bool = False
) -> list[Problem]:
    """One problem for each error of `model`, which was read from the mapping at `prefix`.

    `partial`: the mapping is only a part of what `model` reads, so what it leaves out is no problem.
    """
    details = [detail for detail in error.errors(include_url=False) if not _follows(detail)]
    return [
        _problem(detail, source, prefix, model)
        for detail in details
        if not (partial and _of_the_whole(detail))
    ]


def _of_the_whole(detail: ErrorDetails) -> bool:
    """True for something left out, and for values that do not go together."""
    kind, loc = detail["type"], detail["loc"]
    return kind == "missing" or (kind == "value_error" and loc in ((), ("params",)))


def _follows(detail: ErrorDetails) -> bool:
    """True for a list called too short only because its entries are wrong, which is said for each."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _problem(detail: ErrorDetails, source: SourceFile, prefix: YamlPath, model: Model) -> Problem:
    loc = _as_written(detail["loc"])
    path = (*prefix, *loc)
    name = next((part for part in reversed(path) if isinstance(part, str)), "the file")
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        return _unknown(source, path, loc, model, value)
    if kind == "missing":
        return source.problem(path[:-1], f"{name!r} is missing", _missing_hint(name, model))
    if kind in _EXPECTED:
        return _wrong_type(source, path, name, kind, value)
    if kind in _LIMITS:
        words, bound = _LIMITS[kind]
        return source.problem(path, f"{name!r} must be {words} {context[bound]:,}, not {_shown(value)}")
    if kind == "literal_error":
        return _literal(source, path, name, value, context)
    if kind == "value_error":
        message, _, hint = str(context["error"]).partition("; ")
        key = _named(message, value)
        return source.problem(
            path if key is None else (*path, key), message, hint or None, key=key is not None
        )
    if kind in ("too_short", "string_too_short"):
        return source.problem(path, f"{name!r} is empty", "give it something, or remove the line")
    return source.problem(path, f"{name!r}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")


def _named(message: str, value: object) -> str | None:
    """Of a mapping whose values do not go together, the first key that the message names."""
    if not isinstance(value, Mapping):
        return None
    return next((name for name in _QUOTED.findall(message) if name in value), None)


def _as_written(loc: YamlPath) -> YamlPath:
    """Where the value stands in the file: the parsed form of ``input:`` has one level more."""
    return (*loc[:1], *loc[2:]) if loc[:2] == ("input", "items") else tuple(loc)


# -- unknown and missing keys ------------------------------------------------------------------------------


def _unknown(source: SourceFile, path: YamlPath, loc: YamlPath, model: Model, value: object) -> Problem:
    name = str(loc[-1])
    hint = _home(name, loc, model) or _unknown_hint(name, _model_at(model, loc[:-1]), value)
    return source.problem(path, f"unknown key {name[:60]!r}", hint, key=True)


def _home(name: str, loc: YamlPath, model: Model) -> str | None:
    """Where a key of ours belongs that stands at the wrong level."""
    if not issubclass(model, StepFields):
        return "write it on a step, below 'steps:'" if name in ModelFields.model_fields else None
    if len(loc) == 1:
        own, below = _keys(model), _keys(_model_at(model, ("params",)))
        meant = closest(name, (*below, *own))
        if meant in below and meant not in own:
            guess = "write it" if meant == name else f"did you mean {meant!r}? Write it"
            return f"{guess} under 'params', as in 'params: {{{meant}: …}}'"
    if len(loc) == 2 and loc[0] == "params" and name in model.model_fields:
        return "write it on the step itself, not under 'params'"
    return None


def _unknown_hint(name: str, model: Model | None, value: object) -> str:
    if model is Entry and value is None:
        return "text that begins with '{' needs quotes"
    keys = _keys(model)
    hint = unknown_key(name, keys)
    if model is Entry and closest(name, keys) is None:
        return f"{hint}; text with ': ' in it needs quotes"
    if model is not None and issubclass(model, ModelFields) and closest(name, keys) is None:
        return f"{hint}; the model's own parameters stand under 'params'"
    return hint


def _missing_hint(name: str, model: Model) -> str | None:
    if name == "params":
        return "write 'params: {grid: \"2x2\"}'"
    if name != "model" or not issubclass(model, ModelFields):
        return None
    from ai_content_pipeline.catalog.names import GOOD_AT

    good = GOOD_AT[model.task][0]
    return f"write 'model: {good}' or another key of the catalogue, or 'model: draft', which is free"


def _keys(model: Model | None) -> tuple[str, ...]:
    """The keys that a user may write, none that only our parsed form has."""
    if model is None:
        return ()
    keys = [key for key in model.model_fields if not (model is InputSpec and key == "items")]
    return (*keys, "steps") if model is Top else tuple(keys)


def _model_at(model: Model, loc: YamlPath) -> Model | None:
    """The class that reads the mapping at `loc`."""
    here: Model | None = model
    named = False  # the next part is a name that the user gave, as below `references:`
    for part in loc:
        if named:
            named = False
        elif isinstance(part, str) and here is not None:
            known = here.model_fields.get(part)
            here = next(_models_in(known.annotation), None) if known else None
            named = known is not None and get_origin(known.annotation) is dict
    return here


def _models_in(annotation: Any) -> Iterator[Model]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


# -- wrong values ------------------------------------------------------------------------------------------


def _wrong_type(source: SourceFile, path: YamlPath, name: str, kind: str, value: object) -> Problem:
    if value is None:
        return source.problem(path, f"{name!r} is empty", "give it a value, or remove the line")
    message = f"{name!r} must be {_EXPECTED[kind]}, not {_shown(value)}"
    return source.problem(path, message, _type_hint(source, path, name, kind, value))


def _type_hint(source: SourceFile, path: YamlPath, name: str, kind: str, value: object) -> str | None:
    if kind == "string_type":
        return _text_hint(source, path, name, value)
    if (
        kind == "bool_type"
        and isinstance(value, str)
        and (meant := _TRUTHS.get(value.lower(), value.lower()))
    ):
        return f"write {meant}" if meant in ("true", "false") else None
    if kind in _NUMBERS and isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        return f"write {value}, without quotes"
    if kind == "tuple_type" and name == "prompts":
        return "write each prompt on a line of its own, after '- '"
    return None


def _text_hint(source: SourceFile, path: YamlPath, name: str, value: object) -> str | None:
    if isinstance(value, int | float):
        return f'write "{source.raw(path) or _shown(value)}", in quotes'
    if isinstance(value, dict):
        first = next(iter(value), None)
        block = first is not None and source.position(path) == source.position((*path, first), key=True)
        return f"write the text on the lines below '{name}: |'" if block else _quotes("{")
    if isinstance(value, list):
        return "several prompts stand under 'prompts'" if name == "prompt" else _quotes("[")
    return None


def _quotes(opening: str) -> str:
    return f"text that begins with '{opening}' needs quotes"


def _literal(
    source: SourceFile, path: YamlPath, name: object, value: object, context: Mapping[str, Any]
) -> Problem:
    allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
    near = closest(value, allowed) if isinstance(value, str) else None
    hint = f"did you mean {near!r}?" if near else None
    expected = allowed[0] if len(allowed) == 1 else f"one of {', '.join(allowed)}"
    return source.problem(path, f"{name!r} must be {expected}, not {_shown(value)}", hint)


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

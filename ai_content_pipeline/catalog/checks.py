"""A request's parameters against its model's card: what is wrong, and what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog.cards import Card, Parameter
from ai_content_pipeline.jobs import Json, Params, Task

_SHOWN = 60  # characters of a value that a message repeats
_LISTED = 16  # allowed values that a message lists
_LINES_PER_K = 540  # so that 4k compares with 1080p as 2160 lines

_WHERE = {
    Role.INPUT: "the step's 'input' fills it",
    Role.START: "the step's 'input' fills it, or an entry's 'start'",
    Role.END: "write 'input: {start: …, end: …}' or an entry's 'end'",
    Role.REFERENCE: "write 'references' on the step or in an entry",
    Role.MASK: "write 'input: {input: …, mask: …}'",
}

#: Names that other models have for the same thing.
_ALIKE = {
    "duration": ("num_frames", "seconds"),
    "num_frames": ("duration",),
    "num_images": ("num_outputs", "max_images"),
    "num_outputs": ("num_images",),
    "aspect_ratio": ("image_size", "size"),
    "image_size": ("aspect_ratio", "size", "width"),
    "steps": ("num_inference_steps",),
    "cfg_scale": ("guidance_scale", "guide_scale", "guidance"),
    "guidance_scale": ("cfg_scale", "guide_scale", "guidance"),
    "audio": ("generate_audio",),
}

_ARTICLES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """One parameter that the model will not take."""

    parameter: str
    message: str
    hint: str | None = None


def check(card: Card, task: Task, params: Params) -> tuple[Misfit, ...]:
    """Every parameter that does not fit; nothing where the model's schema is unknown."""
    if card.parameters is None:
        return ()
    found = (_misfit(card, task, name, value) for name, value in coerce(card, params).items())
    return tuple(misfit for misfit in found if misfit)


def coerce(card: Card, params: Params) -> dict[str, Json]:
    """Each value in its schema's type where the text is the same: ``5`` and ``"5"`` are one value."""
    known = card.parameters or {}
    return {name: _coerced(known[name], value) if name in known else value for name, value in params.items()}


def _coerced(parameter: Parameter, value: Json) -> Json:
    if isinstance(value, str):
        return _read(parameter, value)
    if isinstance(value, int | float) and parameter.type == "string":
        return _text(value)
    if isinstance(value, float) and parameter.type == "integer" and value.is_integer():
        return int(value)
    return value


def _read(parameter: Parameter, text: str) -> Json:
    """The number or truth value that `text` spells exactly, where the schema wants one."""
    if parameter.type not in ("integer", "number", "boolean"):
        return text
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and parameter.type == "integer":
        return text
    same = isinstance(value, int | float) and json.dumps(value) == text
    return value if same and _fits_type(parameter.type, value) else text


# -- one parameter -------------------------------------------------------------------------------------


def _misfit(card: Card, task: Task, name: str, value: Json) -> Misfit | None:
    parameter = (card.parameters or {}).get(name)
    if parameter is None:
        return _unknown(card, task, name)
    if parameter.deprecated:
        return Misfit(name, f"{card.key} no longer heeds {name}", parameter.note or "remove it")
    if value is None:
        return Misfit(name, f"{name} is empty", "give it a value, or remove the line")
    if parameter.enum and not (parameter.type == "object" and isinstance(value, dict)):
        return _not_listed(card, name, parameter.enum, value)
    if not _fits_type(parameter.type, value):
        return Misfit(name, f"{name} is {_show(value)}; {card.key} wants {_ARTICLES[parameter.type]}")
    return _out_of_range(card, name, parameter, value)


def _unknown(card: Card, task: Task, name: str) -> Misfit:
    if name == card.prompt:
        return Misfit(name, f"{name} is not a parameter", "write the text as the step's 'prompt'")
    if name == card.seed:
        return Misfit(
            name, f"{name} is not a model parameter", "write 'seed' in the step's params or in an entry"
        )
    roles = {field.name: role for role, field in reversed(tuple(card.roles.items()))}
    if name in roles:
        return Misfit(name, f"{name} is not a parameter: it takes a file", _where(task, roles[name]))
    role = _role_of(name)
    meant = card.roles[role].name if role is not None and role in card.roles else _meant(card, name, roles)
    hint = f"did you mean {meant!r}?" if meant else _listing(card)
    if meant in roles:
        hint = f"for {meant!r}, {_where(task, roles[meant])}"
    return Misfit(name, f"{card.key} has no parameter {_show(name)}", hint)


def _role_of(name: str) -> Role | None:
    """What a field of that name would take at other vendors: ``tail_image_url`` is an end picture."""
    from ai_content_pipeline.catalog.detection import role_in

    return role_in(name)


def _meant(card: Card, name: str, roles: Iterable[str]) -> str | None:
    """The parameter that was meant: what other models call so, else the nearest name."""
    other = next((other for other in _ALIKE.get(name, ()) if other in (card.parameters or {})), None)
    return other or _close(name, (*(card.parameters or {}), *roles))


def _where(task: Task, role: Role) -> str:
    if role in (Role.START, Role.END) and task in (Task.TEXT_TO_VIDEO, Task.REFERENCE_TO_VIDEO):
        return f"a {task.value} step sends no such picture; use an image_to_video step"
    if role in (Role.INPUT, Role.MASK) and task is Task.TEXT_TO_IMAGE:
        return "a text_to_image step sends no picture; use an image_to_image step"
    return _WHERE[role]


def _listing(card: Card) -> str:
    return f"it has {', '.join(card.parameters)}" if card.parameters else "it has none"


def _not_listed(card: Card, name: str, enum: Sequence[Json], value: Json) -> Misfit | None:
    if any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in enum):
        return None
    shown = [_show(one) for one in enum[:_LISTED]] + (["…"] if len(enum) > _LISTED else [])
    nearest = _nearest(value, enum)
    hint = f"write {_show(nearest)}" if nearest is not None else None
    return Misfit(name, f"{name} is {_show(value)}; {card.key} takes {', '.join(shown)}", hint)


def _out_of_range(card: Card, name: str, parameter: Parameter, value: Json) -> Misfit | None:
    low, high = parameter.minimum, parameter.maximum
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if (low is None or value >= low) and (high is None or value <= high):
        return None
    nearest = low if low is not None and value < low else high
    return Misfit(name, f"{name} is {_show(value)}; {card.key} takes {span(parameter)}", f"write {nearest}")


def _fits_type(wanted: str, value: Json) -> bool:
    match wanted:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "integer" | "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            return isinstance(value, int) or (isfinite(value) and (wanted == "number" or value.is_integer()))
    return True


# -- words ---------------------------------------------------------------------------------------------


def span(parameter: Parameter) -> str:
    """Which values a parameter may have: those listed, or its limits; empty where the schema says nothing."""
    if parameter.enum:
        return ", ".join(map(_show, parameter.enum))
    low, high = parameter.minimum, parameter.maximum
    if low is None or high is None:
        return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""
    return f"{low} to {high}"


def _show(value: Json) -> str:
    """A value as it stands in a file, shortened."""
    text = _text(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _text(value: Json) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number too long to write"


def _close(name: str, names: Sequence[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name[:_SHOWN], names, n=1)), None)


def _nearest(value: Json, enum: Sequence[Json]) -> Json:
    """The allowed value most likely meant: the same but for its case, the next number, a near word."""
    text = value if isinstance(value, str) else _text(value)
    by_case = {str(one).lower(): one for one in enum}
    if text.lower() in by_case:
        return by_case[text.lower()]
    wanted = _measure(text)
    numbers = [(abs(size - wanted), one) for one in enum if wanted and (size := _measure(str(one)))]
    if numbers:
        return min(numbers, key=lambda pair: pair[0])[1]
    return by_case.get(_close(text.lower(), tuple(by_case)) or "")


def _measure(text: str) -> float | None:
    """How large a value is: ``8s`` is 8, ``720p`` is 720, ``4K`` is 2160, ``16:9`` is 1.78."""
    ratio = re.fullmatch(r"([0-9]{1,5}):([0-9]{1,5})", text)
    if ratio:
        return int(ratio[1]) / int(ratio[2]) if int(ratio[2]) else None
    plain = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s?(s|p|k|mp)?", text.lower())
    if plain is None:
        return None
    return float(plain[1]) * (_LINES_PER_K if plain[2] == "k" else 1)

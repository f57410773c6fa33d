"""What a card's TOML table may hold, and what is wrong with one that a user wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.places import Trail
from ai_content_pipeline.catalog.prices import UNITS
from ai_content_pipeline.catalog.sizes import FAMILIES
from ai_content_pipeline.cost import Confidence
from ai_content_pipeline.jobs import Task

_MONEY = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_MOST = 1e12


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Something wrong at `trail`, counted from the card's own table."""

    trail: Trail
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`wanted` says in words what `fits` accepts; with `words`, one of those. `removable`: or false."""

    wanted: str
    fits: Callable[[Any], bool]
    words: tuple[str, ...] = ()
    removable: bool = False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= 2_000


def _is_money(value: Any) -> bool:
    text = str(value) if _is_number(value) else value
    return isinstance(text, str) and _MONEY.fullmatch(text) is not None and Decimal(text) > 0


def _is_day(value: Any) -> bool:
    try:
        return type(value) is date or (isinstance(value, str) and bool(date.fromisoformat(value)))
    except ValueError:
        return False


def _is_mention(value: Any) -> bool:
    return _is_text(value) and str(value).count("{n}") == 1 and str(value).count("{") == 1


def _is_choice(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, list) and one for one in value.values())


def _one_of(*words: str, removable: bool = False) -> Rule:
    return Rule(f"one of {', '.join(words)}", lambda value: value in words, words, removable)


def _list_of(rule: Rule, *, least: int = 0) -> Rule:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and len(value) >= least and all(map(rule.fits, value))

    return Rule(f"a list of {rule.wanted.removeprefix('one of ')}", fits, rule.words)


TEXT = Rule("text", _is_text)
NAME = Rule("the name of a field, or false where there is none", _is_text, removable=True)
TRUTH = Rule("true or false", lambda value: isinstance(value, bool))
COUNT = Rule("a whole number from 1", lambda value: type(value) is int and 1 <= value < _MOST)
NUMBER = Rule("a number", _is_number)
BOUND = Rule("a number, or false for no limit", _is_number, removable=True)
MONEY = Rule('dollars, as in "0.07"', _is_money)
ANYTHING = Rule("a value", lambda value: True)
ROLES = tuple(role.value for role in Role)

CARD: Mapping[str, Rule] = {
    "title": TEXT,
    "provider": _one_of("fal", "replicate"),
    "endpoint": Rule(
        "the vendor's name of the model, as in owner/model",
        lambda value: (
            isinstance(value, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)+(:\w+)?", value) is not None
        ),
    ),
    "tasks": _list_of(_one_of(*(task.value for task in Task)), least=1),
    "status": _one_of("active", "deprecated"),
    "version": COUNT,
    "prompt": NAME,
    "prompt_required": TRUTH,
    "seed": NAME,
    "count": NAME,
    "seconds": Rule("seconds, or false", lambda value: _is_number(value) and value > 0, removable=True),
    "source": TEXT,
    "note": TEXT,
}
PARAMETER: Mapping[str, Rule] = {
    "type": _one_of("string", "integer", "number", "boolean", "array", "object", "any"),
    "enum": Rule("a list of values", lambda value: isinstance(value, list)),
    "minimum": BOUND,
    "maximum": BOUND,
    "default": ANYTHING,
    "deprecated": TRUTH,
    "note": TEXT,
}
ROLE: Mapping[str, Rule] = {
    "name": TEXT,
    "many": TRUTH,
    "required": TRUTH,
    "max_items": Rule(COUNT.wanted, COUNT.fits, removable=True),
    "min_side": Rule("pixels, or false", COUNT.fits, removable=True),
    "excludes": _list_of(_one_of(*ROLES)),
    "takes": _one_of(*(kind.value for kind in Kind)),
    "either": TRUTH,
    "kind": _one_of("files", "elements", "embeddings"),
    "mention": Rule('how a prompt names a picture, as in "@Image{n}"', _is_mention, removable=True),
    "tags": NAME,
    "strength": NAME,
    "only_with": Rule("a table of lists of values", _is_choice),
}
OUTPUT: Mapping[str, Rule] = {
    "sizes": _one_of(*sorted(FAMILIES)),
    "resolution": TEXT,
    "resolution_from": TEXT,
    "labels": Rule("a table of names", lambda value: isinstance(value, dict)),
    "aspect": TEXT,
    "follow_input": TRUTH,
    "seconds": NUMBER,
    "fps": NUMBER,
    "scale": TEXT,
}
PRICE: Mapping[str, Rule] = {
    "unit": _one_of(*sorted(UNITS)),
    "rates": Rule(
        'a list of tables, as in [{usd = "0.07"}]', lambda value: isinstance(value, list) and value != []
    ),
    "surcharges": Rule("a list of tables", lambda value: isinstance(value, list)),
    "source": TEXT,
    "date": Rule('a day, as in "2026-11-21"', _is_day),
    "confidence": _one_of(*(word.value for word in Confidence if word is not Confidence.OBSERVED)),
    "round_up": TRUTH,
    "not_with": _list_of(TEXT),
    "note": TEXT,
}
SURCHARGE: Mapping[str, Rule] = {
    "parameter": TEXT,
    "output": _one_of("megapixels", "short_side"),
    "equals": ANYTHING,
    "above": NUMBER,
    "times": MONEY,
    "plus": MONEY,
}
_TABLES = ("roles", "parameters", "output", "price")


def problems(table: object, *, new: bool) -> Iterator[Misplaced]:
    """Everything wrong with a card's table. `new`: no card of that key exists that it could change."""
    if not isinstance(table, dict):
        yield Misplaced((), "a card is a table", 'write "[key]" on a line of its own, and its fields below')
        return
    yield from _fields(table, CARD, (), _TABLES)
    yield from _each(table, "roles", ROLE, ROLES)
    yield from _each(table, "parameters", PARAMETER, ())
    if "output" in table:
        yield from _table(table["output"], OUTPUT, ("output",))
    if table.get("price", False) is not False:
        yield from _price(table["price"])
    missing = [name for name in ("provider", "endpoint", "tasks") if name not in table]
    if new and missing:
        yield Misplaced((), f"a new card needs {', '.join(missing)}")


def _each(
    table: Mapping[str, Any], kind: str, rules: Mapping[str, Rule], names: tuple[str, ...]
) -> Iterator[Misplaced]:
    """The tables below ``roles`` or ``parameters``; false in place of one takes it away."""
    entries = table.get(kind, {})
    if not isinstance(entries, dict):
        yield Misplaced((kind,), f"{kind!r} must be a table", f'write "[key.{kind}]" on a line of its own')
        return
    for name, entry in entries.items():
        if names and name not in names:
            yield Misplaced((kind, name), f"unknown role {name[:60]!r}", _meant(name, names))
        elif entry is not False:
            yield from _table(entry, rules, (kind, name))


def _price(table: object) -> Iterator[Misplaced]:
    yield from _table(table, PRICE, ("price",))
    if not isinstance(table, dict):
        return
    for name in ("unit", "rates", "date"):
        if name not in table:
            hint = (
                'the day that you read it, as in date = "2026-11-21"'
                if name == "date"
                else PRICE[name].wanted
            )
            yield Misplaced(("price",), f"a price needs {name!r}", hint)
    for number, rate in enumerate(_list(table.get("rates"))):
        if not isinstance(rate, dict) or not _is_money(rate.get("usd")):
            hint = 'write {usd = "0.07"}, and beside it the parameters that it holds for'
            yield Misplaced(("price", "rates", number), "a rate needs its dollars", hint)
    for number, extra in enumerate(_list(table.get("surcharges"))):
        yield from _table(extra, SURCHARGE, ("price", "surcharges", number))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _table(table: object, rules: Mapping[str, Rule], trail: Trail) -> Iterator[Misplaced]:
    if isinstance(table, dict):
        yield from _fields(table, rules, trail, ())
    else:
        yield Misplaced(trail, f"{trail[-1]!r} must be a table", f"it may hold {', '.join(rules)}")


def _fields(
    table: Mapping[str, Any], rules: Mapping[str, Rule], trail: Trail, tables: tuple[str, ...]
) -> Iterator[Misplaced]:
    for name, value in table.items():
        if name in tables:
            continue
        rule = rules.get(name)
        if rule is None:
            yield Misplaced((*trail, name), f"unknown key {name[:60]!r}", _meant(name, (*rules, *tables)))
        elif not rule.fits(value) and not (rule.removable and value is False):
            hint = _near(value, rule.words) if isinstance(value, str) else None
            yield Misplaced((*trail, name), f"{name!r} must be {rule.wanted}, not {_shown(value)}", hint)


def _meant(word: str, words: tuple[str, ...]) -> str:
    return _near(word, words) or f"there are {', '.join(words)}"


def _near(word: str, words: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(word[:64].lower(), words, n=1)
    return f"did you mean {close[0]!r}?" if close else None


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:59] + "…"

"""Cards on disk: one TOML file each, ``models/<key>.toml``, read when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField, Shape
from ai_content_pipeline.catalog.prices import Price, Rate, Surcharge
from ai_content_pipeline.cost import Confidence
from ai_content_pipeline.jobs import Task

_FOLDER = Path(__file__).with_name("models")
_KEY = r"[a-z][a-z0-9_]{0,63}"

Table = Mapping[str, Any]  # what a TOML parser yields; it goes no further than this file


def keys() -> tuple[str, ...]:
    """Every key that has a card, in order. Reads the folder and no card."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


@cache
def load(key: str) -> Card:
    """The card of `key`.

    Raises:
        KeyError: no such card.
    """
    return card(key, table(key))


def table(key: str) -> Table:
    """What the file of `key` holds.

    Raises:
        KeyError: no such card.
    """
    import tomllib

    if not re.fullmatch(_KEY, key):
        raise KeyError(key)
    try:
        text = (_FOLDER / f"{key}.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(key) from None
    return tomllib.loads(text)


@cache
def key_at(provider: str, endpoint: str) -> str | None:
    """The key of the card that stands for an endpoint. Searches the files' text and parses none.

    `endpoint` without a version finds the card of whichever version is pinned there.
    """
    wanted = re.compile(rf'^endpoint = "{re.escape(endpoint)}(:[^"]*)?"$', re.MULTILINE)
    for key in keys():
        text = (_FOLDER / f"{key}.toml").read_text(encoding="utf-8")
        if f'\nprovider = "{provider}"\n' in text and wanted.search(text):
            return key
    return None


def card(key: str, table: Table) -> Card:
    """A card from its table.

    Raises:
        TypeError, KeyError, ValueError: the table has unknown keys, lacks some, or holds wrong words.
    """
    rest = dict(table)
    roles = {Role(role): _role(entry) for role, entry in rest.pop("roles", {}).items()}
    parameters = {name: _parameter(entry) for name, entry in rest.pop("parameters", {}).items()}
    price = rest.pop("price", None)
    return Card(
        key=key,
        tasks=tuple(Task(task) for task in rest.pop("tasks")),
        prompt=rest.pop("prompt", None),
        roles=roles,
        parameters=parameters,
        output=Shape(**rest.pop("output", {})),
        price=_price(price) if price is not None else None,
        **rest,
    )


def _parameter(table: Table) -> Parameter:
    return Parameter(**{**table, "enum": tuple(table.get("enum", ()))})


def _role(table: Table) -> RoleField:
    excludes = tuple(Role(role) for role in table.get("excludes", ()))
    only_with = {name: tuple(values) for name, values in table.get("only_with", {}).items()}
    takes = Kind(table.get("takes", Kind.IMAGE))
    return RoleField(**{**table, "excludes": excludes, "takes": takes, "only_with": only_with})


def _price(table: Table) -> Price:
    from decimal import Decimal

    rates = [dict(row) for row in table["rates"]]
    decimals = ("times", "plus")
    surcharges: list[dict[str, Any]] = [
        {name: Decimal(str(value)) if name in decimals else value for name, value in row.items()}
        for row in table.get("surcharges", ())
    ]
    return Price(
        **{
            **table,
            "rates": tuple(Rate(Decimal(str(row.pop("usd"))), row) for row in rates),
            "surcharges": tuple(Surcharge(**row) for row in surcharges),
            "not_with": tuple(table.get("not_with", ())),
            "source": table.get("source", "a card of this project's own"),
            "date": str(table["date"]),
            "confidence": Confidence(table.get("confidence", Confidence.SECOND_HAND)),
        }
    )

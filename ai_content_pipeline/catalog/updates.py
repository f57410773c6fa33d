"""What an overlay must hold so that a card agrees with its vendor, and still makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import files
from ai_content_pipeline.catalog.cards import Card
from ai_content_pipeline.catalog.overlay import Overlay, laid_over
from ai_content_pipeline.catalog.overlay_edit import combined
from ai_content_pipeline.catalog.places import Trail
from ai_content_pipeline.catalog.soundness import unsound


def updated(
    own: Overlay | None, key: str, more: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The overlay's table for `key` with `more` in it, and in words what had to go besides.

    A price that depends on a parameter that the model no longer has is no price. None: what the vendor
    publishes makes no sense, and the words say why.
    """
    table = combined(own.tables.get(key, {}) if own else {}, more)
    said = []
    card = _card(key, table)
    for wrong in unsound(card):
        if wrong.trail[0] == "price":
            said.append(f"its price is unknown now: {wrong.message}")
        _drop(table, card, wrong.trail)
    if left := [wrong.message for wrong in unsound(_card(key, table))]:
        return None, (f"not written, because it makes no sense: {left[0]}",)
    return table, tuple(dict.fromkeys(said))


def _card(key: str, table: Mapping[str, Any]) -> Card:
    base = files.table(key) if key in files.keys() else {"title": key, "prompt": "prompt"}  # noqa: SIM118
    return files.card(key, laid_over(base, table))


def _drop(table: dict[str, Any], card: Card, trail: Trail) -> None:
    """Take away what no longer goes with the rest."""
    match trail:
        case ("price", *_):
            table["price"] = False
        case ("count", *_):
            table["count"] = False
        case ("parameters", str(name), "default"):
            _fields(table, "parameters", name)["default"] = False
        case ("roles", str(name), "excludes"):
            left = [other.value for other in card.roles[Role(name)].excludes if other in card.roles]
            _fields(table, "roles", name)["excludes"] = left
        case ("roles", str(name), "tags" | "strength" as where):
            _fields(table, "roles", name)[where] = False
        case ("roles", str(name), "only_with"):
            values = card.roles[Role(name)].only_with
            kept = {other: list(values[other]) for other in values if other in (card.parameters or {})}
            _fields(table, "roles", name)["only_with"] = kept


def _fields(table: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = table.setdefault(kind, {}).setdefault(name, {})
    return fields

"""What an overlay must hold so that a card agrees with its vendor, and still makes sense."""

from __future__ import annotations

from typing import Any

from ai_content_pipeline.catalog import files
from ai_content_pipeline.catalog.overlay import Overlay, laid_over
from ai_content_pipeline.catalog.overlay_edit import combined
from ai_content_pipeline.catalog.soundness import unsound


def updated(own: Overlay | None, key: str, more: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The overlay's table for `key` with `more` in it, and in words what had to go besides.

    A price that depends on a parameter that the model no longer has is no price.
    """
    table = combined(own.tables.get(key, {}) if own else {}, more)
    base = files.table(key) if key in files.keys() else {"title": key, "prompt": "prompt"}  # noqa: SIM118
    said = []
    for wrong in unsound(files.card(key, laid_over(base, table))):
        match wrong.trail:
            case ("price", *_):
                table["price"] = False
                said.append(f"its price is unknown now: {wrong.message}")
            case ("parameters", name, "default"):
                fields = table.setdefault("parameters", {}).setdefault(name, {})
                fields["default"] = False
            case ("count", *_):
                table["count"] = False
    return table, tuple(dict.fromkeys(said))

"""Models that run on this machine's own GPU: ``diffusers:key``, one TOML file each in ``local_models/``.

Their cards are cards like any other; `Card.local` says besides what the machine needs. They are no bare
catalogue keys, because they run only where somebody has the weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import files
from ai_content_pipeline.catalog.cards import Card, Local, Weights
from ai_content_pipeline.jobs import Task

#: The provider that runs them.
PROVIDER = "diffusers"
#: What a folder of weights, and so a model, may be called.
KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")

_FOLDER = Path(__file__).with_name("local_models")
#: Nobody bills one's own machine; a price per second of it can be set in ``aicp.models.toml``.
_PRICE = {
    "unit": "compute second",
    "rates": [{"usd": "0"}],
    "source": "made on this machine",
    "date": "2026-11-01",
    "confidence": "verified",
}


def keys() -> tuple[str, ...]:
    """Every local model, in order, without ``diffusers:``. Reads no card."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _FOLDER.glob("*.toml")))


def has(key: str) -> bool:
    """Whether there is a card for ``diffusers:key``."""
    return key in keys()


@cache
def load(key: str) -> Card:
    """The card of ``diffusers:key``.

    Raises:
        KeyError: no such local model.
    """
    return files.card(f"{PROVIDER}:{key}", table(key))


def table(key: str) -> Mapping[str, Any]:
    """A card's table, as `files.card` reads it.

    Raises:
        KeyError: no such local model.
    """
    import tomllib

    if not KEY.fullmatch(key):
        raise KeyError(key)
    try:
        text = (_FOLDER / f"{key}.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(key) from None
    house = {"provider": PROVIDER, "endpoint": key, "prompt": "prompt", "seed": "seed", "price": _PRICE}
    found = tomllib.loads(text)
    return {**house, **found, "local": needs(found["local"])}


def needs(table: Mapping[str, Any]) -> Local:
    """What a card's table ``[local]`` says."""
    weights = tuple(
        Weights(**{**one, "files": tuple(one["files"]), "places": dict(one.get("places", {}))})
        for one in table["weights"]
    )
    return Local(**{**table, "weights": weights})


def able(task: Task, role: Role | None = None) -> tuple[str, ...]:
    """The names of local models for `task`; with `role`, of those that take a file in it."""
    cards = map(load, keys())
    return tuple(card.key for card in cards if task in card.tasks and (role is None or role in card.roles))

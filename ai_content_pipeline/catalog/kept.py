"""Vendors' answers about models, kept with their day: one JSON file an endpoint, in the project's memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ai_content_pipeline.catalog import openapi
from ai_content_pipeline.catalog.live import LivePrice, LiveSchema
from ai_content_pipeline.jobs import Json

_FOLDER = "schemas"
_VERSION = 1
_LONGEST = 150  # characters of a file's name
_MAX_BYTES = 8 << 20


def schema_of(
    provider: str, endpoint: str, document: Json, fetched: datetime, price: LivePrice | None
) -> LiveSchema:
    """A vendor's document as typed fields. Raises openapi.UnreadableSchema."""
    if provider == "fal":
        fields, category = openapi.fal_input(document, endpoint), openapi.fal_category(document)
    else:
        fields, category = openapi.replicate_input(document), None
    return LiveSchema(provider, endpoint, fetched, fields, category, price)


def file_of(state: Path, provider: str, endpoint: str) -> Path:
    """Where the answer for an endpoint is kept, below the project's memory."""
    name = quote(endpoint, safe="")
    if len(name) > _LONGEST:
        name = sha256(endpoint.encode()).hexdigest()
    return state / _FOLDER / provider / f"{name}.json"


def read(state: Path, provider: str, endpoint: str) -> LiveSchema | None:
    """The kept answer; None where there is none, or none that can be read (it is fetched again then)."""
    path = file_of(state, provider, endpoint)
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        kept: Any = json.loads(path.read_bytes())
        if (kept["version"], kept["provider"], kept["endpoint"]) != (_VERSION, provider, endpoint):
            return None
        fetched = datetime.fromisoformat(kept["fetched"]).astimezone(UTC)
        return schema_of(provider, endpoint, kept["document"], fetched, _price(kept.get("price")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def text(schema: LiveSchema, document: Json) -> str:
    """What the file of an answer holds. `document` is the vendor's, whole: a later version may read more."""
    price: Json = None
    if schema.price is not None:
        price = {"usd": str(schema.price.usd), "unit": schema.price.unit}
    kept: Mapping[str, Json] = {
        "version": _VERSION,
        "provider": schema.provider,
        "endpoint": schema.endpoint,
        "fetched": schema.fetched.isoformat(timespec="seconds"),
        "price": price,
        "document": document,
    }
    return json.dumps(kept)


def _price(kept: Any) -> LivePrice | None:
    if kept is None:
        return None
    try:
        return LivePrice(Decimal(kept["usd"]), str(kept["unit"]))
    except InvalidOperation as error:
        raise ValueError("no amount") from error

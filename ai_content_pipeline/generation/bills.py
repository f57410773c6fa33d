"""What vendors billed this project for the jobs of an endpoint: the memory that prices learn from."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.cost import from_micro, to_micro

#: How far back it looks, in jobs: a vendor's prices of long ago say little.
_NEWEST = 1000

_QUERY = """
    SELECT json_extract(description, '$.terms'), units, unit_price, cost FROM job
    WHERE provider=? AND endpoint=? AND state='done' AND cost IS NOT NULL
    ORDER BY ended_at DESC LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one job was billed: in the vendor's `units`, or in dollars (`usd`) where it reported those.

    `terms` are what its price depended on (`catalog.terms`). Units stay units, so that they can be priced
    anew when a card learns of another price.
    """

    terms: str
    units: Decimal | None = None
    usd: Decimal | None = None


def newest(db: sqlite3.Connection, provider: str, endpoint: str) -> list[Bill]:
    """Every bill of `endpoint` whose terms are known, the newest first."""
    rows = db.execute(_QUERY, (provider, endpoint, _NEWEST))
    return [_bill(terms, *billed) for terms, *billed in rows if isinstance(terms, str)]


def _bill(terms: str, units: str | None, unit_price: str | None, cost: int) -> Bill:
    if (
        units is not None
        and unit_price is not None
        and to_micro(Decimal(units) * Decimal(unit_price)) == cost
    ):
        return Bill(terms, units=Decimal(units))
    return Bill(terms, usd=from_micro(cost))

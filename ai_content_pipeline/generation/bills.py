"""What vendors billed this project for the jobs of an endpoint: the memory that prices learn from."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.cost import from_micro

#: How far back it looks, in jobs: a vendor's prices of long ago say little.
_NEWEST = 1000

_QUERY = """
    SELECT json_extract(description, '$.terms'), units, cost FROM job
    WHERE provider=? AND endpoint=? AND state='done' AND (units IS NOT NULL OR cost IS NOT NULL)
    ORDER BY ended_at DESC LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one job was billed: in the vendor's `units` where it reports those, else in dollars.

    `terms` are what its price depended on (`catalog.terms`).
    """

    terms: str
    units: Decimal | None
    usd: Decimal | None


def newest(db: sqlite3.Connection, provider: str, endpoint: str) -> list[Bill]:
    """Every bill of `endpoint` whose terms are known, the newest first."""
    rows = db.execute(_QUERY, (provider, endpoint, _NEWEST))
    return [
        Bill(
            terms,
            None if units is None else Decimal(units),
            None if cost is None else from_micro(cost),
        )
        for terms, units, cost in rows
        if isinstance(terms, str)
    ]

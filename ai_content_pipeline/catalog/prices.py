"""Prices as data. `estimates.py` turns them into dollars.

A price reads like a vendor's price list: each rate says for which parameter values it holds, and the
first that fits is taken. A value that the list does not name has no price; unknown is never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.cost import ZERO, Confidence
from ai_content_pipeline.jobs import Json

UNITS = frozenset({"image", "megapixel", "second", "video", "1M video tokens", "request", "compute second"})


@dataclass(frozen=True, slots=True)
class Rate:
    """Dollars for one unit, when every parameter in `when` has that value."""

    usd: Decimal
    when: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Surcharge:
    """Raises the rate when a parameter, or a measure of the output, equals a value or lies above one.

    Measures: ``megapixels`` and ``short_side`` (pixels). What is not known raises the rate.
    """

    parameter: str | None = None
    output: str | None = None
    equals: Json = None
    above: int | None = None
    times: Decimal = Decimal(1)
    plus: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Price:
    """`source` is the page where it can be read; `date` an ISO day, a month's first where only that is known.

    `round_up`: megapixels count in whole ones. `not_with`: parameters whose use this price does not cover.
    """

    unit: str
    rates: tuple[Rate, ...]
    source: str
    date: str
    confidence: Confidence
    surcharges: tuple[Surcharge, ...] = ()
    round_up: bool = False
    not_with: tuple[str, ...] = ()
    note: str | None = None


def in_words(price: Price) -> str:
    """``$0.07 to $0.14 per second``."""
    amounts = sorted({rate.usd for rate in price.rates})
    span = f"${amounts[0]:f}" if len(amounts) == 1 else f"${amounts[0]:f} to ${amounts[-1]:f}"
    return f"{span} per {price.unit}"


#: What the draft renderer and other work on this machine costs.
FREE = Price("request", (Rate(ZERO, {}),), "made on this machine", "2026-11-01", Confidence.VERIFIED)

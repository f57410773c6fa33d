"""Money. US dollars as `Decimal`; the journal keeps whole micro-dollars."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from enum import StrEnum

MICRO = Decimal("0.000001")
ZERO = Decimal(0)
_CENT = Decimal("0.01")
_AMOUNT = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})")


class Confidence(StrEnum):
    """How far a price may be trusted."""

    VERIFIED = "verified"  # read from the vendor itself
    SECOND_HAND = "second-hand"  # reported by others; shown with ~
    OBSERVED = "observed"  # billed to this project before


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """An upper bound in dollars, and the names of what has no known price. Unknown is never zero."""

    usd: Decimal = ZERO
    unpriced: tuple[str, ...] = ()
    second_hand: bool = False

    def __add__(self, other: CostEstimate) -> CostEstimate:
        return CostEstimate(
            self.usd + other.usd,
            tuple(dict.fromkeys(self.unpriced + other.unpriced)),
            self.second_hand or other.second_hand,
        )

    @property
    def known(self) -> bool:
        return not self.unpriced

    def __str__(self) -> str:
        if self.unpriced and self.usd == 0:
            return "unknown"
        text = f"{'~' if self.second_hand else ''}{format_usd(self.usd)}"
        return f"{text} + unknown" if self.unpriced else text


def total(estimates: Iterable[CostEstimate]) -> CostEstimate:
    return sum(estimates, CostEstimate())


def amount_of(text: str) -> Decimal | None:
    """An amount as people write it: ``20``, ``2.50``, ``$5``. None: it is none, or far beyond any cap."""
    match = _AMOUNT.fullmatch(text)
    return None if match is None else Decimal(match[1])


def to_micro(usd: Decimal) -> int:
    """Whole micro-dollars, rounded up: what is reserved never falls short of what is owed."""
    return int(usd.quantize(MICRO, rounding=ROUND_UP).scaleb(6))


def from_micro(micro: int) -> Decimal:
    """Dollars as people write them: ``0``, ``2.90``, ``0.0398``; no ``2.900000``."""
    usd = Decimal(micro).scaleb(-6)
    cents = usd.quantize(_CENT)
    return cents if usd and cents == usd else usd.normalize()


def format_usd(usd: Decimal) -> str:
    """``$0.15``, ``$1.20``, ``$0.0398``: two places at least, four at most unless that would show zero."""
    places = 2 if usd == usd.quantize(_CENT) else 4
    if usd and abs(usd) < Decimal("0.0001"):
        places = 6
    return f"${usd:.{places}f}"

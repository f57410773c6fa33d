"""Which prices a plan rests on, how old they are, and where what was billed says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ai_content_pipeline.catalog import Price
from ai_content_pipeline.engine.plan import Plan, PlanState
from ai_content_pipeline.engine.pricing import Basis, Quote, card_price
from ai_content_pipeline.jobs import JobRequest

#: A price that was read longer ago than this is old: vendors change theirs several times a year.
OLD_AFTER_DAYS = 90


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Where a model's price comes from. `read` is the day somebody read it at `source`."""

    model: str
    basis: Basis
    source: str
    read: date | None
    days: int | None

    @property
    def old(self) -> bool:
        """What was billed here counts as young, whatever the card's date."""
        return self.basis is not Basis.OBSERVED and self.days is not None and self.days > OLD_AFTER_DAYS


@dataclass(frozen=True, slots=True)
class Difference:
    """What was billed (the median of `bills` of them) and the card are more than a tenth apart."""

    model: str
    bills: int
    usual: Decimal
    card: Decimal

    @property
    def percent(self) -> int:
        """How much more than the card's price was billed; below zero, how much less."""
        return round((self.usual / self.card - 1) * 100)


def sources(plan: Plan, today: date) -> tuple[PriceSource, ...]:
    """One for each model and basis of what the plan would pay for, in order."""
    found: dict[tuple[str, Basis], PriceSource] = {}
    for request, quote, price in _paid(plan):
        name = request.model.name
        if (name, quote.basis) not in found:
            read = None if price is None else _day(price.date)
            days = None if read is None else (today - read).days
            source = "" if price is None else price.source
            found[name, quote.basis] = PriceSource(name, quote.basis, source, read, days)
    return tuple(found.values())


def differences(plan: Plan) -> tuple[Difference, ...]:
    """Every difference worth a word, once."""
    found = {
        Difference(request.model.name, quote.bills, quote.usual, quote.card.usd): None
        for request, quote, _ in _paid(plan)
        if quote.differs and quote.usual is not None
    }
    return tuple(found)


def _paid(plan: Plan) -> Iterator[tuple[JobRequest, Quote, Price | None]]:
    for item in plan.items:
        unit = item.unit
        if (
            item.state is PlanState.RUN
            and isinstance(unit.work, JobRequest)
            and unit.quote.basis is not Basis.FREE
        ):
            yield unit.work, unit.quote, card_price(unit.step, unit.work)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

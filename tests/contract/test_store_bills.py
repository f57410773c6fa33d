"""What the prices may learn from, whichever store remembers it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from ai_content_pipeline.generation.bills import Bill
from ai_content_pipeline.generation.store import Ending, State

_PRICE = Decimal("0.07")


def bill(journal, key: str, ending: Ending, at: int = 0, terms: str | None = "t", **changes) -> None:
    """A job that was done `at` seconds after the others, and billed so."""
    description = {"model": "m", "kind": "image"} | ({} if terms is None else {"terms": terms})
    journal.bring(State.SUBMITTED, key, description=description, **changes)
    journal.store.finished(key, ending)
    journal.store.done(key, [journal.picture], journal.now + timedelta(seconds=at))


def test_bills_are_the_newest_first_and_of_one_endpoint(journal):
    """What was billed on an endpoint at one vendor, newest first; jobs without a bill are none."""
    bill(journal, "old", Ending(cost=100_000))
    bill(journal, "new", Ending(cost=200_000), at=5)
    bill(journal, "silent", Ending(), at=9)
    bill(journal, "elsewhere", Ending(cost=1), endpoint="other/model")
    bill(journal, "another vendor", Ending(cost=1), provider="other")
    bill(journal, "before prices learned", Ending(cost=1), terms=None)
    journal.bring(State.FINISHED, "unfinished")
    assert journal.store.bills("fake", "fake/model") == [
        Bill("t", usd=Decimal("0.2")),
        Bill("t", usd=Decimal("0.1")),
    ]


def test_units_are_told_apart_from_dollars(journal):
    """A cost that was worked out from units stays units; one that was told in dollars stays dollars."""
    bill(journal, "units", Ending(units=Decimal("3.008"), cost=210_560), unit_price=_PRICE)
    bill(journal, "both", Ending(units=Decimal(3), cost=500_000), at=1, unit_price=_PRICE)
    assert journal.store.bills("fake", "fake/model") == [
        Bill("t", usd=Decimal("0.5")),
        Bill("t", units=Decimal("3.008")),
    ]

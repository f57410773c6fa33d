"""Prices that learn: what this project was billed, against what the card says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline import catalog
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine.plan import PlanItem
from ai_content_pipeline.engine.pricing import Basis, learned, median
from ai_content_pipeline.providers.fake import Act

CARD = CostEstimate(Decimal("0.15"), second_hand=True)
UNKNOWN = CostEstimate(unpriced=("m",))
_AMOUNTS = st.decimals("0.01", "2", places=3)

_CLIPS = """
name: clips
output_dir: output
steps:
  - {{name: clips, type: text_to_video, model: kling_2_5_turbo_pro_t2v, params: {params}}}
"""


def dollars(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def billed(studio, pictures, *costs: str, **params: object) -> None:
    """Pictures that the vendor billed so."""
    told = {f"a picture of {len(costs)}-{number}": Decimal(cost) for number, cost in enumerate(costs)}
    studio.vendor.script = lambda wire: Act(cost=told[str(wire.payload["prompt"])])
    assert studio.run(pictures(*told, **params)).exit_code == 0
    studio.vendor.script = lambda wire: Act()


def priced(studio, text: str) -> PlanItem:
    return studio.plan(text).items[0]


# -- the rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "bills", "usd", "basis"),
    [
        (CARD, (), "0.15", Basis.SECOND_HAND),
        (replace(CARD, second_hand=False), (), "0.15", Basis.CARD),
        # One or two low bills do not lower what is reserved.
        (CARD, ("0.10",), "0.15", Basis.SECOND_HAND),
        (CARD, ("0.10", "0.10"), "0.15", Basis.SECOND_HAND),
        # Three that agree do, and three that do not agree do not.
        (CARD, ("0.10", "0.10", "0.10"), "0.10", Basis.OBSERVED),
        (CARD, ("0.10", "0.109", "0.10"), "0.109", Basis.OBSERVED),
        (CARD, ("0.10", "0.12", "0.10"), "0.15", Basis.SECOND_HAND),
        # One that is dearer than the card is believed at once.
        (CARD, ("0.20",), "0.20", Basis.OBSERVED),
        (CARD, ("0.10", "0.20"), "0.20", Basis.OBSERVED),
        # Without a card only bills that agree are a price.
        (UNKNOWN, ("0.10", "0.10"), None, Basis.UNKNOWN),
        (UNKNOWN, ("0.10", "0.50", "0.10"), None, Basis.UNKNOWN),
        (UNKNOWN, ("0.10", "0.10", "0.10"), "0.10", Basis.OBSERVED),
    ],
)
def test_which_price_holds(card, bills, usd, basis):
    """The card holds until three bills agree; a bill above the card holds at once; unknown stays unknown."""
    quote = learned(card, dollars(*bills))
    assert (quote.basis, quote.bills) == (basis, len(bills))
    assert quote.estimate.known == (usd is not None)
    assert quote.estimate.usd == Decimal(usd or 0)
    assert quote.usual == (median(dollars(*bills)) if bills else None)


@given(card=_AMOUNTS, bills=st.lists(_AMOUNTS, max_size=12))
def test_no_bill_that_counts_is_above_the_price(card, bills):
    """Whatever was billed: a price is never below any of the bills, and below the card only by agreement."""
    quote = learned(CostEstimate(card), bills)
    assert all(bill <= quote.estimate.usd for bill in bills)
    middle = median(bills) if bills else card
    agreed = len(bills) >= 3 and all(abs(bill - middle) * 10 <= middle for bill in bills)
    assert quote.estimate.usd >= card or agreed


@pytest.mark.parametrize(
    ("usual", "differs"), [("0.136", False), ("0.164", False), ("0.13", True), ("0.17", True)]
)
def test_a_difference_beyond_a_tenth_is_pointed_out(usual, differs):
    """Up to 10 % of the card's price is no news."""
    assert learned(CARD, dollars(usual)).differs is differs


@given(st.lists(_AMOUNTS, min_size=1))
def test_the_median_is_the_textbook_one(amounts):
    """The middle of an odd count, the mean of the two middle ones of an even count."""
    from statistics import median as textbook

    assert median(amounts) == textbook(amounts)


# -- through the journal ------------------------------------------------------------------------------------


def test_a_plan_learns_from_the_bills_of_this_project(studio, pictures):
    """Three equal bills are the next picture's price, in the plan and in what is reserved for it."""
    billed(studio, pictures, "0.11", "0.11", "0.11")
    item = priced(studio, pictures("a new one"))
    assert (item.price.usd, item.unit.quote.basis, item.unit.quote.bills) == (
        Decimal("0.11"),
        Basis.OBSERVED,
        3,
    )
    assert not item.price.second_hand
    result = studio.run(pictures("a new one"))
    with studio.workshop() as workshop:
        (job,) = workshop.store.takes(_lineage(workshop, "a new one"))
    assert (job.reserved, job.cost) == (110_000, None)
    assert result.spent == Decimal("0.11")


def _lineage(workshop, prompt: str) -> str:
    from ai_content_pipeline.generation.store import State

    return next(job.lineage for job in workshop.store.jobs(State) if job.description["prompt"] == prompt)


@pytest.mark.parametrize("params", [{"resolution": "4K"}, {"num_images": 2}, {"enable_web_search": True}])
def test_bills_on_other_terms_say_nothing(studio, pictures, params):
    """A parameter that the price depends on makes another price: the card's."""
    billed(studio, pictures, "0.11", "0.11", "0.11")
    item = priced(studio, pictures("a", **params))
    assert (item.unit.quote.basis, item.unit.quote.bills) == (Basis.SECOND_HAND, 0)


@pytest.mark.parametrize(
    "params", [{"resolution": "1K"}, {"output_format": "jpeg"}, {"num_images": 1}, {"seed": 5}]
)
def test_bills_on_the_same_terms_do(studio, pictures, params):
    """A default that is spelt out, and what no price depends on, leave the price as it was."""
    billed(studio, pictures, "0.11", "0.11", "0.11")
    assert priced(studio, pictures("a", **params)).unit.quote.basis is Basis.OBSERVED


def test_what_was_free_once_is_not_planned_as_free(studio, pictures):
    """Bills of nothing (a credit, a slip) never lower a price: nobody would be asked before the next bill."""
    billed(studio, pictures, "0", "0", "0", "0")
    item = priced(studio, pictures("a"))
    assert (item.price.usd, item.unit.quote.bills) == (Decimal("0.15"), 0)


def test_only_the_newest_bills_count(studio, pictures):
    """After ten bills at a new price, the old ones are forgotten."""
    billed(studio, pictures, *["0.30"] * 4)
    billed(studio, pictures, *["0.12"] * 10)
    item = priced(studio, pictures("a"))
    assert (item.price.usd, item.unit.quote.bills) == (Decimal("0.12"), 10)


def test_units_are_priced_by_the_card_of_today(studio, monkeypatch):
    """Reported units are remembered as units: a card that learns of another price corrects the past."""
    text = _CLIPS.format(params="{prompts: [one, two, three]}")
    studio.vendor.script = lambda wire: Act(units=Decimal("5.2"))
    assert studio.run(text).exit_code == 0
    later = text.replace("one, two, three", "four")
    assert priced(studio, later).price.usd == Decimal("5.2") * Decimal("0.07")
    card = catalog.load("kling_2_5_turbo_pro_t2v")
    dearer = replace(
        card, price=replace(card.price, rates=(replace(card.price.rates[0], usd=Decimal("0.09")),))
    )
    expansion = studio.expand(later)
    expansion.steps[0].setting.cards["kling_2_5_turbo_pro_t2v"] = dearer
    assert _plan(studio, expansion).items[0].price.usd == Decimal("5.2") * Decimal("0.09")


def _plan(studio, expansion):
    from ai_content_pipeline.engine.plan import make_plan

    with studio.workshop() as workshop:
        return make_plan(expansion, workshop.store, workshop.artifacts)


def test_a_run_keeps_the_prices_that_were_agreed_to(studio, pictures):
    """Bills that come in while a run goes on do not move what it reserves for its other items."""
    dear = iter(["0.15", "0.90", "0.90", "0.90"])
    studio.vendor.script = lambda wire: Act(cost=Decimal(next(dear)))
    result = studio.run(pictures("a", "b", "c", "d", parallel=False))
    assert [item.estimate.usd for item in result.items] == [Decimal("0.15")] * 4
    assert priced(studio, pictures("e")).price.usd == Decimal("0.90")


def test_a_draft_learns_nothing(studio, pictures):
    """Drawings are free whatever the paid model was billed."""
    billed(studio, pictures, "0.11", "0.11", "0.11")
    item = studio.plan(pictures("a"), draft=True).items[0]
    assert (item.price.usd, item.unit.quote.basis) == (0, Basis.FREE)

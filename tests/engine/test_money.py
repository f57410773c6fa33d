"""Money in results: what each item cost, what the run spent, and what a cap refuses."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState, StepResult
from ai_content_pipeline.engine.run import exit_code
from ai_content_pipeline.jobs import Billed
from ai_content_pipeline.providers.fake import Act

PICTURE = Decimal("0.15")


def costs(result) -> list[Decimal | None]:
    return [item.cost for item in result.items]


def test_each_item_says_what_it_cost_and_the_run_what_it_spent(studio, pictures):
    """The estimate stands in where the vendor reports nothing; the sum is what the journal counts."""
    result = studio.run(pictures("a", "b"))
    assert costs(result) == [PICTURE, PICTURE]
    assert result.spent == 2 * PICTURE
    assert [item.reported for item in result.items] == [False, False]


def test_a_reported_cost_settles_the_estimate(studio, pictures):
    """What the vendor says it billed is what counts, also when it billed nothing."""
    told = {"a": Decimal("0.11"), "b": Decimal(0)}
    studio.vendor.script = lambda wire: Act(cost=told[str(wire.payload["prompt"])])
    result = studio.run(pictures("a", "b"))
    assert (costs(result), result.spent) == ([Decimal("0.11"), Decimal(0)], Decimal("0.11"))
    assert [item.reported for item in result.items] == [True, True]
    assert [item.estimate.usd for item in result.items] == [PICTURE, PICTURE]


def test_the_price_of_a_job_stands_on_its_first_item(studio, pictures):
    """Three pictures of one request cost what the request costs, once."""
    result = studio.run(pictures("a", num_images=3))
    assert costs(result) == [3 * PICTURE, 0, 0]
    assert [item.estimate.usd for item in result.items] == [3 * PICTURE, 0, 0]
    assert result.spent == 3 * PICTURE


@pytest.mark.parametrize(
    ("billed", "cost"), [(Billed.NO, Decimal(0)), (Billed.YES, PICTURE), (Billed.UNKNOWN, PICTURE)]
)
def test_a_failure_costs_what_was_billed_for_it(studio, pictures, billed, cost):
    """A failed job is free only where the vendor says so."""
    studio.vendor.script = lambda wire: Act(end="failed", billed=billed)
    result = studio.run(pictures("a"))
    assert (costs(result), result.spent) == ([cost], cost)
    assert result.items[0].error.retry_with is not None


def test_cached_items_of_another_run_cost_this_one_nothing(studio, pictures):
    """The second run spends $0, whatever the first paid."""
    studio.run(pictures("a"))
    result = studio.run(pictures("a", "b"))
    assert (costs(result), result.spent) == ([0, PICTURE], PICTURE)


def test_a_resumed_run_counts_what_it_spent_before(studio, pictures):
    """One run over several attempts: its items and its total cover all of them."""
    studio.vendor.script = lambda wire: Act(end="failed" if wire.payload["prompt"] == "b" else "done")
    first = studio.run(pictures("a", "b"))
    studio.vendor.script = lambda wire: Act()
    second = studio.run(pictures("a", "b"))
    assert (first.run_id, first.spent) == (second.run_id, PICTURE)
    assert (costs(second), second.spent) == ([PICTURE, PICTURE], 2 * PICTURE)
    third = studio.run(pictures("a", "b"))
    assert third.run_id != first.run_id
    assert (costs(third), third.spent) == ([0, 0], 0)


def test_the_running_total_is_told_with_every_item(studio, pictures):
    """Each ItemEnded carries what was spent so far; the last one is the run's total."""
    result = studio.run(pictures("a", "b", "c"))
    told = [event.spent for event in studio.events if hasattr(event, "spent")]
    assert told == [PICTURE, 2 * PICTURE, 3 * PICTURE]
    assert told[-1] == result.spent


def test_a_cap_refuses_the_items_that_would_pass_it(studio, pictures):
    """As many items as the cap allows are made, the rest is refused with exit 5; nothing beyond is spent."""
    result = studio.run(pictures(*"abcd", parallel=False), cap=Decimal("0.40"))
    assert [item.state.value for item in result.items] == ["done", "done", "failed", "failed"]
    assert {item.error.code for item in result.items[2:]} == {"budget"}
    assert {item.error.retry_with for item in result.items[2:]} == {None}
    assert (result.exit_code, result.spent, result.cap) == (5, 2 * PICTURE, Decimal("0.40"))


def test_many_workers_together_never_pass_the_cap(studio, pictures):
    """Twenty items at once against a cap for seven: seven are made."""
    result = studio.run(pictures(*(f"p{n}" for n in range(20)), max_workers=20), cap=7 * PICTURE)
    assert sum(item.state.good for item in result.items) == len(studio.vendor.charges) == 7
    assert result.spent == 7 * PICTURE


def test_a_cap_covers_the_run_and_its_resumes(studio, pictures):
    """The same command again has no fresh allowance; a higher cap goes on."""
    text = pictures(*"abcd", parallel=False)
    assert studio.run(text, cap=2 * PICTURE).exit_code == 5
    again = studio.run(text, cap=2 * PICTURE)
    assert (again.exit_code, again.spent, studio.vendor.submits) == (5, 2 * PICTURE, 2)
    more = studio.run(text, cap=4 * PICTURE)
    assert (more.exit_code, more.spent, studio.vendor.submits) == (0, 4 * PICTURE, 4)


def test_the_cap_of_a_day_covers_all_pipelines(studio, pictures):
    """day_cap binds what the whole project spent since its start."""
    from datetime import UTC, datetime, timedelta

    day = {"day_cap": 2 * PICTURE, "day_start": datetime.now(UTC) - timedelta(hours=1)}
    studio.run(pictures("a"), **day)
    result = studio.run(
        pictures("b", "c", parallel=False).replace("output_dir: output", "output_dir: other"), **day
    )
    assert [item.state.value for item in result.items] == ["done", "failed"]
    assert result.exit_code == 5


def test_an_unknown_price_is_never_shown_as_zero(studio):
    """A model without a price: the item's cost is unknown, and no cap is charged for it."""
    text = """
name: unpriced
output_dir: output
steps:
  - {name: pictures, type: text_to_image, model: "fal:somebody/new-model", params: {prompt: a}}
"""
    assert studio.plan(text).price.unpriced == ("fal:somebody/new-model",)
    result = studio.run(text)
    assert (result.exit_code, costs(result), result.spent) == (0, [None], 0)
    assert not result.items[0].estimate.known


def test_an_item_in_doubt_counts_as_spent(studio, pictures):
    """Sent, and nobody knows: it is shown as in doubt, with exit 8, and its reservation stays."""
    studio.vendor.listing = "none"
    studio.vendor.script = lambda wire: Act(answer="lost" if wire.payload["prompt"] == "a" else "accepted")
    result = studio.run(pictures("a", "b"))
    assert [item.state.value for item in result.items] == ["in_doubt", "done"]
    assert (result.exit_code, costs(result), result.spent) == (8, [PICTURE, PICTURE], 2 * PICTURE)
    assert "--in-doubt" in result.items[0].error.retry_with


def _step(*outcomes: int) -> StepResult:
    """A step whose items ended with these exit codes; 0 is a good one."""
    items = tuple(
        ItemResult(
            "s", index, str(index), None, ItemState.FAILED if code else ItemState.DONE,
            error=ItemError("x", code, "") if code else None,
        )
        for index, code in enumerate(outcomes)
    )  # fmt: skip
    return StepResult("s", "t", None, False, 1, items)


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "code"),
    [
        ([0, 0], False, 0),
        ([1, 1], False, 1),
        ([1, 0], False, 7),
        ([6, 0], False, 7),
        ([6, 6], False, 6),
        ([75, 75, 1], False, 75),
        ([75, 6], False, 6),
        ([4, 1, 0], False, 4),
        ([5, 4, 0], False, 5),
        ([8, 5, 4, 1], False, 8),
        ([8, 0], True, 130),
        ([0, 0], True, 130),
    ],
)
def test_exit_codes_in_their_order(outcomes, interrupted, code):
    """130, 8, 5, 4, 9, 7, 6, 75, 1: the first that applies; 7 when some items of a step are there."""
    assert exit_code([_step(*outcomes)], interrupted=interrupted) == code

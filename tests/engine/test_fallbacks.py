"""Fallbacks: another model is asked when this one surely refused or was not reached, and never in doubt."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ai_content_pipeline.engine.plan import PlanState
from ai_content_pipeline.engine.results import ItemState
from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.jobs import Billed, WireRequest
from ai_content_pipeline.providers.fake import Act


def text(
    *prompts: str, step: str = "fallback: [seedream_4]", model: str = "nano_banana_pro", **params
) -> str:
    shown = ", ".join(f"{key}: {value}" for key, value in {"prompts": list(prompts), **params}.items())
    return f"""
name: others
output_dir: output
steps:
  - name: pictures
    type: text_to_image
    model: {model}
    {step}
    params: {{{shown}}}
"""


def price(studio, model: str) -> Decimal:
    return studio.plan(text("a", step="", model=model)).price.usd


@pytest.fixture
def picky(studio):
    """The first model does with a prompt as its words say; every other model makes everything."""

    def script(wire: WireRequest) -> Act:
        if "nano" not in wire.endpoint:
            return Act()
        prompt = str(wire.payload["prompt"])
        if "refused" in prompt:
            return Act(end="rejected", billed=Billed.YES if "paid" in prompt else Billed.NO)
        return Act(
            answer="lost" if "lost" in prompt else "accepted", end="failed" if "bad" in prompt else "done"
        )

    studio.vendor.script = script
    studio.vendor.listing = "none"
    return studio


def endpoints(studio) -> list[str]:
    return ["nano" if "nano" in job.wire.endpoint else "other" for job in studio.vendor.jobs]


def test_refused_content_goes_to_the_next_model(picky):
    """The item is made by the fallback, which its result names; the others stay with their own model."""
    result = picky.run(text("good", "refused"))
    assert (result.exit_code, endpoints(picky)) == (0, ["nano", "nano", "other"])
    assert [item.model for item in result.items] == ["nano_banana_pro", "seedream_4"]
    assert "seedream_4 was asked instead" in result.items[1].notes[0]
    assert result.items[1].cost == price(picky, "seedream_4")


def test_what_was_refused_and_billed_is_counted(picky):
    """A refusal that the vendor bills for stands in the item's cost, beside the fallback's."""
    result = picky.run(text("refused and paid"))
    assert result.items[0].cost == price(picky, "seedream_4") + price(picky, "nano_banana_pro")
    assert result.spent == result.items[0].cost


def test_the_plan_bounds_every_model(picky):
    """The upper bound is the sum of all models; all of it is held against the cap before the first job."""
    plan = picky.plan(text("a", "b"))
    assert plan.price.usd == 2 * (price(picky, "nano_banana_pro") + price(picky, "seedream_4"))


def test_a_fallbacks_result_is_cached(picky):
    """The next run finds it: nothing is asked of any model again, and the plan says so."""
    picky.run(text("refused"))
    plan = picky.plan(text("refused"))
    assert (plan.price.usd, plan.items[0].state) == (0, PlanState.CACHED)
    again = picky.run(text("refused"))
    assert (again.items[0].state, again.items[0].model) == (ItemState.CACHED, "seedream_4")
    assert len(picky.vendor.jobs) == 2


def test_a_fallback_changes_no_key(picky):
    """With or without fallbacks, whoever made the file is found by the same key."""
    picky.run(text("good", "fine", step=""))
    result = picky.run(text("good", "fine"))
    assert [item.state for item in result.items] == [ItemState.CACHED] * 2


def test_an_unknown_outcome_is_never_answered_with_another_model(picky):
    """A request that may have been accepted is held, not replaced: exit 8."""
    result = picky.run(text("lost"))
    assert (result.exit_code, endpoints(picky)) == (8, ["nano"])
    again = picky.run(text("lost"))
    assert (again.exit_code, endpoints(picky)) == (8, ["nano"])


def test_a_failure_of_the_model_is_no_reason(picky):
    """Only refused content and a vendor who is down lead to a fallback; any other failure stands."""
    result = picky.run(text("bad"))
    assert (result.exit_code, endpoints(picky)) == (1, ["nano"])


def test_a_vendor_who_is_down_is_passed_over(picky):
    """Where no request was taken, the next model is asked."""
    picky.vendor.script = lambda wire: Act(
        answer="busy" if "nano" in wire.endpoint else "accepted", retry_after=1e9
    )
    result = picky.run(text("a"))
    assert (result.exit_code, result.items[0].model) == (0, "seedream_4")


@pytest.mark.parametrize(
    ("step", "code", "state"),
    [("on_rejected: fail\n    fallback: [seedream_4]", 7, "failed"), ("on_rejected: skip", 0, "skipped")],
)
def test_on_rejected_decides(picky, step, code, state):
    """fail keeps refused content failed in spite of a fallback; skip leaves it out and is no failure."""
    result = picky.run(
        text("refused", "good", step=step + "\n    on_error: stop")
        if code == 0
        else text("refused", "good", step=step)
    )
    assert (result.exit_code, [item.state.value for item in result.items]) == (code, [state, "done"])
    assert result.items[0].error.code == "content_rejected"


def test_the_next_fallback_is_asked_in_turn(picky):
    """The models are tried in the order of the file."""
    picky.vendor.script = lambda wire: Act(end="done" if "flux" in wire.endpoint else "rejected")
    result = picky.run(text("a", step="fallback: [seedream_4, flux_schnell]"))
    assert (result.items[0].model, len(picky.vendor.jobs)) == ("flux_schnell", 3)


def test_a_redo_stays_with_the_model_that_made_it(picky):
    """A redo of what a fallback made is a take of that fallback, and is the current one afterwards."""
    picky.run(text("refused"))
    redone = picky.run(text("refused"), redo="pictures/pictures_1")
    assert (redone.items[0].model, redone.items[0].take) == ("seedream_4", 1)
    again = picky.run(text("refused"))
    assert again.items[0].artifact == redone.items[0].artifact
    assert len(picky.vendor.jobs) == 3


def test_what_a_fallback_does_not_know_is_left_out_and_said(picky):
    """Parameters of the first model are not sent to one that has no such parameter."""
    expansion = picky.expand(text("a", resolution="4K"))
    assert any(
        "as a fallback, seedream_4 is not sent resolution" in warning for warning in expansion.warnings
    )
    picky.run(text("refused", resolution="4K"))
    assert "resolution" not in picky.vendor.jobs[-1].wire.payload


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("fallback: [kling_2_6_pro]", "kling_2_6_pro"),
        ("fallback: [nano_banana_pro]", "tried already"),
        ("on_rejected: fallback", "needs a model to fall back to"),
        ("fallback: [{model: seedream_4, params: {image_size: 7}}]", "seedream_4 cannot take over"),
    ],
)
def test_a_fallback_that_cannot_work_is_found_at_validation(picky, step, words):
    """Another task, the same model, none at all, or parameters that do not fit: nothing is sent."""
    with pytest.raises(InvalidPipeline, match=words):
        picky.expand(text("a", step=step))

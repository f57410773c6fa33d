"""Gates: a result that is too unlike its references stops or repeats its step before the next is paid."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.plan import PlanState
from ai_content_pipeline.engine.results import ItemState
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fake import Act, sketch

_EACH = Decimal("0.15")  # what one picture of the model costs by its card


def paint(path: Path, colour: str, height: int = 100) -> Path:
    """A figure in a coat of that colour before a grey wall."""
    picture = Image.new("RGB", (512, 512), "grey")
    ImageDraw.Draw(picture).rectangle((150, height, 360, 500), fill=colour)
    picture.save(path, "PNG", compress_level=1)
    return path


@pytest.fixture
def scenes(studio):
    """A vendor that draws the reference's red coat, and a blue one where the prompt says "off"; one that
    says "off once" gets it right at the second attempt."""
    paint(studio.root / "mia.png", "red")
    seen: list[str] = []

    def draw(wire: WireRequest, path: Path) -> Path:
        if "video" in wire.endpoint:
            return sketch(wire, path)
        prompt = str(wire.payload["prompt"])
        seen.append(prompt)
        off = "off" in prompt and not ("once" in prompt and seen.count(prompt) > 1)
        return paint(path, "blue" if off else "red", 100 + len(seen))

    studio.vendor.draw = draw
    return studio


def text(prompts: list[str], consistency: str, step: str = "", **params: Any) -> str:
    return f"""
name: gates
output_dir: output
references: {{mia: {{images: [mia.png]}}}}
steps:
  - name: scenes
    type: text_to_image
    model: nano_banana_pro_edit
    references: [mia]
    consistency: {consistency}
    {step}
    params: {{prompts: {prompts}, {", ".join(f"{key}: {value}" for key, value in params.items())}}}
"""


def nine(off: str = "off") -> list[str]:
    return [off if number == 3 else f"scene {number}" for number in range(1, 10)]


def states(result) -> list[str]:
    return [item.state.value for item in result.items]


@pytest.mark.parametrize(
    ("shape", "paid"), [({}, 3), ({"strategy": "batch", "batch_size": 2}, 4)], ids=["sequential", "batch"]
)
def test_an_off_subject_scene_stops_its_step_before_the_next_is_paid(scenes, shape, paid):
    """on_low: stop, the third of nine off subject: one by one pays three, batches of two pay four."""
    result = scenes.run(text(nine(), "{on_low: stop}", **shape))
    assert len(scenes.vendor.charges) == paid
    assert states(result) == ["done", "done", "failed", *["done"] * (paid - 3), *["not_run"] * (9 - paid)]
    assert result.exit_code == 7
    low = result.items[2]
    assert (low.error.code, low.accepted, low.file.name) == ("off_subject", False, "scenes_3.png")
    assert low.cost == _EACH
    assert low.likeness.scores[0].reference == "mia"
    assert low.likeness.score < 0.3 < 0.9 < result.items[0].likeness.score
    assert "scenes/scenes_3 is off subject (on_low: stop)" in result.items[-1].notes[0]
    assert result.not_spent.usd == _EACH * (9 - paid)
    assert result.spent == _EACH * paid


def test_the_next_batch_waits_for_the_last_of_its_own_to_be_accepted(scenes):
    """The third of nine is off subject and late, the fourth quick and good: the fifth is not paid for."""
    scenes.vendor.script = lambda wire: Act(seconds=0.3 if wire.payload["prompt"] == "off" else 0.0)
    result = scenes.run(text(nine(), "{on_low: stop}", strategy="batch", batch_size=2))
    assert (len(scenes.vendor.charges), result.exit_code) == (4, 7)
    assert states(result) == ["done", "done", "failed", "done", *["not_run"] * 5]


def test_a_stopped_step_goes_on_at_no_cost_for_what_is_there(scenes):
    """The same command stops again and pays nothing; with on_low: warn it pays for the rest alone."""
    scenes.run(text(nine(), "{on_low: stop}"))
    again = scenes.run(text(nine(), "{on_low: stop}"))
    assert (len(scenes.vendor.charges), again.exit_code) == (3, 7)
    assert states(again)[:3] == ["cached", "cached", "failed"]
    warned = scenes.run(text(nine(), "{on_low: warn}"))
    assert (len(scenes.vendor.charges), warned.exit_code) == (9, 0)
    assert "scores 0." in warned.items[2].notes[0]


def test_a_redo_of_the_off_subject_scene_lets_the_step_go_on(scenes):
    """aicp redo makes another take; when that is accepted, the same command makes the rest."""
    scenes.run(text(nine("off once"), "{on_low: stop}"))
    redone = scenes.run(text(nine("off once"), "{on_low: stop}"), redo="scenes/scenes_3")
    assert redone.items[2].likeness.score > 0.9
    result = scenes.run(text(nine("off once"), "{on_low: stop}"))
    assert (len(scenes.vendor.charges), result.exit_code) == (10, 0)


def test_nothing_is_made_of_an_off_subject_picture(scenes):
    """Clips of accepted stills are made, the clip of a refused one is not paid for."""
    still = text(["one", "off", "three"], "{on_low: stop}", parallel="true", max_workers=3)
    clips = "  - {name: clips, type: image_to_video, model: kling_2_6_pro, params: {prompt: go}}\n"
    result = scenes.run(still + clips)
    assert [item.state.value for item in result.step("clips").items] == ["done", "skipped", "done"]
    assert "scenes/scenes_2 is off subject" in result.step("clips").items[1].error.message


@pytest.mark.parametrize("shape", [{}, {"strategy": "batch"}, {"parallel": "true", "max_workers": 9}])
def test_a_retry_is_a_take_with_another_seed(scenes, shape):
    """on_low: retry makes one more take of the low scene alone, with another seed, before the next scene."""
    result = scenes.run(text(nine("off once"), "{on_low: retry}", **shape))
    assert (result.exit_code, states(result)) == (0, ["done"] * 9)
    assert len(scenes.vendor.charges) == 10
    takes = [job.wire.payload for job in scenes.vendor.jobs if job.wire.payload["prompt"] == "off once"]
    assert len(takes) == 2
    assert takes[0]["seed"] != takes[1]["seed"]
    assert (result.items[2].take, result.items[2].cost) == (1, 2 * _EACH)
    if not shape:
        assert scenes.prompts[2:5] == ["off once", "off once", "scene 4"]


def test_the_best_of_all_takes_is_kept_and_no_more_are_paid_for(scenes):
    """After max_retries the step stops; no later run pays for another take, and the plan says so."""
    consistency = "{on_low: retry, max_retries: 2}"
    assert scenes.plan(text(nine(), consistency)).price.usd == 27 * _EACH
    result = scenes.run(text(nine(), consistency))
    assert (len(scenes.vendor.charges), result.exit_code) == (5, 7)
    assert result.items[2].cost == 3 * _EACH
    plan = scenes.plan(text(nine(), consistency))
    assert plan.items[2].state is PlanState.BLOCKED
    scenes.run(text(nine(), consistency))
    assert len(scenes.vendor.charges) == 5


def test_an_accepted_take_is_found_again_by_plan_and_run(scenes):
    """A retry that was accepted is cached: the plan is free, the next run pays nothing for the same file."""
    first = scenes.run(text(nine("off once"), "{on_low: retry}"))
    plan = scenes.plan(text(nine("off once"), "{on_low: retry}"))
    assert (plan.price.usd, {item.state for item in plan.items}) == (0, {PlanState.CACHED})
    again = scenes.run(text(nine("off once"), "{on_low: retry}"))
    assert (states(again), len(scenes.vendor.charges)) == (["cached"] * 9, 10)
    assert again.items[2].artifact == first.items[2].artifact


def test_retries_stay_below_the_cap(scenes):
    """A retry that the cap does not allow is not made; the run says so with the budget's code."""
    result = scenes.run(text(nine(), "{on_low: retry}"), cap=3 * _EACH)
    assert (len(scenes.vendor.charges), result.exit_code) == (3, 5)
    assert result.items[2].error.code == "budget"
    assert result.items[2].file is not None


def test_a_retry_in_doubt_is_held_and_not_repeated(scenes):
    """A retry whose answer was lost is in doubt, and its scene with it: no third take is paid for."""
    scenes.vendor.listing = "none"
    scenes.vendor.script = lambda wire: Act(
        answer="lost" if "off" in str(wire.payload["prompt"]) and len(scenes.vendor.jobs) > 2 else "accepted"
    )
    result = scenes.run(text(nine(), "{on_low: retry, max_retries: 5}"))
    assert (result.items[2].state, result.exit_code) == (ItemState.IN_DOUBT, 8)
    assert scenes.prompts.count("off") == 2


def test_a_draft_is_scored_and_never_stopped(scenes):
    """A draft shows the scores; it is drawn, so a low one stops nothing and repeats nothing."""
    result = scenes.run(text(nine(), "{on_low: stop, min_score: 1.0}"), draft=True)
    assert result.exit_code == 0
    assert all(item.likeness is not None for item in result.items)


def test_scores_are_told_with_each_item(scenes):
    """The score is in the event of the item's end: early results can be judged while the rest runs."""
    scenes.run(text(["one", "two"], "{}"))
    ended = [event for event in scenes.events if isinstance(event, events.ItemEnded)]
    assert all(event.result.likeness.score > 0.9 for event in ended)

"""Retries that raise the strength of the references: what they ask for, cost, and find again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from ai_content_pipeline.engine.plan import PlanState
from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.jobs import Billed, WireRequest
from ai_content_pipeline.providers.fake import Act

_EACH = Decimal("0.05")
_PRICES = """
[flux_pulid.price]
unit = "image"
rates = [{usd = "0.05"}]
source = "a bill"
date = "2026-08-01"
confidence = "verified"
"""


def paint(path: Path, colour: str, height: int) -> Path:
    picture = Image.new("RGB", (512, 512), "grey")
    ImageDraw.Draw(picture).rectangle((150, height, 360, 500), fill=colour)
    picture.save(path, "PNG", compress_level=1)
    return path


@pytest.fixture
def weak(studio: Any) -> Any:
    """A vendor that draws the red coat of the reference only where it counts 0.85 and more."""
    paint(studio.root / "mia.png", "red", 100)
    (studio.root / "aicp.models.toml").write_text(_PRICES, encoding="utf-8")

    def draw(wire: WireRequest, path: Path) -> Path:
        enough = float(str(wire.payload.get("id_weight", 1))) >= 0.85
        return paint(path, "red" if enough else "blue", 100 + len(studio.vendor.jobs))

    studio.vendor.draw = draw
    return studio


def text(
    rule: str, model: str = "flux_pulid", strength: float | None = 0.7, step: str = "", **params: Any
) -> str:
    said = "" if strength is None else f", strength: {strength}"
    own = "".join(f", {key}: {value}" for key, value in params.items())
    return f"""
name: raised
output_dir: output
references: {{mia: {{images: [mia.png], description: a woman{said}}}}}
steps:
  - name: scenes
    type: text_to_image
    model: {model}
    references: [mia]
    consistency: {{on_low: retry, {rule}}}
    {step}
    params: {{prompts: [one, two]{own}}}
"""


RULE = "max_retries: 3, raise_strength: 0.1"


def weights(studio: Any) -> list[Any]:
    return [job.wire.payload.get("id_weight") for job in studio.vendor.jobs]


def test_each_retry_counts_the_references_more(weak):
    """The strength rises by the same step with each retry until one is accepted, each with a seed of its
    own, before the next scene is paid; the result says what it was made with."""
    result = weak.run(text(RULE))
    assert (result.exit_code, weights(weak)) == (0, [0.7, 0.8, 0.9, 0.7, 0.8, 0.9])
    seeds = [job.wire.payload["seed"] for job in weak.vendor.jobs]
    assert len(set(seeds)) == 6
    assert [item.params for item in result.items] == [{"id_weight": 0.9}] * 2
    assert result.items[0].cost == 3 * _EACH
    assert result.items[0].likeness.score > 0.9


def test_it_is_priced_as_any_retry(weak):
    """The plan's upper bound has every retry in it, and the cap holds for each."""
    assert weak.plan(text(RULE)).price.usd == 8 * _EACH
    result = weak.run(text(RULE), cap=2 * _EACH)
    assert (len(weak.vendor.charges), result.exit_code) == (2, 5)


def test_an_accepted_retry_is_found_again(weak):
    """The next plan is free and the next run pays nothing; retries that are not raised are other requests."""
    weak.run(text(RULE))
    plan = weak.plan(text(RULE))
    assert (plan.price.usd, {item.state for item in plan.items}) == (0, {PlanState.CACHED})
    again = weak.run(text(RULE))
    assert [item.state.value for item in again.items] == ["cached"] * 2
    assert len(weak.vendor.charges) == 6
    assert weak.plan(text("max_retries: 3")).price.usd == 6 * _EACH


def test_no_later_run_pays_for_more(weak):
    """Retries that stay low are made once: the same command, and the plan, know that it is over."""
    low = text("max_retries: 2, raise_strength: 0.05")
    result = weak.run(low)
    assert (weights(weak), result.exit_code) == ([0.7, 0.75, 0.8], 1)
    assert weak.plan(low).items[0].state is PlanState.BLOCKED
    weak.run(low)
    assert len(weak.vendor.charges) == 3


def test_a_killed_run_goes_on_with_its_retries(weak):
    """What a smaller max_retries made counts for a larger one: only what is missing is made."""
    weak.run(text("max_retries: 1, raise_strength: 0.1"))
    assert weights(weak) == [0.7, 0.8]
    weak.run(text(RULE))
    assert weights(weak) == [0.7, 0.8, 0.9, 0.7, 0.8, 0.9]


def test_a_redo_begins_its_retries_anew(weak):
    """A redo asks for the first strength again, and its retries are takes that nobody has seen."""
    low = text("max_retries: 1, raise_strength: 0.1")
    weak.run(low)
    weak.run(low, redo="scenes/scenes_1")
    assert weights(weak) == [0.7, 0.8, 0.7, 0.8]
    assert len({job.wire.payload["seed"] for job in weak.vendor.jobs}) == 4


def test_it_rises_as_far_as_it_goes(weak):
    """No more is sent than the model takes; retries at the highest strength are takes like any other."""
    weak.vendor.draw = lambda wire, path: paint(path, "blue", 100 + len(weak.vendor.jobs))
    low = text("max_retries: 3, raise_strength: 0.2")
    weak.run(low)
    assert weights(weak) == [0.7, 0.9, 1.0, 1.0]
    weak.run(low)
    assert len(weak.vendor.charges) == 4


def test_a_fallback_is_raised_by_its_own_parameter(weak):
    """A model that takes over is told the strength, and the raised one, by the name that it has for it."""
    weak.vendor.script = lambda wire: (
        Act() if "instant" in wire.endpoint else Act(end="rejected", billed=Billed.NO)
    )
    weak.vendor.draw = lambda wire, path: paint(path, "blue", 100 + len(weak.vendor.jobs))
    weak.run(text("max_retries: 1, raise_strength: 0.1", step="fallback: [instant_character]"))
    made = [job.wire.payload for job in weak.vendor.jobs if "instant" in job.wire.endpoint]
    assert [payload["scale"] for payload in made[:2]] == [0.7, 0.8]
    assert all("id_weight" not in payload for payload in made)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (text(RULE, model="nano_banana_pro_edit"), "nano_banana_pro_edit cannot be told how strongly"),
        (text(RULE, strength=None), r"as strongly as it goes already \(id_weight 1\)"),
        (text(RULE, id_weight=1), r"as strongly as it goes already \(id_weight 1\)"),
        (
            text(RULE, model="nano_banana_pro").replace("references: [mia]", ""),
            "there is no reference to count more strongly",
        ),
        (text(RULE, model="flux_1_1_pro_ultra", step="route: prompt"), "'prompt' sends no pictures"),
        (text(RULE).replace("retry", "stop").replace("max_retries: 3, ", ""), "add 'on_low: retry'"),
        (text("raise_strength: 0"), "raise_strength"),
        (text("raise_strength: yes"), "no step"),
    ],
    ids=["no parameter", "highest", "own highest", "no references", "words", "no retry", "zero", "no number"],
)
def test_what_cannot_be_raised_is_an_error(weak, file, said):
    """Found at validation, in a draft as well, before anything is paid."""
    for draft in (False, True):
        with pytest.raises(InvalidPipeline, match=said) as caught:
            weak.expand(file, draft=draft)
        assert caught.value.exit_code == 3


def test_a_scene_that_cannot_be_raised_is_told(weak):
    """Where some scenes can be raised, the others are retried as before, with a warning."""
    prompts = "[one, {prompt: two, model: nano_banana_pro_edit}]"
    expansion = weak.expand(text(RULE).replace("[one, two]", prompts))
    assert any("its retries are not raised" in warning for warning in expansion.warnings)


def test_what_the_model_does_by_itself_is_raised(weak):
    """Without a strength in the file, the model's default is where it begins."""
    weak.vendor.draw = lambda wire, path: paint(path, "blue", 100 + len(weak.vendor.jobs))
    weak.run(text("raise_strength: 0.2", model="flux_1_1_pro_ultra", strength=None))
    sent = [job.wire.payload.get("image_prompt_strength") for job in weak.vendor.jobs]
    assert sent == [None, 0.3]

"""Consistency gates through the vendors' own protocols: what is charged when a scene is off subject."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from ai_content_pipeline.sandbox import Sandbox, Settings
from ai_content_pipeline.sandbox import actions as do

CLIPS = {"fal": "kling_2_6_pro", "replicate": "seedance_1_lite"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Jobs of 20 ms whose clips move over the picture that they start from."""
    with Sandbox(
        Settings(
            image_seconds=0.02, video_seconds=0.02, look="draft", image_px=128, video_px=128, video_fps=2
        )
    ) as running:
        yield running


def draw_scenes(folder: Path, count: int) -> None:
    """The same figure, red coat and blue trousers, somewhere else in each picture."""
    for number in range(1, count + 1):
        picture = Image.new("RGB", (640, 360), (150, 150, 140))
        left = 60 + 50 * number
        draw = ImageDraw.Draw(picture)
        draw.rectangle((left, 60, left + 120, 220), fill=(200, 30, 40))
        draw.rectangle((left + 10, 220, left + 110, 350), fill=(30, 40, 170))
        picture.save(folder / f"scene_{number}.png")


def text(vendor: str, consistency: str, **params: Any) -> str:
    prompts = [f"scene {number}" for number in range(1, 10)]
    own = "".join(f", {key}: {value}" for key, value in params.items())
    return f"""
name: film
output_dir: output
steps:
  - name: clips
    type: image_to_video
    model: {CLIPS[vendor]}
    input: {{files: ["scene_*.png"]}}
    consistency: {consistency}
    params: {{prompts: {prompts}{own}}}
"""


@pytest.mark.parametrize("vendor", list(CLIPS))
@pytest.mark.parametrize(
    ("shape", "paid"), [({}, 3), ({"strategy": "batch", "batch_size": 2}, 4)], ids=["sequential", "batch"]
)
def test_the_third_of_nine_off_subject_stops_the_film(account, vendor, shape, paid):
    """Sequential is charged for three, batches of two for four, and never for nine."""
    draw_scenes(account.root, 9)
    account.script(do.OffSubject(), prompt="scene 3")
    result = account.run(text(vendor, "{on_low: stop}", **shape))
    assert len(account.sandbox.charges()) == paid
    assert (result.exit_code, result.items[2].error.code) == (7, "off_subject")
    assert [item.state.value for item in result.items[paid:]] == ["not_run"] * (9 - paid)
    assert result.items[0].likeness.score > 0.8
    account.unscript()
    again = account.run(text(vendor, "{on_low: stop}", **shape))
    assert (len(account.sandbox.charges()), again.exit_code) == (paid, 7)


def test_an_off_subject_clip_is_made_again_before_the_next_is_paid(account):
    """on_low: retry: the fourth charge is scene 3 once more; all nine are there in the end."""
    draw_scenes(account.root, 9)
    account.script(do.OffSubject(), prompt="scene 3", times=1)
    result = account.run(text("replicate", "{on_low: retry}"))
    assert (result.exit_code, len(account.sandbox.charges())) == (0, 10)
    assert [job.prompt for job in account.sandbox.jobs()][2:5] == ["scene 3", "scene 3", "scene 4"]
    assert result.items[2].likeness.score > 0.8

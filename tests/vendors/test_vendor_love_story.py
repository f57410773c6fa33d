"""The owner's storyboard through both vendors' protocols, the file as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.sandbox import Sandbox, Settings

STORY = Path(__file__).parents[2] / "input/pipelines/storyboard/love_story_parallel_test.yaml"
KLING = "fal-ai/kling-video/v2.6/pro/image-to-video"
SEEDANCE = "bytedance/seedance-1-lite"
PROMPTS = [
    "Coffee cups steam, eyes meet across table, gentle smile",
    "Leaves fall around them, hands brush, laughter",
    "Kitchen warmth, flour on nose, playful moment",
    "Stars twinkle, blanket, leaning close together",
]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One that draws: panels of one colour would all be the same upload."""
    settings = Settings(image_seconds=0.05, video_seconds=0.05, image_px=512, video_px=64, video_fps=1)
    with Sandbox(settings) as running:
        yield running
        assert running.leaks() == ()


def on_replicate(text: str) -> str:
    return (
        text.replace("nano_banana_pro", "nano_banana_pro_replicate")
        .replace("kling_2_6_pro", "seedance_1_lite")
        .replace('duration: "5"', "duration: 5")
    )


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_the_love_story(account: Any, vendor: str) -> None:
    """Five charges, four clips that decode, in the order of their prompts, each from its own panel."""
    text = STORY.read_text(encoding="utf-8")
    text = text if vendor == "fal" else on_replicate(text)
    account.write(text)
    said = account.chain()
    assert said.code == 0, said.text
    board, *clips = sorted(account.sandbox.jobs(), key=lambda job: job.prompt in PROMPTS)
    image, video = {
        "fal": ("fal-ai/nano-banana-pro", KLING),
        "replicate": ("google/nano-banana-pro", SEEDANCE),
    }[vendor]
    assert (board.endpoint, {clip.endpoint for clip in clips}) == (image, {video})
    assert len(account.sandbox.charges()) == 5
    field = {"fal": "start_image_url", "replicate": "image"}[vendor]
    for clip in clips:
        assert clip.payload.keys() - {"seed"} == {"prompt", "duration", field}
        assert clip.payload["duration"] == {"fal": "5", "replicate": 5}[vendor]
    assert len({clip.payload[field] for clip in clips}) == 4
    folder = account.root / "output/love_story_parallel_test/animate_parallel"
    infos = [verify(folder / f"scene_{number}.mp4") for number in range(1, 5)]
    assert {info.seconds for info in infos} == {5.0}
    result = account.run(text)
    assert [item.prompt for item in result.steps[2].items] == PROMPTS
    made = {clip.prompt: clip.id for clip in clips}
    assert all(made[item.prompt] in item.source_urls[0] for item in result.steps[2].items)
    assert account.accepted == 5

"""Words, edits, enlargements and films through both vendors' protocols: what arrives and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.sandbox import Sandbox, Settings

PICTURES = """
name: pictures
steps:
  - {{name: board, type: text_to_image, model: {image}, params: {{prompt: A bench, aspect_ratio: "16:9"}}}}
  - name: edits
    type: image_to_image
    model: {edit}
    params: {{prompts: [In rain]}}
"""
LARGER = """  - {name: large, type: upscale, model: clarity_upscaler, params: {upscale_factor: 2}}
"""
CLIPS = """
name: clips
steps:
  - name: clips
    type: text_to_video
    model: {video}
    params:
      parallel: true
      duration: {seconds}
      prompts: [A harbour, A ship]
"""
FILM = """  - {name: large, type: upscale, model: topaz_video, params: {upscale_factor: 2, parallel: true}}
  - {name: film, type: concat, params: {size: 64x36, crossfade: 1}}
  - {type: thumbnail, params: {size: 32}}
"""
MODELS: Mapping[str, Mapping[str, str]] = {
    "fal": {"image": "nano_banana_pro", "edit": "nano_banana_pro_edit", "video": "kling_2_6_pro_t2v"},
    "replicate": {
        "image": "nano_banana_pro_replicate",
        "edit": "nano_banana_replicate",
        "video": "seedance_1_lite",
    },
}
FIELDS = {"fal": "image_urls", "replicate": "image_input"}
SECONDS = {"fal": '"10"', "replicate": "6"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One that draws, so that no two files are the same."""
    with Sandbox(
        Settings(image_seconds=0.02, video_seconds=0.02, image_px=64, video_px=64, video_fps=2)
    ) as running:
        yield running
        assert running.leaks() == ()


def kinds(folder: Path) -> list[Kind]:
    return [verify(path).kind for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_pictures_are_edited_and_enlarged(account: Any, vendor: str) -> None:
    """The edit is sent its picture in the list that its card names, and answers with a picture."""
    text = PICTURES.format(**MODELS[vendor]) + (LARGER if vendor == "fal" else "")
    account.write(text)
    said = account.chain()
    assert said.code == 0, said.text
    _, edit, *large = sorted(account.sandbox.jobs(), key=lambda job: job.created)
    assert edit.payload.keys() - {"seed"} == {"prompt", FIELDS[vendor]}
    assert edit.payload["prompt"] == "In rain"
    assert len(edit.payload[FIELDS[vendor]]) == 1
    assert [job.endpoint for job in large] == ["fal-ai/clarity-upscaler"][: len(large)]
    for job in large:
        assert job.payload.keys() - {"seed"} == {"image_url", "upscale_factor"}
    output = account.root / "output/pictures"
    steps = ["board", "edits", *(["large"] if large else [])]
    assert [kinds(output / step) for step in steps] == [[Kind.IMAGE]] * len(steps)
    assert account.run(text).exit_code == 0
    assert account.accepted == len(steps)


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_words_become_clips_and_clips_a_film(account: Any, vendor: str) -> None:
    """Two clips as long as asked for; enlarged, they are as long as before; the film has both. A second
    run pays nothing."""
    text = CLIPS.format(**MODELS[vendor], seconds=SECONDS[vendor]) + FILM
    account.write(text)
    said = account.chain()
    assert said.code == 0, said.text
    seconds = int(SECONDS[vendor].strip('"'))
    output = account.root / "output/clips"
    for step in ("clips", "large"):
        assert [verify(path).seconds for path in sorted((output / step).iterdir())] == [seconds] * 2
    film = verify(output / "film/film.mp4")
    assert (film.kind, film.width, film.height) == (Kind.VIDEO, 64, 36)
    assert film.seconds == pytest.approx(2 * seconds - 1)
    assert kinds(output / "thumbnail_1") == [Kind.IMAGE]
    large = [job for job in account.sandbox.jobs() if job.endpoint == "fal-ai/topaz/upscale/video"]
    assert [job.payload.keys() for job in large] == [{"video_url", "upscale_factor"}] * 2
    again = account.run(text)
    assert (again.exit_code, account.accepted) == (0, 4)
    assert {item.state.value for step in again.steps for item in step.items} == {"cached"}

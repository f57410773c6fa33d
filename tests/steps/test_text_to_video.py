"""text_to_video: which clips there will be, and what is asked for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.steps.protocol import Faults, Item, Setting
from ai_content_pipeline.steps.text_to_video import TextToVideo

KLING = "kling_2_6_pro_t2v"
Settings = Callable[..., Setting]


def step(**params: object) -> TextToVideo:
    return TextToVideo.model_validate(
        {"name": "s", "type": "text_to_video", "model": KLING, "params": params}
    )


def items(setting_of: Settings, *models: str, **params: object) -> tuple[Item, ...]:
    return step(**params).items({}, setting_of(Task.TEXT_TO_VIDEO, KLING, *models))


def test_each_prompt_is_a_clip_of_its_own_length(setting_of: Settings) -> None:
    """Kind, size and length of every clip are known before, by its own model and parameters."""
    prompts = ["One", {"prompt": "Two", "params": {"duration": "10"}}, {"prompt": "3", "model": "veo_3_t2v"}]
    found = items(setting_of, "veo_3_t2v", prompts=prompts, aspect_ratio="16:9")
    assert [item.label for item in found] == ["s_1", "s_2", "s_3"]
    assert {item.makes.kind for item in found} == {Kind.VIDEO}
    assert [item.makes.seconds for item in found] == [5.0, 10.0, 8.0]
    assert (found[0].makes.width, found[0].makes.height) == (1920, 1080)


def test_the_request_is_what_the_user_set(setting_of: Settings) -> None:
    """Prompt and parameters, no input, one output; nothing of the card's defaults."""
    one = step(prompts=[None], prompt="Go", duration=10)
    setting = setting_of(Task.TEXT_TO_VIDEO, KLING, seed=3)
    request = one.work(one.items({}, setting)[0], setting)
    assert (request.prompt, request.params, request.inputs) == ("Go", {"duration": "10"}, {})
    assert (request.outputs, request.makes, request.seed) == (1, Kind.VIDEO, None)  # Kling takes no seed


def test_a_clip_of_the_users_own_fills_its_slot(setting_of: Settings) -> None:
    """A video is used as it is; a picture in that place is refused where it stands."""
    found = items(setting_of, prompts=["One", {"file": "clip.mp4"}])
    assert [item.given is not None for item in found] == [False, True]
    with pytest.raises(Faults) as caught:
        items(setting_of, prompts=[{"file": "a.png"}, {"prompt": "Go", "start": "a.png"}, {"file": "no.mp4"}])
    first, second, third = caught.value.faults
    assert (first.path, first.message) == (
        ("params", "prompts", 0, "file"),
        "a.png is an image, and this step makes clips",
    )
    assert (second.path[-1], second.message) == ("start", "text_to_video takes no 'start' picture")
    assert third.message == "there is no file no.mp4"


def test_a_prompt_is_needed(setting_of: Settings) -> None:
    """The file's own counts, unless the step lists prompts."""
    with pytest.raises(Faults, match="no prompt"):
        items(setting_of)
    setting = setting_of(Task.TEXT_TO_VIDEO, KLING, prompt="From the top")
    one = step()
    assert one.work(one.items({}, setting)[0], setting).prompt == "From the top"

"""upscale: pictures stay pictures, videos stay videos, and the model must be one for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Pending, Role
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.steps.protocol import Faults, Input, Item, Setting
from ai_content_pipeline.steps.upscale import Upscale

Settings = Callable[..., Setting]
PICTURE = Input(Pending("scenes/a", Kind.IMAGE, 640, 360), "a")
CLIP = Input(Pending("clips/b", Kind.VIDEO, 1280, 720, 5.0), "b")
FOOTAGE = Input(Artifact("f" * 64, 9, MediaInfo(Kind.VIDEO, "video/mp4", 640, 360, 2.0, 25.0)), "own")


def step(model: str, **params: object) -> Upscale:
    return Upscale.model_validate({"name": "s", "type": "upscale", "model": model, "params": params})


def items(setting_of: Settings, model: str, *inputs: Input, **params: object) -> tuple[Item, ...]:
    return step(model, **params).items({Role.INPUT: inputs}, setting_of(Task.UPSCALE, model))


@pytest.mark.parametrize(
    ("model", "given", "params", "made"),
    [
        ("clarity_upscaler", PICTURE, {}, (Kind.IMAGE, 1280, 720, None)),
        ("clarity_upscaler", PICTURE, {"upscale_factor": 4}, (Kind.IMAGE, 2560, 1440, None)),
        ("topaz_video", CLIP, {"upscale_factor": 1.5}, (Kind.VIDEO, 1920, 1080, 5.0)),
        ("topaz_video", FOOTAGE, {}, (Kind.VIDEO, 1280, 720, 2.0)),
        (
            "seedvr_video",
            CLIP,
            {"upscale_mode": "target", "target_resolution": "2160p"},
            (Kind.VIDEO, 3840, 2160, 5.0),
        ),
        ("draft", PICTURE, {}, (Kind.IMAGE, 1280, 720, None)),
        ("draft", CLIP, {"upscale_factor": 3}, (Kind.VIDEO, 3840, 2160, 5.0)),
    ],
)
def test_what_comes_out_is_the_input_larger(
    setting_of: Settings, model: str, given: Input, params: dict[str, object], made: object
) -> None:
    """Kind and length are the input's, the size is its size times the factor."""
    one = step(model, **params)
    setting = setting_of(Task.UPSCALE, model)
    (item,) = one.items({Role.INPUT: [given]}, setting)
    makes = item.makes
    assert (makes.kind, makes.width, makes.height, makes.seconds) == made
    assert item.label == given.label
    assert one.work(item, setting).makes is makes.kind


def test_a_model_for_the_other_kind_is_refused_with_ones_that_can(setting_of: Settings) -> None:
    """It is said once for all clips, and names the models that take them."""
    with pytest.raises(Faults) as caught:
        items(setting_of, "clarity_upscaler", CLIP, PICTURE, CLIP)
    (fault,) = caught.value.faults
    assert fault.path == ("input", "input")
    assert fault.message == (
        "Clarity Upscaler takes an image as its input, and clips/b is a video (the same for 1 more item)"
    )
    assert fault.hint == "give it an image, or use a model that takes a video: seedvr_video, topaz_video"
    with pytest.raises(Faults) as caught:
        items(setting_of, "topaz_video", PICTURE)
    assert "clarity_upscaler" in (caught.value.faults[0].hint or "")
    assert "seedvr_video" not in (caught.value.faults[0].hint or "")


def test_no_prompt_is_needed_and_the_files_own_is_not_used(setting_of: Settings) -> None:
    """A prompt for a whole board would have an upscaler draw the board again; the step's own is sent."""
    setting = setting_of(Task.UPSCALE, "clarity_upscaler", "draft", prompt="A 2x2 grid of panels")
    for model, own in (("clarity_upscaler", None), ("draft", None), ("clarity_upscaler", "Sharp eyes")):
        one = step(model, **({"prompt": own} if own else {}))
        assert one.work(one.items({Role.INPUT: [PICTURE]}, setting)[0], setting).prompt == own


def test_an_entry_may_bring_its_own_file_and_model(setting_of: Settings) -> None:
    """One line for a clip of the user's, on a model for clips."""
    one = step("clarity_upscaler", prompts=[None, {"file": "clip.mp4", "model": "topaz_video"}])
    setting = setting_of(Task.UPSCALE, "clarity_upscaler", "topaz_video")
    found = one.items({Role.INPUT: [PICTURE, PICTURE]}, setting)
    assert [(item.label, item.makes.kind, item.makes.seconds) for item in found] == [
        ("a", Kind.IMAGE, None),
        ("clip", Kind.VIDEO, 4.0),
    ]

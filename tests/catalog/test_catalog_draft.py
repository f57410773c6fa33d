"""The draft model, and how it stands in for the others."""

from __future__ import annotations

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.catalog import DRAFT
from ai_content_pipeline.jobs import Params, Task

PICTURE = Pending("scenes/scene_1", Kind.IMAGE, 688, 384)
CLIP = Pending("clips/scene_1", Kind.VIDEO, 1280, 720, 5.0)
KEYS = catalog.keys()
CASES = [(key, task) for key in KEYS for task in catalog.load(key).tasks]


def test_the_draft_does_everything() -> None:
    """Every task, all roles of a picture, its own parameters, no price, and a name no card takes."""
    assert set(DRAFT.tasks) == set(Task)
    assert set(DRAFT.roles) == {Role.START, Role.END, Role.INPUT, Role.REFERENCE}
    assert {"aspect_ratio", "resolution", "width", "height", "size", "grid"} <= set(DRAFT.parameters or {})
    assert {"num_images", "duration", "fps", "motion", "caption"} <= set(DRAFT.parameters or {})
    assert (DRAFT.provider, DRAFT.seed, DRAFT.count) == ("draft", "seed", "num_images")
    assert DRAFT.key not in KEYS
    assert catalog.stand_in(DRAFT, Task.TEXT_TO_IMAGE) is DRAFT


def test_the_drafts_own_parameters_are_checked() -> None:
    """The draft is a model like others: misspelt parameters are found."""
    (misfit,) = catalog.check(DRAFT, Task.TEXT_TO_IMAGE, {"aspect_ratios": "16:9"})
    assert misfit.hint == "did you mean 'aspect_ratio'?"
    assert catalog.check(DRAFT, Task.IMAGE_TO_VIDEO, {"duration": "5", "grid": "2x2", "caption": True}) == ()


@pytest.mark.parametrize(
    ("params", "pixels"),
    [
        ({}, (1280, 720)),
        ({"aspect_ratio": "9:16", "resolution": "1080p"}, (1080, 1920)),
        ({"aspect_ratio": "16:9", "resolution": "2K"}, (2752, 1536)),
        ({"size": "640x480"}, (640, 480)),
        ({"width": 320, "height": 200}, (320, 200)),
        ({"resolution": "4k"}, (5504, 3072)),
        ({"resolution": "huge"}, (None, None)),
    ],
)
def test_sizes_of_a_draft(params: Params, pixels: tuple[int | None, int | None]) -> None:
    """The renderer draws what `expected` says."""
    made = catalog.expected(DRAFT, Task.TEXT_TO_IMAGE, params, {})
    assert (made.width, made.height) == pixels


def test_a_stand_in_fills_in_plain_names() -> None:
    """The model's own defaults reach the renderer as duration, aspect ratio and resolution."""
    kling = catalog.stand_in(catalog.load("kling_2_6_pro_t2v"), Task.TEXT_TO_VIDEO)
    assert kling.fill == {"duration": 5.0, "aspect_ratio": "16:9", "resolution": "1080p"}
    wan = catalog.stand_in(catalog.load("wan_2_1"), Task.IMAGE_TO_VIDEO)
    assert wan.fill == {"duration": 5.0625, "frames_per_second": 16, "resolution": "720p"}
    assert catalog.stand_in(catalog.load("flux_dev"), Task.TEXT_TO_IMAGE).fill == {
        "width": 1024,
        "height": 768,
    }
    assert catalog.stand_in(catalog.load("flux_pulid"), Task.TEXT_TO_IMAGE).seed == "seed"
    assert catalog.stand_in(catalog.load("sdxl"), Task.TEXT_TO_IMAGE).fill == {"width": 1024, "height": 1024}
    assert catalog.stand_in(catalog.load("sdxl"), Task.IMAGE_TO_IMAGE).fill == {}
    assert catalog.stand_in(catalog.load("esrgan"), Task.UPSCALE).fill == {"upscale_factor": 2}
    assert catalog.stand_in(catalog.load("recraft_crisp"), Task.UPSCALE).fill == {"upscale_factor": 2}
    fast = catalog.stand_in(catalog.load("seedance_1_pro_fast"), Task.IMAGE_TO_VIDEO)
    assert fast.fill == {"duration": 5.0, "frames_per_second": 24.0, "resolution": "1080p"}
    fixed = catalog.stand_in(catalog.load("seedance_1_5_pro"), Task.IMAGE_TO_VIDEO)
    assert fixed.fill == {"duration": 5.0, "resolution": "720p", "aspect_ratio": "16:9"}
    assert catalog.load("kling_2_6_pro_t2v").fill == {}


def test_a_stand_in_keeps_the_rules_for_files() -> None:
    """The smallest picture and the number of references stay the model's; the field names are plain."""
    card = catalog.stand_in(catalog.load("seedance_1_lite"), Task.REFERENCE_TO_VIDEO)
    assert {role: field.name for role, field in card.roles.items()} == {
        Role.START: "start",
        Role.END: "end",
        Role.REFERENCE: "reference",
    }
    assert card.roles[Role.REFERENCE].max_items == 4
    assert card.roles[Role.REFERENCE].excludes == (Role.START, Role.END)
    assert (
        catalog.stand_in(catalog.load("kling_2_6_pro"), Task.IMAGE_TO_VIDEO).roles[Role.START].min_side == 300
    )
    assert card.parameters is None


def test_a_stand_in_for_an_unknown_model_takes_every_file() -> None:
    """Nothing is known of an open endpoint, so its draft is the draft's own."""
    card = catalog.stand_in(catalog.resolve("fal:a/b", Task.IMAGE_TO_VIDEO), Task.IMAGE_TO_VIDEO)
    assert card.roles == DRAFT.roles
    made = catalog.expected(card, Task.IMAGE_TO_VIDEO, {}, {Role.START: (PICTURE,)})
    assert (made.width, made.height, made.seconds) == (1290, 720, 5.0)


def inputs(key: str, task: Task) -> dict[Role, tuple[Pending, ...]]:
    wanted = {
        Task.IMAGE_TO_VIDEO: (Role.START,),
        Task.IMAGE_TO_IMAGE: (Role.INPUT,),
        Task.UPSCALE: (Role.INPUT,),
    }.get(task, ())
    roles = catalog.load(key).roles
    return {role: (CLIP if roles[role].takes is Kind.VIDEO else PICTURE,) for role in wanted}


@pytest.mark.parametrize(("key", "task"), CASES)
def test_a_stand_in_is_drawn_as_it_is_planned(key: str, task: Task) -> None:
    """The renderer, which knows the draft's card alone, draws what was planned with the stand-in."""
    draft = catalog.stand_in(catalog.load(key), task)
    for own in (
        {},
        {"aspect_ratio": "9:16", "duration": "10"},
        {"num_frames": 100},
        {"image_size": "square"},
    ):
        params: Params = {**draft.fill, **own}
        planned = catalog.expected(draft, task, params, inputs(key, task))
        assert catalog.expected(DRAFT, task, params, inputs(key, task)) == planned
        assert planned.width
        assert planned.height
        assert planned.seconds or planned.kind is Kind.IMAGE


@pytest.mark.parametrize(("key", "task"), CASES)
def test_a_stand_in_looks_like_the_model(key: str, task: Task) -> None:
    """Where the model's own shape is known, the draft is as long, and has its proportions and size."""
    card = catalog.load(key)
    draft = catalog.stand_in(card, task)
    real = catalog.expected(card, task, {}, inputs(key, task))
    made = catalog.expected(draft, task, dict(draft.fill), inputs(key, task))
    assert made.kind is real.kind
    assert real.seconds in (None, made.seconds)
    if real.width and real.height and made.width and made.height:
        assert made.width / made.height == pytest.approx(real.width / real.height, rel=0.04)
        assert made.width == pytest.approx(real.width, rel=0.05)


def test_frames_that_the_user_set_reach_the_draft() -> None:
    """A number of frames at the model's own rate is as long in the draft."""
    card = catalog.load("wan_2_1_t2v")
    draft = catalog.stand_in(card, Task.TEXT_TO_VIDEO)
    for own in ({"num_frames": 100}, {"num_frames": 96, "frames_per_second": 24}):
        made = catalog.expected(draft, Task.TEXT_TO_VIDEO, {**draft.fill, **own}, {})
        assert made.seconds == catalog.expected(card, Task.TEXT_TO_VIDEO, own, {}).seconds


@pytest.mark.parametrize("params", [{"duration": "10"}, {"duration": 10, "aspect_ratio": "9:16"}])
def test_what_the_user_set_goes_over_the_filling(params: Params) -> None:
    """The user's own duration and aspect ratio reach the draft as they reach the model."""
    card = catalog.load("kling_2_6_pro_t2v")
    draft = catalog.stand_in(card, Task.TEXT_TO_VIDEO)
    assert catalog.expected(draft, Task.TEXT_TO_VIDEO, {**draft.fill, **params}, {}) == catalog.expected(
        card, Task.TEXT_TO_VIDEO, params, {}
    )

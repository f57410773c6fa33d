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
    assert wan.fill == {"duration": 5.0625, "resolution": "720p"}
    assert catalog.stand_in(catalog.load("flux_dev"), Task.TEXT_TO_IMAGE).fill == {"aspect_ratio": "4:3"}
    assert catalog.stand_in(catalog.load("flux_pulid"), Task.TEXT_TO_IMAGE).seed == "seed"
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
def test_a_stand_in_has_the_models_shape(key: str, task: Task) -> None:
    """Where the model's size or length is known, the draft has the same; it always has one of its own."""
    card = catalog.load(key)
    draft = catalog.stand_in(card, task)
    real = catalog.expected(card, task, {}, inputs(key, task))
    made = catalog.expected(draft, task, dict(draft.fill), inputs(key, task))
    assert made.kind is real.kind
    assert made.width
    assert made.height
    if real.width and real.height and "image_size" not in (card.parameters or {}):
        assert (made.width, made.height) == (real.width, real.height)
    elif real.width and real.height:
        assert made.width / made.height == pytest.approx(real.width / real.height, rel=0.01)
    if real.kind is Kind.VIDEO:
        assert made.seconds
        assert real.seconds in (None, made.seconds)


@pytest.mark.parametrize("params", [{"duration": "10"}, {"duration": 10, "aspect_ratio": "9:16"}])
def test_what_the_user_set_goes_over_the_filling(params: Params) -> None:
    """The user's own duration and aspect ratio reach the draft as they reach the model."""
    card = catalog.load("kling_2_6_pro_t2v")
    draft = catalog.stand_in(card, Task.TEXT_TO_VIDEO)
    assert catalog.expected(draft, Task.TEXT_TO_VIDEO, {**draft.fill, **params}, {}) == catalog.expected(
        card, Task.TEXT_TO_VIDEO, params, {}
    )

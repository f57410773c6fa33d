"""image_to_video: how a step's clips run, and what their models take."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.catalog import Card, RoleField
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.steps.image_to_video import ImageToVideo
from ai_content_pipeline.steps.protocol import Fault, Faults, Input, Setting, Shape
from ai_content_pipeline.steps.roles import Given, check_roles

KLING = catalog.resolve("kling_2_6_pro", Task.IMAGE_TO_VIDEO)


def step(**params: object) -> ImageToVideo:
    return ImageToVideo.model_validate(
        {
            "name": "clips",
            "type": "image_to_video",
            "model": "kling_2_6_pro",
            "params": {"prompt": "Go", **params},
        }
    )


def _nothing(name: str) -> Input:
    raise LookupError(f"no {name}")


def picture(number: int = 1, width: int | None = 1280, height: int | None = 720) -> Pending:
    return Pending(f"scenes/scene_{number}", Kind.IMAGE, width, height)


def faults(card: Card, sources: dict[Role, tuple[Pending, ...]], times: int = 1) -> list[Fault]:
    paths = {role: ("input", role.value) for role in sources}
    names = {role: ("scene",) * len(files) for role, files in sources.items()}
    return check_roles([Given(f"clips/{n}", card, sources, paths, names) for n in range(times)])


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({}, Shape(workers=1, ordered=True)),
        ({"parallel": False, "max_workers": 8}, Shape(workers=1, ordered=True)),
        ({"parallel": True}, Shape(workers=4, parallel=True)),
        ({"parallel": True, "max_workers": 9}, Shape(workers=9, parallel=True)),
        ({"strategy": "parallel", "max_workers": 2}, Shape(workers=2, parallel=True)),
        ({"strategy": "sequential"}, Shape(workers=1, ordered=True)),
        ({"strategy": "batch", "batch_size": 3}, Shape(workers=3, batch=3, parallel=True)),
        ({"strategy": "batch"}, Shape(workers=2, batch=2, parallel=True)),
    ],
)
def test_one_at_a_time_unless_it_says_otherwise(params: dict[str, object], shape: Shape) -> None:
    """Sequential by default; four workers when parallel; batches of two."""
    assert step(**params).shape == shape


@pytest.mark.parametrize(
    "params",
    [
        {"parallel": True, "strategy": "sequential"},
        {"parallel": False, "strategy": "parallel"},
        {"parallel": True, "strategy": "batch"},
        {"batch_size": 2},
        {"max_workers": 0},
        {"max_workers": "4"},
        {"max_workers": 2.5},
        {"max_workers": True},
        {"max_workers": 129},
        {"parallel": "true"},
        {"seed": -1},
        {"seed": 2**63},
        {"prompts": []},
    ],
)
def test_contradictions_and_wrong_types_are_refused(params: dict[str, object]) -> None:
    """Two keys that say different things, and values that only look right, are mistakes."""
    with pytest.raises(ValidationError):
        step(**params)


def test_clips_keep_the_order_and_the_names_of_their_pictures() -> None:
    """Item n is picture n, under its own label."""
    labels = ["b", "a", "c"]
    inputs = {Role.START: [Input(picture(n), label) for n, label in enumerate(labels)]}
    items = step().items(inputs, Setting("clips", {"kling_2_6_pro": KLING}, _nothing, _nothing))
    assert [item.label for item in items] == labels
    assert [item.inputs[Role.START][0] for item in items] == [picture(n) for n in range(3)]
    assert [item.makes.seconds for item in items] == [5.0] * 3


def test_a_picture_below_the_models_least_side_is_refused_once() -> None:
    """The size, the limit and the way out are named; nine panels of one board are one mistake."""
    (fault,) = faults(KLING, {Role.START: (picture(1, 458, 256),)}, times=9)
    assert fault.path == ("input", "start")
    assert "scenes/scene_1 is 458x256 pixels" in fault.message
    assert "at least 300" in fault.message
    assert "8 more items" in fault.message
    assert 'resolution: "2K"' in (fault.hint or "")


@pytest.mark.parametrize(("width", "height"), [(None, None), (300, 300), (458, 300), (None, 100)])
def test_sizes_that_suffice_or_that_nobody_knows_pass(width: int | None, height: int | None) -> None:
    """An unknown size is never refused."""
    assert faults(KLING, {Role.START: (picture(1, width, height),)}) == []


def test_a_role_that_the_card_requires_must_be_there() -> None:
    """An end without the start it needs is refused."""
    (fault,) = faults(KLING, {Role.END: (picture(),)})
    assert "Kling 2.6 Pro needs a start picture" in fault.message


def test_roles_that_exclude_each_other() -> None:
    """Seedance takes references or frames, not both, and it is said once."""
    card = catalog.resolve("seedance_1_lite", Task.IMAGE_TO_VIDEO)
    (fault,) = faults(card, {Role.START: (picture(),), Role.REFERENCE: (picture(2),)})
    assert "not both" in fault.message


@pytest.mark.parametrize(("count", "fits"), [(1, True), (4, True), (5, False)])
def test_no_more_files_than_a_field_takes(count: int, fits: bool) -> None:
    """max_items bounds a list; a field that takes one file takes one."""
    card = catalog.resolve("seedance_1_lite", Task.IMAGE_TO_VIDEO)
    assert (faults(card, {Role.REFERENCE: tuple(map(picture, range(count)))}) == []) is fits
    assert faults(KLING, {Role.START: (picture(), picture(2))}) != []


def test_roles_of_one_field_share_its_room() -> None:
    """Two roles that go into one list are counted together."""
    field = RoleField("images", many=True, max_items=3)
    card = replace(KLING, roles={Role.INPUT: field, Role.REFERENCE: field})
    both = {Role.INPUT: (picture(),), Role.REFERENCE: (picture(2), picture(3))}
    assert faults(card, both) == []
    (fault,) = faults(card, {**both, Role.REFERENCE: tuple(map(picture, range(3)))})
    assert "at most 3" in fault.message
    assert "not 4" in fault.message


def test_the_kind_of_file_must_fit() -> None:
    """A clip where the card wants a picture is refused, and the other way round."""
    clip = Pending("clips/a", Kind.VIDEO, 1280, 720)
    assert "takes an image" in faults(KLING, {Role.START: (clip,)})[0].message
    card = replace(KLING, roles={Role.INPUT: RoleField("video_url", takes=Kind.VIDEO)})
    assert faults(card, {Role.INPUT: (clip,)}) == []
    assert faults(card, {Role.INPUT: (picture(),)}) != []


def test_the_first_clip_has_no_previous_one() -> None:
    """A chain needs a beginning, and the place of the mistake is the entry's."""
    one = step(prompts=[{"start": "previous.last_frame"}])
    with pytest.raises(Faults) as caught:
        one.items({}, Setting("clips", {"kling_2_6_pro": KLING}, _nothing, _nothing))
    assert caught.value.faults[0].path == ("params", "prompts", 0, "start")

"""image_to_image: one request a picture, its items under the picture's name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.steps.image_to_image import ImageToImage
from ai_content_pipeline.steps.protocol import Faults, Input, Item, Setting

EDIT = "nano_banana_pro_edit"
Settings = Callable[..., Setting]


def step(model: str = EDIT, **params: object) -> ImageToImage:
    fields = {"name": "s", "type": "image_to_image", "model": model, "params": params}
    return ImageToImage.model_validate(fields)


def pictures(*labels: str, width: int | None = 1280, height: int | None = 720) -> list[Input]:
    return [Input(Pending(f"scenes/{label}", Kind.IMAGE, width, height), label) for label in labels]


def items(setting_of: Settings, inputs: list[Input], model: str = EDIT, **params: object) -> tuple[Item, ...]:
    return step(model, **params).items({Role.INPUT: inputs}, setting_of(Task.IMAGE_TO_IMAGE, model))


def test_items_keep_the_names_of_their_pictures(setting_of: Settings) -> None:
    """Several pictures of one request share its job; the second gets a number, also beside one called so."""
    prompts = ["Rain", {"prompt": "Snow", "params": {"num_images": 2}}, "Fog"]
    found = items(setting_of, pictures("b", "a", "a_2"), prompts=prompts)
    assert [item.label for item in found] == ["b", "a", "a_2", "a_2_2"]
    assert [(item.job, item.output) for item in found] == [(0, 0), (1, 0), (1, 1), (2, 0)]
    assert [item.inputs[Role.INPUT][0].address for item in found[1:3]] == ["scenes/a"] * 2


def test_the_request_of_a_job_is_its_own_line(setting_of: Settings) -> None:
    """Prompt, parameters and outputs go by the picture's place, whatever came before it."""
    one = step(
        prompts=[{"prompt": "Rain", "params": {"num_images": 3}}, {"prompt": "Snow", "seed": 4}], seed=9
    )
    setting = setting_of(Task.IMAGE_TO_IMAGE, EDIT)
    found = one.items({Role.INPUT: pictures("a", "b")}, setting)
    first, last = one.work(found[0], setting), one.work(found[3], setting)
    assert (first.prompt, first.outputs, first.seed) == ("Rain", 3, 9)
    assert (last.prompt, last.outputs, last.seed) == ("Snow", 1, 4)
    assert last.inputs == {Role.INPUT: (found[3].inputs[Role.INPUT][0],)}
    assert last.makes is Kind.IMAGE


@pytest.mark.parametrize(
    ("size", "params", "made"),
    [
        ((1280, 720), {}, (1376, 768)),
        ((720, 1280), {"resolution": "2K"}, (1536, 2752)),
        ((1280, 720), {"aspect_ratio": "1:1"}, (1024, 1024)),
        ((None, None), {}, (None, None)),
    ],
)
def test_without_a_size_of_its_own_the_picture_keeps_its_shape(
    setting_of: Settings, size: tuple[int | None, int | None], params: dict[str, object], made: object
) -> None:
    """The listed aspect ratio nearest to the picture's, unless one is asked for; unknown stays unknown."""
    (item,) = items(setting_of, pictures("a", width=size[0], height=size[1]), prompt="Rain", **params)
    assert (item.makes.width, item.makes.height) == made


def test_an_entry_may_bring_its_own_picture(setting_of: Settings) -> None:
    """It takes the input's place and gives the item its name; steps of such entries need no input."""
    found = items(setting_of, pictures("x", "y"), prompts=["Rain", {"prompt": "Snow", "file": "a.png"}])
    assert [item.label for item in found] == ["x", "a"]
    setting = setting_of(Task.IMAGE_TO_IMAGE, EDIT)
    assert [
        item.label for item in step(prompts=[{"prompt": "Rain", "file": "a.png"}]).items({}, setting)
    ] == ["a"]


def test_what_fits_no_edit_is_refused_all_at_once(setting_of: Settings) -> None:
    """Frames of a clip, a missing file, a line too many: each at its place."""
    prompts = [{"prompt": "Rain", "end": "a.png"}, {"prompt": "Rain", "file": "no.png"}, "Fog"]
    with pytest.raises(Faults) as caught:
        items(setting_of, pictures("x", "y"), prompts=prompts)
    assert [fault.path for fault in caught.value.faults] == [
        ("params", "prompts", 0, "end"),
        ("params", "prompts", 1, "file"),
        ("params", "prompts", 2),
    ]
    assert caught.value.faults[0].hint == "a picture or clip of your own goes in as 'file'"


def test_a_video_of_the_users_is_no_picture(setting_of: Settings) -> None:
    """An entry's own file must be of the kind that the model takes."""
    with pytest.raises(Faults, match="takes an image as its input, and your video 'clip' is a video"):
        items(setting_of, pictures("x"), prompts=[{"prompt": "Rain", "file": "clip.mp4"}])


def test_a_mask_goes_with_each_picture(setting_of: Settings) -> None:
    """Masks pair with pictures, the shorter decides; a model without masks and a mask alone are refused."""
    setting, one = setting_of(Task.IMAGE_TO_IMAGE, "sdxl"), step("sdxl", prompt="A tree")
    both = {Role.INPUT: pictures("a", "b"), Role.MASK: pictures("m")}
    (item,) = one.items(both, setting)
    assert {role: source[0].address for role, source in item.inputs.items()} == {
        Role.INPUT: "scenes/a",
        Role.MASK: "scenes/m",
    }
    with pytest.raises(Faults, match="needs an 'input' beside the mask"):
        one.items({Role.MASK: pictures("m")}, setting)
    with pytest.raises(Faults, match="takes no mask picture"):
        step(prompt="Rain").items(both, setting_of(Task.IMAGE_TO_IMAGE, EDIT))


def test_a_fan_out_bomb_is_refused_before_it_is_built(setting_of: Settings) -> None:
    """A billion pictures of one are a slip of the keyboard."""
    with pytest.raises(Faults, match="1,000,000,000 items"):
        items(setting_of, pictures("a"), prompt="Go", num_images=1_000_000_000)

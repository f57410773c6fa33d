"""Parameters against a card: the messages, and what counts as one value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_content_pipeline import catalog
from ai_content_pipeline.catalog import Card, Misfit, files
from ai_content_pipeline.jobs import Json, Task

KLING = catalog.load("kling_2_6_pro")
NANO = catalog.load("nano_banana_pro")
BARE = {"title": "T", "provider": "fal", "endpoint": "a/b", "tasks": ["upscale"]}


def first(card: Card, task: Task, **params: Json) -> Misfit:
    found = catalog.check(card, task, params)
    assert len(found) == 1
    assert found[0].parameter in params
    return found[0]


def test_what_fits_is_silent() -> None:
    """The owner's own parameters pass, as text or as numbers."""
    assert catalog.check(KLING, Task.IMAGE_TO_VIDEO, {"duration": "5", "generate_audio": True}) == ()
    assert catalog.check(KLING, Task.IMAGE_TO_VIDEO, {"duration": 10}) == ()
    assert catalog.check(NANO, Task.TEXT_TO_IMAGE, {"aspect_ratio": "16:9", "num_images": "4"}) == ()


def test_an_unknown_schema_is_not_checked() -> None:
    """Without a card, anything goes."""
    card = catalog.resolve("fal:someone/model", Task.TEXT_TO_IMAGE)
    assert catalog.check(card, Task.TEXT_TO_IMAGE, {"anything": object, "prompt": 1}) == ()  # type: ignore[dict-item]


def test_a_misspelt_parameter_is_recognised() -> None:
    """An unknown parameter is named with the one that was meant."""
    misfit = first(NANO, Task.TEXT_TO_IMAGE, aspect_ration="16:9")
    assert misfit.message == 'nano_banana_pro has no parameter "aspect_ration"'
    assert misfit.hint == "did you mean 'aspect_ratio'?"


def test_an_unknown_parameter_without_a_likeness_lists_what_there_is() -> None:
    """Where nothing is near, the hint is the whole list."""
    misfit = first(KLING, Task.IMAGE_TO_VIDEO, wobble=3)
    assert misfit.hint == "it has duration, generate_audio, negative_prompt, voice_ids"


def test_a_value_that_is_not_listed_gets_the_nearest() -> None:
    """The message lists what is allowed, the hint says which is nearest."""
    misfit = first(KLING, Task.IMAGE_TO_VIDEO, duration=7)
    assert misfit.message == 'duration is "7"; kling_2_6_pro takes "5", "10"'
    assert misfit.hint == 'write "5"'


@pytest.mark.parametrize(
    ("key", "name", "value", "hint"),
    [
        ("kling_2_6_pro", "duration", 9, 'write "10"'),
        ("veo_3_1", "duration", 8, 'write "8s"'),
        ("veo_3_1", "duration", "7s", 'write "6s"'),
        ("veo_3_1", "resolution", "4K", 'write "4k"'),
        ("veo_3_1_lite", "resolution", "4k", 'write "1080p"'),
        ("veo_3_1", "aspect_ratio", "4:5", 'write "9:16"'),
        ("veo_3_1", "aspect_ratio", "16/9", 'write "16:9"'),
        ("nano_banana_pro", "resolution", "2k", 'write "2K"'),
        ("nano_banana_pro", "resolution", "1080p", 'write "2K"'),
        ("nano_banana_pro", "output_format", "jpg", 'write "jpeg"'),
        ("hailuo_02_standard", "resolution", "720p", 'write "768P"'),
        ("wan_2_7", "duration", 20, "write 15"),
        ("topaz_video", "model", "artemis hq", 'write "Artemis HQ"'),
        ("nano_banana_pro", "output_format", "tga", None),
        ("nano_banana_pro", "aspect_ratio", "0:0", None),
    ],
)
def test_the_nearest_right_value(key: str, name: str, value: Json, hint: str | None) -> None:
    """Nearness is by case, by number, by aspect ratio, then by likeness of the word."""
    card = catalog.load(key)
    assert first(card, card.tasks[0], **{name: value}).hint == hint


@pytest.mark.parametrize(
    ("key", "name", "value", "message", "hint"),
    [
        ("wan_2_1", "num_frames", 20, "num_frames is 20; wan_2_1 takes 81 to 100", "write 81"),
        ("wan_2_1", "num_frames", "101", "num_frames is 101; wan_2_1 takes 81 to 100", "write 100"),
        ("wan_2_1", "num_frames", 90.5, "num_frames is 90.5; wan_2_1 wants a whole number", None),
        ("flux_dev", "guidance_scale", "high", 'guidance_scale is "high"; flux_dev wants a number', None),
        ("flux_dev", "guidance_scale", float("nan"), "guidance_scale is NaN; flux_dev wants a number", None),
        (
            "kling_2_6_pro",
            "generate_audio",
            "no",
            'generate_audio is "no"; kling_2_6_pro wants true or false',
            None,
        ),
        (
            "kling_2_6_pro",
            "generate_audio",
            1,
            "generate_audio is 1; kling_2_6_pro wants true or false",
            None,
        ),
        ("kling_2_6_pro", "voice_ids", "anna", 'voice_ids is "anna"; kling_2_6_pro wants a list', None),
        (
            "kling_2_6_pro",
            "negative_prompt",
            ["blur"],
            'negative_prompt is ["blur"]; kling_2_6_pro wants text',
            None,
        ),
        ("flux_dev", "num_images", True, "num_images is true; flux_dev wants a whole number", None),
        ("kling_2_6_pro", "duration", None, "duration is empty", "give it a value, or remove the line"),
    ],
)
def test_types_and_ranges(key: str, name: str, value: Json, message: str, hint: str | None) -> None:
    """A wrong type says which is wanted; a number out of range gets the nearest end."""
    card = catalog.load(key)
    assert first(card, card.tasks[0], **{name: value}) == Misfit(name, message, hint)


def test_true_is_not_one() -> None:
    """A truth value does not pass for a listed number, nor a number for a truth value."""
    card = files.card("t", {**BARE, "parameters": {"level": {"type": "integer", "enum": [0, 1]}}})
    assert catalog.check(card, Task.UPSCALE, {"level": 1}) == ()
    assert first(card, Task.UPSCALE, level=True).message == "level is true; t takes 0, 1"


def test_a_size_may_be_a_name_or_a_mapping() -> None:
    """fal's image_size takes a preset or width and height, and nothing else."""
    card = catalog.load("flux_dev")
    sizes: tuple[Json, ...] = ("square_hd", {"width": 1280, "height": 720})
    for good in sizes:
        assert catalog.check(card, Task.TEXT_TO_IMAGE, {"image_size": good}) == ()
    assert first(card, Task.TEXT_TO_IMAGE, image_size="landscape_16:9").hint == 'write "landscape_16_9"'
    assert first(card, Task.TEXT_TO_IMAGE, image_size=1024).hint is None


def test_an_ignored_field_is_refused_with_its_reason() -> None:
    """A field that the vendor accepts and ignores would waste the user's money."""
    misfit = first(catalog.load("seedance_1_pro_fal"), Task.IMAGE_TO_VIDEO, end_image_url="https://a/b.png")
    assert misfit.message == "seedance_1_pro_fal no longer heeds end_image_url"
    assert "ignored" in (misfit.hint or "")


@pytest.mark.parametrize(
    ("key", "task", "name", "hint"),
    [
        ("kling_2_6_pro", Task.IMAGE_TO_VIDEO, "prompt", "write the text as the step's 'prompt'"),
        ("nano_banana_pro", Task.TEXT_TO_IMAGE, "seed", "write 'seed' in the step's params or in an entry"),
        (
            "kling_2_6_pro",
            Task.IMAGE_TO_VIDEO,
            "start_image_url",
            "the step's 'input' fills it, or an entry's 'start'",
        ),
        (
            "kling_2_6_pro",
            Task.IMAGE_TO_VIDEO,
            "end_image_url",
            "write 'input: {start: …, end: …}' or an entry's 'end'",
        ),
        (
            "kling_2_6_pro",
            Task.IMAGE_TO_VIDEO,
            "end_image",
            "for 'end_image_url', write 'input: {start: …, end: …}' or an entry's 'end'",
        ),
        (
            "seedance_1_lite",
            Task.TEXT_TO_VIDEO,
            "image",
            "a text_to_video step sends no such picture; use an image_to_video step",
        ),
        (
            "seedance_1_lite",
            Task.REFERENCE_TO_VIDEO,
            "reference_images",
            "write 'references' on the step or in an entry",
        ),
        ("nano_banana_pro_edit", Task.IMAGE_TO_IMAGE, "image_urls", "the step's 'input' fills it"),
        (
            "sdxl",
            Task.TEXT_TO_IMAGE,
            "mask",
            "a text_to_image step sends no picture; use an image_to_image step",
        ),
    ],
)
def test_fields_the_house_fills_say_where_they_are_written(
    key: str, task: Task, name: str, hint: str
) -> None:
    """Prompt, seed and files have their own places in the pipeline file."""
    assert first(catalog.load(key), task, **{name: "x"}).hint == hint


def test_messages_stay_short() -> None:
    """A hostile value or name does not flood the terminal."""
    for params in (
        {"duration": "x" * 10_000},
        {"y" * 10_000: 1},
        {"duration": 10**5000},
        {"voice_ids": 10**5000},
    ):
        (misfit,) = catalog.check(KLING, Task.IMAGE_TO_VIDEO, params)
        assert len(misfit.message) < 200
        assert len(misfit.hint or "") < 200


def test_long_lists_are_cut() -> None:
    """At most 16 allowed values are listed."""
    misfit = first(catalog.load("topaz_video"), Task.UPSCALE, model="Zeus")
    assert misfit.message.count(", ") == 16
    assert misfit.message.endswith(", …")


def test_coerce_gives_a_value_its_schemas_type() -> None:
    """Text and number are one value where they read the same; anything else stays as it is."""
    assert catalog.coerce(KLING, {"duration": 5}) == {"duration": "5"}
    assert catalog.coerce(catalog.load("wan_2_7"), {"duration": "5"}) == {"duration": 5}
    assert catalog.coerce(catalog.load("flux_dev"), {"guidance_scale": "3.5"}) == {"guidance_scale": 3.5}
    assert catalog.coerce(KLING, {"generate_audio": "true"}) == {"generate_audio": True}
    for same in ("05", "5s", "1e1", " 5", "5.0", "NaN", "null", "9" * 5000):
        assert catalog.coerce(catalog.load("wan_2_7"), {"duration": same}) == {"duration": same}
    for name in ("num_images", "guidance_scale"):  # a whole number where the schema wants one
        coerced = catalog.coerce(catalog.load("flux_dev"), {name: 3.0})
        assert (coerced, type(coerced[name])) == ({name: 3}, int if name == "num_images" else float)
    for same in (2.5, float("inf"), float("nan")):
        assert catalog.coerce(catalog.load("flux_dev"), {"num_images": same})["num_images"] is same
    assert catalog.coerce(KLING, {"negative_prompt": 5.5, "unknown": 5}) == {
        "negative_prompt": "5.5",
        "unknown": 5,
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None)
@given(
    st.sampled_from(catalog.keys()),
    st.dictionaries(st.sampled_from(["duration", "seed", "resolution", "prompt", "x"]), json_values),
)
def test_coerce_adds_nothing_and_is_idempotent(key: str, params: dict[str, Json]) -> None:
    """The same names come out, twice is once, and any value at all can be checked."""
    card = catalog.load(key)
    once = catalog.coerce(card, params)
    assert list(once) == list(params)
    assert catalog.coerce(card, once) == once
    named = {misfit.parameter for misfit in catalog.check(card, card.tasks[0], params)}
    assert named <= set(params)
    assert catalog.check(card, card.tasks[0], once) == catalog.check(card, card.tasks[0], params)

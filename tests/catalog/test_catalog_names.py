"""From ``model:`` to a card, and to the model of a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import DRAFT, UnknownModel, names
from ai_content_pipeline.jobs import InputField, Model, Task


def refused(name: str, task: Task) -> UnknownModel:
    with pytest.raises(UnknownModel) as caught:
        catalog.resolve(name, task)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == caught.value.message
    return caught.value


def test_a_key_is_its_card() -> None:
    """A catalogue key resolves to its card, the same object each time."""
    assert catalog.resolve("kling_2_6_pro", Task.IMAGE_TO_VIDEO) is catalog.load("kling_2_6_pro")
    assert catalog.resolve("draft", Task.UPSCALE) is DRAFT


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("fal:fal-ai/kling-video/v2.6/pro/image-to-video", "kling_2_6_pro"),
        ("replicate:minimax/video-01", "minimax_video_01"),
        ("replicate:stability-ai/sdxl", "sdxl"),
    ],
)
def test_an_endpoint_with_a_card_uses_it(name: str, key: str) -> None:
    """A raw endpoint that the catalogue knows is checked and priced like its key."""
    card = catalog.load(key)
    assert catalog.resolve(name, card.tasks[-1]) is card


@pytest.mark.parametrize(
    ("name", "provider", "endpoint"),
    [
        ("fal:someone/model", "fal", "someone/model"),
        ("fal:someone/model/v1.2/turbo", "fal", "someone/model/v1.2/turbo"),
        ("replicate:owner/name", "replicate", "owner/name"),
        ("replicate:owner/name:5c7d5dc6dd8b", "replicate", "owner/name:5c7d5dc6dd8b"),
        ("replicate:stability-ai/sdxl:0123abcd", "replicate", "stability-ai/sdxl:0123abcd"),
        ("diffusers:wan_2_1", "diffusers", "wan_2_1"),
    ],
)
def test_any_endpoint_works_without_a_card(name: str, provider: str, endpoint: str) -> None:
    """An unknown endpoint, and another version of a known one, give an open card for every task."""
    for task in Task:
        card = catalog.resolve(name, task)
        assert (card.key, card.provider, card.endpoint) == (name, provider, endpoint)
        assert (card.parameters, dict(card.roles), card.prompt, card.seed) == (None, {}, "prompt", None)


@pytest.mark.parametrize(
    ("name", "task", "hint"),
    [
        ("kling_26_pro", Task.IMAGE_TO_VIDEO, "did you mean kling_2_6_pro?"),
        ("Kling-2.6-Pro", Task.IMAGE_TO_VIDEO, "did you mean kling_2_6_pro?"),
        ("nano banana pro", Task.TEXT_TO_IMAGE, "did you mean nano_banana_pro?"),
        ("runway_gen4", Task.IMAGE_TO_VIDEO, "did you mean runway_gen4_turbo?"),
        ("runway_gen4", Task.TEXT_TO_IMAGE, "did you mean runway_gen4_image?"),
        ("SDXL", Task.TEXT_TO_IMAGE, "did you mean sdxl?"),
        ("drat", Task.TEXT_TO_IMAGE, "did you mean draft?"),
        ("gpt", Task.TEXT_TO_IMAGE, "for text_to_image use nano_banana_pro, flux_dev or draft"),
        ("fal-ai/nano-banana-pro", Task.TEXT_TO_IMAGE, "write nano_banana_pro"),
        ("someone/model", Task.TEXT_TO_IMAGE, "write fal:someone/model or replicate:someone/model"),
        ("../../etc/passwd", Task.TEXT_TO_IMAGE, "write fal:../../etc/passwd or replicate:../../etc/passwd"),
    ],
)
def test_an_unknown_model_says_what_was_meant(name: str, task: Task, hint: str) -> None:
    """The nearest key that does the task is proposed, else models that do."""
    error = refused(name, task)
    assert (error.message, error.hint) == (f"unknown model {name}", hint)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "openai:dall-e",
            "unknown provider openai in model openai:dall-e",
            "write a catalogue key, or fal:owner/model, replicate:owner/name[:version], diffusers:key"
            " or worker:job_type",
        ),
        ("fal:nano_banana_pro", "fal:nano_banana_pro names no endpoint of fal", "write nano_banana_pro"),
        ("fal:", "fal: names no endpoint of fal", "write fal:owner/model"),
        ("fal:a/../b", "fal:a/../b names no endpoint of fal", "write fal:owner/model"),
        ("fal:a/b?x=1", "fal:a/b?x=1 names no endpoint of fal", "write fal:owner/model"),
        (
            "replicate:a/b/c",
            "replicate:a/b/c names no endpoint of replicate",
            "write replicate:owner/name[:version]",
        ),
        ("diffusers:../x", "diffusers:../x names no endpoint of diffusers", "write diffusers:key"),
    ],
)
def test_a_malformed_endpoint_is_refused(name: str, message: str, hint: str) -> None:
    """Only what can be an endpoint of that provider goes through; it becomes part of a URL."""
    error = refused(name, Task.TEXT_TO_IMAGE)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("name", "task", "message", "hint"),
    [
        (
            "kling_2_6_pro",
            Task.TEXT_TO_VIDEO,
            "kling_2_6_pro does image_to_video, not text_to_video",
            "for text_to_video use kling_2_6_pro_t2v, seedance_1_lite or draft",
        ),
        (
            "veo_3_1_t2v",
            Task.REFERENCE_TO_VIDEO,
            "veo_3_1_t2v does text_to_video, not reference_to_video",
            "for reference_to_video use veo_3_1_ref, seedance_1_lite or draft",
        ),
        (
            "nano_banana_2",
            Task.IMAGE_TO_IMAGE,
            "nano_banana_2 does text_to_image, not image_to_image",
            "for image_to_image use nano_banana_2_edit, nano_banana_pro_edit or draft",
        ),
        (
            "fal:fal-ai/esrgan",
            Task.IMAGE_TO_VIDEO,
            "fal:fal-ai/esrgan does upscale, not image_to_video",
            "for image_to_video use kling_2_6_pro, seedance_1_lite or draft",
        ),
        (
            "hailuo_02_replicate",
            Task.TEXT_TO_IMAGE,
            "hailuo_02_replicate does text_to_video and image_to_video, not text_to_image",
            "for text_to_image use nano_banana_pro, flux_dev or draft",
        ),
    ],
)
def test_a_model_for_another_task_names_some_that_do_it(
    name: str, task: Task, message: str, hint: str
) -> None:
    """Relatives come first."""
    error = refused(name, task)
    assert (error.message, error.hint) == (message, hint)


def test_the_models_that_hints_name_exist() -> None:
    """Every suggestion has an active card that does the task, and is priced."""
    assert set(names.GOOD_AT) == set(Task)
    for task, keys in names.GOOD_AT.items():
        for key in keys:
            card = catalog.load(key)
            assert task in card.tasks
            assert card.status == "active"
            assert card.price


def test_a_hostile_name_stays_short() -> None:
    """A name of any length makes a message of one line."""
    for name in ("x" * 5000, "fal:" + "x" * 5000, "p" * 5000 + ":x", "a/" * 3000):
        error = refused(name, Task.TEXT_TO_IMAGE)
        assert len(error.message) + len(error.hint) < 500


def test_no_card_is_read_that_nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving a key opens that key's file and no other."""
    catalog.files.load.cache_clear()
    opened: list[str] = []
    real = Path.read_text

    def spy(path: Path, encoding: str) -> str:
        opened.append(path.stem)
        return real(path, encoding=encoding)

    monkeypatch.setattr(Path, "read_text", spy)
    catalog.resolve("nano_banana_pro", Task.TEXT_TO_IMAGE)
    catalog.resolve("draft", Task.TEXT_TO_IMAGE)
    assert opened == ["nano_banana_pro"]


def test_the_model_of_a_request() -> None:
    """A card gives a request the vendor's names, and the name that the user wrote."""
    assert catalog.model_of(catalog.load("kling_2_6_pro"), "kling_2_6_pro", Task.IMAGE_TO_VIDEO) == Model(
        name="kling_2_6_pro",
        provider="fal",
        endpoint="fal-ai/kling-video/v2.6/pro/image-to-video",
        task=Task.IMAGE_TO_VIDEO,
        fields={Role.START: InputField("start_image_url"), Role.END: InputField("end_image_url")},
    )
    edit = catalog.model_of(catalog.load("nano_banana_pro_edit"), "x", Task.IMAGE_TO_IMAGE)
    both = InputField("image_urls", many=True)
    assert edit.fields == {Role.INPUT: both, Role.REFERENCE: both}
    assert (edit.seed_field, edit.count_field) == ("seed", "num_images")


def test_a_draft_is_addressed_by_its_task() -> None:
    """The renderer is told what to draw by its endpoint, for the draft model and for a stand-in."""
    for card in (DRAFT, catalog.stand_in(catalog.load("veo_3_1"), Task.IMAGE_TO_VIDEO)):
        model = catalog.model_of(card, "any", Task.IMAGE_TO_VIDEO)
        assert (model.provider, model.endpoint, model.name) == ("draft", "image_to_video", "any")

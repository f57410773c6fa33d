"""The one place where a request becomes JSON: what the user set, under the model's own names."""

from __future__ import annotations

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import InputField, JobRequest, Model, Params, Task, Upload
from ai_content_pipeline.providers.payload import payload_of

FIELDS = {
    Role.START: InputField("start_image_url"),
    Role.END: InputField("tail_image_url"),
    Role.REFERENCE: InputField("image_urls", many=True),
}


def request(
    prompt: str | None = "steam", prompt_field: str | None = "prompt", **params: object
) -> JobRequest:
    model = Model(
        "kling", "fal", "fal-ai/kling", Task.IMAGE_TO_VIDEO, FIELDS, prompt_field, "seed", "num_images"
    )
    typed: Params = params  # type: ignore[assignment]
    return JobRequest(model, prompt, typed, {}, seed=9, take=2, outputs=4)


def test_nothing_is_added_to_what_the_user_set() -> None:
    """Prompt, parameters as they are, the seed that was handed in, files: and no default, no count."""
    uploads = {Role.START: (Upload("https://a"),), Role.REFERENCE: (Upload("https://b"), Upload("https://c"))}
    payload = payload_of(request(duration="5", cfg=0.5, tags=["x"]), uploads, 7)
    assert payload == {
        "prompt": "steam",
        "duration": "5",
        "cfg": 0.5,
        "tags": ["x"],
        "seed": 7,
        "start_image_url": "https://a",
        "image_urls": ["https://b", "https://c"],
    }


def test_what_is_not_there_is_not_sent() -> None:
    """No prompt, no prompt field, no seed, an empty role: no key at all."""
    assert payload_of(request(None), {Role.START: ()}, None) == {}
    assert payload_of(request("x", None), {}, None) == {}


def test_files_that_the_model_cannot_take_are_refused() -> None:
    """A role without a field, and two files for a field of one."""
    with pytest.raises(UsageError, match="takes no mask file"):
        payload_of(request(), {Role.MASK: (Upload("https://a"),)}, None)
    with pytest.raises(UsageError, match="takes one start file, and there are 2"):
        payload_of(request(), {Role.START: (Upload("https://a"), Upload("https://b"))}, None)


def test_roles_of_one_field_share_its_list() -> None:
    """An edit takes its picture first and its references after it, in whatever order they were uploaded."""
    card = catalog.resolve("nano_banana_pro_edit", Task.IMAGE_TO_IMAGE)
    assert card.roles[Role.INPUT].name == card.roles[Role.REFERENCE].name == "image_urls"
    model = catalog.model_of(card, card.key, Task.IMAGE_TO_IMAGE)
    asked = JobRequest(model, "rain", {}, {})
    picture, one, two = (Upload(f"https://{name}") for name in "abc")
    for uploads in (
        {Role.INPUT: (picture,), Role.REFERENCE: (one, two)},
        {Role.REFERENCE: (one, two), Role.INPUT: (picture,)},
    ):
        payload = payload_of(asked, uploads, None)
        assert payload == {"prompt": "rain", "image_urls": ["https://a", "https://b", "https://c"]}
    assert payload_of(asked, {Role.INPUT: (picture,)}, None)["image_urls"] == ["https://a"]


def test_roles_of_a_field_for_one_file_exclude_each_other() -> None:
    """A file is never sent in place of another."""
    fields = {Role.INPUT: InputField("image"), Role.REFERENCE: InputField("image")}
    model = Model("m", "fal", "fal-ai/m", Task.IMAGE_TO_IMAGE, fields)
    both = {Role.INPUT: (Upload("https://a"),), Role.REFERENCE: (Upload("https://b"),)}
    with pytest.raises(UsageError, match="takes one reference file, and there are 2"):
        payload_of(JobRequest(model, None, {}, {}), both, None)


def test_subjects_are_elements_of_their_own() -> None:
    """Where a model takes subjects, each is an object with its front and its other sides."""
    model = catalog.model_of(catalog.load("kling_3_pro"), "kling_3_pro", Task.IMAGE_TO_VIDEO)
    uploads = {
        Role.START: (Upload("https://s"),),
        Role.REFERENCE: tuple(Upload(f"https://{name}") for name in "abc"),
    }
    asked = JobRequest(model, None, {}, {}, groups=(2, 1))
    assert payload_of(asked, uploads, None) == {
        "start_image_url": "https://s",
        "elements": [
            {"frontal_image_url": "https://a", "reference_image_urls": ["https://b"]},
            {"frontal_image_url": "https://c", "reference_image_urls": ["https://c"]},
        ],
    }

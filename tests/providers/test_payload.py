"""The one place where a request becomes JSON: what the user set, under the model's own names."""

from __future__ import annotations

import pytest

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

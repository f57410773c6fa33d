"""What the sandbox knows of models: what they return, and which inputs they insist on.

Hand-typed from the vendors' public schemas for a few endpoints; any other endpoint takes any input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ai_content_pipeline.artifacts import Kind

Payload = Mapping[str, object]

_SAYS_IMAGE = re.compile(r"text-to-image|image-to-image|gen4-image|(^|/)(edit|upscale)($|/(?!video))")
_SAYS_VIDEO = re.compile(
    r"\b(video|kling|seedance|veo\d*|wan|hailuo|sora|ltx|luma|ray|pika|pixverse|runway|gen4|hunyuan|vidu|mochi)\b"
)


def kind_of(endpoint: str) -> Kind:
    """A video where the endpoint's name says so, else an image."""
    if _SAYS_IMAGE.search(endpoint):
        return Kind.IMAGE
    words = endpoint.replace("_", "-")
    return Kind.VIDEO if _SAYS_VIDEO.search(words) else Kind.IMAGE


def outputs_asked(payload: Payload) -> int:
    """How many pictures were asked for: fal's and Replicate's names for it, 1 to 16."""
    for name in ("num_images", "num_outputs"):
        value = payload.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return min(max(value, 1), 16)
    return 1


def seconds_asked(payload: Payload, default: float = 5.0) -> float:
    """A clip's length: ``5``, ``"5"`` or ``"5s"``; at most a minute."""
    text = str(payload.get("duration", "")).removesuffix("s")
    try:
        seconds = float(text)
    except ValueError:
        return default
    return min(max(seconds, 0.5), 60.0) if seconds == seconds else default


def prompt_of(payload: Payload) -> str:
    prompt = payload.get("prompt")
    return prompt if isinstance(prompt, str) else ""


@dataclass(frozen=True, slots=True)
class Schema:
    """Inputs a model insists on, the values a field may have, and the fields that take files."""

    required: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    other: tuple[str, ...] = ("seed",)
    output_list: bool = False


@dataclass(frozen=True, slots=True)
class BadInput:
    """One field the model refuses; `allowed` is empty when the field is missing."""

    field: str
    value: object = None
    allowed: tuple[str | int, ...] = ()

    @property
    def message(self) -> str:
        if not self.allowed:
            return "Field required"
        options = [repr(option) for option in self.allowed]
        return f"Input should be {', '.join(options[:-1])} or {options[-1]}"


_RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16")
_NANO = {"aspect_ratio": ("auto", *_RATIOS), "resolution": ("1K", "2K", "4K")}
_KLING = {"duration": ("5", "10")}
_KLING_OTHER = ("negative_prompt", "generate_audio")

SCHEMAS: Mapping[str, Schema] = {
    "fal-ai/nano-banana-pro": Schema(("prompt",), _NANO),
    "fal-ai/nano-banana-pro/edit": Schema(("prompt", "image_urls"), _NANO, lists=("image_urls",)),
    "fal-ai/kling-video/v2.6/pro/image-to-video": Schema(
        ("prompt", "start_image_url"), _KLING, ("start_image_url", "end_image_url"), other=_KLING_OTHER
    ),
    "fal-ai/kling-video/v2.6/pro/text-to-video": Schema(("prompt",), _KLING, other=_KLING_OTHER),
    "google/nano-banana": Schema(
        ("prompt",), lists=("image_input",), other=("aspect_ratio", "output_format")
    ),
    "google/nano-banana-pro": Schema(
        ("prompt",),
        {"resolution": ("1K", "2K", "4K")},
        lists=("image_input",),
        other=("aspect_ratio", "output_format", "safety_filter_level"),
    ),
    "bytedance/seedance-1-lite": Schema(
        ("prompt",),
        {"duration": tuple(range(2, 13)), "resolution": ("480p", "720p", "1080p")},
        ("image", "last_frame_image"),
        ("reference_images",),
        ("aspect_ratio", "fps", "camera_fixed", "seed"),
    ),
}

_ANY_IMAGE = Schema(("prompt",), files=("image",), other=("aspect_ratio", "seed"), output_list=True)
_ANY_VIDEO = Schema(("prompt",), files=("image",), other=("duration", "aspect_ratio", "seed"))


def schema_of(endpoint: str) -> Schema:
    """The schema that Replicate publishes for a model: generic when the sandbox does not know it."""
    return SCHEMAS.get(endpoint) or (_ANY_VIDEO if kind_of(endpoint) is Kind.VIDEO else _ANY_IMAGE)


def outputs_listed(endpoint: str) -> bool:
    """Whether a Replicate model's output is a list of files rather than one."""
    return schema_of(endpoint).output_list


def bad_inputs(endpoint: str, payload: Payload) -> Iterator[BadInput]:
    """What a model that the sandbox knows would refuse; nothing for the others."""
    schema = SCHEMAS.get(endpoint)
    if schema is None:
        return
    for name in schema.required:
        if payload.get(name) in (None, "", []):
            yield BadInput(name)
    for name, allowed in schema.choices.items():
        value = payload.get(name)
        if value is not None and not any(type(value) is type(one) and value == one for one in allowed):
            yield BadInput(name, value, allowed)

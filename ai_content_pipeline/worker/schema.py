"""The two forms in which a job comes, as they are published: names, types and ranges.

The first is that of the owner's document on SDXL and Wan workers; the second the shorter one of the Wan
analysis, which has a `mode` in place of a type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
_REFERENCE = re.compile(r"https?://|data:image/(png|jpeg|webp);base64,", re.IGNORECASE)
_LONGEST_URL = 4096


def _reference(value: str) -> str:
    if not _REFERENCE.match(value):
        raise ValueError("must be an https:// URL, or a data: URI of a PNG, JPEG or WebP in base64")
    if len(value) > _LONGEST_URL and value[:5].lower() != "data:":
        raise ValueError(f"must have at most {_LONGEST_URL} characters")
    return value


Identifier = Annotated[str, StringConstraints(pattern=_IDENTIFIER)]
#: Where a picture is. Long enough for a data: URI; the request's own limit is lower.
Reference = Annotated[str, StringConstraints(min_length=1, max_length=1 << 26), AfterValidator(_reference)]
CallbackUrl = Annotated[str, StringConstraints(min_length=8, max_length=_LONGEST_URL, pattern="^https?://")]
Prompt = Annotated[str, StringConstraints(max_length=10_000)]
JobTypeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

Side = Annotated[int, Field(ge=16, le=4096, description="pixels")]
Steps = Annotated[int, Field(ge=1, le=200)]
Guidance = Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)]
Strength = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Frames = Annotated[int, Field(ge=1, le=1001)]
Rate = Annotated[int, Field(ge=1, le=60, description="frames a second")]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Count = Annotated[int, Field(ge=1, le=16)]
Priority = Annotated[int, Field(ge=0, le=9, description="among the jobs of one user; higher goes first")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Config(_Form):
    num_images: Count = 1
    image: Reference | None = None
    first_frame: Reference | None = None
    last_frame: Reference | None = None
    width: Side | None = None
    height: Side | None = None
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    negative_prompt: Prompt | None = None
    num_frames: Frames | None = None
    fps: Rate | None = None
    seed: Seed | None = None


class Metadata(_Form):
    reference_image_url: Reference | None = None
    denoise_strength: Strength | None = None
    exact_copy_mode: bool = False
    reference_strength: Strength | None = Field(default=None, deprecated="send denoise_strength = 1 - this")
    start_reference_url: Reference | None = None
    end_reference_url: Reference | None = None


class Job(_Form):
    """A job for a type of the worker's table."""

    id: Identifier | None = None
    type: JobTypeName
    prompt: Prompt = ""
    user_id: Identifier | None = None
    config: Config = Config()
    metadata: Metadata = Metadata()
    callback_url: CallbackUrl | None = None
    priority: Priority = 0


class ModeJob(_Form):
    """A picture and a prompt: what `mode` says is made of them."""

    id: Identifier | None = None
    user_id: Identifier | None = None
    image_url: Reference | None = None
    prompt: Prompt = ""
    mode: Literal["image", "video"]
    num_frames: Frames | None = None
    fps: Rate | None = None
    guidance_scale: Guidance | None = None
    num_inference_steps: Steps | None = None
    negative_prompt: Prompt | None = None
    width: Side | None = None
    height: Side | None = None
    seed: Seed | None = None
    callback_url: CallbackUrl | None = None
    priority: Priority = 0


def _form(value: Any) -> str:
    has_mode = "mode" in value if isinstance(value, dict) else isinstance(value, ModeJob)
    return FORMS[1] if has_mode else FORMS[0]


#: The words that pydantic puts into the path of a problem for the form it took.
FORMS = ("form with a type", "form with a mode")
AnyJob = Annotated[
    Annotated[Job, Tag(FORMS[0])] | Annotated[ModeJob, Tag(FORMS[1])],
    Discriminator(_form),
]


def as_job(form: Job | ModeJob, modes: Mapping[str, str]) -> Job:
    """The second form in the words of the first. `modes` says which type stands for a mode."""
    if isinstance(form, Job):
        return form
    shared = ("num_frames", "fps", "guidance_scale", "num_inference_steps", "negative_prompt")
    given = {name: getattr(form, name) for name in (*shared, "width", "height", "seed")}
    config = Config(**{name: value for name, value in given.items() if value is not None})
    metadata = Metadata()
    if form.image_url is not None and form.mode == "video":
        metadata = Metadata(start_reference_url=form.image_url)
    elif form.image_url is not None:
        metadata = Metadata(reference_image_url=form.image_url)
    return Job(
        id=form.id,
        type=modes[form.mode],
        prompt=form.prompt,
        user_id=form.user_id,
        config=config,
        metadata=metadata,
        callback_url=form.callback_url,
        priority=form.priority,
    )

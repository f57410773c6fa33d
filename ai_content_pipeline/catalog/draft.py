"""The free model that draws here, and how it stands in for a paid one."""

from __future__ import annotations

import re
from dataclasses import replace

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField, Shape
from ai_content_pipeline.catalog.prices import FREE
from ai_content_pipeline.catalog.shapes import (
    default_aspect,
    default_pixels,
    default_resolution,
    default_seconds,
)
from ai_content_pipeline.jobs import Json, Task

#: The provider that draws.
PROVIDER = "draft"

_SCALE = "upscale_factor"
_DOUBLE = 2
_SIDE = Parameter("integer", minimum=16, maximum=8192)

DRAFT = Card(
    key="draft",
    title="Draft",
    provider=PROVIDER,
    endpoint=PROVIDER,
    tasks=tuple(Task),
    parameters={
        "aspect_ratio": Parameter("string", note="width to height, as in 16:9"),
        "resolution": Parameter("string", note="1K, 2K and 4K, or 480p, 720p, 1080p and 4k"),
        "width": _SIDE,
        "height": _SIDE,
        "size": Parameter("string", note="as in 1280x720"),
        "grid": Parameter("string", note="rows x columns of panels in one picture, as in 2x2"),
        "num_images": Parameter("integer", minimum=1, maximum=16, default=1),
        "duration": Parameter("number", minimum=0.1, maximum=600, note="seconds"),
        "fps": Parameter("number", minimum=1, maximum=120),
        "motion": Parameter("string", note="the camera's; else it is chosen from the prompt"),
        "caption": Parameter("any"),
        _SCALE: Parameter("number", minimum=1, maximum=8, default=_DOUBLE),
    },
    roles={
        Role.START: RoleField("start"),
        Role.END: RoleField("end"),
        Role.INPUT: RoleField("input", either=True),
        Role.REFERENCE: RoleField("reference", many=True),
    },
    seed="seed",
    count="num_images",
    price=FREE,
    source="the draft renderer",
    output=Shape(
        sizes="draft",
        resolution="720p",
        aspect="16:9",
        seconds=5.0,
        scale=_SCALE,
    ),
)


def stand_in(card: Card, task: Task) -> Card:
    """The draft of `card`: the same rules for its files, the same count and seed; no price.

    Its shape is the draft's own. `fill` holds what the model would have used by itself, in the draft's
    plain names, so that the drawing looks the same; what the user set goes over it.
    """
    if card.provider == PROVIDER:
        return card
    named = {role: _plain(_first(card, field.name), field) for role, field in card.roles.items()}
    return replace(
        card,
        provider=PROVIDER,
        endpoint=task.value,
        parameters=None,
        roles=DRAFT.roles if card.parameters is None else named,
        price=FREE,
        seconds=None,
        output=DRAFT.output,
        fill=_length(card) | _size(card, task),
    )


def _plain(role: Role, field: RoleField) -> RoleField:
    """The field of the drawing hand: no vendor's tags, which nobody could draw, and files as they are."""
    return replace(field, name=role.value, kind="files", mention=None, tags=None, strength=None, only_with={})


def _first(card: Card, name: str) -> Role:
    """The role that a field is named after: roles that share one go on sharing it."""
    return next(role for role, field in card.roles.items() if field.name == name)


def _length(card: Card) -> dict[str, Json]:
    fill: dict[str, Json] = {}
    if (seconds := default_seconds(card)) is not None:
        fill["duration"] = seconds
    if "num_frames" in (card.parameters or {}):
        fill["frames_per_second"] = card.value({}, "frames_per_second") or card.output.fps
    return fill


def _size(card: Card, task: Task) -> dict[str, Json]:
    fill: dict[str, Json] = {}
    if task is Task.UPSCALE:
        return {_SCALE: (card.value({}, card.output.scale) if card.output.scale else None) or _DOUBLE}
    resolution, aspect = default_resolution(card), default_aspect(card)
    if resolution is not None and re.fullmatch(r"[0-9.]+[kp]", resolution.lower()):
        fill["resolution"] = resolution
    if card.output.follow_input and task in (Task.IMAGE_TO_VIDEO, Task.IMAGE_TO_IMAGE):
        return fill
    if aspect is not None:
        fill["aspect_ratio"] = aspect
    if (pixels := default_pixels(card)) is not None:
        fill["width"], fill["height"] = pixels
    return fill

"""The free model that draws here, and how it stands in for a paid one."""

from __future__ import annotations

import re
from dataclasses import replace

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField, Shape
from ai_content_pipeline.catalog.prices import FREE
from ai_content_pipeline.catalog.shapes import default_aspect, default_resolution, default_seconds, ratios
from ai_content_pipeline.jobs import Json, Task

#: The provider that draws.
PROVIDER = "draft"

_SCALE = "upscale_factor"
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
        _SCALE: Parameter("number", minimum=1, maximum=8, default=2),
    },
    roles={
        Role.START: RoleField("start"),
        Role.END: RoleField("end"),
        Role.INPUT: RoleField("input"),
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
    """The draft of `card`: the same rules for its files, the same count, seed and shape; no price.

    `fill` tells the renderer what the model would have used by itself, in plain names; what the user
    set goes over it. `expected` says of the stand-in what it says of the model, and fills in the draft's
    own size and length where the model's are not known.
    """
    if card.provider == PROVIDER:
        return card
    named = {role: replace(field, name=role.value) for role, field in card.roles.items()}
    return replace(
        card,
        provider=PROVIDER,
        endpoint=task.value,
        parameters=None,
        roles=DRAFT.roles if card.parameters is None else named,
        price=FREE,
        seconds=None,
        output=_shape(card),
        fill=_fill(card, task),
    )


def _fill(card: Card, task: Task) -> dict[str, Json]:
    fill: dict[str, Json] = {}
    seconds, aspect, resolution = default_seconds(card), default_aspect(card), default_resolution(card)
    if seconds is not None:
        fill["duration"] = seconds
    if aspect is not None:
        fill["aspect_ratio"] = aspect
    for side in ("width", "height"):
        if (pixels := card.value({}, side)) is not None:
            fill[side] = pixels
    if task is Task.UPSCALE:
        scale = card.output.scale or _SCALE
        fill[scale] = card.value({}, scale) or 2
    if resolution is not None and re.fullmatch(r"[0-9.]+[kp]", resolution.lower()):
        fill["resolution"] = resolution
    return fill


def _shape(card: Card) -> Shape:
    shape, resolution = card.output, default_resolution(card)
    known = shape.sizes is not None and resolution is not None
    return replace(
        shape,
        sizes=shape.sizes if known else DRAFT.output.sizes,
        resolution=resolution if known else DRAFT.output.resolution,
        aspect=shape.aspect or DRAFT.output.aspect,
        seconds=shape.seconds or DRAFT.output.seconds,
        scale=shape.scale or _SCALE,
        ratios=ratios(card),
    )

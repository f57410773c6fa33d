"""What an output will look like: size in pixels and length, from parameters, card and inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ai_content_pipeline.artifacts import Artifact, Kind, Role, Source
from ai_content_pipeline.catalog import sizes
from ai_content_pipeline.catalog.cards import Card
from ai_content_pipeline.catalog.sizes import Size
from ai_content_pipeline.jobs import Json, Params, Task

Inputs = Mapping[Role, tuple[Source, ...]]

#: fal's names of picture sizes.
PRESETS: Mapping[str, Size] = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}

_MAX_SIDE = 65_536
_MOST = 1e9  # no length, side or factor lies above; NaN and infinity fall out with it


@dataclass(frozen=True, slots=True)
class Expected:
    """One output before it exists. Pixels and seconds; None where nobody can know."""

    kind: Kind
    width: int | None = None
    height: int | None = None
    seconds: float | None = None


def expected(card: Card, task: Task, params: Params, inputs: Inputs) -> Expected:
    """One output of a request, as far as parameters, card and inputs tell."""
    source = next((inputs[role][0] for role in (Role.INPUT, Role.START) if inputs.get(role)), None)
    kind = _kind(card, task, source)
    size = _size(card, task, params, _size_of(source) if source else None)
    seconds = None
    if kind is Kind.VIDEO:
        seconds = _length_of(source) if task is Task.UPSCALE else _seconds(card, params)
    return Expected(kind, size[0] if size else None, size[1] if size else None, seconds)


def longest(card: Card, params: Params) -> float | None:
    """The longest clip the model offers, in seconds."""
    duration = (card.parameters or {}).get("duration")
    offered = (*duration.enum, duration.maximum) if duration else ()
    known = [seconds for value in offered if (seconds := _positive(value)) is not None]
    return max(known, default=card.output.seconds)


def most_pixels(card: Card, params: Params) -> int | None:
    """The most pixels an output can have at the resolution asked for."""
    label = _label(card, params)
    return sizes.largest(card.output.sizes, label) if card.output.sizes and label else None


def default_seconds(card: Card) -> float | None:
    """How long a clip is when the user says nothing."""
    return _seconds(card, {})


def default_resolution(card: Card) -> str | None:
    return _label(card, {})


def default_aspect(card: Card) -> str | None:
    """``"16:9"``; None for ``auto``."""
    named = card.value({}, "aspect_ratio")
    return named if isinstance(named, str) and sizes.ratio_of(named) else None


def default_pixels(card: Card) -> Size | None:
    """The size that the card itself names in pixels or as a preset."""
    return _explicit(card, {})


# -- size ----------------------------------------------------------------------------------------------


def _kind(card: Card, task: Task, source: Source | None) -> Kind:
    if task is not Task.UPSCALE:
        return task.makes
    field = card.roles.get(Role.INPUT)
    if source is not None:
        return source.kind
    return field.takes if field else task.makes


def _size_of(source: Source) -> Size | None:
    known = source.info if isinstance(source, Artifact) else source
    return (known.width, known.height) if known.width and known.height else None


def _length_of(source: Source | None) -> float | None:
    if source is None:
        return None
    return source.info.seconds if isinstance(source, Artifact) else source.seconds


def _size(card: Card, task: Task, params: Params, given: Size | None) -> Size | None:
    if task is Task.UPSCALE:
        return _upscaled(card, params, given) if given else None
    sized = card.local is not None and {"width", "height"} <= params.keys()
    follows = card.output.follow_input and given is not None and not sized
    explicit = None if follows else _explicit(card, params)
    if explicit:
        return explicit
    label = _label(card, params)
    ratio = given if follows else _ratio(card, params, given)
    if card.output.sizes is None or label is None or ratio is None:
        return None
    return sizes.pixels(card.output.sizes, label, ratio)


def _explicit(card: Card, params: Params) -> Size | None:
    """Pixels that the user or the card names: fal's ``image_size``, ``size``, ``width`` and ``height``."""
    preset = _preset(card, card.value(params, "image_size"))
    if preset:
        return preset
    text = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", str(params.get("size")))
    if text:
        return _pair(int(text[1]), int(text[2]))
    aspect = (card.parameters or {}).get("aspect_ratio")
    if aspect is not None and "custom" in aspect.enum and params.get("aspect_ratio") != "custom":
        return None
    return _pair(card.value(params, "width"), card.value(params, "height"))


def _preset(card: Card, wanted: Json) -> Size | None:
    if isinstance(wanted, dict):
        return _pair(wanted.get("width"), wanted.get("height"))
    image_size = (card.parameters or {}).get("image_size")
    # Seedream's smallest picture is larger than these presets, and nobody says what it makes of them.
    if image_size is not None and "auto" in image_size.enum:
        return None
    return PRESETS.get(wanted) if isinstance(wanted, str) else None


def _upscaled(card: Card, params: Params, given: Size) -> Size | None:
    if card.value(params, "upscale_mode") == "target":
        return sizes.pixels("short", str(card.value(params, "target_resolution")), given)
    factor = _positive(card.value(params, card.output.scale)) if card.output.scale else None
    if factor is None:
        return None
    return _pair(round(given[0] * factor), round(given[1] * factor))


def _label(card: Card, params: Params) -> str | None:
    value = card.value(params, card.output.resolution_from)
    if value is None:
        return card.output.resolution
    return card.output.labels.get(str(value), str(value))


def _ratio(card: Card, params: Params, given: Size | None) -> Size | None:
    """The ratio asked for, else the listed one nearest to the picture's, else the picture's or the card's."""
    named = card.value(params, "aspect_ratio")
    ratio = sizes.ratio_of(named) if isinstance(named, str) else None
    if ratio is None and given is not None:
        parameter = (card.parameters or {}).get("aspect_ratio")
        listed = sizes.nearest(given, map(str, parameter.enum)) if parameter else None
        return sizes.ratio_of(listed) if listed else given
    return ratio or (sizes.ratio_of(card.output.aspect) if card.output.aspect else None)


def _pair(width: Json, height: Json) -> Size | None:
    w, h = _positive(width), _positive(height)
    if w is None or h is None or max(w, h) > _MAX_SIDE:
        return None
    return (int(w), int(h)) if min(w, h) >= 1 else None


# -- length --------------------------------------------------------------------------------------------


def _seconds(card: Card, params: Params) -> float | None:
    """A number of frames that the user sets counts before a duration, and a default one after it."""
    rate = "fps" if card.local else "frames_per_second"
    fps = _positive(card.value(params, rate)) or card.output.fps
    frames = _positive(params.get("num_frames"))
    if frames and fps:
        return frames / fps
    if card.value(params, "duration") is not None:
        return _positive(card.value(params, "duration"))
    frames = _positive(card.value(params, "num_frames"))
    return frames / fps if frames and fps else card.output.seconds


def _positive(value: object) -> float | None:
    """A number above zero: ``5``, ``"5"`` or ``"5s"``; None for ``auto``, and for 0 where that means auto."""
    if isinstance(value, str):
        text = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)s?", value)
        value = float(text[1]) if text else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _MOST else None

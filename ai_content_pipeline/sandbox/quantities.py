"""How much of something a request asks for: pictures, seconds, megapixels, video tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from math import log

from .models import outputs_asked, seconds_asked

Payload = Mapping[str, object]

_MEGAPIXEL = 1_000_000
#: A megapixel where vendors round up: 1024 x 1024 is one.
_WHOLE_MEGAPIXEL = 1024 * 1024
#: Pixels of fal's names for sizes.
_NAMED_SIZES: Mapping[str, int] = {
    "square_hd": 1024 * 1024,
    "square": 512 * 512,
    "portrait_4_3": 768 * 1024,
    "portrait_16_9": 576 * 1024,
    "landscape_4_3": 1024 * 768,
    "landscape_16_9": 1024 * 576,
}
#: Pixels of Seedance's frames, as ByteDance lists them; upright ones have as many.
_SEEDANCE: Mapping[str, Mapping[str, int]] = {
    "480p": {"16:9": 864 * 480, "4:3": 736 * 544, "1:1": 640 * 640, "21:9": 960 * 416},
    "720p": {"16:9": 1248 * 704, "4:3": 1120 * 832, "1:1": 960 * 960, "21:9": 1504 * 640},
    "1080p": {"16:9": 1920 * 1088, "4:3": 1664 * 1248, "1:1": 1440 * 1440, "21:9": 2176 * 928},
}
_SEEDANCE_FPS = 24
_LARGEST_FACTOR = 16


@dataclass(frozen=True, slots=True)
class Source:
    """An input file: pixels, and seconds (0 for a picture)."""

    width: int
    height: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its price sees it. `source` is the first file it brings, where it brings one."""

    payload: Payload
    source: Source | None = None


def images(asked: Asked) -> Decimal:
    return Decimal(outputs_asked(asked.payload))


def one(asked: Asked) -> Decimal:
    """A clip, whatever its length; an upscaled picture."""
    return Decimal(1)


def seconds(default: float) -> Callable[[Asked], Decimal]:
    """Seconds of the clip that was asked for."""
    return lambda asked: _decimal(seconds_asked(asked.payload, default))


def frames(asked: Asked) -> int:
    wanted = asked.payload.get("num_frames")
    return wanted if isinstance(wanted, int) else 0


def whole_megapixels(asked: Asked) -> Decimal:
    """fal's Flux: each picture counts in whole megapixels, rounded up."""
    wanted = asked.payload.get("image_size", "landscape_4_3")
    if isinstance(wanted, Mapping):
        width, height = wanted.get("width"), wanted.get("height")
        pixels = width * height if isinstance(width, int) and isinstance(height, int) else _WHOLE_MEGAPIXEL
    else:
        pixels = _NAMED_SIZES.get(str(wanted), _WHOLE_MEGAPIXEL)
    each = (Decimal(pixels) / _WHOLE_MEGAPIXEL).to_integral_value(ROUND_CEILING)
    return max(each, Decimal(1)) * images(asked)


def video_tokens(resolution: str) -> Callable[[Asked], Decimal]:
    """Millions of fal's video tokens: width x height x frames / 1024. `resolution` is the default."""

    def count(asked: Asked) -> Decimal:
        asked_for = _SEEDANCE.get(str(asked.payload.get("resolution")), _SEEDANCE[resolution])
        frame = asked_for[_shape(asked)]
        clip = _decimal(seconds_asked(asked.payload))
        return frame * _SEEDANCE_FPS * clip / 1024 / 1_000_000

    return count


def output_megapixels(asked: Asked) -> Decimal:
    """Of an enlarged picture, in fractions."""
    if asked.source is None:
        return Decimal(1)
    factor = _factor(asked)
    width, height = (int(side * factor) for side in (asked.source.width, asked.source.height))
    return Decimal(width * height) / _MEGAPIXEL


def output_short_side(asked: Asked) -> int:
    """Of an enlarged clip, in pixels; 0 where the source is not known."""
    return int(min(asked.source.width, asked.source.height) * _factor(asked)) if asked.source else 0


def source_seconds(asked: Asked) -> Decimal:
    return _decimal(asked.source.seconds if asked.source and asked.source.seconds else 5.0)


def _factor(asked: Asked) -> float:
    factor = asked.payload.get("upscale_factor")
    return float(factor) if isinstance(factor, int | float) and 0 < factor <= _LARGEST_FACTOR else 2.0


def _shape(asked: Asked) -> str:
    """The listed aspect ratio that was asked for, else the one nearest to the source's; lying."""
    width, height = (asked.source.width, asked.source.height) if asked.source else (16, 9)
    parts = str(asked.payload.get("aspect_ratio", "")).split(":")
    if len(parts) == 2 and all(part.isdecimal() and int(part) for part in parts):
        width, height = map(int, parts)
    wanted = log(max(width, height) / min(width, height))
    ratios = {"16:9": 16 / 9, "4:3": 4 / 3, "1:1": 1.0, "21:9": 21 / 9}
    return min(ratios, key=lambda name: abs(log(ratios[name]) - wanted))


def _decimal(number: float) -> Decimal:
    return Decimal(f"{number:g}")

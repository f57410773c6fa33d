"""The sandbox's price list: typed by hand from the vendors' public prices, and from nothing of the catalogue.

Prices as reported in September and November 2026. Where a vendor names no default, the dearer value counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from .quantities import (
    Asked,
    frames,
    images,
    one,
    output_megapixels,
    output_short_side,
    seconds,
    source_seconds,
    video_tokens,
    whole_megapixels,
)

Dollars = Callable[[Asked], Decimal]
Count = Callable[[Asked], Decimal]


@dataclass(frozen=True, slots=True)
class Rate:
    """`base` dollars a `unit` is what a vendor's list shows first; a job costs `count` times `each`."""

    base: Decimal
    unit: str
    count: Count
    each: Dollars


def _flat(usd: str, unit: str, count: Count) -> Rate:
    return Rate(Decimal(usd), unit, count, lambda asked: Decimal(usd))


def _listed(base: str, unit: str, count: Count, each: Dollars) -> Rate:
    return Rate(Decimal(base), unit, count, each)


# ---- how much a unit costs --------------------------------------------------------------------------


def _by(name: str, default: str, usd: Mapping[str, str]) -> Dollars:
    """By the value of a parameter; one that the list does not know costs as its last entry."""
    dearest = Decimal(list(usd.values())[-1])
    return lambda asked: Decimal(usd.get(str(asked.payload.get(name, default)), dearest))


def _sound(silent: str, sound: str) -> Dollars:
    """By ``generate_audio``, which is on unless it is switched off."""
    return lambda asked: Decimal(silent if asked.payload.get("generate_audio") is False else sound)


def _sound_and_size(table: Mapping[str, tuple[str, str]]) -> Dollars:
    """By resolution (720p unless asked otherwise), without and with sound."""

    def each(asked: Asked) -> Decimal:
        silent, sound = table.get(str(asked.payload.get("resolution")), table["720p"])
        return _sound(silent, sound)(asked)

    return each


def _nano_pro(asked: Asked) -> Decimal:
    usd = Decimal("0.30" if asked.payload.get("resolution") == "4K" else "0.15")
    return usd + Decimal("0.015" if asked.payload.get("enable_web_search") else 0)


def _more_frames(each: Dollars, factor: str) -> Dollars:
    """Dearer above 81 frames."""
    return lambda asked: each(asked) * (Decimal(factor) if frames(asked) > 81 else 1)


def _topaz_image(asked: Asked) -> Decimal:
    size = output_megapixels(asked)
    steps = ((24, "0.08"), (48, "0.16"), (96, "0.32"))
    return Decimal(next((usd for most, usd in steps if size <= most), "1.36"))


def _topaz_video(asked: Asked) -> Decimal:
    side = output_short_side(asked)
    usd = Decimal("0.01" if side <= 720 else "0.02" if side <= 1080 else "0.08")
    fps = asked.payload.get("target_fps", 60)
    return usd * (2 if isinstance(fps, int | float) and fps > 30 else 1)


# ---- the list ---------------------------------------------------------------------------------------

_NANO_PRO = _listed("0.15", "images", images, _nano_pro)
_SEEDREAM = _flat("0.03", "images", images)
_KLING_25 = _flat("0.07", "seconds", seconds(5))
_KLING_26 = _listed("0.07", "seconds", seconds(5), _sound("0.07", "0.14"))
_VEO_BIG = {"720p": ("0.20", "0.40"), "1080p": ("0.20", "0.40"), "4k": ("0.40", "0.60")}
_VEO_31 = _listed("0.20", "seconds", seconds(8), _sound_and_size(_VEO_BIG))
_VEO_FAST = {"720p": ("0.10", "0.15"), "1080p": ("0.10", "0.15"), "4k": ("0.30", "0.35")}
_VEO_31_FAST = _listed("0.10", "seconds", seconds(8), _sound_and_size(_VEO_FAST))
_VEO_LITE = {"720p": ("0.03", "0.05"), "1080p": ("0.05", "0.08")}
_VEO_3 = _listed("0.20", "seconds", seconds(8), _sound("0.20", "0.40"))
_WAN_21 = _listed(
    "0.20", "videos", one, _more_frames(_by("resolution", "720p", {"480p": "0.20", "720p": "0.40"}), "1.25")
)
_WAN_22 = _by("resolution", "720p", {"480p": "0.05", "580p": "0.075", "720p": "0.10"})
_WAN_25 = _listed(
    "0.05",
    "seconds",
    seconds(5),
    _by("resolution", "1080p", {"480p": "0.05", "720p": "0.10", "1080p": "0.15"}),
)
_HAILUO_PRO = _flat("0.08", "seconds", seconds(6))
#: At 512P it is cheaper, and nobody says by how much.
_HAILUO_STANDARD = _flat("0.045", "seconds", seconds(6))
_VIDU_Q3 = {"360p": "0.07", "540p": "0.07", "720p": "0.154", "1080p": "0.154"}


def _every(endpoints: Iterable[str], rate: Rate) -> dict[str, Rate]:
    return dict.fromkeys(endpoints, rate)


RATES: Mapping[str, Rate] = {
    # pictures
    "fal-ai/nano-banana": _flat("0.0398", "images", images),
    **_every(("fal-ai/nano-banana-pro", "fal-ai/nano-banana-pro/edit", "google/nano-banana-pro"), _NANO_PRO),
    "fal-ai/nano-banana-2": _listed(
        "0.08",
        "images",
        images,
        _by("resolution", "1K", {"0.5K": "0.06", "1K": "0.08", "2K": "0.12", "4K": "0.16"}),
    ),
    "google/nano-banana": _flat("0.039", "images", images),
    "fal-ai/flux/dev": _flat("0.025", "megapixels", whole_megapixels),
    "fal-ai/flux/schnell": _flat("0.003", "megapixels", whole_megapixels),
    "fal-ai/flux-pro/kontext": _flat("0.04", "images", images),
    "fal-ai/bytedance/seedream/v4/text-to-image": _SEEDREAM,
    "fal-ai/bytedance/seedream/v4/edit": _SEEDREAM,
    "black-forest-labs/flux-schnell": _flat("0.003", "images", images),
    "black-forest-labs/flux-dev": _flat("0.025", "images", images),
    "black-forest-labs/flux-1.1-pro": _flat("0.04", "images", images),
    # Kling
    "fal-ai/kling-video/v2.1/standard/image-to-video": _flat("0.05", "seconds", seconds(5)),
    "fal-ai/kling-video/v2.5-turbo/pro/image-to-video": _KLING_25,
    "fal-ai/kling-video/v2.5-turbo/pro/text-to-video": _KLING_25,
    "fal-ai/kling-video/v2.6/pro/image-to-video": _KLING_26,
    "fal-ai/kling-video/v2.6/pro/text-to-video": _KLING_26,
    "fal-ai/kling-video/v3/pro/text-to-video": _listed(
        "0.112", "seconds", seconds(5), _sound("0.112", "0.168")
    ),
    "kwaivgi/kling-v2.1": _listed(
        "0.05", "seconds", seconds(10), _by("mode", "pro", {"standard": "0.05", "pro": "0.11"})
    ),
    "kwaivgi/kling-v2.5-turbo-pro": _flat("0.07", "seconds", seconds(10)),
    "kwaivgi/kling-v2.6": _listed("0.07", "seconds", seconds(10), _sound("0.07", "0.14")),
    # Veo
    **_every(
        (
            "fal-ai/veo3.1",
            "fal-ai/veo3.1/image-to-video",
            "fal-ai/veo3.1/first-last-frame-to-video",
            "fal-ai/veo3.1/reference-to-video",
        ),
        _VEO_31,
    ),
    "fal-ai/veo3.1/fast/image-to-video": _VEO_31_FAST,
    "fal-ai/veo3.1/fast/first-last-frame-to-video": _VEO_31_FAST,
    "fal-ai/veo3.1/lite/image-to-video": _listed("0.03", "seconds", seconds(8), _sound_and_size(_VEO_LITE)),
    "fal-ai/veo3": _VEO_3,
    "fal-ai/veo3/image-to-video": _VEO_3,
    "fal-ai/veo3/fast": _listed("0.10", "seconds", seconds(8), _sound("0.10", "0.15")),
    "google/veo-3.1": _flat("0.40", "seconds", seconds(8)),
    # Wan
    "fal-ai/wan-i2v": _WAN_21,
    "fal-ai/wan-t2v": _WAN_21,
    "fal-ai/wan/v2.2-a14b/image-to-video/turbo": _listed("0.05", "videos", one, _WAN_22),
    "fal-ai/wan-25-preview/image-to-video": _WAN_25,
    "fal-ai/wan-25-preview/text-to-video": _WAN_25,
    "fal-ai/wan/v2.7/image-to-video": _listed(
        "0.10", "seconds", seconds(5), _by("resolution", "1080p", {"720p": "0.10", "1080p": "0.15"})
    ),
    "wan-video/wan-2.2-i2v-fast": _listed(
        "0.06", "videos", one, _more_frames(lambda asked: Decimal("0.06"), "1.52")
    ),
    # Hailuo and MiniMax
    "fal-ai/minimax/hailuo-02/standard/image-to-video": _HAILUO_STANDARD,
    "fal-ai/minimax/hailuo-02/standard/text-to-video": _HAILUO_STANDARD,
    "fal-ai/minimax/hailuo-02/pro/image-to-video": _HAILUO_PRO,
    "fal-ai/minimax/hailuo-02/pro/text-to-video": _HAILUO_PRO,
    "fal-ai/minimax/hailuo-2.3/standard/image-to-video": _listed(
        "0.28", "videos", one, _by("duration", "6", {"6": "0.28", "10": "0.56"})
    ),
    "fal-ai/minimax/hailuo-2.3-fast/pro/image-to-video": _flat("0.33", "videos", one),
    "fal-ai/minimax/video-01-subject-reference": _flat("0.50", "videos", one),
    "minimax/video-01": _flat("0.50", "videos", one),
    # Seedance
    **_every(
        (f"fal-ai/bytedance/seedance/v1/lite/{what}-to-video" for what in ("text", "image", "reference")),
        _flat("1.8", "1m tokens", video_tokens("720p")),
    ),
    **_every(
        (f"fal-ai/bytedance/seedance/v1/pro/fast/{what}-to-video" for what in ("text", "image")),
        _flat("1.0", "1m tokens", video_tokens("1080p")),
    ),
    "fal-ai/bytedance/seedance/v1/pro/image-to-video": _flat("1.0", "1m tokens", video_tokens("1080p")),
    "bytedance/seedance-1-lite": _listed(
        "0.036",
        "seconds",
        seconds(5),
        _by("resolution", "720p", {"480p": "0.018", "720p": "0.036", "1080p": "0.072"}),
    ),
    "bytedance/seedance-1-pro": _listed(
        "0.06",
        "seconds",
        seconds(5),
        _by("resolution", "1080p", {"480p": "0.03", "720p": "0.06", "1080p": "0.15"}),
    ),
    # Vidu
    "fal-ai/vidu/reference-to-video": _flat("0.40", "videos", one),
    "fal-ai/vidu/q1/reference-to-video": _flat("0.40", "videos", one),
    "fal-ai/vidu/start-end-to-video": _flat("0.20", "videos", one),
    "fal-ai/vidu/image-to-video": _flat("0.20", "videos", one),
    "fal-ai/vidu/q3/image-to-video": _listed(
        "0.07", "seconds", seconds(5), _by("resolution", "720p", _VIDU_Q3)
    ),
    # larger pictures and clips
    "fal-ai/clarity-upscaler": _flat("0.03", "megapixels", output_megapixels),
    "fal-ai/seedvr/upscale/image": _flat("0.001", "megapixels", output_megapixels),
    "fal-ai/topaz/upscale/image": _listed("0.08", "images", one, _topaz_image),
    "fal-ai/topaz/upscale/video": _listed("0.01", "seconds", source_seconds, _topaz_video),
}

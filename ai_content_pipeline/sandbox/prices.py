"""What the sandbox charges: its own table, typed by hand, so that a wrong catalogue is noticed.

Prices as publicly reported for the vendors in 2026; the sandbox takes no money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from ai_content_pipeline.artifacts import Kind

from .models import kind_of, outputs_asked, seconds_asked

Payload = Mapping[str, object]

_MEGAPIXEL = 1024 * 1024
#: Pixels of fal's names for sizes.
_NAMED_SIZES: Mapping[str, int] = {
    "square_hd": 1024 * 1024,
    "square": 512 * 512,
    "portrait_4_3": 768 * 1024,
    "portrait_16_9": 576 * 1024,
    "landscape_4_3": 1024 * 768,
    "landscape_16_9": 1024 * 576,
}


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` for one job, and the `units` that fal reports in ``x-fal-billable-units``."""

    usd: Decimal
    units: Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """The `base` price of a `unit`, as a vendor's price list shows it, and what a job comes to."""

    base: Decimal
    unit: str
    units: Callable[[Payload], Decimal]
    factor: Callable[[Payload], Decimal] = lambda payload: Decimal(1)

    def price(self, payload: Payload) -> Price:
        units = self.units(payload) * self.factor(payload)
        return Price(self.base * units, units)


def rate(endpoint: str) -> Rate:
    """An endpoint's rate; endpoints that the table does not know cost the same by kind."""
    return RATES.get(endpoint) or (ANY_VIDEO if kind_of(endpoint) is Kind.VIDEO else ANY_IMAGE)


def price(endpoint: str, payload: Payload) -> Price:
    """The price of a job: for what was asked, whatever was delivered."""
    return rate(endpoint).price(payload)


def _images(payload: Payload) -> Decimal:
    return Decimal(outputs_asked(payload))


def _whole_megapixels(payload: Payload) -> Decimal:
    """fal's Flux: each picture counts in whole megapixels, rounded up; 1024 x 1024 is one."""
    asked = payload.get("image_size", "landscape_4_3")
    if isinstance(asked, Mapping):
        width, height = asked.get("width"), asked.get("height")
        pixels = width * height if isinstance(width, int) and isinstance(height, int) else _MEGAPIXEL
    else:
        pixels = _NAMED_SIZES.get(str(asked), _MEGAPIXEL)
    each = (Decimal(pixels) / _MEGAPIXEL).to_integral_value(ROUND_CEILING)
    return max(each, Decimal(1)) * _images(payload)


def _seconds(payload: Payload) -> Decimal:
    return Decimal(f"{seconds_asked(payload):g}")


def _twice_at_4k(payload: Payload) -> Decimal:
    return Decimal(2 if payload.get("resolution") == "4K" else 1)


def _twice_with_audio(payload: Payload) -> Decimal:
    return Decimal(1 if payload.get("generate_audio") is False else 2)


def _by_resolution(payload: Payload) -> Decimal:
    return {"480p": Decimal("0.5"), "1080p": Decimal(2)}.get(str(payload.get("resolution")), Decimal(1))


ANY_IMAGE = Rate(Decimal("0.05"), "images", _images)
ANY_VIDEO = Rate(Decimal("0.10"), "seconds", _seconds)

_NANO_PRO = Rate(Decimal("0.15"), "images", _images, _twice_at_4k)
_KLING = Rate(Decimal("0.07"), "seconds", _seconds, _twice_with_audio)

RATES: Mapping[str, Rate] = {
    "fal-ai/nano-banana-pro": _NANO_PRO,
    "fal-ai/nano-banana-pro/edit": _NANO_PRO,
    "fal-ai/flux/dev": Rate(Decimal("0.025"), "megapixels", _whole_megapixels),
    "fal-ai/flux/schnell": Rate(Decimal("0.003"), "megapixels", _whole_megapixels),
    "fal-ai/kling-video/v2.6/pro/image-to-video": _KLING,
    "fal-ai/kling-video/v2.6/pro/text-to-video": _KLING,
    "google/nano-banana": Rate(Decimal("0.039"), "images", _images),
    "google/nano-banana-pro": _NANO_PRO,
    "bytedance/seedance-1-lite": Rate(Decimal("0.036"), "seconds", _seconds, _by_resolution),
}

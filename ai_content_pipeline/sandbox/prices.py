"""What the sandbox charges: its own table, typed by hand, so that a wrong catalogue is noticed.

Prices as publicly reported for the vendors in 2026; the sandbox takes no money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.artifacts import Kind

from .models import kind_of, outputs_asked, seconds_asked

Payload = Mapping[str, object]


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
    "fal-ai/kling-video/v2.6/pro/image-to-video": _KLING,
    "fal-ai/kling-video/v2.6/pro/text-to-video": _KLING,
    "google/nano-banana": Rate(Decimal("0.039"), "images", _images),
    "google/nano-banana-pro": _NANO_PRO,
    "bytedance/seedance-1-lite": Rate(Decimal("0.036"), "seconds", _seconds, _by_resolution),
}

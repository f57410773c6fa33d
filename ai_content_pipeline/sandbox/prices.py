"""What the sandbox charges: by its own list, so that a wrong catalogue is noticed. It takes no money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.artifacts import Kind

from .models import kind_of
from .quantities import Asked, Payload, Source, images, seconds
from .rates import RATES, Rate

ANY_IMAGE = Rate(Decimal("0.05"), "images", images, lambda asked: Decimal("0.05"))
ANY_VIDEO = Rate(Decimal("0.10"), "seconds", seconds(5), lambda asked: Decimal("0.10"))


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` for one job, and the `units` that fal reports in ``x-fal-billable-units``."""

    usd: Decimal
    units: Decimal


def rate(endpoint: str) -> Rate:
    """An endpoint's rate; endpoints that the list does not know cost the same by kind."""
    return RATES.get(endpoint) or (ANY_VIDEO if kind_of(endpoint) is Kind.VIDEO else ANY_IMAGE)


def price(endpoint: str, payload: Payload, source: Source | None = None) -> Price:
    """The price of a job: for what was asked, whatever was delivered. `source` is its first input file."""
    found, asked = rate(endpoint), Asked(payload, source)
    usd = found.count(asked) * found.each(asked)
    return Price(usd, usd / found.base)

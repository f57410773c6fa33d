"""A plan as programs read it: amounts as decimal strings in dollars, times in seconds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine.plan import Plan, PlanItem
from ai_content_pipeline.engine.price_list import differences, sources
from ai_content_pipeline.jobs import JobRequest

_CENTS = 2  # places


def plan_data(plan: Plan, today: date) -> dict[str, Any]:
    """The `data` of the envelope. `today` tells which prices are old."""
    return {
        "items": [_item(item) for item in plan.items],
        "total_usd": _text(plan.price.usd),
        "saved_usd": _text(plan.saved.usd),
        "unpriced": list(plan.price.unpriced),
        "seconds_sequential": round(plan.seconds_sequential, 3),
        "seconds_parallel": round(plan.seconds_parallel, 3),
        "untimed": list(plan.untimed),
        "critical_path": [item.address for item in plan.critical],
        "prices": [
            {
                "model": source.model,
                "basis": source.basis.value,
                "source": source.source,
                "date": None if source.read is None else source.read.isoformat(),
                "old": source.old,
            }
            for source in sources(plan, today)
        ],
        "price_differences": [
            {
                "model": found.model,
                "bills": found.bills,
                "usual_usd": _text(found.usual),
                "card_usd": _text(found.card),
                "percent": found.percent,
            }
            for found in differences(plan)
        ],
        "warnings": list(plan.warnings),
    }


def _item(item: PlanItem) -> dict[str, Any]:
    work = item.unit.work
    data: dict[str, Any] = {
        "step": item.step,
        "index": item.index,
        "label": item.label,
        "model": item.model,
        "state": item.state.value,
        "price_usd": _amount(item.price),
        "seconds": item.seconds,
        "saved_usd": _amount(item.saved),
        "critical": item.critical,
        "key": item.key,
    }
    if isinstance(work, JobRequest):
        quote = item.unit.quote
        data |= {
            "basis": quote.basis.value,
            "bills": quote.bills,
            "usual_usd": None if quote.usual is None else _text(quote.usual),
            "prompt": work.prompt,
            "set": dict(work.params),
            "seed": work.seed,
            "retries": item.unit.retries,
            "fallbacks": [choice.work.model.name for choice in item.unit.fallbacks],
        }
    kept = item.conditioning
    if kept is not None:
        data |= {"route": kept.route.value, "why": kept.why, "references": list(kept.names)}
    return data


def _amount(estimate: CostEstimate) -> str | None:
    return None if estimate.unpriced else _text(estimate.usd)


def _text(usd: Decimal) -> str:
    """``0``, ``1.40``, ``0.0398``: two places at least, no further zeros behind."""
    if usd == 0:
        return "0"
    exact = usd.normalize()
    places = -int(exact.as_tuple().exponent)
    return f"{exact:f}" if places > _CENTS else f"{exact:.{_CENTS}f}"

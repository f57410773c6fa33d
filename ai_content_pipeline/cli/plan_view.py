"""A plan, shown to people and to machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.plan import Plan, PlanItem
from ai_content_pipeline.pipeline.expansion import Expansion

_MANY = 40


def plan_data(plan: Plan) -> dict[str, Any]:
    return {
        "items": [
            {
                "step": item.step,
                "index": item.index,
                "label": item.label,
                "model": item.model,
                "state": item.state.value,
                "price_usd": None if item.price.unpriced else str(item.price.usd),
                "seconds": item.seconds,
            }
            for item in plan.items
        ],
        "total_usd": str(plan.price.usd),
        "saved_usd": str(plan.saved.usd),
        "unpriced": list(plan.price.unpriced),
        "seconds_sequential": round(plan.seconds_sequential, 3),
        "seconds_parallel": round(plan.seconds_parallel, 3),
        "warnings": list(plan.warnings),
    }


def show_plan(console: Console, expansion: Expansion, plan: Plan) -> None:
    rows = []
    for step in expansion.steps:
        items = [item for item in plan.items if item.step == step.name]
        rows += [_row(item) for item in items] if len(plan.items) <= _MANY else [_summary(items)]
    console.table(("item", "model", "state", "price", "time"), rows, align="lllrr")
    console.say("")
    console.say(f"price   {plan.price}{', at most' if plan.price.usd else ''}")
    if plan.saved.usd:
        console.say(f"saved   {plan.saved} by what is there already")
    unknown = f", {', '.join(plan.untimed)} not counted" if plan.untimed else ""
    console.say(
        f"time    about {_time(plan.seconds_parallel)}, {_time(plan.seconds_sequential)} one by one{unknown}"
    )
    if plan.price.unpriced:
        console.warn(f"no known price: {', '.join(plan.price.unpriced)}; a run needs --allow-unpriced")
    if plan.price.second_hand:
        console.say("~ a second-hand price: reported by others, not read from the vendor")
    for warning in plan.warnings:
        console.warn(warning)


def _row(item: PlanItem) -> tuple[str, ...]:
    return (
        item.address,
        item.model or "",
        item.state.value,
        str(item.price) if item.price != CostEstimate() else "",
        "" if item.seconds is None else _time(item.seconds) if item.seconds else "",
    )


def _summary(items: Sequence[PlanItem]) -> tuple[str, ...]:
    states = Counter(item.state.value for item in items)
    price = total(item.price for item in items)
    models = sorted({item.model for item in items if item.model})
    return (
        f"{items[0].step} ({len(items)})",
        ", ".join(models),
        ", ".join(f"{count} {state}" for state, count in states.items()),
        str(price) if price != CostEstimate() else "",
        _time(sum(item.seconds or 0.0 for item in items)),
    )


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

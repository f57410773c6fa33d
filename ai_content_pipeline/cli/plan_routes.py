"""How a plan's items keep their references: a line for each route of a step, with its reason and price."""

from __future__ import annotations

from collections.abc import Iterator

from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.plan import Plan, PlanItem

_Row = tuple[str, str, str, tuple[str, ...]]


def route_lines(plan: Plan) -> Iterator[str]:
    """In the plan's order; nothing where nothing keeps references."""
    rows: dict[_Row, list[PlanItem]] = {}
    for item in plan.items:
        kept = item.conditioning
        if kept is not None:
            rows.setdefault((item.step, kept.route.value, kept.why, kept.names), []).append(item)
    for (step, route, why, names), items in rows.items():
        price = total(item.price for item in items)
        shown = "" if price == CostEstimate() else f", {price}"
        which = items[0].address if len(items) == 1 else f"{step} ({len(items):,} items)"
        yield f"route   {which}: {route} for {', '.join(names)}{shown}; {why}"

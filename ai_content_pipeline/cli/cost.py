"""aicp cost"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from ai_content_pipeline.cost import CostEstimate
    from ai_content_pipeline.generation.store import Spend


@click.command("cost", short_help="Show what was spent.")
@options.showing_options
def command(**arguments: Any) -> int:
    """Show this project's spending by day, run and model: estimated, still reserved, reported by the
    vendor, and in doubt (which counts as spent)."""
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.memory import memory
    from ai_content_pipeline.cost import CostEstimate, from_micro, total

    def amount(row: Spend, name: str) -> CostEstimate:
        rough = row.second_hand and name != "reported"
        usd = from_micro(getattr(row, name))
        return CostEstimate(usd, second_hand=rough and usd > 0)

    with invocation("cost", options.showing(arguments)) as (console, outcome), memory(os.environ) as workshop:
        spend = workshop.store.spend()
        money = ("estimated", "reserved", "reported", "in_doubt")
        rows = [
            (row.day, row.run, row.model, str(row.jobs), *(_shown(amount(row, name)) for name in money))
            for row in spend
        ]
        totals = [total(amount(row, name) for row in spend) for name in money]
        rows.append(("total", "", "", str(sum(row.jobs for row in spend)), *map(str, totals)))
        columns = ("day", "run", "model", "jobs", "estimated", "reserved", "reported", "in doubt")
        console.table(columns, rows, align="lllrrrrr")
        if any(sum_.second_hand for sum_ in totals):
            console.say("~ by a second-hand price: reported by others, not read from the vendor")
        if unpriced := sum(row.unpriced for row in spend):
            jobs, are = ("job", "is") if unpriced == 1 else ("jobs", "are")
            console.say(f"{unpriced:,} {jobs} had no known price and {are} not in these sums")
        outcome.data = {
            "spend": [
                {
                    "day": row.day,
                    "run": row.run,
                    "model": row.model,
                    "jobs": row.jobs,
                    "unpriced": row.unpriced,
                    "second_hand": row.second_hand,
                }
                | {f"{name}_usd": from_micro(getattr(row, name)) for name in money}
                for row in spend
            ],
            **{f"{name}_usd": sum_.usd for name, sum_ in zip(money, totals, strict=True)},
            "second_hand": any(sum_.second_hand for sum_ in totals),
        }
    return outcome.exit_code


def _shown(amount: CostEstimate) -> str:
    return str(amount) if amount.usd else ""

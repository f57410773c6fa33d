"""aicp cost"""

from __future__ import annotations

import os
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("cost", short_help="Show what was spent.")
@options.showing_options
def command(**arguments: Any) -> int:
    """Show this project's spending by day, run and model: estimated, still reserved, reported by the
    vendor, and in doubt (which counts as spent)."""
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.memory import memory
    from ai_content_pipeline.cost import format_usd, from_micro

    with invocation("cost", options.showing(arguments)) as (console, outcome), memory(os.environ) as workshop:
        spend = workshop.store.spend()
        money = ("estimated", "reserved", "reported", "in_doubt")
        rows = [
            (row.day, row.run, row.model, str(row.jobs), *(_dollars(getattr(row, name)) for name in money))
            for row in spend
        ]
        totals = [from_micro(sum(getattr(row, name) for row in spend)) for name in money]
        rows.append(("total", "", "", str(sum(row.jobs for row in spend)), *map(format_usd, totals)))
        columns = ("day", "run", "model", "jobs", "estimated", "reserved", "reported", "in doubt")
        console.table(columns, rows, align="lllrrrrr")
        if unpriced := sum(row.unpriced for row in spend):
            console.say(f"{unpriced} jobs had no known price and are not in these sums")
        outcome.data = {
            "spend": [
                {
                    "day": row.day,
                    "run": row.run,
                    "model": row.model,
                    "jobs": row.jobs,
                    "unpriced": row.unpriced,
                }
                | {f"{name}_usd": str(from_micro(getattr(row, name))) for name in money}
                for row in spend
            ],
            **{f"{name}_usd": str(amount) for name, amount in zip(money, totals, strict=True)},
        }
    return outcome.exit_code


def _dollars(micro: int) -> str:
    from ai_content_pipeline.cost import format_usd, from_micro

    return format_usd(from_micro(micro)) if micro else ""

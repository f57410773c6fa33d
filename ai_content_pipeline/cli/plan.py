"""aicp plan"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("plan", short_help="Show what a run would do and cost.")
@options.pipeline_argument
@click.option(
    "--show-resolved", is_flag=True, help="Print the resolved file instead, with the origin of every value."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PLAN.json",
    help="Also write the plan to a file, for run-chain --plan.",
)
@options.locked_option
@options.selection_options
@options.plan_options
@options.showing_options
def command(
    pipeline: Path | None, config: Path | None, show_resolved: bool, output: Path | None, **arguments: Any
) -> int:
    """Show every item of PIPELINE: what is there, what would run, at which price and for how long; and the
    total, which a run stays within. Nothing is run or spent.
    """
    from ai_content_pipeline.cli.planning import plan_command, resolved_command
    from ai_content_pipeline.cli.wish import Wish

    wish = Wish.of("plan", pipeline, config, options.showing(arguments), **arguments)
    return resolved_command(wish) if show_resolved else plan_command(wish, output)

"""aicp run-chain"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("run-chain", short_help="Run a pipeline.")
@options.pipeline_argument
@click.option("--dry-run", is_flag=True, help="Show what would run and what it would cost; do nothing.")
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PLAN.json",
    help="Run exactly this plan (of aicp plan -o), or nothing if anything has changed.",
)
@options.selection_options
@options.run_options
@options.showing_options
def command(pipeline: Path | None, config: Path | None, dry_run: bool, **arguments: Any) -> int:
    """Run the chain of steps in PIPELINE.

    What is there already is reused, what runs at a vendor is collected, what is missing is made. Run the
    same command again after a crash or ^C: nothing is paid twice.
    """
    from ai_content_pipeline.cli.execute import run_command
    from ai_content_pipeline.cli.planning import plan_command
    from ai_content_pipeline.cli.wish import Wish

    wish = Wish.of("run-chain", pipeline, config, options.showing(arguments), **arguments)
    return plan_command(wish) if dry_run else run_command(wish)

"""aicp plan"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("plan", short_help="Show what a run would do and cost.")
@options.pipeline_argument
@options.selection_options
@options.plan_options
@options.showing_options
def command(pipeline: Path | None, config: Path | None, **arguments: Any) -> int:
    """Show every item of PIPELINE: what is there, what would run, at which price and for how long; and the
    total, which a run stays within. Nothing is run or spent.
    """
    from ai_content_pipeline.cli.execute import Wish
    from ai_content_pipeline.cli.planning import plan_command

    return plan_command(Wish.of("plan", pipeline, config, options.showing(arguments), **arguments))

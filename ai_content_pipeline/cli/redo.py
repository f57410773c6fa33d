"""aicp redo"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import completers, options


@click.command("redo", short_help="Make one item anew.")
@click.argument("pipeline", type=click.Path(path_type=Path), shell_complete=completers.pipelines)
@click.argument("address", shell_complete=completers.items)
@options.run_options
@options.showing_options
def command(pipeline: Path, address: str, **arguments: Any) -> int:
    """Make a new take of the item at ADDRESS (such as clips/scene_2), which becomes the current one, and
    of what depends on it.

    Killed half-way, the same command goes on with the same take.
    """
    from ai_content_pipeline.cli.execute import run_command
    from ai_content_pipeline.cli.wish import Wish

    return run_command(Wish.of("redo", pipeline, None, options.showing(arguments), redo=address, **arguments))

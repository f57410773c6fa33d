"""aicp models list | show | check | pull"""

from __future__ import annotations

import click

from ai_content_pipeline.cli import models_check, models_list, models_pull, models_show


@click.group("models", short_help="The catalogue of models.")
def command() -> None:
    """The catalogue: what there is, what one model takes and costs, and whether its vendor still agrees.

    A project's own cards stand in aicp.models.toml, in the project's folder.
    """


command.add_command(models_list.command)
command.add_command(models_show.command)
command.add_command(models_check.command)
command.add_command(models_pull.command)

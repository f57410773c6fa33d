"""Options that several commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ai_content_pipeline.cli import completers

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Showing:
    """How a command shows what it does."""

    json: bool = False
    json_stream: bool = False
    quiet: bool = False
    verbose: int = 0


def showing_options(function: F) -> F:
    """--json, --json-stream, --quiet and -v, handed over as one `showing`."""
    for option in (
        click.option(
            "-v", "--verbose", count=True, help="Say more; twice: also what is only of use in a bug report."
        ),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("--json-stream", is_flag=True, help="Events on stdout, one JSON object a line."),
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON envelope on stdout, and nothing else."
        ),
    ):
        function = option(function)
    return function


def showing(arguments: dict[str, Any]) -> Showing:
    """Take the showing options out of a command's arguments."""
    return Showing(
        json=arguments.pop("as_json"),
        json_stream=arguments.pop("json_stream"),
        quiet=arguments.pop("quiet"),
        verbose=arguments.pop("verbose"),
    )


def pipeline_argument(function: F) -> F:
    """PIPELINE.yaml, or --config PIPELINE.yaml."""
    function = click.option(
        "--config",
        type=click.Path(path_type=Path),
        shell_complete=completers.pipelines,
        help="The pipeline file, as an option.",
    )(function)
    return click.argument(
        "pipeline", required=False, type=click.Path(path_type=Path), shell_complete=completers.pipelines
    )(function)


def plan_options(function: F) -> F:
    """What decides which work a pipeline file means: for every command that plans or runs one."""
    for option in (
        click.option(
            "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Replace a value of the file."
        ),
        click.option(
            "--profile",
            metavar="NAME",
            shell_complete=completers.profiles,
            help="Use one of the file's profiles.",
        ),
        click.option(
            "--draft", is_flag=True, help="Free preview: every model is replaced by the draft renderer."
        ),
    ):
        function = option(function)
    return function


def locked_option(function: F) -> F:
    return click.option("--locked", is_flag=True, help="Refuse prices that nobody has compared for long.")(
        function
    )


def selection_options(function: F) -> F:
    """Which part of a pipeline is wanted: for the commands that take a whole one."""
    for option in (
        click.option(
            "--until",
            metavar="STEP",
            shell_complete=completers.steps,
            help="Only this step or item, and what it is made of.",
        ),
        click.option(
            "--from",
            "start",
            metavar="STEP",
            shell_complete=completers.steps,
            help="Only this step or item, and what is made of it.",
        ),
        click.option(
            "--only",
            multiple=True,
            metavar="STEP",
            shell_complete=completers.steps,
            help="Only this step or item; repeatable.",
        ),
    ):
        function = option(function)
    return function


def run_options(function: F) -> F:
    """What `run-chain` and `redo` have in common."""
    function = plan_options(locked_option(function))
    for option in (
        click.option(
            "--env-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Read keys from a file of NAME=value.",
        ),
        click.option(
            "--cancel-on-interrupt", is_flag=True, help="On ^C, ask the vendors to cancel what runs."
        ),
        click.option("--yes", "-y", is_flag=True, help="Spend without asking."),
        click.option("--allow-unpriced", is_flag=True, help="Run models whose price is unknown."),
        click.option("--max-cost", metavar="USD", help="Spend at most this, resumes included."),
        click.option(
            "--output-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where the files go; anywhere.",
        ),
    ):
        function = option(function)
    return function

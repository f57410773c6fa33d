"""Plans in files: written by `plan -o`, run by `run-chain --plan`, or refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options
from ai_content_pipeline.errors import PlanChanged, UsageError

if TYPE_CHECKING:
    from ai_content_pipeline.cli.wish import Wish
    from ai_content_pipeline.engine.plan import Plan
    from ai_content_pipeline.engine.plan_file import AgreedPlan
    from ai_content_pipeline.pipeline.expansion import Expansion


def write(path: Path, plan: Plan, expansion: Expansion, wish: Wish) -> None:
    """Put `plan` into a file, complete or not at all. An older plan is replaced, and nothing else.

    Raises:
        UsageError: something else is there.
        AicpError: the file cannot be written.
    """
    from ai_content_pipeline.engine import plan_file
    from ai_content_pipeline.report.atomic import put

    if path.exists() and not plan_file.is_plan(path):
        raise UsageError(f"{path} is there already and is no plan", hint="choose another name for the plan")
    pipeline = _seen_from(wish.path.resolve(), path.resolve().parent)
    put(path, plan_file.dump(plan_file.agree(plan, expansion, pipeline, _words(wish))))


def taken(wish: Wish) -> tuple[Wish, AgreedPlan | None]:
    """`wish` with what its plan says of the pipeline and the options, where the command line says nothing.

    Raises:
        UsageError: the plan cannot be used.
    """
    path = wish.plan
    if path is None:
        return wish, None
    from ai_content_pipeline.engine import plan_file

    agreed = plan_file.read(path)
    if wish.pipeline is None:
        wish = replace(wish, pipeline=path.parent / agreed.pipeline)
    if not _words(wish):
        wish = replace(wish, **_parsed(agreed.options, path))
    return wish, agreed


def check(agreed: AgreedPlan, plan: Plan, expansion: Expansion, wish: Wish) -> None:
    """Refuse to run what is not what was agreed to.

    Raises:
        PlanChanged: with everything that is different.
    """
    from ai_content_pipeline.engine import plan_file
    from ai_content_pipeline.engine.plan_changes import changes

    now = plan_file.agree(plan, expansion, agreed.pipeline, _words(wish))
    found = changes(agreed, now)
    if found:
        again = "nothing was spent; look at it anew: aicp plan PIPELINE.yaml -o PLAN.json"
        raise PlanChanged(found, hint=again)


def _words(wish: Wish) -> tuple[str, ...]:
    """Every option that decides what a plan holds."""
    return (*wish.plan_words, *wish.selection.options)


@click.command(add_help_option=False)
@options.plan_options
@options.selection_options
def _parser(**arguments: object) -> None:
    """Reads the options of a plan as the command line would."""


def _parsed(words: Sequence[str], plan: Path) -> dict[str, Any]:
    try:
        return _parser.make_context("plan", list(words)).params
    except click.ClickException as error:
        raise UsageError(f"the plan {plan} has options of another release: {error.message}") from error


def _seen_from(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()

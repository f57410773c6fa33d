"""From a command line to a plan that is shown or written. Shared by `plan` and `run-chain --dry-run`."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.cli.execute import invocation, looking, planned, prepared

if TYPE_CHECKING:
    from ai_content_pipeline.cli.wish import Wish


def plan_command(wish: Wish, output: Path | None = None) -> int:
    """Show the plan of a run; with `output`, also write it there. Nothing else is written."""
    from ai_content_pipeline.cli import agreement, consent
    from ai_content_pipeline.cli.plan_data import plan_data
    from ai_content_pipeline.cli.plan_view import show_plan

    with invocation(wish.command, wish.showing) as (console, outcome):
        wish, agreed = agreement.taken(wish)
        expansion, project = prepared(wish, console)
        with looking(project) as (store, artifacts):
            plan = planned(wish, expansion, store, artifacts)
        today = datetime.now(UTC).date()
        outcome.data = plan_data(plan, today)
        show_plan(console, plan, today)
        if agreed is not None:
            agreement.check(agreed, plan, expansion, wish)
        if wish.locked:
            consent.check_prices(plan, today)
        if output is not None:
            agreement.write(output, plan, expansion, wish)
            outcome.data["plan_file"] = str(output)
            console.say(
                f"written to {output}; aicp run-chain --plan {shlex.quote(str(output))} runs exactly this"
            )
    return outcome.exit_code


def resolved_command(wish: Wish) -> int:
    """Print the file with its defaults, its profile and --set worked in, and where each value comes from."""
    from ai_content_pipeline.pipeline.load import load_pipeline
    from ai_content_pipeline.pipeline.resolved import resolved_text

    with invocation(wish.command, wish.showing) as (console, outcome):
        overrides, profile = wish.overrides, wish.profile
        text = resolved_text(
            load_pipeline(wish.path, environ=os.environ, overrides=overrides, profile=profile)
        )
        outcome.data = {"resolved": text}
        console.data(text)
    return outcome.exit_code

"""From a command line to a plan that is shown or written. Shared by `plan` and `run-chain --dry-run`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.cli.execute import invocation, looking, planned, prepared

if TYPE_CHECKING:
    from ai_content_pipeline.cli.execute import Wish


def plan_command(wish: Wish, output: Path | None = None) -> int:
    """Show the plan of a run; with `output`, also write it there. Nothing else is written."""
    from ai_content_pipeline.cli.plan_data import plan_data
    from ai_content_pipeline.cli.plan_view import show_plan

    with invocation(wish.command, wish.showing) as (console, outcome):
        expansion, project = prepared(wish, console)
        with looking(project) as (store, artifacts):
            plan = planned(wish, expansion, store, artifacts)
        today = datetime.now(UTC).date()
        outcome.data = plan_data(plan, today)
        show_plan(console, plan, today)
    return outcome.exit_code

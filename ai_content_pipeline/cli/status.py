"""aicp status"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from ai_content_pipeline.generation.store import Job


@click.command("status", short_help="Show what is open.")
@options.showing_options
def command(**arguments: Any) -> int:
    """Show what this project has running at vendors, what is in doubt and what failed but was billed."""
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.memory import job_data, memory
    from ai_content_pipeline.engine.collect import kept_until
    from ai_content_pipeline.generation.store import OPEN, State

    with (
        invocation("status", options.showing(arguments)) as (console, outcome),
        memory(os.environ) as workshop,
    ):
        states = (*OPEN, State.IN_DOUBT, State.FAILED, State.GONE)
        jobs = [job for job in workshop.store.jobs(states) if job.state is not State.FAILED or job.cost != 0]
        outcome.data = {"jobs": [job_data(job) for job in jobs]}
        if not jobs:
            console.say("nothing is open: no job runs, none is in doubt")
        rows = [
            (
                job.address,
                str(job.description.get("model", "")),
                job.state.value.replace("_", " "),
                _reserved(job),
                "" if (until := kept_until(job)) is None else f"{until:%Y-%m-%d %H:%M} UTC",
                job.message or "",
            )
            for job in jobs
        ]
        if rows:
            columns = ("item", "model", "state", "reserved", "collect before", "what is known")
            console.table(columns, rows, align="lllrll")
        if any(job.state is State.IN_DOUBT for job in jobs):
            console.say("in doubt: aicp resume --in-doubt wait|resubmit|abandon")
        if any(job.state in OPEN for job in jobs):
            console.say("running: aicp fetch collects what is ready")
    return outcome.exit_code


def _reserved(job: Job) -> str:
    from ai_content_pipeline.cost import CostEstimate, from_micro

    if job.reserved is None:
        return "unknown"
    return str(CostEstimate(from_micro(job.reserved), second_hand=bool(job.description.get("second_hand"))))

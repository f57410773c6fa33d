"""aicp resume"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from ai_content_pipeline.cli.console import Console
    from ai_content_pipeline.engine.workshop import Workshop
    from ai_content_pipeline.generation.store import Job


@click.command("resume", short_help="Decide what is in doubt, and go on.")
@click.option(
    "--in-doubt",
    "decision",
    required=True,
    type=click.Choice(["wait", "resubmit", "abandon"]),
    help="wait: ask the vendor again; resubmit: send it once more (may be paid twice); abandon: give it up.",
)
@click.argument("addresses", nargs=-1)
@options.showing_options
def command(decision: str, addresses: tuple[str, ...], **arguments: Any) -> int:
    """Decide about requests whose outcome nobody knows: all of them, or those at ADDRESSES.

    What was in doubt counts as spent whatever you decide. To go on, run the command that is printed.
    """
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.memory import memory
    from ai_content_pipeline.errors import worst

    with (
        invocation("resume", options.showing(arguments)) as (console, outcome),
        memory(os.environ) as workshop,
    ):
        jobs = _held(workshop, addresses)
        if not jobs:
            console.say("nothing is in doubt")
        codes = _wait(workshop, jobs, console) if decision == "wait" else []
        if decision != "wait":
            _decide(workshop, jobs, console, abandon=decision == "abandon")
        commands = sorted({text for job in jobs if (text := workshop.store.command(job.run))})
        for text in commands:
            console.say(f"go on with:  {shlex.join(shlex.split(text))}")
        outcome.data = {"jobs": [job.address for job in jobs], "decision": decision, "go_on_with": commands}
        outcome.exit_code = worst(codes)
    return outcome.exit_code


def _held(workshop: Workshop, addresses: Sequence[str]) -> list[Job]:
    """Jobs in doubt whose process is gone."""
    from ai_content_pipeline.engine.collect import orphaned
    from ai_content_pipeline.generation.store import State

    jobs = [job for job in orphaned(workshop) if job.state in (State.IN_DOUBT, State.INTENT)]
    return [job for job in jobs if not addresses or job.address in addresses]


def _wait(workshop: Workshop, jobs: Sequence[Job], console: Console) -> list[int]:
    from ai_content_pipeline.engine.collect import collect_jobs, told

    codes = []
    for job, error in collect_jobs(workshop, jobs):
        console.say(f"{job.address}  {told(job, error)}")
        codes += [] if error is None else [error.exit_code]
    return codes


def _decide(workshop: Workshop, jobs: Sequence[Job], console: Console, *, abandon: bool) -> None:
    from ai_content_pipeline.generation.store import State

    store, now = workshop.store, workshop.clock.now()
    for job in jobs:
        if not store.take_over(job.key, job.owner, workshop.owners.me):
            console.say(f"{job.address}  another process is at it")
            continue
        if job.state is State.INTENT:
            store.doubted(job.key, workshop.owners.me, "the process ended while it was on its way", now)
        store.undoubted(job.key, abandon=abandon, spent=True, now=now)
        console.say(f"{job.address}  {'given up' if abandon else 'will be sent again'}")

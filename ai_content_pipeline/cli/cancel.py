"""aicp cancel"""

from __future__ import annotations

import os
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("cancel", short_help="Cancel what runs at vendors.")
@click.argument("addresses", nargs=-1)
@options.showing_options
def command(addresses: tuple[str, ...], **arguments: Any) -> int:
    """Ask the vendors to stop what this project still has running: everything, or the items at ADDRESSES.

    Says what each vendor answered; exit code 75 when one gave no answer, and the job may still run. A job
    that had finished already is collected: it is paid.
    """
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.memory import memory
    from ai_content_pipeline.engine.collect import answered, cancel_jobs, collect_jobs, orphaned, told
    from ai_content_pipeline.errors import ProviderUnavailable
    from ai_content_pipeline.jobs import CancelAnswer

    with (
        invocation("cancel", options.showing(arguments)) as (console, outcome),
        memory(os.environ) as workshop,
    ):
        answers = cancel_jobs(workshop, addresses)
        for job, answer in answers:
            console.say(answered(job, answer))
        if not answers:
            console.say("nothing runs")
        asked = {job.key for job, answer in answers if answer is not CancelAnswer.NO_ANSWER}
        ended = [job for job in orphaned(workshop) if job.key in asked]
        for job, error in collect_jobs(workshop, ended):
            console.say(f"{job.address}  {told(job, error)}")
        if len(asked) < len(answers):
            outcome.exit_code = ProviderUnavailable.exit_code
            outcome.why = "a vendor gave no answer, and the job may still run"
        outcome.data = {"jobs": [{"address": job.address, "answer": answer.value} for job, answer in answers]}
    return outcome.exit_code

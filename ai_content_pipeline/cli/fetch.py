"""aicp fetch"""

from __future__ import annotations

import os
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("fetch", short_help="Collect results; submit nothing.")
@options.showing_options
def command(**arguments: Any) -> int:
    """Collect whatever this project has running or finished at any vendor. Nothing is submitted or paid.

    Needs neither the pipeline file nor its input files. Run the pipeline afterwards to see the results in
    its output folder.
    """
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.memory import memory
    from ai_content_pipeline.engine.collect import collect_all, told
    from ai_content_pipeline.errors import worst
    from ai_content_pipeline.generation.store import State

    with (
        invocation("fetch", options.showing(arguments)) as (console, outcome),
        memory(os.environ) as workshop,
    ):
        collected: list[str] = []
        unsent: list[str] = []
        failed, codes = [], []
        for job, error in collect_all(workshop):
            if error is None:
                (collected if job.state is State.DONE else unsent).append(job.address)
                console.say(f"{job.address}  {told(job, error)}")
            else:
                failed.append({"address": job.address, "message": error.message, "hint": error.hint})
                codes.append(error.exit_code)
                console.warn(f"{job.address}: {error.message}")
        if not collected and not unsent and not failed:
            console.say("nothing to collect")
        outcome.data = {"collected": collected, "never_accepted": unsent, "not_collected": failed}
        outcome.exit_code = worst(codes)
        outcome.why = "; ".join(f"{one['address']}: {one['message']}" for one in failed) or None
    return outcome.exit_code

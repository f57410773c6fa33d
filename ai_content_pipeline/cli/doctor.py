"""aicp doctor"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from ai_content_pipeline.cli.checkup.finding import Finding
    from ai_content_pipeline.cli.console import Console


@click.command("doctor", short_help="Check this machine and project.")
@click.option("--online", is_flag=True, help="Also ask the vendors for the time: free, and without a key.")
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read keys from a file of NAME=value.",
)
@options.showing_options
def command(online: bool, env_file: Path | None, **arguments: Any) -> int:
    """Check this machine, this project and its settings: encoders, fonts, SQLite, packages, disk, journal,
    keys.

    Each line says ok, warning or problem, and what to do. Keys are never shown, and without --online
    nothing is asked of anybody. Ends with 0 unless there is a problem: 4 for a setting or a package, else 1.
    """
    from ai_content_pipeline.cli.checkup.finding import Level
    from ai_content_pipeline.cli.environment import environment
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.progress import count
    from ai_content_pipeline.errors import worst

    with invocation("doctor", options.showing(arguments)) as (console, outcome):
        found = list(_told(console, _findings(environment(env_file), online=online)))
        counts = {level: sum(finding.level is level for finding in found) for level in Level}
        outcome.data = {
            "checks": [
                {"check": one.check, "level": one.level.value, "says": one.says, "do": one.do}
                for one in found
            ],
            "warnings": counts[Level.WARNING],
            "problems": counts[Level.PROBLEM],
        }
        problems = [one for one in found if one.level is Level.PROBLEM]
        outcome.exit_code = worst(one.exit_code for one in problems)
        outcome.why = "; ".join(f"{one.check}: {one.says}" for one in problems) or None
        said = f"{count(len(problems), 'problem')}, {count(counts[Level.WARNING], 'warning')}"
        console.say(f"{count(len(found), 'check')}: {said}")
    return outcome.exit_code


def _findings(environ: Mapping[str, str], *, online: bool) -> Iterator[Finding]:
    from ai_content_pipeline.cli.checkup import (
        accounts,
        folder,
        gpu_worker,
        local_models,
        machine,
        packages,
    )
    from ai_content_pipeline.pipeline.project import find_project

    project = find_project(Path.cwd()).seen_from(environ)
    yield from machine.python()
    yield from packages.packages()
    yield from machine.encoders()
    yield from machine.fonts()
    yield from machine.sqlite()
    yield from folder.writing(project)
    yield from folder.disk(project)
    yield from folder.cards(project)
    yield from folder.journal(project)
    yield from local_models.local_models(environ)
    yield from accounts.keys(environ)
    yield from accounts.addresses(environ)
    yield from accounts.limits(environ)
    yield from gpu_worker.worker(environ)
    if online:
        yield from accounts.clocks(environ)


def _told(console: Console, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Shown as they come: a slow disk or vendor does not hold up what is known already."""
    from ai_content_pipeline.cli.text import one_line, padded

    for finding in findings:
        console.data(
            f"{finding.level.value:<8} {padded(one_line(finding.check), 20)} {one_line(finding.says)}"
        )
        if finding.do:
            console.data(f"{'':<30}→ {one_line(finding.do)}")
        yield finding

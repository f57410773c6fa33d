"""Opening a project's memory for the commands that need no pipeline file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.errors import UsageError

if TYPE_CHECKING:
    from ai_content_pipeline.engine.workshop import Workshop
    from ai_content_pipeline.generation.store import Job


@contextmanager
def memory(environ: Mapping[str, str], start: Path | None = None) -> Iterator[Workshop]:
    """The workshop of the project around `start` (the working folder).

    Raises:
        UsageError: nothing has been run there yet.
    """
    from ai_content_pipeline.engine.workshop import open_workshop
    from ai_content_pipeline.pipeline.project import find_project

    folder = start or Path.cwd()
    project = find_project(folder).seen_from(environ)
    if project.forgotten is not None:
        raise UsageError(project.forgotten)
    if not project.journal.exists():
        raise UsageError(
            f"nothing has been run in {folder}", hint="go to the project's folder, or run a pipeline first"
        )
    with open_workshop(project, environ) as workshop:
        yield workshop


def job_data(job: Job) -> dict[str, object]:
    """A job of the journal, for machines. Nothing in it is a credential."""
    from ai_content_pipeline.engine.collect import kept_until

    until = kept_until(job)
    return {
        "address": job.address,
        "state": job.state.value,
        "provider": job.provider,
        "model": job.description.get("model"),
        "prompt": job.description.get("prompt"),
        "request_id": None if job.handle is None else job.handle.request_id,
        "run": job.run,
        "reserved_micro_usd": job.reserved,
        "message": job.message,
        "submitted": None if job.submitted_at is None else job.submitted_at.isoformat(),
        "collect_until": None if until is None else until.isoformat(),
    }

"""The project's folder: can it be written durably, is there room, is its journal sound."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from ai_content_pipeline.cli.checkup.finding import Finding, misconfigured, ok, problem, warning

if TYPE_CHECKING:
    from ai_content_pipeline.pipeline.project import Project

_MB = 1_000_000
_LEAST, _LITTLE = 200 * _MB, 2000 * _MB  # bytes; a 4K clip has some 50 MB
_BUSY_SECONDS = 5.0
_PAID_AGAIN = "restore it from a backup: without it, what was paid before is paid again"


def writing(project: Project) -> Iterator[Finding]:
    """A file written, synced, renamed and locked, as the journal and the stored results are."""
    from ai_content_pipeline.generation.owners import Owners

    where = project.state if project.state.exists() else project.root
    try:
        with TemporaryDirectory(prefix=".aicp-doctor-", dir=where) as name:
            began = perf_counter()
            _durably(Path(name))
            took = perf_counter() - began
            Owners(Path(name) / "owners").close()
    except OSError as error:
        reason = error.strerror or str(error)
        yield problem("project folder", f"{where}: {reason}", "it must be writable, and on a local disk")
        return
    yield ok("project folder", f"{project.root}, a durable write takes {took * 1000:.0f} ms")


def _durably(folder: Path) -> None:
    with (folder / "written.tmp").open("wb") as file:
        file.write(b"\0" * 4096)
        file.flush()
        os.fsync(file.fileno())
    (folder / "written.tmp").replace(folder / "written")
    if sys.platform != "win32":  # where folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def disk(project: Project) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(project.root).free
    except OSError as error:
        yield warning("disk", f"its free space is not known: {error.strerror}", "look for yourself")
        return
    yield room(free)


def room(free: int) -> Finding:
    """Whether `free` bytes are enough."""
    said = f"{free / 1000 / _MB:.1f} GB free"
    if free < _LEAST:
        return problem("disk", said, "make room: a paid result needs a place to go")
    if free < _LITTLE:
        return warning("disk", said, "make room before a long run")
    return ok("disk", said)


def cards(project: Project) -> Iterator[Finding]:
    """The project's own cards, without which no pipeline of it is even read."""
    from ai_content_pipeline.catalog import Catalogue
    from ai_content_pipeline.catalog.catalogue import OVERLAY
    from ai_content_pipeline.errors import InvalidPipeline

    try:
        Catalogue.of(project.root)
    except InvalidPipeline as error:
        yield misconfigured("own cards", str(error.problems[0]), f"mend {OVERLAY}: aicp models list says all")
        return
    yield ok("own cards", OVERLAY if (project.root / OVERLAY).exists() else f"none (no {OVERLAY})")


def journal(project: Project) -> Iterator[Finding]:
    """The project's memory, looked at without changing it."""
    if project.forgotten is not None:
        yield warning("journal", "is gone, and results of earlier runs are there", _PAID_AGAIN)
        return
    if not project.journal.exists():
        yield ok("journal", "none yet: nothing has been run here")
        return
    restore = "restore it from a backup; stored results lie in .aicp/artifacts and are not lost"
    try:
        address = f"{project.journal.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
            yield from _looked_at(connection, restore)
    except sqlite3.OperationalError as error:
        yield problem(
            "journal", f"cannot be opened: {error}", "let no other program hold it; check its rights"
        )
    except sqlite3.DatabaseError as error:
        yield problem("journal", f"is damaged: {error}", restore)


def _looked_at(connection: sqlite3.Connection, restore: str) -> Iterator[Finding]:
    from ai_content_pipeline.generation.schema import MIGRATIONS

    faults = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if faults != ["ok"]:
        yield problem("journal", f"is damaged: {'; '.join(faults)}", restore)
        return
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        says = f"its schema is {version}, and this aicp knows {len(MIGRATIONS)}"
        yield problem("journal", says, "use the newer aicp that wrote it")
        return
    if not version:
        yield ok("journal", "empty")
        return
    older = "" if version == len(MIGRATIONS) else f" (will become {len(MIGRATIONS)} with the next run)"
    yield ok("journal", f"sound, schema {version}{older}")
    yield from _open_jobs(connection)


def _open_jobs(connection: sqlite3.Connection) -> Iterator[Finding]:
    from ai_content_pipeline.generation.store import OPEN, State

    counts = dict(connection.execute("SELECT state, count(*) FROM job GROUP BY state"))
    running = sum(counts.get(state.value, 0) for state in OPEN)
    doubt = counts.get(State.IN_DOUBT.value, 0)
    if running:
        yield warning("open jobs", f"{running} at vendors, not collected yet", "collect them: aicp fetch")
    if doubt:
        says = f"{doubt} in doubt: sent, and nobody knows whether they were accepted"
        yield warning("open jobs", says, "decide: aicp resume --in-doubt wait|resubmit|abandon")
    if not running and not doubt:
        yield ok("open jobs", "none")

"""What `aicp worker callbacks` does: it looks into the queue of a worker that may be running, and leaves it
wishes.

A wish is an empty file with the callback's id for a name; the worker takes it within seconds, or when it
starts. Only the worker writes to the queue: up to SQLite 3.51.2 a second connection that writes may cost it a
commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.worker.outbox import UNDELIVERED, Callback, read
from ai_content_pipeline.worker.settings import Settings


def undelivered(settings: Settings) -> list[Callback]:
    """Callbacks that wait and those that were given up, as the worker has written them down.

    Raises:
        JournalError: the queue cannot be read.
    """
    try:
        path = f"file:{quote(str(settings.queue))}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=10.0)) as db:
            return [read(row) for row in db.execute(UNDELIVERED)]
    except sqlite3.Error as error:
        raise JournalError(f"the queue {settings.queue} cannot be read: {error}") from error


def wish(settings: Settings, ids: Sequence[str]) -> list[str]:
    """Have dead callbacks sent again, all of them or those named by their own id or their job's.

    Returns the ids, without those that were wished for before and wait for the worker.

    Raises:
        JournalError: the queue cannot be read, or its folder not be written.
    """
    dead = [one for one in undelivered(settings) if one.state == "dead"]
    chosen = [one.id for one in dead if not ids or one.id in ids or one.job_id in ids]
    new = [one for one in chosen if not (settings.wishes / one).exists()]
    try:
        settings.wishes.mkdir(mode=0o700, exist_ok=True)
        for one in new:
            (settings.wishes / one).touch()
    except OSError as error:
        raise JournalError(f"{settings.wishes} cannot be written: {error.strerror}") from error
    return new


def wishes(folder: Path) -> list[Path]:
    """Those that nobody has taken yet."""
    return sorted(folder.iterdir()) if folder.is_dir() else []

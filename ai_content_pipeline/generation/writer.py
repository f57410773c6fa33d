"""One SQLite connection behind one thread, which commits what waits as one transaction (group commit)."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation.schema import MIGRATIONS

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]
_Waiting = tuple[Operation, "Future[Any]"]

_BUSY_SECONDS = 60.0
_BATCH = 256

#: The first releases in which a checkpoint can no longer lose a concurrent commit ("WAL-reset bug",
#: fixed in SQLite 3.51.3 and in these two older branches).
_WAL_SAFE = (3, 51, 3)
_WAL_SAFE_BRANCHES = {(3, 44): 6, (3, 50): 7}


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the fix of the WAL-reset bug."""
    return version >= _WAL_SAFE or version[2] >= _WAL_SAFE_BRANCHES.get(version[:2], 1 << 30)


class Writer:
    """Runs operations on the journal, each durable when `call` returns.

    An operation must not commit by itself and may run twice (after a neighbour in its batch failed).
    """

    def __init__(self, path: Path | None, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._path = path
        self._migrations = migrations
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="aicp-journal", daemon=True)
        self._ready: Future[None] = Future()
        self._thread.start()
        self._ready.result()

    def call(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        done: Future[T] = Future()
        self._queue.put((operation, done))
        return done.result()

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    # -- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            connection = _connect(self._path)
            _migrate(connection, self._migrations)
        except (sqlite3.Error, JournalError, OSError) as error:
            self._ready.set_exception(_translated(error, self._path))
            return
        self._ready.set_result(None)
        try:
            while batch := self._next_batch():
                self._run(connection, batch)
        finally:
            connection.close()

    def _next_batch(self) -> list[_Waiting]:
        """Everything that waits, at least one; empty once the writer is closed."""
        batch: list[_Waiting] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _BATCH or self._queue.empty():
                return batch
            item = self._queue.get()
        if batch:
            self._queue.put(None)
        return batch

    def _run(self, connection: sqlite3.Connection, batch: list[_Waiting]) -> None:
        try:
            results = _transaction(connection, [operation for operation, _ in batch])
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the caller, not to this thread
            if len(batch) == 1:
                batch[0][1].set_exception(_translated(error, self._path))
                return
            for waiting in batch:  # one of them is at fault: each gets a transaction of its own
                self._run(connection, [waiting])
            return
        for (_, done), result in zip(batch, results, strict=True):
            done.set_result(result)


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None)
    safe = wal_is_safe(sqlite3.sqlite_version_info)
    connection.execute(f"PRAGMA journal_mode={'WAL' if safe else 'TRUNCATE'}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=1")  # macOS: fsync alone does not reach the disk
    return connection


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise JournalError(
            f"the journal has schema version {version}, and this aicp knows versions up to {len(migrations)}",
            hint="install a newer aicp; nothing was changed",
        )
    while version < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been quicker.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version < len(migrations):
            for statement in filter(str.strip, _statements(migrations[version])):
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The statements of a script without its comments; `executescript` would commit by itself."""
    lines = (line.split("--")[0] for line in script.splitlines())
    return "\n".join(lines).split(";")


def _transaction(connection: sqlite3.Connection, operations: list[Operation]) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [operation(connection) for operation in operations]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _translated(error: Exception, path: Path | None) -> Exception:
    if isinstance(error, sqlite3.Error | OSError):
        return JournalError(
            f"the journal {path or ':memory:'} cannot be used: {error}",
            hint="check that its disk has room and its folder is writable; what was paid is still recorded",
        )
    return error

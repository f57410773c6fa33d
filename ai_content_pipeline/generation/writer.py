"""One SQLite connection behind one thread, which commits what waits as one transaction (group commit)."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation.schema import MIGRATIONS

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]

_BUSY_SECONDS = 60.0
_BATCH = 256
#: Seconds that a commit waits for others to join it, where the last one had company: it takes longer than
#: that itself, and every write that joins saves one.
_GATHER = 0.001

#: The first releases in which a checkpoint can no longer lose a concurrent commit ("WAL-reset bug",
#: fixed in SQLite 3.51.3 and in these two older branches).
_WAL_SAFE = (3, 51, 3)
_WAL_SAFE_BRANCHES = {(3, 44): 6, (3, 50): 7}


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the fix of the WAL-reset bug."""
    return version >= _WAL_SAFE or version[2] >= _WAL_SAFE_BRANCHES.get(version[:2], 1 << 30)


class _Waiting:
    """An operation, and where its caller waits: a bare lock, a tenth of the price of a `Future`."""

    __slots__ = ("_answered", "durable", "error", "looks", "operation", "result")

    def __init__(self, operation: Operation, *, durable: bool = True, looks: bool = False) -> None:
        self.operation = operation
        self.durable = durable  # answered only when committed
        self.looks = looks  # changes nothing
        self.result: Any = None
        self.error: Exception | None = None
        self._answered = threading.Lock()
        self._answered.acquire()

    def answer(self, result: Any, error: Exception | None = None) -> None:
        """The first answer counts."""
        if self._answered.locked():
            self.result, self.error = result, error
            self._answered.release()

    def wait(self) -> Any:
        self._answered.acquire()
        if self.error is not None:
            raise self.error
        return self.result


class Writer:
    """Runs operations on the journal: the only thread that touches it.

    An operation must not commit by itself and may run twice (after a neighbour in its batch failed).
    """

    def __init__(self, path: Path | None, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._path = path
        self._migrations = migrations
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._usual = 1  # writes in the last commit
        self._thread = threading.Thread(target=self._serve, name="aicp-journal", daemon=True)
        ready = _Waiting(lambda connection: None)
        self._queue.put(ready)
        self._thread.start()
        ready.wait()

    def call(self, operation: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """The result of `operation`, after all that was asked before: once it is committed, or (for what
        may be lost with the process) once it has run.

        Raises:
            JournalError: the journal cannot be used, or the operation is not allowed.
        """
        return cast(T, self._ask(_Waiting(operation, durable=durable)))

    def look(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `operation`, which changes nothing: at once, from what is committed. What was left
        to `soon` may not be seen yet.

        Raises:
            JournalError: the journal cannot be used.
        """
        return cast(T, self._ask(_Waiting(operation, looks=True)))

    def _ask(self, waiting: _Waiting) -> Any:
        self._queue.put(waiting)
        if self._closed:  # the thread may have gone before it saw this
            self._refuse_all(JournalError("the journal is closed"))
        return waiting.wait()

    def soon(self, operation: Operation) -> None:
        """Run `operation` after those before it, without waiting: for what may be lost with the process."""
        self._queue.put(_Waiting(operation))

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def fault(self, error: Exception) -> Exception:
        """The typed error for a file that cannot be used, or not be read; any other error as it is."""
        if isinstance(error, sqlite3.Error | OSError | ValueError):
            return JournalError(
                f"the journal {self._path or ':memory:'} cannot be used: {error}",
                hint="check that the file is sound, its disk has room and its folder is writable",
            )
        return error

    # -- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        connection = None
        try:
            connection = _open(self._path, self._migrations)
            while batch := self._next_batch(connection):
                self._run(connection, batch)
            end: Exception = JournalError("the journal is closed")
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the callers, who would wait for ever
            end = self.fault(error)
        finally:
            if connection is not None:
                connection.close()
        self._closed = True
        self._refuse_all(end)

    def _refuse_all(self, error: Exception) -> None:
        while True:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return
            if waiting is not None:
                waiting.answer(None, error)

    def _next_batch(self, connection: sqlite3.Connection) -> list[_Waiting]:
        """The writes of one commit, at least one; empty once the writer is closed. Looks are answered on
        the way."""
        batch: list[_Waiting] = []
        while len(batch) < _BATCH:
            item = self._next(wait=not batch)
            if item is None:
                break
            if item.looks:
                self._answer_look(connection, item)
                continue
            if not batch and self._usual > 1:
                time.sleep(_GATHER)
            batch.append(item)
        self._usual = len(batch)
        return batch

    def _next(self, *, wait: bool) -> _Waiting | None:
        """What waits next; None when nothing does, or the writer is closed."""
        try:
            item = self._queue.get(block=wait)
        except queue.Empty:
            return None
        if item is None:
            self._queue.put(None)  # for the next batch, after this one
        return item

    def _answer_look(self, connection: sqlite3.Connection, waiting: _Waiting) -> None:
        try:
            waiting.answer(waiting.operation(connection))
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the caller, not to this thread
            waiting.answer(None, self.fault(error))

    def _run(self, connection: sqlite3.Connection, batch: list[_Waiting]) -> None:
        try:
            results = _transaction(connection, batch)
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the callers, not to this thread
            if len(batch) == 1 or isinstance(error, sqlite3.OperationalError):  # locked, disk full, I/O error
                for waiting in batch:
                    waiting.answer(None, self.fault(error))
            else:  # one of them is at fault: each gets a transaction of its own
                for waiting in batch:
                    self._run(connection, [waiting])
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.answer(result)


def _open(path: Path | None, migrations: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        _refuse_newer(connection, len(migrations))  # before anything could change the file
        safe = wal_is_safe(sqlite3.sqlite_version_info)
        connection.execute(f"PRAGMA journal_mode={'WAL' if safe else 'TRUNCATE'}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")  # macOS: fsync alone does not reach the disk
        _migrate(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_newer(connection: sqlite3.Connection, known: int) -> None:
    version = _version(connection)
    if version > known:
        raise JournalError(
            f"the journal has schema version {version}, and this aicp knows versions up to {known}",
            hint="install a newer aicp; nothing was changed",
        )


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    while _version(connection) < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)  # another process may have been quicker
        if version < len(migrations):
            for statement in filter(str.strip, _statements(migrations[version])):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={version + 1}")
        connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The statements of a script without its comments; `executescript` would commit by itself."""
    lines = (line.split("--")[0] for line in script.splitlines())
    return "\n".join(lines).split(";")


def _transaction(connection: sqlite3.Connection, batch: list[_Waiting]) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = []
        for waiting in batch:
            results.append(waiting.operation(connection))
            if not waiting.durable:
                waiting.answer(results[-1])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results

"""One SQLite connection: whoever writes first commits what the others wait for as well (group commit)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation.schema import MIGRATIONS

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]

_BUSY_SECONDS = 60.0
#: Seconds that a commit waits for others to join it, where the last one had company: it takes longer than
#: that itself, and every write that joins saves one.
_GATHER = 0.001
#: Seconds after which what nobody waits for is committed, if nothing else has been until then.
_LINGER = 0.05

#: The first releases in which a checkpoint can no longer lose a concurrent commit ("WAL-reset bug",
#: fixed in SQLite 3.51.3 and in these two older branches).
_WAL_SAFE = (3, 51, 3)
_WAL_SAFE_BRANCHES = {(3, 44): 6, (3, 50): 7}


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the fix of the WAL-reset bug."""
    return version >= _WAL_SAFE or version[2] >= _WAL_SAFE_BRANCHES.get(version[:2], 1 << 30)


class _Task:
    """An operation, and where its caller waits for what comes of it."""

    __slots__ = ("answered", "durable", "error", "looks", "operation", "result", "woken")

    def __init__(self, operation: Operation, *, durable: bool = True, looks: bool = False) -> None:
        self.operation = operation
        self.durable = durable  # answered only when committed
        self.looks = looks  # changes nothing
        self.answered = False
        self.result: Any = None
        self.error: Exception | None = None
        self.woken = threading.Lock()
        self.woken.acquire()

    def answer(self, result: Any, error: Exception | None = None) -> None:
        """The first answer counts."""
        if not self.answered:
            self.result, self.error, self.answered = result, error, True
            self.woken.release()


def _nothing(connection: sqlite3.Connection) -> None:
    pass


class Writer:
    """Runs operations on the journal, from any thread, one at a time.

    The first that comes leads: it does what all who came meanwhile want, in one transaction, and then wakes
    them, one of those who came later to lead. There is no thread to hand work to: where nobody else writes,
    that costs more than the work.

    An operation must not commit by itself and may run twice (after a neighbour in its transaction failed).
    `sole`: nobody else ever writes to the file, so that the WAL bug of older SQLites cannot happen; a commit
    is one sync there, where a rollback journal takes four.
    """

    def __init__(
        self, path: Path | None, migrations: Sequence[str] = MIGRATIONS, *, sole: bool = False
    ) -> None:
        self._path = path
        self._guard = threading.Lock()  # of these three
        self._queue: list[_Task] = []
        self._leader: _Task | None = None  # whose thread has the connection and all below, or is about to
        self._closed = False
        self._unsaved: list[_Task] = []  # answered, and in the transaction that is open
        self._usual = 1  # writes in the last commit
        self._left = threading.Event()  # something waits to be committed that nobody waits for
        self._gone = threading.Event()
        self._committer: threading.Thread | None = None
        try:
            self._connection = _open(path, migrations, sole=sole)
        except Exception as error:  # raised again, typed
            raise self.fault(error) from error

    def call(self, operation: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """The result of `operation`, after all that was asked before: once it is committed, or (for what
        may be lost with the process) once it has run.

        Raises:
            JournalError: the journal cannot be used, or the operation is not allowed.
        """
        return cast(T, self._done(_Task(operation, durable=durable)))

    def look(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `operation`, which changes nothing, after all that was answered before.

        Raises:
            JournalError: the journal cannot be used.
        """
        return cast(T, self._done(_Task(operation, looks=True)))

    def close(self) -> None:
        """Commit what is left, and refuse whatever comes later."""
        with self._guard:
            if self._closed:
                return
        self._done(_Task(_nothing), closes=True)
        self._connection.close()
        self._gone.set()
        self._left.set()
        if self._committer is not None:
            self._committer.join()

    def fault(self, error: Exception) -> Exception:
        """The typed error for a file that cannot be used, or not be read; any other error as it is."""
        if isinstance(error, sqlite3.Error | OSError | ValueError):
            return JournalError(
                f"the journal {self._path or ':memory:'} cannot be used: {error}",
                hint="check that the file is sound, its disk has room and its folder is writable",
            )
        return error

    # -- taking turns ------------------------------------------------------------------------------

    def _done(self, task: _Task, *, closes: bool = False) -> Any:
        try:
            with self._guard:
                if self._closed:
                    raise JournalError("the journal is closed")
                self._closed = closes
                self._queue.append(task)
                self._leader = self._leader or task
                leads = self._leader is task
            if not leads:
                task.woken.acquire()
            if not task.answered:
                self._lead(task)
        finally:  # also after ^C, wherever it came
            self._hand_on(task)
        if task.error is not None:
            raise task.error
        return task.result

    def _lead(self, mine: _Task) -> None:
        batch: list[_Task] = []
        try:
            if self._usual > 1 and not mine.looks:
                time.sleep(_GATHER)
            with self._guard:
                batch, self._queue = self._queue, batch
            self._serve(batch)
        except BaseException:  # ^C: nothing of it has happened; the others' is done by the next of them
            with self._guard:
                self._queue[:0] = [task for task in batch if not task.answered and task is not mine]
            self._roll_back()
            raise

    def _hand_on(self, task: _Task) -> None:
        """Nobody waits for `task` any more; if it was the leader, the next of those who wait leads."""
        with self._guard:
            if task in self._queue:  # given up before it had begun
                self._queue.remove(task)
            if self._leader is task:
                self._leader = self._queue[0] if self._queue else None
                if self._leader is not None:
                    self._leader.woken.release()

    # -- whoever leads -----------------------------------------------------------------------------

    def _serve(self, tasks: Sequence[_Task]) -> None:
        """First the looks: they see what is committed, or may be lost."""
        writes = []
        for task in tasks:
            if not task.looks:
                writes.append(task)
                continue
            try:
                task.answer(task.operation(self._connection))
            except Exception as error:  # noqa: BLE001  whatever it is belongs to the caller
                task.answer(None, self.fault(error))
        if writes:
            self._write(writes)

    def _write(self, writes: Sequence[_Task]) -> None:
        try:
            results = self._transact(writes)
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the callers
            everything = [*self._unsaved, *writes]
            self._roll_back()
            if len(everything) == 1 or isinstance(error, sqlite3.OperationalError):  # locked, disk full, …
                for task in everything:
                    task.answer(None, self.fault(error))
            else:  # one of them is at fault: each gets a transaction of its own
                for task in everything:
                    self._write([task])
            return
        for task, result in zip(writes, results, strict=True):
            task.answer(result)

    def _transact(self, writes: Sequence[_Task]) -> list[Any]:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        results = [task.operation(self._connection) for task in writes]
        if any(task.durable for task in writes):
            _commit(self._connection)
            self._usual = len(writes)
            self._unsaved.clear()
        else:
            self._unsaved += writes
            self._commit_soon()
        return results

    def _roll_back(self) -> None:
        self._unsaved.clear()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    # -- what nobody waits for -----------------------------------------------------------------------

    def _commit_soon(self) -> None:
        if self._committer is None:
            self._committer = threading.Thread(target=self._commit_later, name="aicp-journal", daemon=True)
            self._committer.start()
        if not self._left.is_set():
            self._left.set()

    def _commit_later(self) -> None:
        while self._left.wait():
            self._left.clear()  # first: what is left from now on, or that it is over, is seen next time
            if self._gone.wait(_LINGER):
                return
            if self._unsaved:
                with suppress(JournalError):  # closed, and committed, by now; or each next call says it
                    self.call(_nothing)


def _open(path: Path | None, migrations: Sequence[str], *, sole: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _refuse_newer(connection, len(migrations))  # before anything could change the file
        safe = sole or wal_is_safe(sqlite3.sqlite_version_info)
        connection.execute(f"PRAGMA journal_mode={'WAL' if safe else 'TRUNCATE'}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")  # macOS: fsync alone does not reach the disk
        _migrate(connection, migrations)
    except BaseException:  # ^C as well; it goes on after the clearing up
        connection.close()
        raise
    return connection


def _commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


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

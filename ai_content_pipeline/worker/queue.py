"""The jobs and their states, in SQLite: what was accepted is there after a `kill -9`.

queued → running → completed | failed | cancelled. A state that ends is written in one transaction with the
callback that tells of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ai_content_pipeline.generation.rows import micros
from ai_content_pipeline.generation.writer import Writer
from ai_content_pipeline.worker.faults import Code, Fault
from ai_content_pipeline.worker.redaction import redacted
from ai_content_pipeline.worker.rows import (
    COLUMNS,
    LOOK,
    Bounds,
    Conflict,
    Ending,
    Full,
    New,
    Row,
    State,
    read,
    row_of,
)
from ai_content_pipeline.worker.tables import MIGRATIONS

#: Bytes of all waiting jobs together; data: URIs are the most of it.
_WAITING_BYTES = 2 << 30


_WAITING_USERS = """
    SELECT DISTINCT user_id FROM job AS waiting WHERE state = 'queued' AND (? IS NULL OR
        (SELECT COUNT(*) FROM job WHERE user_id = waiting.user_id AND state = 'running') < ?)
"""
_NEXT_USER = f"""
    SELECT user_id FROM ({_WAITING_USERS}) LEFT JOIN turn USING (user_id)
    ORDER BY COALESCE(served, 0), user_id LIMIT 1
"""  # noqa: S608  a constant
_TAKE_TURN = "INSERT OR REPLACE INTO turn VALUES (?, (SELECT COALESCE(MAX(served), 0) + 1 FROM turn))"
_CLAIM = f"""
    UPDATE job SET state = 'running', attempts = attempts + 1, started_at = ? WHERE id = (
        SELECT id FROM job WHERE user_id = ? AND state = 'queued' ORDER BY priority DESC, sequence LIMIT 1)
    RETURNING {COLUMNS}
"""  # noqa: S608  a constant
_ADD = f"""
    INSERT INTO job (id, sequence, user_id, type, priority, fingerprint, body, size, callback_url, mode,
        warnings, state, created_at)
    VALUES (?, (SELECT COALESCE(MAX(sequence), 0) + 1 FROM job), ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?)
    RETURNING {COLUMNS}
"""  # noqa: S608  a constant

#: The newest job that is not among the newest n.
_NEWEST = "SELECT sequence FROM job ORDER BY sequence DESC LIMIT 1 OFFSET ?"
_OLD = """
    SELECT user_id, id FROM job
    WHERE ended_at IS NOT NULL AND (ended_at < ? OR sequence <= ?)
        AND sequence < (SELECT MAX(sequence) FROM job)
        AND NOT EXISTS (SELECT 1 FROM callback WHERE callback.id = 'msg_' || job.id AND state = 'pending')
    LIMIT ?
"""

_CANCELLED = Ending(State.CANCELLED, fault=Fault.of(Code.CANCELLED, "cancelled"))


class Queue:
    """Used from many threads of the one process that has the workspace. `path` None: in memory."""

    def __init__(self, path: Path | None) -> None:
        self._writer = Writer(path, MIGRATIONS, sole=True)  # `occupancy` and `redelivery` see to that
        self.call = self._writer.call
        self.look = self._writer.look

    def close(self) -> None:
        self._writer.close()

    def put(self, new: New, bounds: Bounds, now: datetime) -> tuple[Row, bool]:
        """The job, and whether it is new.

        Raises:
            Conflict: the id is another job's.
            Full: too many wait.
        """

        def operation(db: sqlite3.Connection) -> tuple[Row, bool]:
            known = row_of(db, new.id, LOOK)
            if known is not None:
                if known.fingerprint != new.fingerprint:
                    raise Conflict(f"another job has the id {new.id}", hint="give this one an id of its own")
                return known, False
            _check_room(db, new, bounds)
            (added,) = db.execute(
                _ADD,
                (
                    new.id, new.user_id, new.type, new.priority, new.fingerprint, new.body, len(new.body),
                    new.callback_url, new.mode, json.dumps(list(new.warnings)), micros(now),
                ),
            ).fetchall()  # fmt: skip
            return read(added), True

        return self.call(operation)

    def job(self, job_id: str) -> Row | None:
        return self.look(lambda db: row_of(db, job_id, LOOK))

    def jobs(self, state: State | None, user_id: str | None, before: int | None, limit: int) -> list[Row]:
        """The newest first; `before` a sequence number, for the next page."""
        wanted = {"state = ?": state, "user_id = ?": user_id, "sequence < ?": before}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        query = f"{LOOK}{where} ORDER BY sequence DESC LIMIT ?"
        return self.look(lambda db: [read(row) for row in db.execute(query, (*given.values(), limit))])

    def claim(self, bounds: Bounds, now: datetime) -> Row | None:
        """The next job, running from now on: of the user who was served longest ago, the most urgent."""
        limit = bounds.running_per_user

        def operation(db: sqlite3.Connection) -> Row | None:
            found = db.execute(_NEXT_USER, (limit, limit)).fetchone()
            if found is None:
                return None
            db.execute(_TAKE_TURN, found)
            (claimed,) = db.execute(_CLAIM, (micros(now), *found)).fetchall()
            return read(claimed)

        # Lost with the machine, it is a job that waits: nobody need wait for the disk.
        return self.call(operation, durable=False)

    def end(self, job_id: str, ending: Ending, now: datetime) -> Row | None:
        """Write the end of a running job, and its callback; None if it has ended already. What comes back
        still has its `callback_url`, where somebody is to be told."""

        def operation(db: sqlite3.Connection) -> Row | None:
            return _end(db, job_id, ending, now, only=State.RUNNING)

        return self.call(operation)

    def requeue(self, job_id: str, now: datetime) -> Row | None:
        """Give a running job back, as if it had not been tried: the worker ends, and not because of it.

        Returns a job that was asked to stop, and so has ended instead.
        """

        def operation(db: sqlite3.Connection) -> Row | None:
            row = row_of(db, job_id)
            if row is not None and row.cancelling:
                return _end(db, job_id, _CANCELLED, now, only=State.RUNNING)
            db.execute(
                "UPDATE job SET state = 'queued', attempts = attempts - 1, started_at = NULL"
                " WHERE id = ? AND state = 'running'",
                (job_id,),
            )
            return None

        return self.call(operation)

    def cancel(self, job_id: str, now: datetime) -> tuple[Row | None, bool]:
        """End a waiting job, and whether that was now; have a running one end. None where there is no such
        job."""

        def operation(db: sqlite3.Connection) -> tuple[Row | None, bool]:
            ending = Ending(State.CANCELLED, fault=Fault.of(Code.CANCELLED, "cancelled before it started"))
            if (ended := _end(db, job_id, ending, now, only=State.QUEUED)) is not None:
                return ended, True
            db.execute("UPDATE job SET cancelling = 1 WHERE id = ? AND state = 'running'", (job_id,))
            return row_of(db, job_id, LOOK), False

        return self.call(operation)

    def recover(self, attempts: int, now: datetime) -> list[Row]:
        """After a start: jobs that ran are queued again, and those that were tried too often have failed.

        Returns the latter.
        """
        words = f"the worker ended {attempts} times while it ran"

        def operation(db: sqlite3.Connection) -> list[Row]:
            ended = []
            stale = db.execute("SELECT id, attempts, cancelling FROM job WHERE state = 'running'").fetchall()
            for job_id, tried, cancelling in stale:
                ending = None
                if cancelling:
                    ending = _CANCELLED
                elif tried >= attempts:
                    ending = Ending(State.FAILED, fault=Fault.of(Code.ATTEMPTS, words))
                if ending is None:
                    db.execute("UPDATE job SET state = 'queued', started_at = NULL WHERE id = ?", (job_id,))
                elif (row := _end(db, job_id, ending, now, only=State.RUNNING)) is not None:
                    ended.append(row)
            return ended

        return self.call(operation)

    def old(self, before: datetime, keep: int, limit: int) -> list[tuple[str, str]]:
        """User and id of at most `limit` jobs that ended before then, or that are not among the newest
        `keep`. One whose callback waits is not among them, nor the very last: sequence numbers go on from it.
        """

        def operation(db: sqlite3.Connection) -> list[tuple[str, str]]:
            found = db.execute(_NEWEST, (keep,)).fetchone()
            return db.execute(_OLD, (micros(before), found[0] if found else 0, limit)).fetchall()

        return self.look(operation)

    def forget(self, ids: Sequence[str]) -> None:
        """Take these jobs and their callbacks out of the queue."""
        jobs, messages = [(one,) for one in ids], [(f"msg_{one}",) for one in ids]

        def operation(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM callback WHERE id = ?", messages)
            db.executemany("DELETE FROM job WHERE id = ?", jobs)

        self.call(operation)

    def counts(self) -> dict[State, int]:
        """How many jobs wait and run."""
        query = "SELECT state, COUNT(*) FROM job WHERE state IN ('queued', 'running') GROUP BY state"
        found = dict(self.look(lambda db: db.execute(query).fetchall()))
        return {state: found.get(state, 0) for state in (State.QUEUED, State.RUNNING)}


def _check_room(db: sqlite3.Connection, new: New, bounds: Bounds) -> None:
    query = (
        "SELECT COUNT(*), COALESCE(SUM(size), 0), COALESCE(SUM(user_id = ?), 0) FROM job"
        " WHERE state = 'queued'"
    )
    count, size, own = db.execute(query, (new.user_id,)).fetchone()
    if count >= bounds.backlog or size + len(new.body) > _WAITING_BYTES:
        raise Full(f"{count} jobs are waiting, which is as many as may", hint="send it again later")
    if own >= bounds.per_user:
        raise Full(f"{own} jobs of {new.user_id} are waiting, which is as many as may", hint="send it later")


def _end(db: sqlite3.Connection, job_id: str, ending: Ending, now: datetime, *, only: State) -> Row | None:
    row = row_of(db, job_id)
    if row is None or row.state is not only:
        return None
    fault, body = ending.fault, json.dumps(redacted(json.loads(row.body)))
    db.execute(
        "UPDATE job SET state = ?, assets = ?, error = ?, seconds = ?, ended_at = ?, body = ?, size = 0,"
        " callback_url = NULL WHERE id = ?",
        (
            ending.state.value, json.dumps(list(ending.assets)), json.dumps(fault.json()) if fault else None,
            ending.seconds, micros(now), body, job_id,
        ),
    )  # fmt: skip
    if row.callback_url is not None:
        db.execute(
            "INSERT INTO callback (id, job_id, url, state, due_at) VALUES (?, ?, ?, 'pending', ?)",
            (f"msg_{row.id}", row.id, row.callback_url, micros(now)),
        )
    return replace(
        row,
        body=body,
        state=ending.state,
        assets=list(ending.assets),
        fault=fault,
        seconds=ending.seconds,
        ended_at=now,
    )

"""The store of one machine: one SQLite file, one writer thread. Tables in `schema`, threads in `writer`."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation import rows
from ai_content_pipeline.generation.rows import dump, micros, moment
from ai_content_pipeline.generation.schema import MIGRATIONS
from ai_content_pipeline.generation.store import (
    MOVES,
    OPEN,
    Cap,
    Claim,
    Claimed,
    Delivered,
    Job,
    Run,
    Spend,
    State,
)
from ai_content_pipeline.generation.writer import Writer
from ai_content_pipeline.jobs import Billed, Handle, Reason, Upload

_ALREADY = {
    State.INTENT: Claimed.BUSY,
    State.SUBMITTED: Claimed.BUSY,
    State.FINISHED: Claimed.BUSY,
    State.DONE: Claimed.DONE,
    State.IN_DOUBT: Claimed.DOUBT,
    State.FAILED: Claimed.FAILED,
    State.GONE: Claimed.FAILED,
    State.ABANDONED: Claimed.FAILED,
}


class SqliteStore:
    """`Store` in a file (`path`), or in memory for a plan that must leave nothing behind (None)."""

    def __init__(self, path: Path | None, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._writer = Writer(path, migrations)
        self._project = self._writer.call(_project_id)

    @property
    def project(self) -> str:
        return self._project

    def close(self) -> None:
        self._writer.close()

    # -- the state machine -----------------------------------------------------------------------

    def claim(self, claim: Claim, now: datetime) -> Claimed:
        return self._writer.call(lambda db: _claim(db, claim, micros(now)))

    def submitted(self, key: str, owner: str, handle: Handle, now: datetime) -> None:
        def operation(db: sqlite3.Connection) -> None:
            _owned(db, key, owner)
            _move(
                db, key, State.SUBMITTED, request_id=handle.request_id,
                handle=dump(dict(handle.data)), submitted_at=micros(now),
            )  # fmt: skip

        self._writer.call(operation)

    def released(self, key: str, owner: str, message: str, now: datetime) -> None:
        def operation(db: sqlite3.Connection) -> None:
            _owned(db, key, owner)
            _move(db, key, State.PENDING, message=message, request_id=None, handle=None)
            _settle(db, key, "released", 0)

        self._writer.call(operation)

    def doubted(self, key: str, owner: str, message: str, now: datetime) -> None:
        def operation(db: sqlite3.Connection) -> None:
            _owned(db, key, owner)
            _move(db, key, State.IN_DOUBT, message=message)
            db.execute("UPDATE charge SET status='in_doubt' WHERE key=? AND status='reserved'", (key,))

        self._writer.call(operation)

    def finished(
        self, key: str, urls: Sequence[str], units: Decimal | None, cost: int | None,
        expires: datetime | None, notes: Sequence[str], now: datetime,
    ) -> None:  # fmt: skip
        def operation(db: sqlite3.Connection) -> None:
            _move(
                db, key, State.FINISHED, urls=dump(list(urls)), notes=dump(list(notes)),
                units=None if units is None else str(units), cost=cost, billed=Billed.YES.value,
                expires=None if expires is None else micros(expires),
            )  # fmt: skip
            _settle(db, key, "settled", cost)

        self._writer.call(operation)

    def done(self, key: str, artifacts: Sequence[Artifact], now: datetime) -> None:
        stored = rows.dump_artifacts(artifacts)
        self._writer.call(
            lambda db: _move(
                db, key, State.DONE, artifacts=stored, ended_at=micros(now), reason=None, message=None
            )
        )

    def failed(self, key: str, reason: Reason, message: str, billed: Billed, now: datetime) -> None:
        def operation(db: sqlite3.Connection) -> None:
            _move(
                db, key, State.FAILED, reason=reason.value, message=message, billed=billed.value,
                ended_at=micros(now),
            )  # fmt: skip
            if billed is Billed.NO:
                _settle(db, key, "released", 0)
            else:
                _settle(db, key, "settled", None)

        self._writer.call(operation)

    def gone(self, key: str, message: str, now: datetime) -> None:
        def operation(db: sqlite3.Connection) -> None:
            _move(db, key, State.GONE, reason=Reason.GONE.value, message=message, ended_at=micros(now))
            _settle(db, key, "settled", None)

        self._writer.call(operation)

    def adopted(self, key: str, owner: str, handle: Handle, now: datetime) -> bool:
        def operation(db: sqlite3.Connection) -> bool:
            taken = db.execute(
                "SELECT 1 FROM job AS other JOIN job AS mine ON mine.provider = other.provider"
                " WHERE mine.key=? AND other.request_id=?",
                (key, handle.request_id),
            ).fetchone()
            if taken:
                return False
            _move(
                db, key, State.SUBMITTED, owner=owner, request_id=handle.request_id,
                handle=dump(dict(handle.data)), submitted_at=micros(now), message=None,
            )  # fmt: skip
            db.execute("UPDATE charge SET status='reserved' WHERE key=? AND status='in_doubt'", (key,))
            return True

        return self._writer.call(operation)

    def undoubted(self, key: str, *, abandon: bool, spent: bool, now: datetime) -> bool:
        def operation(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT state FROM job WHERE key=?", (key,)).fetchone()
            if row is None or row[0] != State.IN_DOUBT.value:
                return False  # another process was quicker; what it did stands
            if abandon:
                _move(db, key, State.ABANDONED, ended_at=micros(now))
            else:
                _move(db, key, State.PENDING)
            status, settled = ("abandoned", None) if spent else ("released", 0)
            _settle(db, key, status, settled)
            return True

        return self._writer.call(operation)

    def take_over(self, key: str, old: str, new: str) -> bool:
        def operation(db: sqlite3.Connection) -> bool:
            states = ",".join(f"'{state.value}'" for state in (*OPEN, State.IN_DOUBT))
            cursor = db.execute(
                f"UPDATE job SET owner=? WHERE key=? AND owner=? AND state IN ({states})",  # noqa: S608  our constants
                (new, key, old),
            )
            return cursor.rowcount == 1

        return self._writer.call(operation)

    def refetch(self, key: str, owner: str) -> bool:
        def operation(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT state, reason, urls FROM job WHERE key=?", (key,)).fetchone()
            if row is None or row[2] == "[]":
                return False
            if row[0] != State.DONE.value and row[1] != Reason.BAD_OUTPUT.value:
                return False
            _move(db, key, State.FINISHED, owner=owner)
            return True

        return self._writer.call(operation)

    # -- looking ---------------------------------------------------------------------------------

    def job(self, key: str) -> Job | None:
        def operation(db: sqlite3.Connection) -> Job | None:
            row = db.execute(f"SELECT {rows.JOB_COLUMNS} FROM job WHERE key=?", (key,)).fetchone()  # noqa: S608
            return row and rows.job(row)

        return self._writer.call(operation)

    def jobs(self, states: Iterable[State]) -> list[Job]:
        names = ",".join(f"'{state.value}'" for state in states)
        return self._select(f"state IN ({names}) ORDER BY intent_at, key")

    def takes(self, lineage: str) -> list[Job]:
        return self._select("lineage=? ORDER BY take", lineage)

    def _select(self, where: str, *arguments: str) -> list[Job]:
        query = f"SELECT {rows.JOB_COLUMNS} FROM job WHERE {where}"  # noqa: S608  only our own constants
        return self._writer.call(lambda db: [rows.job(row) for row in db.execute(query, arguments)])

    def handles(self, provider: str) -> set[str]:
        query = "SELECT request_id FROM job WHERE provider=? AND request_id IS NOT NULL"
        return self._writer.call(lambda db: {row[0] for row in db.execute(query, (provider,))})

    def committed(self, cap: Cap) -> int:
        return self._writer.call(lambda db: _committed(db, cap))

    def spend(self) -> list[Spend]:
        query = """
            SELECT run, model, date(at / 1000000, 'unixepoch'), count(*), coalesce(sum(reserved), 0),
                coalesce(sum(CASE status WHEN 'reserved' THEN reserved END), 0), coalesce(sum(reported), 0),
                coalesce(sum(CASE WHEN status IN ('in_doubt', 'abandoned') THEN reserved END), 0),
                sum(reserved IS NULL AND reported IS NULL)
            FROM charge WHERE status <> 'released' GROUP BY 1, 2, 3 ORDER BY 3, 1, 2"""
        return self._writer.call(lambda db: [Spend(*row) for row in db.execute(query)])

    def timings(self, endpoint: str, limit: int = 50) -> list[float]:
        query = """
            SELECT (ended_at - intent_at) / 1e6 FROM job
            WHERE endpoint=? AND state='done' AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ?"""
        return self._writer.call(lambda db: [row[0] for row in db.execute(query, (endpoint, limit))])

    def upload(self, provider: str, sha256: str, now: datetime) -> Upload | None:
        query = """
            SELECT url, expires FROM upload
            WHERE provider=? AND sha256=? AND (expires IS NULL OR expires > ?)"""

        def operation(db: sqlite3.Connection) -> Upload | None:
            row = db.execute(query, (provider, sha256, micros(now))).fetchone()
            return row and Upload(row[0], moment(row[1]))

        return self._writer.call(operation)

    def uploaded(self, provider: str, sha256: str, upload: Upload) -> None:
        expires = None if upload.expires is None else micros(upload.expires)
        self._execute(
            "INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?)", provider, sha256, upload.url, expires
        )

    # -- local results, takes, runs, delivered files ---------------------------------------------------

    def local(self, key: str) -> tuple[Artifact, ...] | None:
        def operation(db: sqlite3.Connection) -> tuple[Artifact, ...] | None:
            row = db.execute("SELECT artifacts FROM local WHERE key=?", (key,)).fetchone()
            return row and rows.load_artifacts(row[0])

        return self._writer.call(operation)

    def local_done(self, key: str, artifacts: Sequence[Artifact]) -> None:
        self._execute("INSERT OR REPLACE INTO local VALUES (?, ?)", key, rows.dump_artifacts(artifacts))

    def current_take(self, lineage: str) -> int:
        query = """
            SELECT coalesce(max(redo.take), 0) FROM redo JOIN job USING (lineage, take)
            WHERE redo.lineage=? AND job.state='done'"""
        return self._writer.call(lambda db: int(db.execute(query, (lineage,)).fetchone()[0]))

    def redo_take(self, lineage: str, run: str, address: str) -> int:
        return self._writer.call(lambda db: _redo_take(db, lineage, run, address))

    def begin(self, run: Run, redo: str | None) -> Run:
        return self._writer.call(lambda db: _begin(db, run, redo))

    def end(self, run: str, exit_code: int, now: datetime) -> None:
        self._execute("UPDATE run SET ended=?, exit_code=? WHERE id=?", micros(now), exit_code, run)

    def delivered(self, output_dir: str, pipeline: str) -> dict[str, Delivered]:
        query = "SELECT path, sha256, size, mtime_ns FROM delivered WHERE output_dir=? AND pipeline=?"
        return self._writer.call(
            lambda db: {row[0]: Delivered(*row) for row in db.execute(query, (output_dir, pipeline))}
        )

    def deliver(self, output_dir: str, pipeline: str, files: Sequence[Delivered]) -> None:
        values = [(output_dir, f.path, pipeline, f.sha256, f.size, f.mtime_ns) for f in files]
        query = "INSERT OR REPLACE INTO delivered VALUES (?, ?, ?, ?, ?, ?)"
        self._writer.call(lambda db: db.executemany(query, values))

    def undeliver(self, output_dir: str, path: str) -> None:
        self._execute("DELETE FROM delivered WHERE output_dir=? AND path=?", output_dir, path)

    def _execute(self, query: str, *arguments: str | int | None) -> None:
        self._writer.call(lambda db: db.execute(query, arguments))


# -- operations: each runs inside one transaction ----------------------------------------------------------


def _project_id(db: sqlite3.Connection) -> str:
    db.execute("INSERT OR IGNORE INTO meta VALUES ('project', ?)", (secrets.token_hex(8),))
    return str(db.execute("SELECT value FROM meta WHERE name='project'").fetchone()[0])


def _claim(db: sqlite3.Connection, claim: Claim, now: int) -> Claimed:
    row = db.execute("SELECT state, billed FROM job WHERE key=?", (claim.key,)).fetchone()
    if row is not None:
        state, billed = State(row[0]), Billed(row[1])
        retry = state is State.PENDING or (state is State.FAILED and billed is Billed.NO)
        if not retry:
            return _ALREADY[state]
    if claim.reserve is not None and any(
        _committed(db, cap) + claim.reserve > cap.micro for cap in claim.caps
    ):
        return Claimed.CAP
    _insert_intent(db, claim, now)
    return Claimed.MINE


def _insert_intent(db: sqlite3.Connection, claim: Claim, now: int) -> None:
    columns = {
        "key": claim.key, "lineage": claim.lineage, "take": claim.take, "provider": claim.provider,
        "endpoint": claim.endpoint, "state": State.INTENT.value, "description": dump(dict(claim.description)),
        "wire": rows.dump_wire(claim.wire), "outputs": claim.outputs, "run": claim.run,
        "address": claim.address, "owner": claim.owner, "reserved": claim.reserve, "intent_at": now,
    }  # fmt: skip
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    db.execute(f"INSERT OR REPLACE INTO job ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
    db.execute(
        "INSERT INTO charge (key, run, model, at, reserved, status) VALUES (?, ?, ?, ?, ?, 'reserved')",
        (claim.key, claim.run, str(claim.description.get("model", claim.endpoint)), now, claim.reserve),
    )


def _owned(db: sqlite3.Connection, key: str, owner: str) -> None:
    """Two processes must never both think that they hold a job: that is how money is lost."""
    row = db.execute("SELECT owner FROM job WHERE key=?", (key,)).fetchone()
    if row is None or row[0] != owner:
        raise JournalError(f"job {key[:12]} belongs to another process; this one must not touch it")


def _move(db: sqlite3.Connection, key: str, to: State, **columns: str | int | None) -> None:
    row = db.execute("SELECT state FROM job WHERE key=?", (key,)).fetchone()
    state = None if row is None else State(row[0])
    if state is None or to not in MOVES[state]:
        raise JournalError(
            f"job {key[:12]} cannot go from {state} to {to}: the journal and this process disagree"
        )
    columns["state"] = to.value
    assignments = ", ".join(f"{name}=?" for name in columns)
    db.execute(f"UPDATE job SET {assignments} WHERE key=?", (*columns.values(), key))  # noqa: S608  our column names


def _settle(db: sqlite3.Connection, key: str, status: str, reported: int | None) -> None:
    """Close the open charge of `key`: at what the vendor reported, else at what was reserved."""
    db.execute(
        "UPDATE charge SET status=?, reported=?, settled=coalesce(?, reserved)"
        " WHERE key=? AND status IN ('reserved', 'in_doubt')",
        (status, reported, reported, key),
    )


def _committed(db: sqlite3.Connection, cap: Cap) -> int:
    where, value = ("run=?", cap.run) if cap.since is None else ("at>=?", micros(cap.since))
    query = f"SELECT coalesce(sum(coalesce(settled, reserved)), 0) FROM charge WHERE {where}"  # noqa: S608
    return int(db.execute(query, (value,)).fetchone()[0])


def _redo_take(db: sqlite3.Connection, lineage: str, run: str, address: str) -> int:
    row = db.execute(
        "SELECT redo.take, job.state FROM redo LEFT JOIN job USING (lineage, take)"
        " WHERE redo.lineage=? AND redo.run=? AND redo.address=? ORDER BY redo.take DESC",
        (lineage, run, address),
    ).fetchone()
    if row is not None and row[1] not in (State.FAILED.value, State.GONE.value, State.ABANDONED.value):
        return int(row[0])
    newest = db.execute(
        "SELECT max(take) FROM (SELECT take FROM job WHERE lineage=?1"
        " UNION ALL SELECT take FROM redo WHERE lineage=?1)",
        (lineage,),
    ).fetchone()[0]
    take = int(newest or 0) + 1
    db.execute("INSERT INTO redo VALUES (?, ?, ?, ?)", (lineage, take, run, address))
    return take


def _begin(db: sqlite3.Connection, run: Run, redo: str | None) -> Run:
    row = db.execute(
        "SELECT id, started FROM run WHERE pipeline=? AND output_dir=? AND redo IS ?"
        " ORDER BY started DESC, rowid DESC LIMIT 1",
        (run.pipeline, run.output_dir, redo),
    ).fetchone()
    unfinished = (
        row
        and db.execute(
            "SELECT 1 FROM run WHERE id=? AND (ended IS NULL OR exit_code <> 0)", (row[0],)
        ).fetchone()
    )
    if unfinished:
        db.execute("UPDATE run SET ended=NULL, exit_code=NULL WHERE id=?", (row[0],))
        return Run(row[0], run.pipeline, run.output_dir, moment(row[1]) or run.started)
    db.execute(
        "INSERT INTO run (id, pipeline, output_dir, redo, started) VALUES (?, ?, ?, ?, ?)",
        (run.id, run.pipeline, run.output_dir, redo, micros(run.started)),
    )
    return run

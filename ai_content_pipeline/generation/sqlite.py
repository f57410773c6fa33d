"""The store of one machine: a SQLite file. Tables: `schema`; state machine: `moves`; threads: `writer`."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.generation import bills, moves, rows
from ai_content_pipeline.generation.bills import Bill
from ai_content_pipeline.generation.moves import SELECT_JOB, Known, Row, Value, move, settle
from ai_content_pipeline.generation.rows import dump, micros, moment, text
from ai_content_pipeline.generation.schema import MIGRATIONS
from ai_content_pipeline.generation.store import (
    OPEN,
    Cap,
    Claim,
    Claimed,
    Delivered,
    Ending,
    Job,
    Run,
    Spend,
    State,
)
from ai_content_pipeline.generation.writer import Writer
from ai_content_pipeline.jobs import Billed, Handle, Reason, Upload


class SqliteStore:
    """`Store` in a file (`path`), or in memory for a plan that must leave nothing behind (None)."""

    def __init__(self, path: Path | None, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._writer = Writer(path, migrations)
        self._known: Known = {}
        self._project = self._writer.call(_project_id)

    @property
    def project(self) -> str:
        return self._project

    def close(self) -> None:
        self._writer.close()

    # -- the state machine -----------------------------------------------------------------------

    def claim(self, claim: Claim, now: datetime) -> Claimed:
        return self._writer.call(
            lambda db: moves.claim(db, self._known, claim, micros(now)), durable=claim.durable
        )

    def submitted(self, key: str, owner: str, handle: Handle, now: datetime, *, durable: bool = True) -> Job:
        columns = rows.accepted(handle, now)
        return self._moved(
            lambda db: move(db, self._known, key, State.SUBMITTED, owner, **columns), durable=durable
        )

    def released(self, key: str, owner: str, message: str, now: datetime) -> Job:
        def operation(db: sqlite3.Connection) -> Row:
            settle(db, key, "released", 0)
            return move(
                db,
                self._known,
                key,
                State.PENDING,
                owner,
                message=text(message),
                request_id=None,
                handle=None,
            )

        return self._moved(operation)

    def doubted(self, key: str, owner: str, message: str, now: datetime) -> Job:
        def operation(db: sqlite3.Connection) -> Row:
            db.execute("UPDATE charge SET status='in_doubt' WHERE key=? AND status='reserved'", (key,))
            return move(db, self._known, key, State.IN_DOUBT, owner, message=text(message))

        return self._moved(operation)

    def finished(self, key: str, ending: Ending) -> Job:
        return self._moved(lambda db: moves.finish(db, self._known, key, ending))

    def done(
        self,
        key: str,
        artifacts: Sequence[Artifact],
        now: datetime,
        ending: Ending | None = None,
        notes: Sequence[str] | None = None,
    ) -> Job:
        columns: dict[str, Value] = {"artifacts": rows.dump_artifacts(artifacts), "ended_at": micros(now)}
        if notes is not None:
            columns["notes"] = dump(list(notes))
        return self._moved(lambda db: moves.complete(db, self._known, key, ending, columns))

    def failed(
        self, key: str, reason: Reason, message: str, billed: Billed, now: datetime,
        artifacts: Sequence[Artifact | None] = (),
    ) -> Job:  # fmt: skip
        good = {"artifacts": rows.dump_artifacts(artifacts)} if artifacts else {}

        def operation(db: sqlite3.Connection) -> Row:
            if billed is Billed.NO:
                settle(db, key, "released", 0)
            else:
                settle(db, key, "settled", None)
            return move(
                db, self._known, key, State.FAILED, reason=reason.value, message=text(message),
                billed=billed.value, ended_at=micros(now), **good,
            )  # fmt: skip

        return self._moved(operation)

    def gone(self, key: str, message: str, now: datetime) -> Job:
        def operation(db: sqlite3.Connection) -> Row:
            settle(db, key, "settled", None)
            return move(
                db,
                self._known,
                key,
                State.GONE,
                reason=Reason.GONE.value,
                message=text(message),
                ended_at=micros(now),
            )

        return self._moved(operation)

    def adopted(self, key: str, owner: str, handle: Handle, now: datetime) -> bool:
        columns = rows.accepted(handle, now)

        def operation(db: sqlite3.Connection) -> bool:
            mine = self._in_doubt(db, key, owner)
            if mine is None:
                return False
            taken = db.execute(
                "SELECT 1 FROM job WHERE provider=? AND request_id=?", (mine[0], columns["request_id"])
            ).fetchone()
            if taken:
                return False
            db.execute("UPDATE charge SET status='reserved' WHERE key=? AND status='in_doubt'", (key,))
            move(db, self._known, key, State.SUBMITTED, owner, message=None, **columns)
            return True

        return self._writer.call(operation)

    def undoubted(
        self, key: str, *, abandon: bool, spent: bool, now: datetime, owner: str | None = None
    ) -> bool:
        def operation(db: sqlite3.Connection) -> bool:
            if self._in_doubt(db, key, owner) is None:
                return False
            if abandon:
                move(db, self._known, key, State.ABANDONED, ended_at=micros(now))
            else:
                move(db, self._known, key, State.PENDING)
            status, settled = ("abandoned", None) if spent else ("released", 0)
            settle(db, key, status, settled)
            return True

        return self._writer.call(operation)

    @staticmethod
    def _in_doubt(db: sqlite3.Connection, key: str, owner: str | None) -> tuple[str] | None:
        """The provider of `key`, if it is still in doubt and `owner`'s: somebody may have been quicker."""
        query = "SELECT provider FROM job WHERE key=?1 AND state='in_doubt' AND coalesce(?2, owner)=owner"
        row: tuple[str] | None = db.execute(query, (key, owner)).fetchone()
        return row

    def take_over(self, key: str, old: str, new: str) -> bool:
        def operation(db: sqlite3.Connection) -> bool:
            states = ",".join(f"'{state.value}'" for state in (*OPEN, State.IN_DOUBT))
            self._known.pop(key, None)
            cursor = db.execute(
                f"UPDATE job SET owner=? WHERE key=? AND owner=? AND state IN ({states})",  # noqa: S608  our constants
                (new, key, old),
            )
            return cursor.rowcount == 1

        return self._writer.call(operation)

    def refetch(self, key: str, owner: str) -> bool:
        query = """
            SELECT 1 FROM job
            WHERE key=? AND (state='done' OR (state='failed' AND reason='bad_output'))"""

        def operation(db: sqlite3.Connection) -> bool:
            if db.execute(query, (key,)).fetchone() is None:
                return False
            move(db, self._known, key, State.FINISHED, owner=owner)
            return True

        return self._writer.call(operation)

    def _moved(self, operation: Callable[[sqlite3.Connection], Row], *, durable: bool = True) -> Job:
        return self._job(self._writer.call(operation, durable=durable))

    def _job(self, row: Row) -> Job:
        """Made in the caller's thread: all of them wait for the writer's."""
        try:
            return rows.job(row)
        except ValueError as error:
            raise self._writer.fault(error) from error

    # -- looking ---------------------------------------------------------------------------------

    def job(self, key: str) -> Job | None:
        row = self._writer.look(lambda db: db.execute(f"{SELECT_JOB} WHERE key=?", (key,)).fetchone())
        return row and self._job(row)

    def jobs(self, states: Iterable[State]) -> list[Job]:
        names = ",".join(f"'{state.value}'" for state in states)
        return self._select(f"state IN ({names}) ORDER BY intent_at, key")

    def takes(self, lineage: str) -> list[Job]:
        return self._select("lineage=? ORDER BY take", lineage)

    def _select(self, where: str, *arguments: str) -> list[Job]:
        query = f"{SELECT_JOB} WHERE {where}"
        found = self._writer.look(lambda db: db.execute(query, arguments).fetchall())
        return [self._job(row) for row in found]

    def handles(self, provider: str) -> set[str]:
        query = "SELECT request_id FROM job WHERE provider=? AND request_id IS NOT NULL"
        return self._writer.look(lambda db: {row[0] for row in db.execute(query, (provider,))})

    def committed(self, cap: Cap) -> int:
        return self._writer.look(lambda db: moves.committed(db, cap))

    def spend(self) -> list[Spend]:
        query = """
            SELECT charge.run, model, date(at / 1000000, 'unixepoch'), count(*),
                coalesce(sum(charge.reserved), 0),
                coalesce(sum(CASE status WHEN 'reserved' THEN charge.reserved END), 0),
                coalesce(sum(reported), 0),
                coalesce(sum(CASE WHEN status IN ('in_doubt', 'abandoned') THEN charge.reserved END), 0),
                sum(charge.reserved IS NULL AND reported IS NULL),
                coalesce(max(json_extract(description, '$.second_hand')), 0)
            FROM charge JOIN job USING (key)
            WHERE status <> 'released' GROUP BY 1, 2, 3 ORDER BY 3, 1, 2"""
        return self._writer.look(lambda db: [Spend(*(*row[:-1], bool(row[-1]))) for row in db.execute(query)])

    def timings(self, endpoint: str, limit: int = 50) -> list[float]:
        query = """
            SELECT (ended_at - intent_at) / 1e6 FROM job
            WHERE endpoint=? AND state='done' AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ?"""
        return self._writer.look(lambda db: [row[0] for row in db.execute(query, (endpoint, limit))])

    def bills(self, provider: str, endpoint: str) -> list[Bill]:
        return self._writer.look(lambda db: bills.newest(db, provider, endpoint))

    def upload(self, provider: str, sha256: str, now: datetime) -> Upload | None:
        query = """
            SELECT url, expires FROM upload
            WHERE provider=? AND sha256=? AND (expires IS NULL OR expires > ?)"""

        def operation(db: sqlite3.Connection) -> Upload | None:
            row = db.execute(query, (provider, sha256, micros(now))).fetchone()
            return row and Upload(row[0], moment(row[1]))

        return self._writer.look(operation)

    def uploaded(self, provider: str, sha256: str, upload: Upload) -> None:
        expires = None if upload.expires is None else micros(upload.expires)
        row = (provider, sha256, upload.url, expires)
        self._writer.call(
            lambda db: db.execute("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?)", row), durable=False
        )

    def forget_uploads(self, provider: str, contents: Iterable[str]) -> None:
        query = "DELETE FROM upload WHERE provider=? AND sha256=?"
        values = [(provider, sha256) for sha256 in contents]
        self._writer.call(lambda db: db.executemany(query, values))

    # -- local results, takes, runs, delivered files ---------------------------------------------------

    def local(self, key: str) -> tuple[Artifact, ...] | None:
        def operation(db: sqlite3.Connection) -> tuple[Artifact, ...] | None:
            row = db.execute("SELECT artifacts FROM local WHERE key=?", (key,)).fetchone()
            return row and rows.load_artifacts(row[0])

        return self._writer.look(operation)

    def local_done(self, key: str, artifacts: Sequence[Artifact]) -> None:
        row = (key, rows.dump_artifacts(artifacts))
        self._writer.call(
            lambda db: db.execute("INSERT OR REPLACE INTO local VALUES (?, ?)", row), durable=False
        )

    def current_takes(self) -> dict[str, int]:
        query = """
            SELECT redo.lineage, max(redo.take) FROM redo JOIN job USING (lineage, take)
            WHERE job.state='done' GROUP BY 1"""
        return dict(self._writer.look(lambda db: db.execute(query).fetchall()))

    def redo_take(self, lineage: str, run: str, address: str) -> int:
        return self._writer.call(lambda db: moves.redo_take(db, lineage, run, address))

    def begin(self, run: Run, redo: str | None) -> Run:
        return self._writer.call(lambda db: moves.begin(db, run, redo))

    def end(self, run: str, exit_code: int, now: datetime) -> None:
        self._execute("UPDATE run SET ended=?, exit_code=? WHERE id=?", micros(now), exit_code, run)

    def command(self, run: str) -> str | None:
        def operation(db: sqlite3.Connection) -> str | None:
            row = db.execute("SELECT command FROM run WHERE id=?", (run,)).fetchone()
            return row and str(row[0])

        return self._writer.look(operation)

    def delivered(self, output_dir: str, pipeline: str) -> dict[str, Delivered]:
        query = "SELECT path, sha256, size, mtime_ns FROM delivered WHERE output_dir=? AND pipeline=?"
        return self._writer.look(
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


def _project_id(db: sqlite3.Connection) -> str:
    db.execute("INSERT OR IGNORE INTO meta VALUES ('project', ?)", (secrets.token_hex(8),))
    return str(db.execute("SELECT value FROM meta WHERE name='project'").fetchone()[0])

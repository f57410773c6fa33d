"""The state machine in SQL: every function runs inside one transaction of the writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation import rows
from ai_content_pipeline.generation.rows import JOB_COLUMNS, micros, moment
from ai_content_pipeline.generation.store import MOVES, OPEN, Cap, Claim, Claimed, Ending, Run, State
from ai_content_pipeline.jobs import Billed

# ruff: noqa: S608  statements are put together from our own column names and marks, never from values
Value = str | int | None
Row = tuple[Value, ...]  # in the order of `JOB_COLUMNS`

#: The rows of jobs on their way, by key, as this process wrote them last: reading one back takes as long as
#: writing it. What is here may be out of date (a transaction may have failed since), so every write asks for
#: the state and owner that it knows of.
Known = dict[str, dict[str, Value]]

SELECT_JOB = f"SELECT {', '.join(JOB_COLUMNS)} FROM job"

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


def claim(db: sqlite3.Connection, known: Known, wish: Claim, now: int) -> Claimed:
    # What costs nothing is never refused, even where reported costs have passed the cap already.
    refused = wish.reserve and any(committed(db, cap) + wish.reserve > cap.micro for cap in wish.caps)
    columns = rows.intent(wish, now)
    if refused or not _inserted(db, "IGNORE", columns):
        row = db.execute("SELECT state, billed FROM job WHERE key=?", (wish.key,)).fetchone()
        if row is not None:
            state, billed = State(row[0]), Billed(row[1])
            retry = state is State.PENDING or (state is State.FAILED and billed is Billed.NO)
            if not retry:
                return _ALREADY[state]
        if refused:
            return Claimed.CAP
        _inserted(db, "REPLACE", columns)
    db.execute(
        "INSERT INTO charge (key, run, model, at, reserved, status) VALUES (?, ?, ?, ?, ?, 'reserved')",
        (wish.key, wish.run, str(wish.description.get("model", wish.endpoint)), now, wish.reserve),
    )
    known[wish.key] = rows.UNCLAIMED | columns
    return Claimed.MINE


def _inserted(db: sqlite3.Connection, otherwise: str, columns: dict[str, Value]) -> bool:
    """Whether a new job was written; `otherwise` is what SQLite does where there is one."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    query = f"INSERT OR {otherwise} INTO job ({names}) VALUES ({marks})"
    return db.execute(query, tuple(columns.values())).rowcount == 1


def move(
    db: sqlite3.Connection,
    known: Known,
    key: str,
    to: State,
    held_by: str | None = None,
    by_way_of: tuple[State, ...] = (),
    /,
    **columns: Value,
) -> Row:
    """Bring a job to state `to` (through those of `by_way_of`), setting `columns`, if that is legal and,
    where given, `held_by` owns it.

    Two processes must never both think that they hold a job: that is how money is lost.
    """
    path = (*by_way_of, to)
    columns["state"] = to.value
    now = known.pop(key, None)
    if now is None or _against(now, path, held_by) or not _written(db, now, columns):
        row = db.execute(f"{SELECT_JOB} WHERE key=?", (key,)).fetchone()
        if row is None:
            raise JournalError(f"job {key[:12]} is not in the journal")
        now = dict(zip(JOB_COLUMNS, row, strict=True))
        if fault := _against(now, path, held_by):
            raise JournalError(f"job {key[:12]} {fault}")
        _written(db, now, columns)
    after = now | columns
    if to in OPEN:
        known[key] = after
    return tuple(after.values())


def _against(now: dict[str, Value], path: Sequence[State], held_by: str | None) -> str | None:
    """What forbids a job that is as in `now` to go that way."""
    if held_by is not None and now["owner"] != held_by:
        return "belongs to another process; this one must not touch it"
    before = State(str(now["state"]))
    for after in path:
        if after not in MOVES[before]:
            return f"cannot go from {now['state']} to {path[-1]}: the journal and this process disagree"
        before = after
    return None


def _written(db: sqlite3.Connection, now: dict[str, Value], columns: dict[str, Value]) -> bool:
    """Whether the job was still as in `now`, and has `columns` from here on."""
    assignments = ", ".join(f"{name}=?" for name in columns)
    query = f"UPDATE job SET {assignments} WHERE key=? AND state=? AND owner=?"
    values = (*columns.values(), now["key"], now["state"], now["owner"])
    return db.execute(query, values).rowcount == 1


def finish(db: sqlite3.Connection, known: Known, key: str, ending: Ending) -> Row:
    settle(db, key, "settled", ending.cost)
    return move(db, known, key, State.FINISHED, *_before(ending), **rows.ended(ending))


def complete(
    db: sqlite3.Connection, known: Known, key: str, ending: Ending | None, stored: dict[str, Value]
) -> Row:
    """DONE, with the columns `stored`; with `ending` it was FINISHED by this only."""
    columns: dict[str, Value] = {"reason": None, "message": None}
    if ending is None:
        return move(db, known, key, State.DONE, **columns, **stored)
    settle(db, key, "settled", ending.cost)
    owner, way = _before(ending)
    way = (*way, State.FINISHED)
    return move(db, known, key, State.DONE, owner, way, **columns, **rows.ended(ending) | stored)


def _before(ending: Ending) -> tuple[str | None, tuple[State, ...]]:
    """Who must own a job that ends so, and what it has gone through that the journal has not heard of."""
    return (None, ()) if ending.accepted is None else (ending.accepted.owner, (State.SUBMITTED,))


def settle(db: sqlite3.Connection, key: str, status: str, reported: int | None) -> None:
    """Close the open charge of `key`: at what the vendor reported, else at what was reserved."""
    db.execute(
        "UPDATE charge SET status=?, reported=?, settled=coalesce(?, reserved)"
        " WHERE key=? AND status IN ('reserved', 'in_doubt')",
        (status, reported, reported, key),
    )


def committed(db: sqlite3.Connection, cap: Cap) -> int:
    terms: dict[str, Value] = {}
    if cap.run is not None:
        terms["run=?"] = cap.run
    if cap.since is not None:
        terms["at>=?"] = micros(cap.since)
    query = "SELECT coalesce(sum(coalesce(settled, reserved)), 0) FROM charge"
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return int(db.execute(query + where, tuple(terms.values())).fetchone()[0])


def redo_take(db: sqlite3.Connection, lineage: str, run: str, address: str) -> int:
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


def begin(db: sqlite3.Connection, run: Run, redo: str | None) -> Run:
    # The newest by order of writing: the clock may have been set back since.
    row = db.execute(
        "SELECT id, started, ended IS NULL OR exit_code <> 0 FROM run"
        " WHERE pipeline=? AND output_dir=? AND redo IS ? ORDER BY rowid DESC LIMIT 1",
        (run.pipeline, run.output_dir, redo),
    ).fetchone()
    if row is not None and row[2]:
        db.execute("UPDATE run SET ended=NULL, exit_code=NULL, command=? WHERE id=?", (run.command, row[0]))
        return replace(run, id=row[0], started=moment(row[1]) or run.started)
    db.execute(
        "INSERT INTO run (id, pipeline, output_dir, redo, command, started) VALUES (?, ?, ?, ?, ?, ?)",
        (run.id, run.pipeline, run.output_dir, redo, run.command, micros(run.started)),
    )
    return run

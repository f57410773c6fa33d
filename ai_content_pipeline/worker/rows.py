"""Jobs as they are stored, and to and from their columns."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.rows import moment
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.worker.faults import Fault


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (State.QUEUED, State.RUNNING)


class Conflict(AicpError):
    """Another job has that id."""

    code = "conflict"


class Full(AicpError):
    """No room for more: come back later."""

    code = "backlog_full"


@dataclass(frozen=True, slots=True)
class Row:
    """One job. `body` is its JSON, empty where it was not asked for (it may hold pictures); once the job has
    ended, without what was secret in its URLs."""

    id: str
    sequence: int
    user_id: str
    type: str
    priority: int
    fingerprint: str
    body: str
    callback_url: str | None
    mode: str
    state: State
    attempts: int
    cancelling: bool
    assets: list[dict[str, Json]]
    warnings: list[str]
    fault: Fault | None
    seconds: float | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class New:
    """A job as it comes in."""

    id: str
    user_id: str
    type: str
    priority: int
    fingerprint: str
    body: str
    mode: str
    warnings: Sequence[str]
    callback_url: str | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many jobs may wait, in all and of one user, and how many of one user may run at once."""

    backlog: int = 1000
    per_user: int = 100
    running_per_user: int | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long jobs are kept that have ended: so many days, and the newest so many of all jobs. Their files
    are the operator's business, unless `delete_results`."""

    days: float = 30.0
    jobs: int = 100_000
    delete_results: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended. `seconds` is what it took to make."""

    state: State
    assets: Sequence[dict[str, Json]] = ()
    fault: Fault | None = None
    seconds: float | None = None


COLUMNS = (
    "id, sequence, user_id, type, priority, fingerprint, body, callback_url, mode, state, attempts,"
    " cancelling, assets, warnings, error, seconds, created_at, started_at, ended_at"
)
SELECT = f"SELECT {COLUMNS} FROM job"  # noqa: S608  a constant
#: The same without the body.
LOOK = SELECT.replace(" body,", " '',")


def row_of(db: sqlite3.Connection, job_id: str, select: str = SELECT) -> Row | None:
    found = db.execute(f"{select} WHERE id = ?", (job_id,)).fetchone()
    return None if found is None else read(found)


def read(values: tuple[Any, ...]) -> Row:
    (
        job_id, sequence, user_id, job_type, priority, fingerprint, body, callback_url, mode, state, attempts,
        cancelling, assets, warnings, error, seconds, created, started, ended,
    ) = values  # fmt: skip
    created_at = moment(created)
    assert created_at is not None
    return Row(
        job_id, sequence, user_id, job_type, priority, fingerprint, body, callback_url, mode,
        State(state), attempts, bool(cancelling), json.loads(assets), json.loads(warnings),
        Fault.read(json.loads(error)) if error else None, seconds, created_at, moment(started), moment(ended),
    )  # fmt: skip

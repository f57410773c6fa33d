"""Callbacks that wait to be delivered, in the queue's own file: written with the end that they tell of."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from ai_content_pipeline.generation.rows import micros, moment
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.redaction import redacted_url

#: Seconds after each failed try until the next: together about 28 hours. After the last it is dead.
DELAYS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200)
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Callback:
    """One message. `id` is the same on every try."""

    id: str
    job_id: str
    url: str
    state: str
    tries: int
    due_at: datetime
    message: str | None


def delay(tries: int, chance: random.Random) -> timedelta | None:
    """How long to wait after `tries` failed tries; None: it was the last."""
    if tries > len(DELAYS):
        return None
    return timedelta(seconds=DELAYS[tries - 1] * chance.uniform(1 - _JITTER, 1 + _JITTER))


class Outbox:
    """The callbacks of one queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def due(self, now: datetime, limit: int, besides: frozenset[str]) -> list[Callback]:
        """What should be sent by now, the longest due first, without those that are on their way."""
        query = f"{_SELECT} WHERE state = 'pending' AND due_at <= ? ORDER BY due_at LIMIT ?"
        count = limit + len(besides)
        found = self._queue.look(lambda db: db.execute(query, (micros(now), count)).fetchall())
        return [callback for callback in map(read, found) if callback.id not in besides][:limit]

    def next_due(self) -> datetime | None:
        query = "SELECT MIN(due_at) FROM callback WHERE state = 'pending'"
        return moment(self._queue.look(lambda db: db.execute(query).fetchone()[0]))

    def delivered(self, callback: Callback, now: datetime) -> None:
        """Its address, which may hold a secret, is not kept."""
        self._queue.call(
            lambda db: (
                db.execute(
                    "UPDATE callback SET state = 'delivered', tries = tries + 1, ended_at = ?,"
                    " message = NULL, url = ? WHERE id = ?",
                    (micros(now), redacted_url(callback.url), callback.id),
                ).rowcount
            )
        )

    def failed(self, callback: Callback, message: str, pause: timedelta | None, now: datetime) -> None:
        """Try again after `pause`; None: never by itself."""
        state, due = ("dead", now) if pause is None else ("pending", now + pause)
        self._queue.call(
            lambda db: (
                db.execute(
                    "UPDATE callback SET state = ?, tries = tries + 1, due_at = ?, message = ?, ended_at = ?"
                    " WHERE id = ?",
                    (state, micros(due), message, micros(now) if pause is None else None, callback.id),
                ).rowcount
            )
        )

    def redeliver(self, callback_id: str, now: datetime) -> bool:
        """Have a dead callback sent again. Returns whether it was one."""
        query = (
            "UPDATE callback SET state = 'pending', tries = 0, due_at = ?, ended_at = NULL"
            " WHERE id = ? AND state = 'dead'"
        )
        return self._queue.call(lambda db: db.execute(query, (micros(now), callback_id)).rowcount == 1)

    def undelivered(self) -> list[Callback]:
        """Those that wait and those that are dead, at most a thousand."""
        return [read(row) for row in self._queue.look(lambda db: db.execute(UNDELIVERED).fetchall())]


_SELECT = "SELECT id, job_id, url, state, tries, due_at, message FROM callback"
UNDELIVERED = f"{_SELECT} WHERE state <> 'delivered' ORDER BY due_at LIMIT 1000"


def read(values: tuple[str, str, str, str, int, int, str | None]) -> Callback:
    one, job_id, url, state, tries, due, message = values
    due_at = moment(due)
    assert due_at is not None
    return Callback(one, job_id, url, state, tries, due_at, message)

"""Threads that deliver callbacks when they are due: at least once, until somebody takes them or all tries
are used."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.worker.answers import callback_body
from ai_content_pipeline.worker.delivery import Undelivered, encoded, post, signed
from ai_content_pipeline.worker.logs import Log
from ai_content_pipeline.worker.outbox import Callback, Outbox, delay
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.redaction import redacted_url
from ai_content_pipeline.worker.redelivery import wishes
from ai_content_pipeline.worker.storage import Storage

_THREADS = 8
#: Seconds after which the outbox is looked at in any case: another process may have put something there.
_LOOK = 5.0


@dataclass
class Courier:
    """`outcome` is told of each try: delivered, failed or dead. `wishes` is a folder (`redelivery`)."""

    queue: Queue
    storage: Storage
    secrets: tuple[str, ...]
    allow: HostRule
    clock: Clock
    log: Log
    outcome: Callable[[str], object]
    wishes: Path | None = None
    chance: random.Random = field(default_factory=random.SystemRandom)
    _news: threading.Event = field(default_factory=threading.Event)
    _closed: bool = False
    _sending: set[str] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._outbox = Outbox(self.queue)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="callback")
        self._thread = threading.Thread(target=self._serve, name="callbacks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._news.set()

    def close(self) -> None:
        """Finish the tries that are under way."""
        self._closed = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()

    def _serve(self) -> None:
        while not self._closed:
            self._news.clear()
            try:
                self.grant_wishes()
                self.send_due()
                pause = self._pause()
            except (JournalError, OSError) as error:  # a full disk, say: it may mend, and what waits is safe
                self.log("callbacks_stuck", message=str(error))
                pause = _LOOK
            self.clock.wait(self._news, pause)

    def grant_wishes(self) -> None:
        """Bring back to life what somebody wants to have sent again."""
        for wish in wishes(self.wishes) if self.wishes else ():
            if self._outbox.redeliver(wish.name, self.clock.now()):
                self.log("callback_redelivered", callback_id=wish.name)
            wish.unlink(missing_ok=True)

    def send_due(self) -> None:
        """Have everything sent that is due, as far as threads are free."""
        with self._guard:
            sending = frozenset(self._sending)
        free = _THREADS - len(sending)
        for callback in self._outbox.due(self.clock.now(), free, sending) if free else ():
            with self._guard:
                self._sending.add(callback.id)
            self._pool.submit(self._send_and_forget, callback)

    def _pause(self) -> float:
        due = self._outbox.next_due()
        with self._guard:
            busy = bool(self._sending)
        if due is None or busy:  # whoever has sent wakes us
            return _LOOK
        return min(_LOOK, max(0.0, (due - self.clock.now()).total_seconds()))

    def _send_and_forget(self, callback: Callback) -> None:
        try:
            self.deliver(callback)
        except JournalError as error:  # it is sent again: at least once
            self.log("callback_not_recorded", callback_id=callback.id, message=error.message)
        finally:
            with self._guard:
                self._sending.discard(callback.id)
            self._news.set()

    def deliver(self, callback: Callback) -> None:
        """One try."""
        row = self.queue.job(callback.job_id)
        assert row is not None
        body = encoded(callback_body(row, self.storage))
        now = self.clock.now()
        try:
            post(callback.url, body, signed(body, callback.id, self.secrets, now), self.allow)
        except Undelivered as error:
            self._failed(callback, error, self.clock.now())
        else:
            self._outbox.delivered(callback, self.clock.now())
            self._tell("delivered", callback, None)

    def _failed(self, callback: Callback, error: Undelivered, now: datetime) -> None:
        pause = None if error.final else delay(callback.tries + 1, self.chance)
        self._outbox.failed(callback, error.message, pause, now)
        self._tell("dead" if pause is None else "failed", callback, error.message)

    def _tell(self, outcome: str, callback: Callback, message: str | None) -> None:
        self.outcome(outcome)
        self.log(
            f"callback_{outcome}",
            job_id=callback.job_id,
            callback_id=callback.id,
            tries=callback.tries + 1,
            url=redacted_url(callback.url),
            message=message,
        )

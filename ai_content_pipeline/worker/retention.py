"""Jobs that ended long ago are forgotten, so that the queue's file does not grow for ever."""

from __future__ import annotations

import threading
from datetime import timedelta

from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.worker.logs import Log
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.rows import Retention
from ai_content_pipeline.worker.storage import Storage

_LOOK = 600.0  # seconds between two looks
_BATCH = 100  # jobs in one transaction: requests need not wait for more


class Forgetter(threading.Thread):
    """Forgets what `retention` does not keep: the job and its callback, and its files where it says so."""

    def __init__(self, queue: Queue, storage: Storage, retention: Retention, clock: Clock, log: Log) -> None:
        super().__init__(name="forgetter", daemon=True)
        self._queue = queue
        self._storage = storage
        self._retention = retention
        self._clock = clock
        self._log = log
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                while self.forget() and not self._stopping.is_set():
                    pass
            except (AicpError, OSError) as error:  # a full disk, say: the next look may do better
                self._log("forgetting_stuck", message=str(error))
            self._clock.wait(self._stopping, _LOOK)

    def stop(self) -> None:
        self._stopping.set()
        if self.is_alive():
            self.join()

    def forget(self) -> int:
        """One batch. Returns how many jobs it had."""
        before = self._clock.now() - timedelta(days=self._retention.days)
        old = self._queue.old(before, self._retention.jobs, _BATCH)
        if self._retention.delete_results:  # first: killed in between, the job is found again
            for user_id, job_id in old:
                self._storage.remove(user_id, job_id)
        if old:
            self._queue.forget([job_id for _, job_id in old])
            self._log("jobs_forgotten", count=len(old))
        return len(old)

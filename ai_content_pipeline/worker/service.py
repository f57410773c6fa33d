"""The worker without its HTTP: takes jobs in, has them made, stores results, sees that callbacks go out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.generation.clock import Clock, SystemClock
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.worker import delivery, process, references
from ai_content_pipeline.worker.assignment import Refused, assign
from ai_content_pipeline.worker.courier import Courier
from ai_content_pipeline.worker.events import Events
from ai_content_pipeline.worker.job_types import read_job_types
from ai_content_pipeline.worker.logs import Log, silent
from ai_content_pipeline.worker.maker import Maker
from ai_content_pipeline.worker.metrics import Metrics
from ai_content_pipeline.worker.occupancy import alone
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.retention import Forgetter
from ai_content_pipeline.worker.rows import Full, New, Row, State
from ai_content_pipeline.worker.schema import Job, ModeJob, as_job
from ai_content_pipeline.worker.settings import Settings
from ai_content_pipeline.worker.storage import LocalFolder, Storage

#: Of document 004's form, which names no user.
ANYBODY = "default"
_LONGEST_PAUSE = 300
_LOOK = 5.0  # seconds after which the queue is looked at without news


@dataclass
class Service:
    """`command` starts an inference process. Call `start` before anything else, and `close` at the end.

    Raises:
        ConfigurationError: the settings make no sense, or another worker has this workspace.
    """

    settings: Settings
    log: Log = silent
    clock: Clock = field(default_factory=SystemClock)
    allow: HostRule | None = None
    command: Sequence[str] | None = None

    def __post_init__(self) -> None:
        self.job_types = read_job_types(self.settings.job_types)
        self.rule = self.allow or HostRule(private=self.settings.allow_private_hosts)
        self._owners = alone(self.settings)
        # One's own: a process of a worker that was just killed may still write into that one's.
        shutil.rmtree(self.settings.state / "scratch", ignore_errors=True)
        self.scratch = self.settings.state / "scratch" / self._owners.me
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.queue = Queue(self.settings.queue)
        self.storage: Storage = LocalFolder(self.settings.workspace)
        self.events = Events()
        self.metrics = Metrics()
        self.courier = Courier(
            queue=self.queue,
            storage=self.storage,
            secrets=self.settings.access.secrets,
            allow=self.rule,
            clock=self.clock,
            log=self.log,
            outcome=lambda outcome: self.metrics.callbacks.labels(outcome).inc(),
            wishes=self.settings.wishes,
        )
        self.forgetter = Forgetter(self.queue, self.storage, self.settings.retention, self.clock, self.log)
        self.makers = [
            Maker(self, self._process(number), number) for number in range(self.settings.processes)
        ]
        self.draining = threading.Event()
        self._news = threading.Condition()
        self._heard = 0  # how often there was news
        self._cancelled: set[str] = set()  # running jobs that should end, by their id in lower case

    def _process(self, number: int) -> process.Process:
        scratch = self.scratch / f"process-{number}"
        words = self.command or process.command(
            self.settings.provider,
            scratch,
            private=self.rule.private,
            origins=sorted(self.rule.origins),
        )
        return process.Process(words, os.environ, verbose=self.settings.verbose)

    def start(self) -> None:
        """Go on where the last worker stopped."""
        for row in self.queue.recover(self.settings.attempts, self.clock.now()):
            self.ended(row)
        self.courier.start()
        self.forgetter.start()
        for maker in self.makers:
            maker.start()

    def close(self) -> None:
        """Stop at once; jobs that run are queued again."""
        self.draining.set()
        self.wake(len(self.makers))
        for maker in self.makers:
            maker.stop()
        self.courier.close()
        self.forgetter.stop()
        self.queue.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._owners.close()

    def drain(self, seconds: float) -> bool:
        """Begin nothing new, and wait for what runs. Returns whether all of it ended."""
        self.draining.set()
        self.wake(len(self.makers))
        until = time.monotonic() + seconds
        for maker in self.makers:
            if maker.is_alive():
                maker.join(max(0.0, until - time.monotonic()))
        return not any(maker.is_alive() for maker in self.makers)

    # -- jobs ------------------------------------------------------------------------------------------

    def accept(self, form: Job | ModeJob, job_id: str, user: str | None) -> tuple[Row, bool]:
        """Take a job in; whether it is new. `user` is whom the caller may act for, None for all.

        Raises:
            Refused: it makes no sense, or names a place from which nothing is fetched.
            Conflict, Full: see `Queue.put`.
        """
        job, warnings, mode = self._checked(form, job_id, user)
        body = json.dumps(job.model_dump(mode="json", exclude_unset=True, warnings=False), sort_keys=True)
        new = New(
            id=job_id,
            user_id=job.user_id or ANYBODY,
            type=job.type,
            priority=job.priority,
            fingerprint=hashlib.sha256(body.encode()).hexdigest(),
            body=body,
            mode=mode,
            warnings=warnings,
            callback_url=job.callback_url or self.settings.access.callback_url,
        )
        bounds = self.settings.bounds
        try:
            row, is_new = self.queue.put(new, bounds, self.clock.now())
        except Full:
            self.metrics.refused.inc()
            raise
        if is_new:
            self._taken(row, job)
        return row, is_new

    def _checked(self, form: Job | ModeJob, job_id: str, user: str | None) -> tuple[Job, list[str], str]:
        job = as_job(form, self.job_types.modes)
        if job.id not in (None, job_id):
            raise Refused(("id",), f"is not the id of the address, {job_id}")
        if user is not None and job.user_id not in (None, user):
            raise Refused(("user_id",), "is not the user of this token")
        job = job.model_copy(update={"id": job_id, "user_id": job.user_id or user or ANYBODY})
        job_type = self.job_types.types.get(job.type)
        if job_type is None:
            raise Refused(("type",), f"must be one of {', '.join(sorted(self.job_types.types))}")
        assignment = assign(job, job_type)
        for asked in assignment.references.values():
            try:
                references.check(asked, self.rule)
            except BadMedia as error:
                raise Refused(asked.path, error.message) from error
        self._check_callback(job)
        return job, list(assignment.warnings), assignment.mode

    def _check_callback(self, job: Job) -> None:
        if job.callback_url is None:
            return
        if not self.settings.access.secrets:
            raise Refused(("callback_url",), "this worker has no secret to sign callbacks with")
        try:
            delivery.check_callback(job.callback_url, self.rule)
        except BadMedia as error:
            raise Refused(("callback_url",), error.message) from error

    def _taken(self, row: Row, job: Job) -> None:
        self.metrics.accepted.labels(row.type).inc()
        self.log("job_queued", job_id=row.id, user_id=row.user_id, type=row.type, prompt=job.prompt)
        self.wake()

    def cancel(self, job_id: str) -> Row | None:
        """End a waiting job, have a running one end; None where there is no such job."""
        name = job_id.lower()
        self._cancelled.add(name)  # before it is written down, so that its end cannot come in between
        row, ended = self.queue.cancel(job_id, self.clock.now())
        if row is None or row.state is not State.RUNNING:
            self._cancelled.discard(name)
        if row is not None and ended:
            self.ended(row)
        return row

    def cancelled(self, job_id: str) -> bool:
        """Whether a running job should end."""
        return job_id.lower() in self._cancelled

    def ended(self, row: Row) -> None:
        """Tell everybody that a job has ended, now that it is written down."""
        self._cancelled.discard(row.id.lower())
        fault = row.fault
        self.events.tell(row.id, {"event": row.state.value, "error": fault.json() if fault else None})
        self.metrics.ended.labels(row.type, row.state.value).inc()
        if fault is not None and row.state is State.FAILED:
            self.metrics.failures.labels(fault.code.value).inc()
        self.log(
            "job_ended",
            job_id=row.id,
            user_id=row.user_id,
            type=row.type,
            state=row.state.value,
            attempts=row.attempts,
            seconds=row.seconds,
            code=fault.code.value if fault else None,
        )
        if row.callback_url is not None:
            self.courier.wake()
        if self.settings.bounds.running_per_user is not None:
            self.wake()  # its user may run another

    # -- for makers ------------------------------------------------------------------------------------

    def next_job(self) -> Row | None:
        """The next job to run; None when nothing more is begun. Waits while there is none."""
        while not self.draining.is_set():
            heard = self._heard
            row = self.queue.claim(self.settings.bounds, self.clock.now())
            if row is not None:
                return row
            with self._news:  # not held while the queue is asked: whoever brings a job would wait for it
                if heard == self._heard:
                    self._news.wait(_LOOK)
        return None

    def wake(self, makers: int = 1) -> None:
        """There is a job, or no more will be begun: have so many of those look who wait."""
        with self._news:
            self._heard += 1
            self._news.notify(makers)

    def pause_of(self) -> int:
        """Seconds after which a sender for whom was no room may try again."""
        means = [maker.mean for maker in self.makers if maker.mean]
        waiting = self.queue.counts()[State.QUEUED]
        mean = sum(means) / len(means) if means else 1.0
        return min(_LONGEST_PAUSE, max(1, ceil(mean * waiting / len(self.makers) / 2)))

    @property
    def ready(self) -> bool:
        """Whether jobs are taken and a process is there to make them."""
        return not self.draining.is_set() and any(maker.ready for maker in self.makers)

"""The money door: every model call, the free ones too, passes through `Door.generate`.

The order of durable writes is the law here (docs/money.md draws it)::

    stage inputs, uploads          before the claim
    claim + reservation            durable before the socket opens
    exactly one POST
    request id                     durable before the first poll (not where asking again is free)
    result known to exist          durable before the download
    file stored and synced         before the job is done
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import (
    BadMedia,
    BudgetRefused,
    Interrupted,
    JournalError,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.generation import keys, orders, outcomes
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.clock import Clock, SystemClock
from ai_content_pipeline.generation.fetch import Deleted, Fetcher
from ai_content_pipeline.generation.limits import Gate, Limit
from ai_content_pipeline.generation.locks import NamedLocks
from ai_content_pipeline.generation.orders import Made, Order
from ai_content_pipeline.generation.owners import Owners
from ai_content_pipeline.generation.reconcile import Reconciler
from ai_content_pipeline.generation.rhythm import LATEST_LOOK, LONGEST_POLL, poll_ages, retry_delays
from ai_content_pipeline.generation.store import OPEN, Cap, Claim, Claimed, Job, State, Store, claimable
from ai_content_pipeline.jobs import (
    Billed,
    Failed,
    Gone,
    Handle,
    JobRequest,
    JobStatus,
    Output,
    Queued,
    Reason,
    Running,
    Succeeded,
    Upload,
)
from ai_content_pipeline.providers.protocol import Provider

__all__ = ["Door", "Made", "Order", "Watch"]

Watch = Callable[[JobStatus], None]

#: Refusals before acceptance (429, no connection) that one item sits out before it fails.
_SUBMIT_TRIES = 8
#: How often one upload is tried: nothing is paid by it.
_UPLOAD_TRIES = 5
#: A vendor that asks for a longer pause than this, in seconds, is down for now.
_LONGEST_PAUSE = 300.0
#: How often, in seconds, to look whether another process has finished a job that we also want.
_BUSY_WAIT = 0.25
#: A job that has not ended after this many seconds is left to `aicp fetch`.
_PATIENCE = 2 * 3600.0
#: How often in a row a vendor must say that it does not know a job, and the seconds between: the
#: answer ends a paid job for good, and a vendor's own copies may lag behind each other.
_GONE_ANSWERS = 3
_GONE_PAUSE = 4.0
#: Seconds for which an upload must still be readable when it is used: queues can be long.
_UPLOAD_MARGIN = timedelta(minutes=15)


def _nothing() -> None:
    pass


@dataclass
class Door:
    """One run's way to every provider. Thread-safe; one per process and run.

    `stopping` set: nothing new is submitted. `detached` set (after `stopping`): waiting ends, and what
    runs is left to a later command.
    """

    store: Store
    artifacts: ArtifactStore
    provider: Callable[[str], Provider]
    owners: Owners
    clock: Clock
    run: str
    fetcher: Fetcher
    reconciler: Reconciler
    caps: tuple[Cap, ...] = ()
    gate: Callable[[str], Gate] = field(
        default=lambda provider: Gate(Limit(), SystemClock(), threading.Event())
    )
    stopping: threading.Event = field(default_factory=threading.Event)
    detached: threading.Event = field(default_factory=threading.Event)
    _locks: NamedLocks = field(default_factory=NamedLocks)
    #: By endpoint, the age in seconds up to which all of its jobs were seen running: the next one is not
    #: asked about sooner.
    _ran: dict[str, float] = field(default_factory=dict)

    def generate(self, order: Order, watch: Watch, begin: Callable[[], None] = _nothing) -> Made:
        """The finished job for `order`: found, resumed, or paid for once.

        `begin` is called first where it is not DONE yet; what it raises ends the attempt.

        Raises:
            AicpError: the typed reason why there is none; its `hint` says what to do.
        """
        key = order.key
        with self._locks.hold(key):
            job = self.store.job(key)
            if job is not None and job.state is State.DONE and self._intact(job):
                return Made(job, cached=True)
            if job is None or job.state is not State.DONE:
                begin()
            for delay in retry_delays(_SUBMIT_TRIES):
                try:
                    return Made(self._made(order, key, job, watch), cached=False)
                except NotAccepted as refusal:
                    asked = refusal.retry_after or 0.0
                    if not refusal.temporary or delay is None or asked > _LONGEST_PAUSE:
                        raise refusal.cause from refusal
                    self._sit_out(max(delay, asked))
                job = self.store.job(key)
            raise AssertionError("retry_delays ends with None")

    def collect(self, job: Job, watch: Watch) -> Job:
        """Bring an orphaned job of the journal as far as it goes, whoever ordered it."""
        with self._locks.hold(job.key):
            return self._conclude(self._second_chance(self._known(job.key)), watch)

    def _made(self, order: Order, key: str, job: Job | None, watch: Watch) -> Job:
        if job is not None:
            job = self._conclude(self._second_chance(job), watch)
        if job is None or claimable(job):
            with self.gate(order.request.model.provider).slot():
                job = self._conclude(self._submit(order, key), watch)
        if job.state is State.DONE or job.stored:  # of several outputs the good ones are there
            return job
        # Nothing was, or will be, billed for these two: they are sent again after a pause.
        if job.state is State.PENDING or (job.reason is Reason.TEMPORARY and claimable(job)):
            raise NotAccepted(ProviderUnavailable(f"{job.provider}: {job.message}"), temporary=True)
        raise outcomes.ended(job)

    def _second_chance(self, job: Job) -> Job:
        """A result that did not decode, or whose stored file is damaged, is fetched again: it is free."""
        if job.state is State.DONE:
            wanted = not self._intact(job)
        else:
            wanted = job.state is State.FAILED and job.reason is Reason.BAD_OUTPUT
        if not wanted:
            return job
        self.store.refetch(job.key, self.owners.me)
        return self._known(job.key)

    # -- submitting --------------------------------------------------------------------------------

    def _submit(self, order: Order, key: str) -> Job:
        """Claim the job and send its one POST, unless somebody else has it."""
        provider = self.provider(order.request.model.provider)
        seed = self._seed(order.request, key)
        wire = provider.wire(order.request, self._uploads(provider, order.request), seed)
        self.gate(provider.name).wait_for_turn()
        if self.stopping.is_set():
            raise Interrupted("not started")
        me = self.owners.me
        claim = orders.claim(
            order, key, wire, seed, run=self.run, owner=me, caps=self.caps, durable=not provider.repeatable
        )
        claimed = self.store.claim(claim, self.clock.now())
        if claimed is Claimed.CAP:
            raise BudgetRefused(
                f"{order.estimate} more would pass the cap",
                hint="raise max_cost or --max-cost, and run the same command again",
            )
        return self._post(provider, claim) if claimed is Claimed.MINE else self._known(key)

    def _post(self, provider: Provider, claim: Claim) -> Job:
        key, me = claim.key, self.owners.me
        try:
            handle = provider.submit(claim.wire, key)
        except NotAccepted as refusal:
            if refusal.temporary:
                self.store.released(key, me, refusal.message, self.clock.now())
            else:
                self._failed(key, outcomes.reason_of(refusal.cause), refusal.message, Billed.NO)
            raise
        except OutcomeUnknown as error:
            return self.store.doubted(key, me, error.message, self.clock.now())
        except Exception as error:  # noqa: BLE001  whatever went wrong, the request may have left
            message = f"{type(error).__name__}: {error}"
            return self.store.doubted(key, me, message, self.clock.now())
        now = self.clock.now()
        if provider.repeatable and (
            ended := self._ended_at_once(orders.accepted(claim, handle, now), provider)
        ):
            return ended
        try:
            return self.store.submitted(key, me, handle, now, durable=not provider.repeatable)
        except JournalError as error:
            raise outcomes.unrecorded(provider.name, handle, error) from error

    def _ended_at_once(self, job: Job, provider: Provider) -> Job | None:
        """The end of a job that comes with its acceptance (its files are here, or it failed): the journal
        hears of both together. Where asking again is free, a job's id is worth no write of its own."""
        assert job.handle is not None
        status = self._status(provider, job.handle, self.gate(provider.name))
        if isinstance(status, Queued | Running):
            return None
        if isinstance(status, Succeeded) and not (status.outputs and all(one.path for one in status.outputs)):
            return None
        return self._ended(job, provider, status)

    def _seed(self, request: JobRequest, key: str) -> int | None:
        """The user's seed, or one made of it and the key; for a redo, or without one, of the key alone."""
        if request.model.seed_field is None:
            return None
        if request.seed is not None and request.per_item:
            return keys.derived_seed(key, str(request.seed))
        if request.seed is not None and request.take == 0:
            return request.seed
        return keys.derived_seed(key, self.store.project)

    def _uploads(self, provider: Provider, request: JobRequest) -> Mapping[Role, tuple[Upload, ...]]:
        return {
            role: tuple(self._upload(provider, artifact) for artifact in artifacts)
            for role, artifacts in orders.files(request).items()
        }

    def _upload(self, provider: Provider, artifact: Artifact) -> Upload:
        """One upload of one content per provider, however many items ask for it at once."""
        with self._locks.hold(f"{provider.name}:{artifact.sha256}"):
            needed_until = self.clock.now() + _UPLOAD_MARGIN
            known = self.store.upload(provider.name, artifact.sha256, needed_until)
            if known is not None:
                return known
            upload = self._sent(provider, artifact)
            self.store.uploaded(provider.name, artifact.sha256, upload)
            return upload

    def _sent(self, provider: Provider, artifact: Artifact) -> Upload:
        """It is free, so trouble of the vendor's is sat out a few times before the item fails."""
        for delay in retry_delays(_UPLOAD_TRIES):
            try:
                return provider.upload(artifact, self.artifacts.path(artifact))
            except ProviderUnavailable as error:
                asked = error.retry_after or 0.0
                if delay is None or asked > _LONGEST_PAUSE:
                    raise
            self._sit_out(max(delay, asked))
        raise AssertionError("retry_delays ends with None")

    # -- bringing a journaled job to its end -----------------------------------------------------------

    def _conclude(self, job: Job, watch: Watch) -> Job:
        """Follow `job` through the machine until it is DONE, ended, or may be claimed again."""
        while job.state in (*OPEN, State.IN_DOUBT):
            if self._acquire(job):
                job = self._advanced(job, watch)
            elif job.state is State.IN_DOUBT:
                raise outcomes.held(job)
            else:
                self._pause(_BUSY_WAIT)
                job = self._known(job.key)
        if job.state is State.DONE and not self._intact(job):
            raise outcomes.blocked(job)
        return job

    def _acquire(self, job: Job) -> bool:
        """Whether the open `job` is this process's to bring on; a dead owner's becomes ours."""
        if job.owner == self.owners.me:
            return True
        return not self.owners.alive(job.owner) and self.store.take_over(job.key, job.owner, self.owners.me)

    def _advanced(self, job: Job, watch: Watch) -> Job:
        """`job`, which is open and ours, one state further."""
        if job.state is State.INTENT:
            message = "the process ended while the request was on its way"
            return self.store.doubted(job.key, self.owners.me, message, self.clock.now())
        if job.state is State.IN_DOUBT:
            return self._resolved(job)
        provider = self.provider(job.provider)
        if job.state is State.FINISHED and job.urls:
            try:
                return self.fetcher.fetch(job, tuple(Output(url=url) for url in job.urls))
            except Deleted:
                pass  # the vendor may know newer URLs
        elif job.state is State.FINISHED and provider.repeatable:
            return self._lost(job, provider, "its files were lost with the process that made them")
        return self._polled(job, provider, watch)

    def _resolved(self, job: Job) -> Job:
        provider = self.provider(job.provider)
        if provider.repeatable:
            self.store.undoubted(
                job.key, abandon=False, spent=False, now=self.clock.now(), owner=self.owners.me
            )
        else:
            self.reconciler.resolve(job, provider, self.owners.me)
        resolved = self._known(job.key)
        if resolved.state is State.IN_DOUBT:
            raise outcomes.held(resolved)
        return resolved

    def _polled(self, job: Job, provider: Provider, watch: Watch) -> Job:
        """Wait for the vendor to end `job`, and record how."""
        assert job.handle is not None
        gone, slept, ran, gate = 0, 0.0, 0.0, self.gate(provider.name)
        soonest = provider.soonest
        if soonest:  # else it is this machine, whose poll notices the end by itself
            soonest = max(soonest, min(self._ran.get(job.endpoint, 0.0), LATEST_LOOK))
        for due in poll_ages(self._age(job), soonest):
            if due < slept:
                continue
            # Never longer, whatever happens to the time of day.
            wait = _GONE_PAUSE if gone else min(due - self._age(job), LONGEST_POLL)
            if wait > 0:
                self._pause(wait)
            while (quiet := gate.quiet()) > 0:  # asked for by the vendor, maybe about another job
                self._pause(quiet)
                slept = self._age(job)
            status = self._status(provider, job.handle, gate)
            gone = gone + 1 if isinstance(status, Gone) else 0
            if isinstance(status, Gone) and gone < _GONE_ANSWERS and not provider.repeatable:
                status = Running(message=status.message)
            if not isinstance(status, Queued | Running):
                self._ran[job.endpoint] = min(ran, self._ran.get(job.endpoint, ran))
                return self._ended(job, provider, status)
            ran = due
            watch(status)
            if self._age(job) > _PATIENCE:
                raise outcomes.too_slow(job)
        raise AssertionError("poll_ages never end")

    def _status(self, provider: Provider, handle: Handle, gate: Gate) -> JobStatus:
        try:
            return provider.poll(handle)
        except ProviderUnavailable as error:
            if error.retry_after:
                gate.hush(error.retry_after)
                return Running(message="the vendor asks for a pause; asking again after it")
            return Running(message="the vendor does not answer; asking again")

    def _ended(self, job: Job, provider: Provider, status: Succeeded | Failed | Gone) -> Job:
        if isinstance(status, Succeeded):
            ending = orders.ending(job, status) if job.state is not State.FINISHED else None
            if ending is not None and (ending.urls or not status.outputs):
                job, ending = self.store.finished(job.key, ending), None  # before anything is downloaded
            try:
                return self.fetcher.fetch(job, status.outputs, ending)
            except Deleted as error:
                if not error.surely:
                    raise outcomes.forbidden(job, str(error)) from error
                return self._lost(job, provider, f"its file was deleted ({error})")
        if isinstance(status, Failed) and not job.artifacts:
            return self._failed(job.key, status.reason, status.message, status.billed)
        return self._lost(job, provider, status.message)

    def _failed(self, key: str, reason: Reason, message: str, billed: Billed) -> Job:
        job = self.store.failed(key, reason, message, billed, self.clock.now())
        if reason is Reason.INVALID and (contents := orders.input_contents(job)):
            # It may be an input that the vendor can no longer read: asked again, it is uploaded again.
            self.store.forget_uploads(job.provider, contents)
        return job

    def _lost(self, job: Job, provider: Provider, message: str) -> Job:
        """The vendor has nothing for `job` any more: make it again where that is free, else end it.

        What was stored once is only blocked: it may come back from a backup.
        """
        now = self.clock.now()
        if provider.repeatable:
            return self.store.released(job.key, self.owners.me, message, now)
        if job.artifacts:
            return self.fetcher.kept(job, job.artifacts, BadMedia(message), None)
        return self.store.gone(job.key, message, now)

    # -- small things --------------------------------------------------------------------------------

    def _known(self, key: str) -> Job:
        job = self.store.job(key)
        assert job is not None
        return job

    def _intact(self, job: Job) -> bool:
        return all(self.artifacts.intact(artifact) for artifact in job.stored)

    def _age(self, job: Job) -> float:
        """Seconds since it was submitted, by the time of day (it may have been another process)."""
        assert job.submitted_at is not None
        return max(0.0, (self.clock.now() - job.submitted_at).total_seconds())

    def _pause(self, seconds: float) -> None:
        if self.clock.wait(self.detached, seconds):
            raise Interrupted("detached: what was submitted goes on at the vendor", retry_with="aicp fetch")

    def _sit_out(self, seconds: float) -> None:
        """Before a new submit; nothing of this job runs anywhere."""
        if self.clock.wait(self.stopping, seconds):
            raise Interrupted("not started")

"""The money door: every model call, the free ones too, passes through `Door.generate`.

The order of durable writes is the law here (docs/money.md draws it)::

    stage inputs, uploads          before the claim
    claim + reservation            durable before the socket opens
    exactly one POST
    request id                     durable before the first poll
    result known to exist          durable before the download
    file stored and synced         before the job is done
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.cost import CostEstimate, to_micro
from ai_content_pipeline.errors import (
    BudgetRefused,
    Interrupted,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.generation import keys, outcomes
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.generation.fetch import Fetcher
from ai_content_pipeline.generation.locks import NamedLocks
from ai_content_pipeline.generation.owners import Owners
from ai_content_pipeline.generation.reconcile import Reconciler
from ai_content_pipeline.generation.rhythm import poll_delays, retry_delays
from ai_content_pipeline.generation.store import OPEN, Cap, Claim, Claimed, Job, State, Store, claimable
from ai_content_pipeline.jobs import (
    Billed,
    Failed,
    Gone,
    Handle,
    JobRequest,
    JobStatus,
    Json,
    Output,
    Queued,
    Reason,
    Running,
    Succeeded,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.protocol import Provider

Watch = Callable[[JobStatus], None]

#: Refusals before acceptance (429, no connection) that one item sits out before it fails.
_SUBMIT_TRIES = 8
#: How often, in seconds, to look whether another process has finished a job that we also want.
_BUSY_WAIT = 0.25
#: A job that has not ended after this many seconds is left to `aicp fetch`.
_PATIENCE = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Order:
    """A wish for media: a request whose inputs exist, its ordinal, and who wants it at what price."""

    request: JobRequest
    ordinal: int
    address: str
    estimate: CostEstimate
    unit_price: Decimal | None = None  # dollars a unit, to turn reported units into reported cost

    @property
    def key(self) -> str:
        return keys.request_key(self.request, self.ordinal)


@dataclass(frozen=True, slots=True)
class Made:
    """A finished job; `cached` when nothing was asked of a vendor for it now."""

    job: Job
    cached: bool


@dataclass
class Door:
    """One run's way to every provider. Thread-safe; one per process and run.

    `stopping` set: nothing new is submitted. `detached` set: waiting ends, what runs is left to a
    later command.
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
    stopping: threading.Event = field(default_factory=threading.Event)
    detached: threading.Event = field(default_factory=threading.Event)
    _locks: NamedLocks = field(default_factory=NamedLocks)

    def generate(self, order: Order, watch: Watch) -> Made:
        """The finished job for `order`: found, resumed, or paid for once.

        Raises:
            AicpError: the typed reason why there is none; its `hint` says what to do.
        """
        key = order.key
        with self._locks.hold(key):
            job = self.store.job(key)
            if job is not None and job.state is State.DONE and self._intact(job):
                return Made(job, cached=True)
            for delay in retry_delays(_SUBMIT_TRIES):
                try:
                    return Made(self._made(order, key, watch), cached=False)
                except NotAccepted as refusal:
                    if not refusal.temporary or delay is None:
                        raise refusal.cause from refusal
                    self._pause(max(delay, refusal.retry_after or 0.0))
            raise AssertionError("retry_delays ends with None")

    def collect(self, job: Job, watch: Watch) -> Job:
        """Bring an orphaned job of the journal as far as it goes, whoever ordered it."""
        with self._locks.hold(job.key):
            return self._conclude(self._second_chance(self._known(job.key)), watch)

    def _made(self, order: Order, key: str, watch: Watch) -> Job:
        job = self.store.job(key)
        if job is not None:
            job = self._conclude(self._second_chance(job), watch)
        if job is None or claimable(job):
            self._submit(order, key)
            job = self._conclude(self._known(key), watch)
        if job.state is State.DONE:
            return job
        # Nothing was, or will be, billed for these two: they are sent again after a pause.
        if job.state is State.PENDING or (job.reason is Reason.TEMPORARY and claimable(job)):
            raise NotAccepted(ProviderUnavailable(f"{job.provider}: {job.message}"), temporary=True)
        raise outcomes.ended(job)

    def _second_chance(self, job: Job) -> Job:
        """A result that did not decode, or whose stored file is damaged, is fetched again: it is free."""
        damaged = job.state is State.DONE and not self._intact(job)
        if damaged and self.provider(job.provider).repeatable:
            self.store.released(job.key, job.owner, "its stored file was damaged", self.clock.now())
        elif damaged:
            if not self.store.refetch(job.key, self.owners.me):
                raise outcomes.blocked(job)
        elif not (job.reason is Reason.BAD_OUTPUT and self.store.refetch(job.key, self.owners.me)):
            return job
        return self._known(job.key)

    # -- submitting --------------------------------------------------------------------------------

    def _submit(self, order: Order, key: str) -> None:
        provider = self.provider(order.request.model.provider)
        seed = self._seed(order.request, key)
        wire = provider.wire(order.request, self._uploads(provider, order.request), seed)
        if self.stopping.is_set():
            raise Interrupted("not started")
        claimed = self.store.claim(self._claim(order, key, wire, seed), self.clock.now())
        if claimed is Claimed.CAP:
            raise BudgetRefused(
                f"{order.estimate} more would pass the cap",
                hint="raise max_cost or --max-cost, and run the same command again",
            )
        if claimed is Claimed.MINE:
            self._post(provider, wire, key)

    def _post(self, provider: Provider, wire: WireRequest, key: str) -> None:
        me = self.owners.me
        try:
            handle = provider.submit(wire, key)
        except NotAccepted as refusal:
            if refusal.temporary:
                self.store.released(key, me, refusal.message, self.clock.now())
            else:
                reason = outcomes.reason_of(refusal.cause)
                self.store.failed(key, reason, refusal.message, Billed.NO, self.clock.now())
            raise
        except OutcomeUnknown as error:
            self.store.doubted(key, me, error.message, self.clock.now())
        else:
            self.store.submitted(key, me, handle, self.clock.now())

    def _seed(self, request: JobRequest, key: str) -> int | None:
        """The user's seed; for a redo, or when there is none, one derived from the key."""
        if request.model.seed_field is None:
            return None
        if request.seed is not None and request.take == 0:
            return request.seed
        return keys.derived_seed(key, self.store.project)

    def _claim(self, order: Order, key: str, wire: WireRequest, seed: int | None) -> Claim:
        request = order.request
        return Claim(
            key=key,
            lineage=keys.lineage_key(request, order.ordinal),
            take=request.take,
            provider=request.model.provider,
            endpoint=request.model.endpoint,
            description=_description(order, seed),
            wire=wire,
            outputs=request.outputs,
            run=self.run,
            address=order.address,
            owner=self.owners.me,
            reserve=to_micro(order.estimate.usd) if order.estimate.known else None,
            caps=self.caps,
        )

    def _uploads(self, provider: Provider, request: JobRequest) -> Mapping[Role, tuple[Upload, ...]]:
        return {
            role: tuple(self._upload(provider, source) for source in sources if isinstance(source, Artifact))
            for role, sources in request.inputs.items()
        }

    def _upload(self, provider: Provider, artifact: Artifact) -> Upload:
        """One upload of one content per provider, however many items ask for it at once."""
        with self._locks.hold(f"{provider.name}:{artifact.sha256}"):
            known = self.store.upload(provider.name, artifact.sha256, self.clock.now())
            if known is not None:
                return known
            upload = provider.upload(artifact, self.artifacts.path(artifact))
            self.store.uploaded(provider.name, artifact.sha256, upload)
            return upload

    # -- bringing a journaled job to its end -----------------------------------------------------------

    def _conclude(self, job: Job, watch: Watch) -> Job:
        """Follow `job` through the machine until it is DONE, ended, or may be claimed again."""
        while job.state in (*OPEN, State.IN_DOUBT):
            if not self._acquire(job):
                if job.state is State.IN_DOUBT:
                    raise outcomes.held(job)
                self._pause(_BUSY_WAIT)
            elif job.state is State.INTENT:
                message = "the process ended while the request was on its way"
                self.store.doubted(job.key, self.owners.me, message, self.clock.now())
            elif job.state is State.IN_DOUBT:
                self._resolve(job)
            elif job.state is State.SUBMITTED:
                self._poll(job, watch)
            else:
                self._fetch(job)
            job = self._known(job.key)
        return job

    def _acquire(self, job: Job) -> bool:
        """Whether the open `job` is this process's to bring on; a dead owner's becomes ours."""
        if job.owner == self.owners.me:
            return True
        return not self.owners.alive(job.owner) and self.store.take_over(job.key, job.owner, self.owners.me)

    def _resolve(self, job: Job) -> None:
        provider = self.provider(job.provider)
        if provider.repeatable:
            self.store.undoubted(job.key, abandon=False, spent=False, now=self.clock.now())
            return
        self.reconciler.resolve(job, provider, self.owners.me)
        if self._known(job.key).state is State.IN_DOUBT:
            raise outcomes.held(job)

    def _poll(self, job: Job, watch: Watch) -> None:
        assert job.handle is not None
        provider = self.provider(job.provider)
        for delay in poll_delays(self._age(job)):
            status = self._status(provider, job.handle)
            if not isinstance(status, Queued | Running):
                self._ended(job, provider, status)
                return
            watch(status)
            if self._age(job) > _PATIENCE:
                raise outcomes.too_slow(job)
            self._pause(delay)

    def _status(self, provider: Provider, handle: Handle) -> JobStatus:
        try:
            return provider.poll(handle)
        except ProviderUnavailable:
            return Running(message="the vendor does not answer; asking again")

    def _ended(self, job: Job, provider: Provider, status: Succeeded | Failed | Gone) -> None:
        now = self.clock.now()
        if isinstance(status, Succeeded):
            urls = [output.url for output in status.outputs if output.url is not None]
            cost = None if status.cost is None else to_micro(status.cost)
            self.store.finished(job.key, urls, status.units, cost, status.expires, status.notes, now)
            self.fetcher.fetch(job, status.outputs)
        elif isinstance(status, Failed):
            self.store.failed(job.key, status.reason, status.message, status.billed, now)
        elif provider.repeatable:
            self.store.released(job.key, self.owners.me, status.message, now)
        else:
            self.store.gone(job.key, status.message, now)

    def _fetch(self, job: Job) -> None:
        if not job.urls and self.provider(job.provider).repeatable:
            message = "its files were lost with the process that made them"
            self.store.released(job.key, self.owners.me, message, self.clock.now())
        else:
            self.fetcher.fetch(job, tuple(Output(url=url) for url in job.urls))

    # -- small things --------------------------------------------------------------------------------

    def _known(self, key: str) -> Job:
        job = self.store.job(key)
        assert job is not None
        return job

    def _intact(self, job: Job) -> bool:
        return all(self.artifacts.intact(artifact) for artifact in job.artifacts)

    def _age(self, job: Job) -> float:
        """Seconds since it was submitted, by the time of day (it may have been another process)."""
        assert job.submitted_at is not None
        return max(0.0, (self.clock.now() - job.submitted_at).total_seconds())

    def _pause(self, seconds: float) -> None:
        if self.clock.wait(self.detached, seconds):
            raise Interrupted("detached: what was submitted goes on at the vendor", retry_with="aicp fetch")


def _description(order: Order, seed: int | None) -> dict[str, Json]:
    """What the journal remembers of a job for people: enough to show it without the YAML."""
    request = order.request
    return {
        "model": request.model.name,
        "kind": request.model.task.makes.value,
        "task": request.model.task.value,
        "prompt": request.prompt,
        "params": dict(request.params),
        "seed": seed,
        "inputs": {
            role.value: [source.sha256 for source in sources if isinstance(source, Artifact)]
            for role, sources in request.inputs.items()
        },
    }

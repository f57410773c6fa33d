"""One unit of work in a worker thread: its inputs gathered, made or found, delivered. Never raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ai_content_pipeline.artifacts import Artifact, Frame, Role, Source
from ai_content_pipeline.engine import events, item_results
from ai_content_pipeline.engine.delivery import Delivery
from ai_content_pipeline.engine.graph import Unit
from ai_content_pipeline.engine.item_results import Made, Times
from ai_content_pipeline.engine.local import LocalRunner, frame_work, with_inputs
from ai_content_pipeline.engine.pricing import FREE, terms, unit_price
from ai_content_pipeline.engine.results import ItemResult, ItemState
from ai_content_pipeline.engine.takes import Takes
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError, BudgetRefused, Interrupted, OutcomeUnknown
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.door import Door, Order
from ai_content_pipeline.generation.store import OPEN, Job
from ai_content_pipeline.jobs import JobRequest, JobStatus, LocalWork, Queued, Running
from ai_content_pipeline.steps.protocol import Item


class _NotMade(AicpError):
    """It is not there yet, and this run does not make it; the message says why."""


@dataclass(slots=True)
class _Attempt:
    """A unit being worked on, and the key of its job once that is known. `pays`: the job's money is shown
    here, and not at another unit that asks for the very same."""

    unit: Unit
    begun: float
    key: str | None = None
    pays: bool = True


@dataclass
class UnitRunner:
    """Runs units, in whichever thread it is called.

    `refusal` says why a unit may not be made now (what is there already is used all the same), None that
    it may. `collecting` are the jobs of earlier processes that are being brought home, by key; `used`
    are the keys that this run asked for, with the unit that did so first. `emit` may be
    called from any thread.
    """

    workshop: Workshop
    door: Door
    delivery: Delivery
    retry: Callable[[str | None], str]
    redo: str | None
    started: float
    delivered_steps: frozenset[str]
    refusal: Callable[[Unit], str | None]
    collecting: Mapping[str, Future[AicpError | None]]
    used: dict[str, int]
    emit: Callable[[events.Event], None]

    def __post_init__(self) -> None:
        self.local: LocalRunner = self.workshop.local
        self.takes = Takes(self.workshop.store)

    def run(self, unit: Unit, results: Mapping[str, ItemResult]) -> tuple[ItemResult, ...]:
        """The results of the unit's items; a failure becomes their typed error."""
        attempt = _Attempt(unit, time.monotonic())
        try:
            blocked = self._blocked(unit, results)
            if blocked is not None:
                return blocked
            made = self._make(attempt, results)
            return tuple(self._delivered(attempt, item, made) for item in unit.items)
        except AicpError as error:
            return self._failed(attempt, error)
        except Exception as error:  # noqa: BLE001  the per-item boundary: a bug fails its item, not its siblings
            return self._failed(attempt, item_results.internal(error))

    @staticmethod
    def _blocked(unit: Unit, results: Mapping[str, ItemResult]) -> tuple[ItemResult, ...] | None:
        """The results of a unit that needs an item which has no file."""
        blocker = next((results[need] for need in unit.needs if results[need].artifact is None), None)
        if blocker is None:
            return None
        if blocker.state is ItemState.NOT_RUN:
            return tuple(item_results.not_run(item, blocker.notes[0]) for item in unit.items)
        return tuple(item_results.skipped(item, blocker.address) for item in unit.items)

    # -- making ------------------------------------------------------------------------------------

    def _make(self, attempt: _Attempt, results: Mapping[str, ItemResult]) -> Made:
        unit = attempt.unit
        if unit.work is None:
            given = unit.items[0].given
            assert given is not None
            return Made((given,), cached=True)
        inputs = self._gather(unit.work, results)
        if isinstance(unit.work, LocalWork):
            return self._work_here(unit, with_inputs(unit.work, inputs))
        return self._generate(attempt, replace(unit.work, inputs=inputs) if inputs else unit.work)

    def _gather(
        self, work: JobRequest | LocalWork, results: Mapping[str, ItemResult]
    ) -> dict[Role, tuple[Artifact, ...]]:
        return {
            role: tuple(self._resolve(source, results) for source in sources)
            for role, sources in work.inputs.items()
        }

    def _resolve(self, source: Source, results: Mapping[str, ItemResult]) -> Artifact:
        if isinstance(source, Artifact):
            return source
        made = results[source.address].artifact
        assert made is not None
        if source.frame is None:
            return made
        (still,), _ = self.local.run(frame_work(made, Frame(source.frame)))
        return still

    def _work_here(self, unit: Unit, work: LocalWork) -> Made:
        known = self.local.known(keys.local_key(work))
        if known is not None:
            return Made(known, cached=True)
        self._may_make(unit)
        return Made(self.local.run(work)[0], cached=False)

    def _generate(self, attempt: _Attempt, request: JobRequest) -> Made:
        unit = attempt.unit
        take = self._take(unit, request)
        price = unit_price(unit.step, request)
        agreed = None if unit.quote is FREE else terms(unit.step, unit.items[0], request)
        request = replace(request, take=take)
        order = Order(request, unit.ordinal, unit.items[0].address, unit.estimate, price, agreed)
        attempt.key = order.key
        attempt.pays = self.used.setdefault(order.key, unit.number) == unit.number
        self._await_collector(order.key)
        made = self.door.generate(
            order, lambda status: self._tell_progress(unit, status), lambda: self._may_make(unit)
        )
        return Made(made.job.artifacts, made.cached, made.job)

    def _take(self, unit: Unit, request: JobRequest) -> int:
        if self.redo is None or all(item.address != self.redo for item in unit.items):
            return self.takes.current(request, unit.ordinal)
        return self.takes.to_redo(request, unit.ordinal, self.door.run, unit.items[0].address)

    def _await_collector(self, key: str) -> None:
        """A job in doubt, which a collector has just asked the vendor about, is not asked about twice."""
        collector = self.collecting.get(key)
        error = None if collector is None else collector.result()
        if isinstance(error, OutcomeUnknown):
            raise error

    def _may_make(self, unit: Unit) -> None:
        """Something is to be made now: say so, unless it may not be."""
        reason = self.refusal(unit)
        if reason is not None:
            raise _NotMade(reason)
        for item in unit.items:
            self.emit(events.ItemStarted(item.step, item.index, item.address))

    # -- what became of it ---------------------------------------------------------------------------

    def _delivered(self, attempt: _Attempt, item: Item, made: Made) -> ItemResult:
        run = self.door.run if attempt.pays else None
        result = item_results.made(attempt.unit, item, made, run, self._times(attempt))
        artifact = result.artifact
        if artifact is None:
            error = item_results.missing(attempt.unit, item, made)
            return item_results.spoilt(result, error, self.retry(item.address))
        if item.step not in self.delivered_steps:
            return result
        source = self.workshop.artifacts.path(artifact)
        try:
            file = self.delivery.place(source, artifact.sha256, f"{item.step}/{item.label}{artifact.suffix}")
        except AicpError as error:
            return item_results.spoilt(result, error, None)
        except OSError as error:
            return item_results.spoilt(result, item_results.disk(error), None)
        return replace(result, file=file)

    def _failed(self, attempt: _Attempt, error: AicpError) -> tuple[ItemResult, ...]:
        unit, job = attempt.unit, self._journaled(attempt)
        run = self.door.run if attempt.pays else None
        if isinstance(error, _NotMade | Interrupted):
            return tuple(item_results.stopped(unit, item, error.message, job, run) for item in unit.items)
        times = self._times(attempt)
        return tuple(
            item_results.failed(unit, item, error, job, run, times, self._retry(unit, item, error, job))
            for item in unit.items
        )

    def _journaled(self, attempt: _Attempt) -> Job | None:
        try:
            return None if attempt.key is None else self.workshop.store.job(attempt.key)
        except AicpError:
            return None  # the journal itself is what failed

    def _retry(self, unit: Unit, item: Item, error: AicpError, job: Job | None) -> str | None:
        """The command that makes just this item anew, where that helps."""
        if error.retry_with is not None:
            return error.retry_with
        if job is not None and job.state in OPEN:
            return None  # the same command brings it home; another take would be paid for
        helps = isinstance(unit.work, JobRequest) and not isinstance(error, OutcomeUnknown | BudgetRefused)
        return self.retry(item.address) if helps else None

    def _times(self, attempt: _Attempt) -> Times:
        return Times(attempt.begun - self.started, time.monotonic() - attempt.begun)

    def _tell_progress(self, unit: Unit, status: JobStatus) -> None:
        item = unit.items[0]
        if isinstance(status, Queued):
            event = events.ItemProgress(item.step, item.index, item.address, position=status.position)
        elif isinstance(status, Running):
            event = events.ItemProgress(
                item.step, item.index, item.address, status.progress, None, status.message
            )
        else:
            return
        self.emit(event)

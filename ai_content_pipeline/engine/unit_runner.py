"""One unit of work in a worker thread: its inputs gathered, made or found, delivered. Never raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact, Frame, Source
from ai_content_pipeline.engine import events, item_results
from ai_content_pipeline.engine.delivery import Delivery
from ai_content_pipeline.engine.graph import Unit
from ai_content_pipeline.engine.item_results import Account, Made, Times
from ai_content_pipeline.engine.local import LocalRunner, frame_work, with_inputs
from ai_content_pipeline.engine.making import Attempt, Maker, NotMade, gathered
from ai_content_pipeline.engine.results import ItemResult, ItemState
from ai_content_pipeline.engine.takes import Takes
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import (
    AicpError,
    BudgetRefused,
    ContentRejected,
    Interrupted,
    OutcomeUnknown,
)
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.door import Door
from ai_content_pipeline.generation.store import OPEN, Job
from ai_content_pipeline.jobs import JobRequest, LocalWork
from ai_content_pipeline.steps.protocol import Item


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
        self.maker = Maker(
            door=self.door,
            takes=Takes(self.workshop.store),
            judge=self.workshop.judge,
            redo=self.redo,
            refusal=self.refusal,
            collecting=self.collecting,
            used=self.used,
            emit=self.emit,
        )

    def run(self, unit: Unit, results: Mapping[str, ItemResult]) -> tuple[ItemResult, ...]:
        """The results of the unit's items; a failure becomes their typed error."""
        attempt = Attempt(unit, time.monotonic())
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
        needed = (results[need] for need in unit.needs)
        blocker = next((one for one in needed if one.artifact is None or not one.accepted), None)
        if blocker is None:
            return None
        if not blocker.accepted:
            return tuple(item_results.skipped(item, blocker.address, "is off subject") for item in unit.items)
        if blocker.state is ItemState.NOT_RUN:
            return tuple(item_results.not_run(item, blocker.notes[0]) for item in unit.items)
        return tuple(item_results.skipped(item, blocker.address) for item in unit.items)

    # -- making ------------------------------------------------------------------------------------

    def _make(self, attempt: Attempt, results: Mapping[str, ItemResult]) -> Made:
        unit = attempt.unit
        if unit.work is None:
            given = unit.items[0].given
            assert given is not None
            return Made((given,), cached=True)
        resolve = partial(self._resolve, results=results)
        if isinstance(unit.work, LocalWork):
            return self._work_here(unit, with_inputs(unit.work, gathered(unit.work.inputs, resolve)))
        return self.maker.generate(attempt, resolve)

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
        self.maker.may_make(unit)
        return Made(self.local.run(work)[0], cached=False)

    # -- what became of it ---------------------------------------------------------------------------

    def _delivered(self, attempt: Attempt, item: Item, made: Made) -> ItemResult:
        file, fault, retry = None, None, None
        artifact = made.artifact(item)
        if artifact is None:
            fault, retry = item_results.missing(attempt.unit, item, made), self.retry(item.address)
        elif item.step in self.delivered_steps:
            try:
                file = self._placed(item, artifact)
            except AicpError as error:
                fault = error
            except OSError as error:
                fault = item_results.disk(error)
        result = item_results.made(item, made, self._account(attempt, made.job), file)
        if fault is not None:
            return item_results.spoilt(result, fault, retry)
        return item_results.judged(attempt.unit, result, made, self.retry(item.address))

    def _placed(self, item: Item, artifact: Artifact) -> Path:
        source = self.workshop.artifacts.path(artifact)
        return self.delivery.place(source, artifact.sha256, f"{item.step}/{item.label}{artifact.suffix}")

    def _failed(self, attempt: Attempt, error: AicpError) -> tuple[ItemResult, ...]:
        unit, job = attempt.unit, self._journaled(attempt)
        account = self._account(attempt, job)
        if isinstance(error, NotMade | Interrupted):
            return tuple(item_results.stopped(unit, item, error.message, account) for item in unit.items)
        left_out = isinstance(error, ContentRejected) and getattr(unit.step.fields, "rejected", "") == "skip"
        return tuple(
            item_results.failed(
                unit, item, error, account, self._retry(unit, item, error, job), left_out=left_out
            )
            for item in unit.items
        )

    def _journaled(self, attempt: Attempt) -> Job | None:
        """The journal's entry of the job that was asked for last."""
        return self._job(attempt.orders[-1][0].key) if attempt.orders else None

    def _job(self, key: str) -> Job | None:
        try:
            return self.workshop.store.job(key)
        except AicpError:
            return None  # the journal itself is what failed

    def _account(self, attempt: Attempt, job: Job | None) -> Account:
        """`job`, whose result counts, and what all jobs of the attempt came to."""
        run, paid = self.door.run, [order.key for order, pays in attempt.orders if pays]
        others = [self._job(key) for key in paid if job is None or key != job.key]
        mine = [one for one in others if one is not None and one.run == run]
        if job is not None and job.run == run and job.key in paid:
            mine.append(job)
        times = Times(attempt.begun - self.started, time.monotonic() - attempt.begun)
        return Account(job, tuple(mine), attempt.estimate, tuple(attempt.notes), times)

    def _retry(self, unit: Unit, item: Item, error: AicpError, job: Job | None) -> str | None:
        """The command that makes just this item anew, where that helps."""
        if error.retry_with is not None:
            return error.retry_with
        if job is not None and job.state in OPEN:
            return None  # the same command brings it home; another take would be paid for
        helps = isinstance(unit.work, JobRequest) and not isinstance(error, OutcomeUnknown | BudgetRefused)
        return self.retry(item.address) if helps else None

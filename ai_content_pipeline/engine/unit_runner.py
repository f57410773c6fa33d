"""One unit of work in a worker thread: its inputs gathered, made or found, delivered. Never raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from ai_content_pipeline.artifacts import Artifact, Frame, Pending, Role, Source
from ai_content_pipeline.cost import CostEstimate, from_micro
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.delivery import Delivery
from ai_content_pipeline.engine.graph import Unit
from ai_content_pipeline.engine.local import frame_work, with_inputs
from ai_content_pipeline.engine.pricing import unit_price
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError, Interrupted, OutcomeUnknown, ProviderUnavailable
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.door import Door, Made, Order
from ai_content_pipeline.generation.store import Job, State, claimable
from ai_content_pipeline.jobs import JobRequest, JobStatus, LocalWork, Queued, Running
from ai_content_pipeline.pipeline.expansion import Expansion
from ai_content_pipeline.steps.protocol import Item


class _Retry(Protocol):
    def __call__(self, address: str | None) -> str: ...


@dataclass(frozen=True, slots=True)
class _Yield:
    """What a unit's work came to: its files, and where they came from."""

    artifacts: tuple[Artifact, ...]
    cached: bool
    job: Job | None = None
    prompt: str | None = None


@dataclass
class UnitRunner:
    """Runs units. `only` restricts what may be made; everything else is only looked up."""

    workshop: Workshop
    door: Door
    delivery: Delivery
    expansion: Expansion
    options_retry: _Retry
    run_id: str
    redo: str | None
    only: set[int] | None
    started: float
    emit: Callable[[events.Event], None]

    def run(
        self, unit: Unit, results: Mapping[str, ItemResult], stopped_by: str | None
    ) -> tuple[ItemResult, ...]:
        """The results of the unit's items; a failure becomes their typed error."""
        blocker = self._blocker(unit, results)
        if blocker is not None:
            return tuple(skipped(item, blocker) for item in unit.items)
        if stopped_by is not None:
            reason = f"not started, because {stopped_by} failed (on_error: stop)"
            return tuple(not_run(item, reason) for item in unit.items)
        begun = time.monotonic()
        try:
            made = self._make(unit, results)
        except AicpError as error:
            return self._failed(unit, error, begun)
        except Exception as error:  # noqa: BLE001  the per-item boundary: a bug fails its item, not its siblings
            return self._failed(unit, _internal(error), begun)
        return tuple(self._delivered(unit, item, made, begun) for item in unit.items)

    # -- making ------------------------------------------------------------------------------------

    def _make(self, unit: Unit, results: Mapping[str, ItemResult]) -> _Yield:
        given = unit.items[0].given
        if given is not None:
            return _Yield((given,), cached=True)
        work = unit.work
        assert work is not None
        inputs = self._gather(work, results)
        if isinstance(work, LocalWork):
            if self.workshop.stopping.is_set():
                raise Interrupted("not started")
            self._tell_started(unit)
            artifacts, cached = self.workshop.local.run(with_inputs(work, inputs))
            return _Yield(artifacts, cached)
        request = replace(work, inputs=inputs)
        made = self._generate(unit, request)
        return _Yield(made.job.artifacts, made.cached, made.job, request.prompt)

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
        (still,), _ = self.workshop.local.run(frame_work(made, Frame(source.frame)))
        return still

    def _generate(self, unit: Unit, request: JobRequest) -> Made:
        store = self.workshop.store
        lineage = keys.lineage_key(request, unit.ordinal)
        take = store.current_take(lineage)
        if self.redo in [item.address for item in unit.items]:
            take = self._redo_take(request, unit, lineage, take)
        order = Order(
            replace(request, take=take),
            unit.ordinal,
            unit.items[0].address,
            unit.estimate,
            unit_price(unit.step, request),
        )
        known = store.job(order.key)
        cached = known is not None and known.state is State.DONE
        if not cached and self.only is not None and unit.number not in self.only:
            raise _NotAsked()
        if not cached:
            self._tell_started(unit)
        return self.door.generate(order, lambda status: self._tell_progress(unit, status))

    def _redo_take(self, request: JobRequest, unit: Unit, lineage: str, current: int) -> int:
        """The take to make: a new one, unless the current one has cost nothing and is still to be made."""
        key = keys.request_key(replace(request, take=current), unit.ordinal)
        job = self.workshop.store.job(key)
        if job is None or claimable(job):
            return current
        return self.workshop.store.redo_take(lineage, self.run_id, unit.items[0].address)

    # -- what became of it ---------------------------------------------------------------------------

    def _delivered(self, unit: Unit, item: Item, made: _Yield, begun: float) -> ItemResult:
        result = self._result(unit, item, made, begun)
        if item.output >= len(made.artifacts):
            message = f"the vendor returned {len(made.artifacts)} of {len(unit.items)} files"
            error = ItemError("bad_output", 1, message, retry_with=self.options_retry(item.address))
            return replace(result, state=ItemState.FAILED, error=error)
        artifact = made.artifacts[item.output]
        result = replace(result, artifact=artifact)
        if not self._wanted(unit):
            return result
        try:
            source = self.workshop.artifacts.path(artifact)
            relative = f"{item.step}/{item.label}{artifact.suffix}"
            return replace(result, file=self.delivery.place(source, artifact.sha256, relative))
        except (AicpError, OSError) as error:
            problem = error if isinstance(error, AicpError) else _disk(error)
            failure = ItemError(problem.code, problem.exit_code, problem.message, problem.hint)
            return replace(result, state=ItemState.FAILED, error=failure)

    def _wanted(self, unit: Unit) -> bool:
        """Whether the unit's files appear in the output folder (``save_intermediates: false``)."""
        steps = self.expansion.steps
        if self.expansion.pipeline.top.save_intermediates:
            return True
        last = next((s for s in reversed(steps) if s.fields.type != "thumbnail"), steps[-1])
        return unit.step.position >= last.position

    def _result(self, unit: Unit, item: Item, made: _Yield, begun: float) -> ItemResult:
        state = ItemState.CACHED if made.cached else ItemState.DONE
        now = time.monotonic()
        result = ItemResult(
            step=item.step,
            index=item.index,
            label=item.label,
            kind=item.makes.kind,
            state=ItemState.GIVEN if item.given is not None else state,
            inputs=_input_names(item),
            seconds=now - begun,
            started=begun - self.started,
        )
        job = made.job
        if job is None:
            return result
        first = item.output == 0
        spent = None if job.cost is None and job.reserved is None else job.cost or job.reserved or 0
        cost = None if spent is None else from_micro(spent)
        return replace(
            result,
            model=str(job.description["model"]),
            prompt=made.prompt,
            params=dict(job.description["params"] or {}),  # type: ignore[arg-type]
            seed=job.description["seed"],  # type: ignore[arg-type]
            take=job.take,
            source_urls=job.urls[item.output : item.output + 1],
            estimate=unit.estimate if first else CostEstimate(),
            cost=Decimal(0) if made.cached or not first else cost,
            reported=job.cost is not None,
            notes=job.notes,
        )

    def _failed(self, unit: Unit, error: AicpError, begun: float) -> tuple[ItemResult, ...]:
        if isinstance(error, _NotAsked):
            return tuple(not_run(item, "not asked for") for item in unit.items)
        if isinstance(error, Interrupted):
            return tuple(not_run(item, error.message) for item in unit.items)
        state = ItemState.IN_DOUBT if isinstance(error, OutcomeUnknown) else ItemState.FAILED
        request = unit.work if isinstance(unit.work, JobRequest) else None
        return tuple(
            ItemResult(
                step=item.step,
                index=item.index,
                label=item.label,
                kind=item.makes.kind,
                state=state,
                model=request.model.name if request else None,
                prompt=request.prompt if request else None,
                params=request.params if request else None,
                inputs=_input_names(item),
                estimate=unit.estimate,
                seconds=time.monotonic() - begun,
                started=begun - self.started,
                error=self._error(unit, item, error),
            )
            for item in unit.items
        )

    def _error(self, unit: Unit, item: Item, error: AicpError) -> ItemError:
        retry = error.retry_with
        if retry is None and unit.paid and not isinstance(error, OutcomeUnknown):
            retry = self.options_retry(item.address)
        return ItemError(error.code, error.exit_code, error.message, error.hint, retry)

    def _blocker(self, unit: Unit, results: Mapping[str, ItemResult]) -> str | None:
        """The first item that this unit needs and that has no file."""
        return next((need for need in unit.needs if results[need].artifact is None), None)

    def _tell_started(self, unit: Unit) -> None:
        for item in unit.items:
            self.emit(events.ItemStarted(item.step, item.index, item.address))

    def _tell_progress(self, unit: Unit, status: JobStatus) -> None:
        item = unit.items[0]
        if isinstance(status, Queued):
            self.emit(events.ItemProgress(item.step, item.index, item.address, position=status.position))
        elif isinstance(status, Running):
            self.emit(
                events.ItemProgress(
                    item.step, item.index, item.address, status.progress, None, status.message
                )
            )


class _NotAsked(AicpError):
    """This command makes something else; what is not there already stays away."""

    def __init__(self) -> None:
        super().__init__("not asked for")


def skipped(item: Item, blocker: str) -> ItemResult:
    error = ItemError("skipped", 1, f"{blocker} has no result, and this needs it")
    return ItemResult(
        item.step, item.index, item.label, item.makes.kind, ItemState.SKIPPED,
        inputs=_input_names(item), error=error,
    )  # fmt: skip


def not_run(item: Item, reason: str) -> ItemResult:
    return ItemResult(
        item.step, item.index, item.label, item.makes.kind, ItemState.NOT_RUN,
        inputs=_input_names(item), notes=(reason,),
    )  # fmt: skip


def _input_names(item: Item) -> tuple[str, ...]:
    return tuple(
        source.address if isinstance(source, Pending) else source.sha256
        for sources in item.inputs.values()
        for source in sources
    )


def _internal(error: Exception) -> AicpError:
    if isinstance(error, OSError):
        return _disk(error)
    return AicpError(
        f"internal error: {type(error).__name__}: {error}", hint="please report this, with -v output"
    )


def _disk(error: OSError) -> AicpError:
    """A full or read-only disk: what was paid is in the journal, and the same command goes on."""
    return ProviderUnavailable(
        f"{error.filename or 'a file'} cannot be written: {error.strerror or error}",
        hint="make room or fix the permissions, and run the same command again; nothing is lost",
    )

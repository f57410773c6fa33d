"""What a run would do, item by item, by the same expansion, keys and prices that the run uses."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from ai_content_pipeline.artifacts import Artifact, Frame, Role, Source
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine import takes
from ai_content_pipeline.engine.graph import Graph, Unit, build, check_redo
from ai_content_pipeline.engine.local import frame_work, with_inputs
from ai_content_pipeline.engine.pricing import usual_seconds
from ai_content_pipeline.engine.schedule import Schedule
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.store import OPEN, State, Store, claimable
from ai_content_pipeline.jobs import JobRequest, LocalWork, Reason
from ai_content_pipeline.pipeline.expansion import Expansion

#: Seconds assumed for work done here (a split, a thumbnail).
_LOCAL_SECONDS = 0.1


class PlanState(StrEnum):
    RUN = "run"
    CACHED = "cached"
    REATTACH = "re-attach"  # submitted and paid: it will be collected, or fetched once more
    IN_DOUBT = "in doubt"
    BLOCKED = "blocked"  # its stored file is damaged, or it failed in a way that only `redo` starts over
    GIVEN = "given"
    NOT_ASKED = "not asked for"  # a redo of something else leaves it away


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One item. The price of a job that makes several stands on its first; `seconds` None: unknown."""

    step: str
    index: int
    label: str
    model: str | None
    state: PlanState
    price: CostEstimate
    seconds: float | None

    @property
    def address(self) -> str:
        return f"{self.step}/{self.label}"


@dataclass(frozen=True, slots=True)
class Plan:
    """`price` is an upper bound for what is still to run, `saved` what the cache saves.

    Times in seconds; they leave out the jobs named in `untimed`. `warnings` are of the file itself.
    """

    items: tuple[PlanItem, ...]
    price: CostEstimate
    saved: CostEstimate
    seconds_sequential: float
    seconds_parallel: float
    untimed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def make_plan(expansion: Expansion, store: Store, artifacts: ArtifactStore, redo: str | None = None) -> Plan:
    """Look every item up; nothing is submitted, made or written. `redo` is the address of an item that
    would be made anew.

    Raises:
        UsageError: `redo` names no item that a model makes.
    """
    plan = _Planner(build(expansion), store, artifacts, redo).plan()
    return replace(plan, warnings=expansion.warnings)


class _Planner:
    def __init__(self, graph: Graph, store: Store, artifacts: ArtifactStore, redo: str | None) -> None:
        self._graph = graph
        self._store = store
        self._artifacts = artifacts
        self._redone: int | None = None
        self._wanted: set[int] | None = None
        if redo is not None:
            check_redo(graph, redo)
            self._redone = graph.maker[redo].number
            self._wanted = graph.closure(redo)
        self._known: dict[str, Artifact] = {}
        self._usual: dict[str, float | None] = {}

    def plan(self) -> Plan:
        states = {unit.number: self._state(unit) for unit in self._graph.units}
        seconds = {unit.number: self._seconds(unit, states[unit.number]) for unit in self._graph.units}
        to_run = [unit for unit in self._graph.units if states[unit.number] is PlanState.RUN]
        cached = [unit for unit in self._graph.units if states[unit.number] is PlanState.CACHED]
        times = {number: value or 0.0 for number, value in seconds.items()}
        return Plan(
            items=tuple(
                self._item(unit, index, states[unit.number], seconds[unit.number])
                for unit in self._graph.units
                for index in range(len(unit.items))
            ),
            price=total(unit.estimate for unit in to_run),
            saved=total(unit.estimate for unit in cached),
            seconds_sequential=sum(times.values()),
            seconds_parallel=_makespan(self._graph, times),
            untimed=tuple(
                dict.fromkeys(
                    unit.work.model.name
                    for unit in to_run
                    if isinstance(unit.work, JobRequest) and seconds[unit.number] is None
                )
            ),
        )

    def _item(self, unit: Unit, index: int, state: PlanState, seconds: float | None) -> PlanItem:
        item = unit.items[index]
        priced = index == 0 and state is PlanState.RUN
        return PlanItem(
            item.step,
            item.index,
            item.label,
            unit.work.model.name if isinstance(unit.work, JobRequest) else None,
            state,
            unit.estimate if priced else CostEstimate(),
            seconds if index == 0 else 0.0,
        )

    # -- states ------------------------------------------------------------------------------------

    def _state(self, unit: Unit) -> PlanState:
        given = unit.items[0].given
        if given is not None:
            self._known[unit.items[0].address] = given
            return PlanState.GIVEN
        assert unit.work is not None
        inputs = self._inputs(unit.work.inputs)
        if inputs is None:
            state = PlanState.RUN
        elif isinstance(unit.work, LocalWork):
            state = self._local_state(unit, with_inputs(unit.work, inputs))
        else:
            state = self._job_state(unit, replace(unit.work, inputs=inputs))
        if state is PlanState.RUN and self._wanted is not None and unit.number not in self._wanted:
            return PlanState.NOT_ASKED
        return state

    def _local_state(self, unit: Unit, work: LocalWork) -> PlanState:
        made = self._lookup(work)
        if made is None:
            return PlanState.RUN
        self._remember(unit, made)
        return PlanState.CACHED

    def _job_state(self, unit: Unit, request: JobRequest) -> PlanState:
        if unit.number == self._redone:
            return PlanState.RUN
        take = takes.current(self._store, request, unit.ordinal)
        job = self._store.job(keys.request_key(replace(request, take=take), unit.ordinal))
        if job is None or claimable(job):
            return PlanState.RUN
        if job.state is State.DONE:
            intact = all(map(self._artifacts.intact, job.artifacts))
            self._remember(unit, job.artifacts)
            return PlanState.CACHED if intact else PlanState.BLOCKED
        if job.state is State.IN_DOUBT:
            return PlanState.IN_DOUBT
        fetchable = job.state in OPEN or job.reason is Reason.BAD_OUTPUT
        return PlanState.REATTACH if fetchable else PlanState.BLOCKED

    def _remember(self, unit: Unit, made: tuple[Artifact, ...]) -> None:
        for item in unit.items:
            if item.output < len(made):
                self._known[item.address] = made[item.output]

    def _lookup(self, work: LocalWork) -> tuple[Artifact, ...] | None:
        made = self._store.local(keys.local_key(work))
        return made if made is not None and all(map(self._artifacts.intact, made)) else None

    def _inputs(self, wanted: Mapping[Role, tuple[Source, ...]]) -> dict[Role, tuple[Artifact, ...]] | None:
        """The input files, if every one of them exists already."""
        found: dict[Role, tuple[Artifact, ...]] = {}
        for role, sources in wanted.items():
            resolved = [self._resolve(source) for source in sources]
            if None in resolved:
                return None
            found[role] = tuple(artifact for artifact in resolved if artifact is not None)
        return found

    def _resolve(self, source: Source) -> Artifact | None:
        if isinstance(source, Artifact):
            return source
        made = self._known.get(source.address)
        if made is None or source.frame is None:
            return made
        stills = self._lookup(frame_work(made, Frame(source.frame)))
        return stills[0] if stills else None

    # -- times -------------------------------------------------------------------------------------

    def _seconds(self, unit: Unit, state: PlanState) -> float | None:
        """What is still to be waited for: by this project's own record, else by the model's card."""
        if state in (PlanState.CACHED, PlanState.GIVEN, PlanState.BLOCKED, PlanState.NOT_ASKED):
            return 0.0
        if not isinstance(unit.work, JobRequest):
            return _LOCAL_SECONDS
        endpoint = unit.work.model.endpoint
        if endpoint not in self._usual:
            observed = self._store.timings(endpoint)
            self._usual[endpoint] = median(observed) if observed else usual_seconds(unit.step, unit.work)
        return self._usual[endpoint]


def _makespan(graph: Graph, seconds: Mapping[int, float]) -> float:
    """How long the run takes when every unit takes its `seconds`: the schedule, played through."""
    schedule = Schedule(graph)
    running: list[tuple[float, int]] = []
    now = 0.0
    while True:
        for unit in schedule.start():
            heapq.heappush(running, (now + seconds[unit.number], unit.number))
        if not running:
            return now
        now, number = heapq.heappop(running)
        schedule.ended(graph.units[number])

"""What a run would do, item by item, by the same expansion, keys and prices that the run uses."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from ai_content_pipeline.artifacts import Artifact, Frame, Role, Source
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.forecast import forecast
from ai_content_pipeline.engine.graph import Graph, Unit, build, check_redo
from ai_content_pipeline.engine.local import frame_work, with_inputs
from ai_content_pipeline.engine.pricing import PriceBook, median, usual_seconds
from ai_content_pipeline.engine.scoring import SCORES, ScoreBook, Shown
from ai_content_pipeline.engine.selection import EVERYTHING, Selection, check_inputs
from ai_content_pipeline.engine.standing import Place, Standing
from ai_content_pipeline.engine.takes import Takes
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.store import OPEN, State, Store, claimable
from ai_content_pipeline.jobs import JobRequest, LocalWork, Reason
from ai_content_pipeline.pipeline.expansion import Expansion
from ai_content_pipeline.steps.protocol import Conditioning

#: Seconds assumed for work done here (a split, a thumbnail).
_LOCAL_SECONDS = 0.1


class PlanState(StrEnum):
    RUN = "run"
    CACHED = "cached"
    REATTACH = "re-attach"  # submitted and paid: it will be collected, or fetched once more
    IN_DOUBT = "in doubt"
    BLOCKED = "blocked"  # its stored file is damaged, only `redo` starts it over, or what it needs is so
    GIVEN = "given"
    NOT_ASKED = "not asked for"  # a redo of something else, or a selection, leaves it away


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One item. Money and time of a job that makes several stand on its first; `seconds` None: unknown.

    `price` is what it may cost now, `saved` what it would, were it not there already. `key` is its job's,
    None while its inputs do not exist. `critical`: the run takes as long as such items take in a row.
    """

    unit: Unit
    index: int
    step: str
    label: str
    model: str | None
    state: PlanState
    price: CostEstimate
    saved: CostEstimate
    seconds: float | None
    key: str | None
    critical: bool

    @property
    def address(self) -> str:
        return f"{self.step}/{self.label}"

    @property
    def conditioning(self) -> Conditioning | None:
        """The references that it keeps, and by which route."""
        return self.unit.step.setting.conditioning.get(self.unit.items[0].job)


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

    @property
    def critical(self) -> tuple[PlanItem, ...]:
        """The items that decide how long the run takes, in order."""
        return tuple(item for item in self.items if item.critical)


def make_plan(
    expansion: Expansion,
    store: Store,
    artifacts: ArtifactStore,
    redo: str | None = None,
    prices: PriceBook | None = None,
    selection: Selection = EVERYTHING,
) -> Plan:
    """Look every item up; nothing is submitted, made or written. `redo` is the address of an item that
    would be made anew; `prices` those that the run will use, else they are read now. `selection` is what
    may be made.

    Raises:
        UsageError: `redo` names no item that a model makes, or `selection` none at all.
        InputMissing: what is selected needs something that is not there and not selected.
    """
    graph = build(expansion, prices or PriceBook(store))
    plan = _Planner(graph, store, artifacts, redo, selection).plan()
    return replace(plan, warnings=expansion.warnings)


class _Planner:
    def __init__(
        self, graph: Graph, store: Store, artifacts: ArtifactStore, redo: str | None, selection: Selection
    ) -> None:
        self._graph = graph
        self._store = store
        self._artifacts = artifacts
        self._redone: int | None = None
        self._wanted: Set[int] | None = selection.units(graph)
        if redo is not None:
            check_redo(graph, redo)
            self._redone = graph.maker[redo].number
            self._wanted = graph.closure(redo)
        self._takes = Takes(store)
        self._standing = Standing(store, self._takes, ScoreBook(artifacts.root / SCORES))
        self._prices: dict[int, CostEstimate] = {}  # of units whose price is not by their state alone
        self._known: dict[str, Artifact] = {}
        self._keys: dict[int, str] = {}
        self._ended: set[int] = set()  # units without a file that this run could make
        self._usual: dict[str, float | None] = {}

    def plan(self) -> Plan:
        units = self._graph.units
        states = {unit.number: self._state(unit) for unit in units}
        if self._wanted is not None:
            check_inputs(self._graph, self._wanted, states)
        seconds = {unit.number: self._seconds(unit, states[unit.number]) for unit in units}
        expected = forecast(self._graph, {number: value or 0.0 for number, value in seconds.items()})
        critical = set(expected.critical)
        to_run = [unit for unit in units if states[unit.number] is PlanState.RUN]
        cached = [unit for unit in units if states[unit.number] is PlanState.CACHED]
        untimed = (unit for unit in to_run if seconds[unit.number] is None)
        return Plan(
            items=tuple(
                self._item(unit, at, states[unit.number], seconds[unit.number], unit.number in critical)
                for unit in units
                for at in range(len(unit.items))
            ),
            price=total(self._price(unit, states[unit.number]) for unit in units),
            saved=total(unit.estimate for unit in cached),
            seconds_sequential=expected.sequential,
            seconds_parallel=expected.parallel,
            untimed=tuple(
                dict.fromkeys(unit.work.model.name for unit in untimed if isinstance(unit.work, JobRequest))
            ),
        )

    def _item(self, unit: Unit, at: int, state: PlanState, seconds: float | None, critical: bool) -> PlanItem:
        item = unit.items[at]
        return PlanItem(
            unit,
            item.index,
            item.step,
            item.label,
            unit.work.model.name if isinstance(unit.work, JobRequest) else None,
            state,
            self._price(unit, state) if at == 0 else CostEstimate(),
            unit.estimate if at == 0 and state is PlanState.CACHED else CostEstimate(),
            seconds if at == 0 else 0.0,
            self._keys.get(unit.number),
            critical and at == 0,
        )

    def _price(self, unit: Unit, state: PlanState) -> CostEstimate:
        """What a unit may cost now, further takes and other models included."""
        if self._wanted is not None and unit.number not in self._wanted:
            return CostEstimate()
        whole = unit.bound(unit.retries) if state is PlanState.RUN else CostEstimate()
        return self._prices.get(unit.number, whole)

    # -- states ------------------------------------------------------------------------------------

    def _state(self, unit: Unit) -> PlanState:
        given = unit.items[0].given
        if given is not None:
            self._known[unit.items[0].address] = given
            return PlanState.GIVEN
        assert unit.work is not None
        inputs = self._inputs(unit.work.inputs)
        if inputs is None:
            state = self._waiting_state(unit)
        elif isinstance(unit.work, LocalWork):
            state = self._local_state(unit, with_inputs(unit.work, inputs))
        else:
            state = self._job_state(unit)
        if state is PlanState.RUN and self._wanted is not None and unit.number not in self._wanted:
            return PlanState.NOT_ASKED
        return state

    def _waiting_state(self, unit: Unit) -> PlanState:
        """Of a unit whose inputs do not all exist: it runs when they do, unless one of them never will."""
        if any(self._graph.maker[need].number in self._ended for need in unit.needs):
            self._ended.add(unit.number)
            return PlanState.BLOCKED
        return PlanState.RUN

    def _local_state(self, unit: Unit, work: LocalWork) -> PlanState:
        made = self._lookup(work)
        if made is None:
            return PlanState.RUN
        self._remember(unit, made)
        return PlanState.CACHED

    def _job_state(self, unit: Unit) -> PlanState:
        if unit.number == self._redone:
            return PlanState.RUN
        place = self._standing.place(unit, self._filled)
        self._keys[unit.number], job = place.key, place.job
        if job is None:
            return PlanState.RUN
        if (price := self._standing.after_refusal(unit, job)) is not None:
            self._prices[unit.number] = price if not claimable(job) else unit.bound(unit.retries)
            return PlanState.RUN
        if claimable(job):
            return PlanState.RUN
        if job.state is State.DONE:
            return self._done_state(unit, place)
        self._prices[unit.number] = total([place.choice.quote.estimate] * unit.retries)
        if job.state is State.IN_DOUBT:
            return PlanState.IN_DOUBT
        if job.state in OPEN or job.reason is Reason.BAD_OUTPUT:
            self._remember(unit, job.artifacts)
            return PlanState.REATTACH
        del self._prices[unit.number]
        self._ended.add(unit.number)
        return PlanState.BLOCKED

    def _done_state(self, unit: Unit, place: Place) -> PlanState:
        """Of a unit whose job is there: what of it is used, as far as that is known."""
        verdict = self._standing.verdict(unit, place, self._shown(unit))
        self._prices[unit.number] = verdict.price
        if verdict.refused:
            self._ended.add(unit.number)
            return PlanState.BLOCKED
        job = verdict.job
        if job is None:
            return PlanState.RUN
        self._keys[unit.number] = job.key
        self._remember(unit, job.artifacts)
        return PlanState.CACHED if all(map(self._artifacts.intact, job.stored)) else PlanState.BLOCKED

    def _shown(self, unit: Unit) -> list[Shown] | None:
        """What the unit's result is compared with, where it exists already."""
        found = []
        for subject in unit.subjects:
            pictures = [picture for source in subject.pictures if (picture := self._resolve(source))]
            if len(pictures) < len(subject.pictures):
                return None
            found.append(Shown(subject.name, tuple(pictures)))
        return found

    def _filled(self, request: JobRequest) -> JobRequest:
        return replace(request, inputs=self._inputs(request.inputs) or request.inputs)

    def _remember(self, unit: Unit, made: tuple[Artifact | None, ...]) -> None:
        for item in unit.items:
            if item.output < len(made) and (artifact := made[item.output]) is not None:
                self._known[item.address] = artifact

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

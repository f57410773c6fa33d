"""A run: everything a pipeline asks for, made or found, delivered, with a result for every item."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Protocol

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.cost import CostEstimate, from_micro, to_micro, total
from ai_content_pipeline.engine import events, item_results, signals
from ai_content_pipeline.engine.collect import left_running, orphaned
from ai_content_pipeline.engine.delivery import Delivery
from ai_content_pipeline.engine.flow import COLLECT_SECONDS, Emit, Flow
from ai_content_pipeline.engine.graph import Graph, build, check_redo
from ai_content_pipeline.engine.plan import PlanState, make_plan
from ai_content_pipeline.engine.pricing import PriceBook
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.engine.selection import EVERYTHING, Selection
from ai_content_pipeline.engine.unit_runner import UnitRunner
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError, ConfigurationError, worst
from ai_content_pipeline.generation.store import Cap, Run
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.pipeline.expansion import ExpandedStep, Expansion
from ai_content_pipeline.references import metrics
from ai_content_pipeline.steps.protocol import Item

__all__ = ["COLLECT_SECONDS", "Emit", "RunOptions", "check_redo", "exit_code", "run"]


class RetryCommand(Protocol):
    def __call__(self, address: str | None) -> str:
        """The command that redoes one item, or (None) that goes on with the whole run."""
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run an expansion. Output goes below `root`/`parts`; `run_id` names a new run.

    `redo` is the address of one item to make anew. `cap` in dollars covers the run and its resumes;
    `day_cap` the project since `day_start`. `prices` are those that somebody agreed to, else they are read
    now. `selection` is what may be made. `idle` is called once, when there is nothing to do but to wait.
    """

    root: Path
    parts: Sequence[str]
    run_id: str
    retry: RetryCommand
    redo: str | None = None
    cap: Decimal | None = None
    day_cap: Decimal | None = None
    day_start: datetime | None = None
    prices: PriceBook | None = None
    selection: Selection = EVERYTHING
    idle: Callable[[], None] | None = None


def run(expansion: Expansion, workshop: Workshop, options: RunOptions, emit: Emit) -> RunResult:
    """Run every item; always returns, with an exit code, unless the run cannot start at all.

    `emit` is called in the calling thread. In the main thread, ^C and SIGTERM are heard: the first starts
    nothing new and collects what runs, the second leaves it to a later command.

    Raises:
        UsageError: `redo` names no item that a model makes, or what is selected cannot be made.
        ConfigurationError: a key or package is missing; nothing has run.
        AicpError: the output folder or the journal cannot be used; nothing has run.
    """
    prices = options.prices or PriceBook(workshop.store)
    graph = build(expansion, prices)
    if options.redo is not None:
        check_redo(graph, options.redo)
    _check_start(expansion, graph, workshop, replace(options, prices=prices))
    return _Running(expansion, workshop, options, emit, graph).run()


def _check_start(expansion: Expansion, graph: Graph, workshop: Workshop, options: RunOptions) -> None:
    """A missing input, key or package is found out before anything runs; where all is cached, no key is
    needed.

    Raises:
        ConfigurationError: of the provider itself.
        UsageError: what is selected cannot be made.
    """
    for metric in {unit.rule.metric for unit in graph.units if unit.rule is not None}:
        metrics.require(metric, workshop.environ)
    missing: dict[str, ConfigurationError] = {}
    providers = {unit.work.model.provider for unit in graph.units if isinstance(unit.work, JobRequest)}
    for name in sorted(providers):
        try:
            workshop.provider(name)
        except ConfigurationError as error:
            missing[name] = error
    if not missing and options.selection == EVERYTHING:
        return
    plan = make_plan(
        expansion, workshop.store, workshop.artifacts, options.redo, options.prices, options.selection
    )
    for item in plan.items:
        work = graph.maker[item.address].work
        if item.state in (PlanState.CACHED, PlanState.NOT_ASKED) or not isinstance(work, JobRequest):
            continue
        if work.model.provider in missing:
            raise missing[work.model.provider]


#: States of items that nothing was spent on.
_IDLE = (ItemState.NOT_RUN, ItemState.SKIPPED)


@dataclass
class _Running:
    expansion: Expansion
    workshop: Workshop
    options: RunOptions
    emit: Emit
    graph: Graph

    def run(self) -> RunResult:
        started = time.monotonic()
        delivery = self._open_folder()
        self._stage_own_files()
        run, resumed = self._begin(delivery)
        flow = Flow(self.graph, self.workshop, self.emit, self._wanted(), self.options.idle)
        with closing(delivery), signals.heard(flow.interrupt):
            self.emit(self._outline(run, resumed=resumed))
            used = self._flow(flow, run, delivery, started)
            delivery.flush()
            good = all(result.state.good for result in flow.results.values())
            if good and not flow.interrupted and self.options.selection == EVERYTHING:
                delivery.prune()
            result = self._result(run, delivery, flow, used, time.monotonic() - started)
            self.workshop.store.end(run.id, result.exit_code, self.workshop.clock.now())
            self.emit(events.RunEnded(result))
        return result

    # -- before --------------------------------------------------------------------------------------

    def _open_folder(self) -> Delivery:
        workshop, options = self.workshop, self.options
        folder = workshop.project.relative(options.root.joinpath(*options.parts))
        delivery = Delivery(
            workshop.store, options.root, options.parts, folder, self._pipeline_name(), workshop.owners.me
        )
        try:
            delivery.open([step.name for step in self.expansion.steps], workshop.owners.alive)
        except OSError as error:
            raise item_results.disk(error) from error
        return delivery

    def _stage_own_files(self) -> None:
        """The user's files become stored artifacts before anything is keyed by them."""
        own = self.expansion.files
        wanted: dict[str, Artifact] = {}
        for item in self.expansion.items if own else ():
            sources = [source for group in item.inputs.values() for source in group]
            found = [s for s in (*sources, item.given) if isinstance(s, Artifact) and s.sha256 in own]
            wanted |= {artifact.sha256: artifact for artifact in found}
        for artifact in wanted.values():
            if self.workshop.artifacts.intact(artifact):
                continue
            path = own[artifact.sha256]
            try:
                stored = self.workshop.artifacts.add(path, artifact.info)
            except OSError as error:
                raise item_results.disk(error) from error
            if stored != artifact:
                raise AicpError(f"{path} changed while it was read", hint="run the same command again")

    def _begin(self, delivery: Delivery) -> tuple[Run, bool]:
        """The run, and whether it is an unfinished one that goes on."""
        fresh = Run(
            self.options.run_id,
            delivery.pipeline,
            delivery.name,
            self.workshop.clock.now(),
            self.options.retry(None),
        )
        run = self.workshop.store.begin(fresh, self.options.redo)
        return run, run.id != fresh.id

    def _wanted(self) -> frozenset[int] | None:
        redo = self.options.redo
        if redo is None:
            return self.options.selection.units(self.graph)
        return frozenset(self.graph.closure(redo))

    def _pipeline_name(self) -> str:
        name = self.workshop.project.relative(self.expansion.pipeline.path)
        return f"{name} (draft)" if self.expansion.draft else name

    def _outline(self, run: Run, *, resumed: bool) -> events.RunStarted:
        steps = tuple(
            events.StepOutline(
                step.name, step.fields.type, _model(step), len(step.items), step.verbs.shape.workers
            )
            for step in self.expansion.steps
        )
        top = self.expansion.pipeline.top
        return events.RunStarted(run.id, top.name, self.expansion.draft, steps, resumed)

    # -- the flow ------------------------------------------------------------------------------------

    def _flow(self, flow: Flow, run: Run, delivery: Delivery, started: float) -> Set[str]:
        """Let everything flow; the keys of the jobs that this pipeline asked for."""
        used: dict[str, int] = {}
        door = self.workshop.door(run.id, self._caps(run))
        runner = UnitRunner(
            workshop=self.workshop,
            door=door,
            delivery=delivery,
            retry=self.options.retry,
            redo=self.options.redo,
            started=started,
            delivered_steps=delivered_steps(self.expansion, self._asked()),
            refusal=flow.refusal,
            collecting=flow.collecting,
            used=used,
            emit=flow.tell,
        )
        flow.run(partial(runner.run, results=flow.results), door, orphaned(self.workshop))
        return used.keys()

    def _asked(self) -> Set[str]:
        """The names of the steps of which something is selected."""
        wanted, units = self.options.selection.units(self.graph), self.graph.units
        return {unit.step.name for unit in units if wanted is None or unit.number in wanted}

    def _caps(self, run: Run) -> tuple[Cap, ...]:
        caps = []
        if self.options.cap is not None:
            caps.append(Cap(to_micro(self.options.cap), run=run.id))
        if self.options.day_cap is not None:
            caps.append(Cap(to_micro(self.options.day_cap), since=self.options.day_start))
        return tuple(caps)

    # -- after ---------------------------------------------------------------------------------------

    def _result(self, run: Run, delivery: Delivery, flow: Flow, used: Set[str], seconds: float) -> RunResult:
        steps = tuple(
            StepResult(
                step.name,
                step.fields.type,
                _model(step),
                step.verbs.shape.parallel,
                step.verbs.shape.workers,
                tuple(_item_result(flow, item) for item in step.items),
            )
            for step in self.expansion.steps
        )
        code = exit_code(steps, self._wanted_items(), interrupted=flow.interrupted)
        left = [f"{job.address}: {error.message}" for job, error in flow.uncollected if job.key not in used]
        if flow.interrupted:
            left += left_running(self.workshop)
        return RunResult(
            run_id=run.id,
            pipeline=self.expansion.pipeline.top.name,
            file=self.expansion.pipeline.path,
            draft=self.expansion.draft,
            output_dir=delivery.folder,
            started=run.started,
            seconds=seconds,
            steps=steps,
            exit_code=code,
            spent=from_micro(self.workshop.store.committed(Cap(0, run=run.id))),
            not_spent=self._not_spent(steps),
            cap=self.options.cap,
            collected=tuple(job.address for job in flow.collected),
            notes=(*self.expansion.warnings, *delivery.notes, *left),
            resume_with=self.options.retry(None) if code else None,
        )

    def _wanted_items(self) -> frozenset[str] | None:
        """The addresses of what was asked for; None: all."""
        wanted, units = self._wanted(), self.graph.units
        if wanted is None:
            return None
        return frozenset(item.address for unit in units if unit.number in wanted for item in unit.items)

    def _not_spent(self, steps: Sequence[StepResult]) -> CostEstimate:
        """The price of what was asked for and not begun, and is not there from before either."""
        idle = {item.address for step in steps for item in step.items if item.state in _IDLE}
        if not idle:
            return CostEstimate()
        workshop, options = self.workshop, self.options
        plan = make_plan(
            self.expansion,
            workshop.store,
            workshop.artifacts,
            options.redo,
            options.prices,
            options.selection,
        )
        left = [item for item in plan.items if item.address in idle and item.state is PlanState.RUN]
        return total(item.unit.estimate for item in left if item.index == item.unit.items[0].index)


def _item_result(flow: Flow, item: Item) -> ItemResult:
    found = flow.results.get(item.address)
    return found or item_results.not_run(item, "the run was stopped before it started")


def _model(step: ExpandedStep) -> str | None:
    return getattr(step.fields, "model", None)


def delivered_steps(expansion: Expansion, asked: Set[str]) -> frozenset[str]:
    """The steps whose files appear in the output folder: with ``save_intermediates: false`` the last one
    asked for that is no thumbnail, and the thumbnails of its files."""
    if expansion.pipeline.top.save_intermediates:
        return frozenset(step.name for step in expansion.steps)
    steps = [step for step in expansion.steps if step.name in asked]
    last = next((step for step in reversed(steps) if step.fields.type != "thumbnail"), steps[-1])
    own = {item.address for item in last.items} | {item.given.sha256 for item in last.items if item.given}
    shown = {
        step.name
        for step in steps
        if step.fields.type == "thumbnail"
        and any(own.intersection(item_results.input_names(item)) for item in step.items)
    }
    return frozenset({last.name, *shown})


def exit_code(
    steps: Sequence[StepResult], wanted: Set[str] | None = None, *, interrupted: bool = False
) -> int:
    """0 when every item that was asked for (`wanted`, by address; None: all) is there, or was left out as
    the file says; else the code that matters most."""
    codes = {130} if interrupted else set[int]()
    asked = [item for step in steps for item in step.items if wanted is None or item.address in wanted]
    if any(item.state is ItemState.NOT_RUN for item in asked):
        codes.add(7 if any(item.state.good for item in asked) else 1)
    for step in steps:
        failed = [
            item for item in step.items if item.error is not None and item.state is not ItemState.SKIPPED
        ]
        codes |= {item.error.exit_code for item in failed if item.error is not None}
        if failed and any(item.state.good for item in step.items):
            codes.add(7)
    return worst(codes)

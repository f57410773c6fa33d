"""A run: units flow through their steps' thread pools, results come back in item order.

The engine owns the waiting. Each step has one `ThreadPoolExecutor`, of one worker (sequential) or of
`max_workers`; this module's loop, in the calling thread, starts what may start and collects what ended.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from ai_content_pipeline.cost import from_micro, to_micro
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.collect import COLLECTORS, collect_one, orphaned
from ai_content_pipeline.engine.delivery import Delivery
from ai_content_pipeline.engine.graph import Graph, Unit, build
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.engine.schedule import Schedule
from ai_content_pipeline.engine.unit_runner import UnitRunner, not_run
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError, UsageError, worst
from ai_content_pipeline.generation.door import Door
from ai_content_pipeline.generation.store import OPEN, Cap, Job, Run
from ai_content_pipeline.pipeline.expansion import Expansion
from ai_content_pipeline.steps.protocol import Item

Emit = Callable[[events.Event], None]

#: After a first ^C, how long running items are waited for before they are left to a later command.
COLLECT_SECONDS = 300.0


class RetryCommand(Protocol):
    def __call__(self, address: str | None) -> str:
        """The command that redoes one item, or (None) that goes on with the whole run."""
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run an expansion. Output goes below `root`/`parts`; `run_id` names a new run.

    `redo` is the address of one item to make anew. `cap` in dollars covers the run and its resumes;
    `day_cap` the project since `day_start`.
    """

    root: Path
    parts: Sequence[str]
    run_id: str
    retry: RetryCommand
    redo: str | None = None
    cap: Decimal | None = None
    day_cap: Decimal | None = None
    day_start: datetime | None = None


def run(expansion: Expansion, workshop: Workshop, options: RunOptions, emit: Emit) -> RunResult:
    """Run every item; always returns, with an exit code, unless the run cannot start at all.

    Raises:
        UsageError: `redo` names no item that a model makes.
        AicpError: the output folder or the journal cannot be used.
    """
    graph = build(expansion)
    if options.redo is not None:
        check_redo(graph, options.redo)
    return _Running(expansion, workshop, options, emit, graph).run()


def check_redo(graph: Graph, address: str) -> None:
    unit = graph.maker.get(address)
    if unit is None:
        from difflib import get_close_matches

        near = get_close_matches(address, graph.maker, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"items are called like {next(iter(graph.maker))!r}"
        raise UsageError(f"there is no item {address!r}", hint=hint)
    if not unit.paid:
        upstream = f"; redo {unit.needs[0]} instead" if unit.needs else ""
        raise UsageError(f"{address} is made without a model, and would come out the same{upstream}")


@dataclass
class _Running:
    expansion: Expansion
    workshop: Workshop
    options: RunOptions
    emit: Emit
    graph: Graph
    results: dict[str, ItemResult] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)  # step → the item whose failure stopped it
    collected: list[str] = field(default_factory=list)
    spent: Decimal = Decimal(0)
    interrupted: bool = False

    def run(self) -> RunResult:
        started = time.monotonic()
        now = self.workshop.clock.now()
        pipeline = self._pipeline_name()
        folder = self.options.root.joinpath(*self.options.parts)
        fresh = Run(self.options.run_id, pipeline, str(folder), now, self.options.retry(None))
        run = self.workshop.store.begin(fresh, self.options.redo)
        self.emit(self._outline(run, resumed=run.id != fresh.id))
        delivery = Delivery(self.workshop.store, self.options.root, self.options.parts, pipeline)
        door = self.workshop.door(run.id, self._caps(run))
        self._stage_own_files()
        self._flow(door, delivery, started)
        if not self.interrupted and all(r.state is not ItemState.NOT_RUN for r in self.results.values()):
            delivery.prune()
        result = self._result(run, delivery, time.monotonic() - started)
        self.workshop.store.end(run.id, result.exit_code, self.workshop.clock.now())
        self.emit(events.RunEnded(result))
        return result

    # -- the flow ----------------------------------------------------------------------------------

    def _flow(self, door: Door, delivery: Delivery, started: float) -> None:
        """Start and collect until nothing is left. The only place that waits."""
        wanted = self.graph.closure(self.options.redo) if self.options.redo else None
        runner = UnitRunner(
            workshop=self.workshop,
            door=door,
            delivery=delivery,
            expansion=self.expansion,
            options_retry=self.options.retry,
            run_id=door.run,
            redo=self.options.redo,
            only=wanted,
            started=started,
            emit=self._emit_later,
        )
        schedule = Schedule(self.graph)
        self.done: queue.SimpleQueue[tuple[Unit | Job | None, object]] = queue.SimpleQueue()
        pools = _Pools()
        try:
            running = self._start_collectors(door, pools)
            running += self._start(schedule, runner, pools)
            while running:
                running -= self._next(schedule, runner)
                running += self._start(schedule, runner, pools)
        finally:
            pools.close()

    def _start(self, schedule: Schedule, runner: UnitRunner, pools: _Pools) -> int:
        """Hand every unit that may start to its step's pool; how many that were."""
        units = schedule.start()
        for unit in units:
            pool = pools.get(unit.step.name, unit.step.verbs.shape.workers)
            pool.submit(self._work, runner, unit)
        return len(units)

    def _work(self, runner: UnitRunner, unit: Unit) -> None:
        """In a worker thread: one unit, whatever becomes of it, ends in the queue."""
        reason = self.stopped.get(unit.step.name)
        self.done.put((unit, runner.run(unit, self.results, reason)))

    def _emit_later(self, event: events.Event) -> None:
        """Events of worker threads are told by the one thread that tells."""
        self.done.put((None, event))

    def _next(self, schedule: Schedule, runner: UnitRunner) -> int:
        """Take one thing from the queue; 1 when it ends a unit or a collected job."""
        subject, news = self._wait()
        if subject is None:
            self.emit(news)  # type: ignore[arg-type]  # only events come without a subject
            return 0
        if isinstance(subject, Job):
            if news is None:
                self.collected.append(subject.address)
                self.emit(events.Collected(subject.address))
            return 1
        for result in news:  # type: ignore[attr-defined]  # a unit comes with its results
            self._record(result, subject)
        schedule.ended(subject)
        return 1

    def _wait(self) -> tuple[Unit | Job | None, object]:
        deadline: float | None = None
        while True:
            try:
                timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
                return self.done.get(timeout=timeout)
            except queue.Empty:
                self.workshop.detached.set()
                deadline = None
            except KeyboardInterrupt:
                deadline = self._interrupt()

    def _interrupt(self) -> float | None:
        """First ^C: nothing new, collect for a while. Second: leave what runs to a later command."""
        if self.workshop.stopping.is_set():
            self.workshop.detached.set()
            return None
        self.interrupted = True
        self.workshop.stopping.set()
        open_jobs = len(
            [job for job in self.workshop.store.jobs(OPEN) if job.owner == self.workshop.owners.me]
        )
        self.emit(events.Interrupting(open_jobs, COLLECT_SECONDS))
        return time.monotonic() + COLLECT_SECONDS

    def _record(self, result: ItemResult, unit: Unit) -> None:
        self.results[result.address] = result
        self.spent += result.cost or Decimal(0)
        bad = result.state in (ItemState.FAILED, ItemState.IN_DOUBT)
        if bad and unit.step.fields.on_error == "stop":
            self.stopped.setdefault(unit.step.name, result.address)
        self.emit(events.ItemEnded(result, self.spent))

    # -- collecting what earlier runs left -------------------------------------------------------------

    def _start_collectors(self, door: Door, pools: _Pools) -> int:
        """Bring home whatever this project has running at any vendor, wanted by this plan or not."""
        orphans = orphaned(self.workshop)
        pool = pools.get("", COLLECTORS) if orphans else None
        for job in orphans:
            assert pool is not None
            pool.submit(self._collect, door, job)
        return len(orphans)

    def _collect(self, door: Door, job: Job) -> None:
        self.done.put((job, collect_one(door, job)))

    # -- small things --------------------------------------------------------------------------------

    def _stage_own_files(self) -> None:
        """The user's files become stored artifacts before anything is keyed by them."""
        for item in self.expansion.items:
            sources = [s for group in item.inputs.values() for s in group]
            for source in [*sources, item.given]:
                path = None if source is None else self.expansion.files.get(getattr(source, "sha256", ""))
                if path is None or self.workshop.artifacts.intact(source):  # type: ignore[arg-type]
                    continue
                stored = self.workshop.artifacts.add(path, source.info)  # type: ignore[union-attr]
                if stored != source:
                    raise AicpError(f"{path} changed while it was read", hint="run the same command again")

    def _caps(self, run: Run) -> tuple[Cap, ...]:
        caps = []
        if self.options.cap is not None:
            caps.append(Cap(to_micro(self.options.cap), run=run.id))
        if self.options.day_cap is not None:
            caps.append(Cap(to_micro(self.options.day_cap), since=self.options.day_start))
        return tuple(caps)

    def _pipeline_name(self) -> str:
        name = self.workshop.project.relative(self.expansion.pipeline.path)
        return f"{name} (draft)" if self.expansion.draft else name

    def _outline(self, run: Run, *, resumed: bool) -> events.RunStarted:
        steps = tuple(
            events.StepOutline(
                step.name,
                step.fields.type,
                getattr(step.fields, "model", None),
                len(step.items),
                step.verbs.shape.workers,
            )
            for step in self.expansion.steps
        )
        top = self.expansion.pipeline.top
        return events.RunStarted(run.id, top.name, self.expansion.draft, steps, resumed)

    def _result(self, run: Run, delivery: Delivery, seconds: float) -> RunResult:
        steps = tuple(
            StepResult(
                step.name,
                step.fields.type,
                getattr(step.fields, "model", None),
                step.verbs.shape.parallel,
                step.verbs.shape.workers,
                tuple(self._item_result(item) for item in step.items),
            )
            for step in self.expansion.steps
        )
        code = exit_code(steps, interrupted=self.interrupted)
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
            cap=self.options.cap,
            collected=tuple(self.collected),
            notes=(*self.expansion.warnings, *delivery.notes),
            resume_with=self.options.retry(None) if code else None,
        )

    def _item_result(self, item: Item) -> ItemResult:
        return self.results.get(item.address) or not_run(item, "the run was stopped before it started")


def exit_code(steps: Sequence[StepResult], *, interrupted: bool = False) -> int:
    """0 when every item that was asked for is there; else the code that matters most."""
    codes = {130} if interrupted else set[int]()
    for step in steps:
        failed = [
            item for item in step.items if item.error is not None and item.state is not ItemState.SKIPPED
        ]
        codes |= {item.error.exit_code for item in failed if item.error is not None}
        if failed and any(item.state.good for item in step.items):
            codes.add(7)
    return worst(codes)


class _Pools:
    """One thread pool a step, made when it is first needed."""

    def __init__(self) -> None:
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def get(self, step: str, workers: int) -> ThreadPoolExecutor:
        if step not in self._pools:
            self._pools[step] = ThreadPoolExecutor(workers, thread_name_prefix=f"aicp-{step or 'collect'}")
        return self._pools[step]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

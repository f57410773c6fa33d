"""The waiting of a run: units flow through their steps' thread pools, ^C is heard, events are told in order.

Each step has one `ThreadPoolExecutor`, of one worker (sequential) or of `max_workers`. Everything else
happens in the thread that calls `Flow.run`: it starts what may start, and takes what the workers hand it.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from ai_content_pipeline.cost import ZERO
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.collect import COLLECTORS, collect_one
from ai_content_pipeline.engine.gates import StepGates
from ai_content_pipeline.engine.graph import Graph, Unit
from ai_content_pipeline.engine.results import ItemResult
from ai_content_pipeline.engine.schedule import Schedule
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.door import Door
from ai_content_pipeline.generation.store import OPEN, Job, State

Emit = Callable[[events.Event], None]
Work = Callable[[Unit], tuple[ItemResult, ...]]

#: After a first ^C, how long running items are waited for before they are left to a later command.
COLLECT_SECONDS = 300.0

#: Seconds without news after which a run is waiting for its vendors.
_CALM = 0.05


@dataclass
class Flow:
    """One run's flow. `results` fills by address; `interrupted` says that it was asked to stop."""

    graph: Graph
    workshop: Workshop
    emit: Emit
    wanted: frozenset[int] | None = None  # the units that may be made; None: all
    idle: Callable[[], None] | None = None  # called once, when there is nothing to do but to wait
    results: dict[str, ItemResult] = field(default_factory=dict)
    collected: list[Job] = field(default_factory=list)
    uncollected: list[tuple[Job, AicpError]] = field(default_factory=list)
    collecting: dict[str, Future[AicpError | None]] = field(default_factory=dict)
    interrupted: bool = False
    _gates: StepGates = field(default_factory=StepGates)
    _inbox: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)
    _running: int = 0
    _deadline: float | None = None
    _spent: Decimal = ZERO

    def run(self, work: Work, door: Door, orphans: Sequence[Job]) -> None:
        """Make everything that can be made, and collect the orphans. `work` is called in worker threads."""
        schedule, pools = Schedule(self.graph), _Pools()
        try:
            self._collect(door, orphans, pools)
            self._start(schedule, work, pools)
            while self._running:
                self._next()()
                self._start(schedule, work, pools)
        except BaseException:  # nobody listens any more (a broken pipe): end as after a second ^C
            self.workshop.stopping.set()
            self.workshop.detached.set()
            raise
        finally:
            pools.close()

    def interrupt(self) -> None:
        """^C. May be called at any moment, from a signal handler too."""
        self._inbox.put(self._interrupt)

    def refusal(self, unit: Unit) -> str | None:
        """Why `unit` may not be made now. Asked by worker threads."""
        if self.workshop.stopping.is_set():
            return "the run was stopped before it started"
        closed = self._gates.closed(unit.step.name)
        if closed is not None:
            return closed
        if self.wanted is not None and unit.number not in self.wanted:
            return "not asked for"
        return None

    def tell(self, event: events.Event) -> None:
        """Emit `event` from the one thread that emits. Called by worker threads."""
        self._inbox.put(partial(self.emit, event))

    # -- units -------------------------------------------------------------------------------------

    def _start(self, schedule: Schedule, work: Work, pools: _Pools) -> None:
        if self.interrupted:
            return
        for unit in schedule.start():
            pool = pools.get(unit.step.name, unit.step.verbs.shape.workers)
            pool.submit(self._work, schedule, work, unit)
            self._running += 1

    def _work(self, schedule: Schedule, work: Work, unit: Unit) -> None:
        """In a worker thread: whatever becomes of the unit, its end reaches the inbox."""
        try:
            results = work(unit)
        except BaseException as error:  # noqa: BLE001  `work` does not raise; if it does, the run must not hang
            self._inbox.put(partial(_raise, error))
            return
        self._gates.passed(unit, results)  # here already: its worker goes on to the next unit at once
        self._inbox.put(partial(self._ended, schedule, unit, results))

    def _ended(self, schedule: Schedule, unit: Unit, results: tuple[ItemResult, ...]) -> None:
        self._running -= 1
        for result in results:
            self.results[result.address] = result
            self._spent += result.cost or ZERO
            self.emit(events.ItemEnded(result, self._spent))
        schedule.ended(unit)

    # -- what earlier runs left ----------------------------------------------------------------------

    def _collect(self, door: Door, orphans: Sequence[Job], pools: _Pools) -> None:
        """Bring home whatever this project has running at any vendor, wanted by this plan or not."""
        for job in orphans:
            future = pools.get("", COLLECTORS).submit(collect_one, door, job)
            self.collecting[job.key] = future
            self._running += 1
            future.add_done_callback(partial(self._came_home, job))

    def _came_home(self, job: Job, future: Future[AicpError | None]) -> None:
        self._inbox.put(partial(self._home, job, future))

    def _home(self, job: Job, future: Future[AicpError | None]) -> None:
        self._running -= 1
        error = future.result()
        if error is not None:
            self.uncollected.append((job, error))
            return
        if (known := self.workshop.store.job(job.key)) is not None and known.state is State.PENDING:
            return  # it was never accepted: whoever wants it sends it
        self.collected.append(job)
        self.emit(events.Collected(job.address))

    # -- waiting -------------------------------------------------------------------------------------

    def _next(self) -> Callable[[], None]:
        """What is to be done next; the only place that waits."""
        if self.idle is not None:
            try:
                return self._inbox.get(timeout=_CALM)
            except queue.Empty:
                idle, self.idle = self.idle, None
                return idle
        try:
            wait = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            return self._inbox.get(timeout=wait)
        except queue.Empty:
            return self._detach

    def _interrupt(self) -> None:
        """First ^C: nothing new, collect for a while. Second: leave what runs to a later command."""
        if self.interrupted:
            self._detach()
            return
        self.interrupted = True
        self.workshop.stopping.set()
        self._deadline = time.monotonic() + COLLECT_SECONDS
        mine = [job for job in self.workshop.store.jobs(OPEN) if job.owner == self.workshop.owners.me]
        self.emit(events.Interrupting(len(mine), COLLECT_SECONDS))

    def _detach(self) -> None:
        self._deadline = None
        self.workshop.detached.set()


def _raise(error: BaseException) -> None:
    raise error


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

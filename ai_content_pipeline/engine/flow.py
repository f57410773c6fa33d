"""The waiting of a run: units flow through their steps' thread pools, ^C is heard, events are told in order.

The units are made in `workers`. The thread that calls `Flow.run` tells what happened, and hears ^C.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from ai_content_pipeline.cost import ZERO
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.collect import COLLECTORS, collect_one
from ai_content_pipeline.engine.gates import StepGates
from ai_content_pipeline.engine.graph import Graph, Unit
from ai_content_pipeline.engine.results import ItemResult
from ai_content_pipeline.engine.workers import Work, Workers
from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.door import Door
from ai_content_pipeline.generation.store import OPEN, Job, State

Emit = Callable[[events.Event], None]

#: After a first ^C, how long running items are waited for before they are left to a later command.
COLLECT_SECONDS = 300.0

#: Seconds without news after which a run is waiting for its vendors.
_CALM = 0.05

#: Seconds between two looks at the news while they come thick and fast: each look takes the interpreter
#: from the workers.
_BREATH = 0.01


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
    _orphans: int = 0  # that are still being brought home
    _done: threading.Event = field(default_factory=threading.Event)  # every unit's end was told
    _hurry: threading.Event = field(default_factory=threading.Event)  # no more units
    _looked: float = 0.0
    _deadline: float | None = None
    _spent: Decimal = ZERO

    def run(self, work: Work, door: Door, orphans: Sequence[Job]) -> None:
        """Make everything that can be made, and collect the orphans. `work` is called in worker threads."""
        workers = Workers(self.graph, work, self._ended, self.workshop.stopping.is_set, self._over)
        try:
            self._collect(door, orphans, workers)
            workers.start()
            while not self._done.is_set() or self._orphans:
                for happened in self._news():
                    happened()
        except BaseException:  # nobody listens any more (a broken pipe): end as after a second ^C
            self.workshop.stopping.set()
            self.workshop.detached.set()
            raise
        finally:
            workers.close()

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

    def _ended(self, unit: Unit, results: tuple[ItemResult, ...] | BaseException) -> None:
        """In a worker thread."""
        if isinstance(results, BaseException):
            self._inbox.put(partial(_raise, results))
            return
        self._gates.passed(unit, results)
        self.results.update((result.address, result) for result in results)
        self._inbox.put(partial(self._tell_ended, results))

    def _tell_ended(self, results: tuple[ItemResult, ...]) -> None:
        for result in results:
            self._spent += result.cost or ZERO
            self.emit(events.ItemEnded(result, self._spent))

    def _over(self) -> None:
        """In a worker thread: the last end was told to the inbox before."""
        self._inbox.put(self._done.set)
        self._hurry.set()

    # -- what earlier runs left ----------------------------------------------------------------------

    def _collect(self, door: Door, orphans: Sequence[Job], workers: Workers) -> None:
        """Bring home whatever this project has running at any vendor, wanted by this plan or not."""
        for job in orphans:
            future = workers.submit("collect", COLLECTORS, collect_one, door, job)
            self.collecting[job.key] = future
            self._orphans += 1
            future.add_done_callback(partial(self._came_home, job))

    def _came_home(self, job: Job, future: Future[AicpError | None]) -> None:
        self._inbox.put(partial(self._home, job, future))

    def _home(self, job: Job, future: Future[AicpError | None]) -> None:
        self._orphans -= 1
        error = future.result()
        if error is not None:
            self.uncollected.append((job, error))
            return
        if (known := self.workshop.store.job(job.key)) is not None and known.state is State.PENDING:
            return  # it was never accepted: whoever wants it sends it
        self.collected.append(job)
        self.emit(events.Collected(job.address))

    # -- waiting -------------------------------------------------------------------------------------

    def _news(self) -> Iterator[Callable[[], None]]:
        """What is to be done now: at least one thing."""
        first = self._next()
        rest = self._looked + _BREATH - time.monotonic()
        if rest > 0:
            self._hurry.wait(rest)
        self._looked = time.monotonic()
        yield first
        while not self._inbox.empty():
            yield self._inbox.get()

    def _next(self) -> Callable[[], None]:
        """What is to be done next; the only place that waits for something to happen."""
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

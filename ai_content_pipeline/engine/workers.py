"""The threads of a run: one pool a step, whose workers start what may start when they end a unit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ai_content_pipeline.engine.graph import Graph, Unit
from ai_content_pipeline.engine.results import ItemResult
from ai_content_pipeline.engine.schedule import Schedule

T = TypeVar("T")
Work = Callable[[Unit], tuple[ItemResult, ...]]
Ended = Callable[[Unit, tuple[ItemResult, ...] | BaseException], None]


class Workers:
    """One `ThreadPoolExecutor` a step, of one worker (sequential) or of `max_workers`, made when needed.

    `work` makes a unit. `ended` hears what came of it, one unit at a time, before anything starts that needs
    it; or what went wrong, where that thread can go no further. While `halted` nothing new starts. `over` is
    called once, when nothing runs and nothing more may start.
    """

    def __init__(
        self,
        graph: Graph,
        work: Work,
        ended: Ended,
        halted: Callable[[], bool],
        over: Callable[[], None],
    ) -> None:
        self._schedule = Schedule(graph)
        self._work = work
        self._ended = ended
        self._halted = halted
        self._over = over
        self._guard = threading.Lock()  # of the schedule, the pools and `_running`
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._running = 0

    def start(self) -> None:
        """Start everything that may start."""
        with self._guard:
            self._hand_out(self._due())
            self._check_over()

    def submit(self, pool: str, size: int, task: Callable[..., T], *arguments: object) -> Future[T]:
        """Run something else in a pool of its own."""
        with self._guard:
            return self._pool(pool, size).submit(task, *arguments)

    def close(self) -> None:
        """Wait for what runs; what only waits for a worker does not run any more."""
        with self._guard:
            pools = [*self._pools.values()]
        for pool in pools:
            pool.shutdown(cancel_futures=True)

    def _run(self, unit: Unit) -> None:
        """In a worker thread: `unit`, and then one after another what its step may start by then."""
        following: Unit | None = unit
        while following is not None:
            unit = following
            try:
                following = self._after(unit, self._work(unit))
            except BaseException as error:  # noqa: BLE001  whatever it is, the run must not hang
                self._ended(unit, error)
                return

    def _after(self, unit: Unit, results: tuple[ItemResult, ...]) -> Unit | None:
        """Start what may start now that `unit` has ended, but for one of its step, which is the caller's."""
        with self._guard:
            self._ended(unit, results)
            self._schedule.ended(unit)
            self._running -= 1
            due = self._due()
            mine = next((one for one in due if one.step.name == unit.step.name), None)
            self._hand_out([one for one in due if one is not mine])
            self._check_over()
        return mine

    def _due(self) -> Sequence[Unit]:
        due = [] if self._halted() else self._schedule.start()
        self._running += len(due)
        return due

    def _check_over(self) -> None:
        if not self._running:
            self._over()

    def _hand_out(self, units: Sequence[Unit]) -> None:
        for unit in units:
            self._pool(unit.step.name, unit.step.verbs.shape.workers).submit(self._run, unit)

    def _pool(self, name: str, size: int) -> ThreadPoolExecutor:
        if name not in self._pools:
            self._pools[name] = ThreadPoolExecutor(size, thread_name_prefix=f"aicp-{name}")
        return self._pools[name]

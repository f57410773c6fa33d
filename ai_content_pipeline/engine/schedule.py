"""When units start: as soon as what they need is there and their step has a free worker. No threads here.

A step with `ordered` runs its units one after another in item order. One with `batch` starts the next so
many when the last so many have ended, and of those whatever is ready. Any other starts whatever is ready.
The first in item order goes first.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from ai_content_pipeline.engine.graph import Graph, Unit
from ai_content_pipeline.steps.protocol import Shape


@dataclass(slots=True)
class _Lane:
    """The units of one step, by number: in item order, and those of them that wait for a worker only."""

    shape: Shape
    units: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)  # a heap
    started: int = 0
    open: int = 0  # started and not ended

    def take(self) -> int | None:
        """The next unit that may start now."""
        if not self.ready or self.open >= self.shape.workers:
            return None
        if self.shape.ordered and self.ready[0] != self.units[self.started]:
            return None
        if self.shape.batch and not self._in_batch(self.ready[0], self.shape.batch):
            return None
        self.started += 1
        self.open += 1
        return heapq.heappop(self.ready)

    def _in_batch(self, number: int, size: int) -> bool:
        """Whether the unit is one of the batch that is open, or opens the next."""
        begun = self.started % size
        if begun == 0 and self.open:
            return False  # the batch before has not ended
        first = self.started - begun
        return number in self.units[first : first + size]


class Schedule:
    """Ask `start()` what may run now, tell `ended(unit)` what has ended (well or not)."""

    def __init__(self, graph: Graph) -> None:
        self._units = graph.units
        self._lanes: dict[str, _Lane] = {}
        self._blockers: dict[int, int] = {}
        self._blocks: dict[int, list[int]] = {}
        self._touched: dict[str, None] = {}  # lanes in which something may have become possible
        for unit in graph.units:
            name = unit.step.name
            if name not in self._lanes:
                self._lanes[name] = _Lane(unit.step.verbs.shape)
            self._lanes[name].units.append(unit.number)
            blockers = {graph.maker[need].number for need in unit.needs}
            for blocker in blockers:
                self._blocks.setdefault(blocker, []).append(unit.number)
            if blockers:
                self._blockers[unit.number] = len(blockers)
            else:
                self._ready(unit)

    def start(self) -> list[Unit]:
        """Every unit that may start now and has not been handed out before."""
        started: list[Unit] = []
        for name in self._touched:
            lane = self._lanes[name]
            while (number := lane.take()) is not None:
                started.append(self._units[number])
        self._touched.clear()
        return started

    def ended(self, unit: Unit) -> None:
        self._lanes[unit.step.name].open -= 1
        self._touched[unit.step.name] = None
        for number in self._blocks.pop(unit.number, ()):
            self._blockers[number] -= 1
            if self._blockers[number] == 0:
                self._ready(self._units[number])

    def _ready(self, unit: Unit) -> None:
        heapq.heappush(self._lanes[unit.step.name].ready, unit.number)
        self._touched[unit.step.name] = None

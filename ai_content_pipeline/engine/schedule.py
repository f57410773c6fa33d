"""When units start: as soon as what they need is there, as their step allows. Pure bookkeeping, no threads.

A step with `ordered` runs its units one after another in item order. One with `batch` starts the next
so many when the last so many have ended. Any other starts a unit as soon as it may.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ai_content_pipeline.engine.graph import Graph, Unit


@dataclass
class _Lane:
    """The units of one step: `waiting` in item order, `ready` those whose inputs are there."""

    units: list[int]
    ordered: bool
    batch: int | None
    ready: set[int] = field(default_factory=set)
    next: int = 0  # index into `units` of the first that has not started
    open: int = 0  # started and not ended


@dataclass
class Schedule:
    """Ask `start()` what may run now, tell `ended(unit)` what has ended (well or not)."""

    graph: Graph
    _blockers: dict[int, int] = field(default_factory=dict)
    _blocks: dict[int, list[int]] = field(default_factory=dict)
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _fresh: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        for unit in self.graph.units:
            shape = unit.step.verbs.shape
            lane = self._lanes.setdefault(unit.step.name, _Lane([], shape.ordered, shape.batch))
            lane.units.append(unit.number)
            blockers = {self.graph.maker[need].number for need in unit.needs}
            self._blockers[unit.number] = len(blockers)
            for blocker in blockers:
                self._blocks.setdefault(blocker, []).append(unit.number)
            if not blockers:
                self._ready(unit.number)

    def start(self) -> list[Unit]:
        """Every unit that may start now and has not been handed out before."""
        started: list[int] = []
        while self._fresh:
            started.append(self._fresh.popleft())
        for lane in self._lanes.values():
            if lane.ordered or lane.batch:
                started += self._from(lane)
        return [self.graph.units[number] for number in started]

    def ended(self, unit: Unit) -> None:
        lane = self._lanes[unit.step.name]
        lane.open -= 1
        for number in self._blocks.get(unit.number, ()):
            self._blockers[number] -= 1
            if self._blockers[number] == 0:
                self._ready(number)

    def _ready(self, number: int) -> None:
        lane = self._lanes[self.graph.units[number].step.name]
        if lane.ordered or lane.batch:
            lane.ready.add(number)
        else:
            lane.open += 1
            self._fresh.append(number)

    def _from(self, lane: _Lane) -> Iterable[int]:
        """What an ordered or batched lane lets go now."""
        limit = 1 if lane.ordered else lane.batch or 1
        if lane.ordered and lane.open:
            return
        end = lane.next + 1 if lane.ordered else (lane.next // limit + 1) * limit
        if not lane.ordered and lane.next % limit == 0 and lane.open:
            return  # the batch before has not ended
        for number in self._startable(lane, end):
            lane.ready.discard(number)
            lane.open += 1
            yield number

    @staticmethod
    def _startable(lane: _Lane, end: int) -> Iterable[int]:
        while lane.next < min(end, len(lane.units)) and lane.units[lane.next] in lane.ready:
            number = lane.units[lane.next]
            lane.next += 1
            yield number

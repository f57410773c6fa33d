"""How long a run takes, and what decides it: the run's own schedule, played through by expected times."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from ai_content_pipeline.engine.graph import Graph
from ai_content_pipeline.engine.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds one by one and as the run does it. `critical` are the numbers of the units that the latter
    depends on, in order: each waits for the one before it, for its file or for its worker."""

    sequential: float
    parallel: float
    critical: tuple[int, ...]


def forecast(graph: Graph, seconds: Mapping[int, float]) -> Forecast:
    """What to expect when every unit takes its `seconds`."""
    schedule = Schedule(graph)
    running: list[tuple[float, int]] = []
    waited_for: dict[int, int | None] = {}
    now, number = 0.0, None
    while True:
        for unit in schedule.start():
            waited_for[unit.number] = number
            heapq.heappush(running, (now + seconds[unit.number], unit.number))
        if not running:
            return Forecast(sum(seconds.values()), now, _critical(waited_for, number, seconds))
        now, number = heapq.heappop(running)
        schedule.ended(graph.units[number])


def _critical(
    waited_for: Mapping[int, int | None], last: int | None, seconds: Mapping[int, float]
) -> tuple[int, ...]:
    """From the unit that ends last back to one that starts at once; what takes no time is left out."""
    path = []
    while last is not None:
        if seconds[last] > 0:
            path.append(last)
        last = waited_for[last]
    return tuple(reversed(path))

"""The threads of a run: inputs first, no more at once than a step allows, and an end that is always told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from ai_content_pipeline.engine.workers import Workers
from ai_content_pipeline.steps.protocol import Shape

SEQUENTIAL = Shape(1, ordered=True)


def chain(width: int, *shapes: Shape) -> SimpleNamespace:
    """Steps of `width` units, each needing its namesake of the step before."""
    units = []
    for depth, shape in enumerate(shapes):
        step = SimpleNamespace(name=f"step{depth}", verbs=SimpleNamespace(shape=shape))
        for index in range(width):
            needs = (f"step{depth - 1}/{index}",) if depth else ()
            address = f"step{depth}/{index}"
            units.append(SimpleNamespace(number=len(units), step=step, needs=needs, address=address))
    return SimpleNamespace(units=tuple(units), maker={unit.address: unit for unit in units})


class Crew:
    """Workers on a graph, and everything that they told."""

    def __init__(self, graph: SimpleNamespace, work: Any = lambda unit: ()) -> None:
        self.graph = graph
        self.told: list[tuple[str, Any]] = []
        self.over: SimpleQueue[int] = SimpleQueue()
        self.halted = threading.Event()
        self.workers = Workers(graph, work, self.ended, self.halted.is_set, lambda: self.over.put(1))

    def ended(self, unit: Any, results: Any) -> None:
        self.told.append((unit.address, results))
        if isinstance(results, BaseException):
            self.over.put(0)

    def run(self) -> None:
        self.workers.start()
        self.over.get(timeout=30)
        self.workers.close()
        assert self.over.empty()


@pytest.mark.parametrize("shape", [SEQUENTIAL, Shape(4, parallel=True), Shape(3, batch=3, parallel=True)])
def test_every_unit_ends_once_after_what_it_needs(shape):
    """A chain of three steps: each unit is made once, its input before it, at most so many at once."""
    running, most, guard = Counter[str](), Counter[str](), threading.Lock()

    def work(unit: Any) -> tuple[()]:
        step = unit.step.name
        with guard:
            running[step] += 1
            most[step] = max(most[step], running[step])
        assert set(unit.needs) <= {address for address, _ in crew.told}
        time.sleep(0.001)
        with guard:
            running[step] -= 1
        return ()

    crew = Crew(chain(12, shape, shape, shape), work)
    crew.run()
    assert sorted(address for address, _ in crew.told) == sorted(crew.graph.maker)
    assert all(results == () for _, results in crew.told)
    assert max(most.values()) <= shape.workers


def test_nothing_to_do_is_over_at_once():
    """A graph without units, or one that is halted before it starts, ends."""
    Crew(chain(0, SEQUENTIAL)).run()
    crew = Crew(chain(3, SEQUENTIAL))
    crew.halted.set()
    crew.run()
    assert crew.told == []


def test_a_halt_lets_end_what_runs_and_starts_nothing():
    """Halted while the third unit runs: it ends, the fourth never starts, and then it is over."""

    def work(unit: Any) -> tuple[()]:
        if unit.number == 2:
            crew.halted.set()
        return ()

    crew = Crew(chain(9, SEQUENTIAL, SEQUENTIAL), work)
    crew.run()
    made = {address for address, _ in crew.told}
    assert "step0/2" in made
    assert not made & {f"step0/{number}" for number in range(3, 9)}


def test_what_breaks_a_thread_is_told():
    """Work that raises, and a thread that cannot be started, are heard of: the run must not hang."""

    def broken(unit: Any) -> tuple[()]:
        raise ZeroDivisionError

    crew = Crew(chain(1, SEQUENTIAL), broken)
    crew.run()
    assert [type(results) for _, results in crew.told] == [ZeroDivisionError]

    def close(unit: Any) -> tuple[()]:
        for pool in [*crew.workers._pools.values()]:
            pool.shutdown(wait=False)
        crew.workers._pools["step1"] = next(iter(crew.workers._pools.values()))
        return ()

    crew = Crew(chain(1, SEQUENTIAL, SEQUENTIAL), close)
    crew.run()
    assert [type(results) for _, results in crew.told] == [tuple, RuntimeError]

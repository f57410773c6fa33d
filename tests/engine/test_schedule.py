"""When units may start: the order, the workers and the batches of each step, under any order of ending."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.engine.schedule import Schedule
from ai_content_pipeline.steps.protocol import Shape


@dataclass(frozen=True)
class Unit:
    number: int
    step: SimpleNamespace
    needs: tuple[str, ...]
    address: str


def chain(widths: list[int], shapes: list[Shape]) -> SimpleNamespace:
    """Steps of equally many items, each needing its namesake of the step before."""
    units: list[Unit] = []
    for depth, (width, shape) in enumerate(zip(widths, shapes, strict=True)):
        step = SimpleNamespace(name=f"step{depth}", verbs=SimpleNamespace(shape=shape))
        for index in range(width):
            needs = (f"step{depth - 1}/{index}",) if depth and index < widths[depth - 1] else ()
            units.append(Unit(len(units), step, needs, f"step{depth}/{index}"))
    return SimpleNamespace(units=tuple(units), maker={unit.address: unit for unit in units})


SHAPES = st.one_of(
    st.just(Shape(1, ordered=True)),
    st.integers(1, 5).map(lambda workers: Shape(workers, parallel=True)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)).map(
        lambda sizes: Shape(min(sizes), batch=sizes[0], parallel=True)
    ),
)


@given(
    st.integers(1, 3).flatmap(
        lambda steps: st.tuples(
            st.lists(st.integers(0, 7), min_size=steps, max_size=steps),
            st.lists(SHAPES, min_size=steps, max_size=steps),
        )
    ),
    st.randoms(use_true_random=False),
)
def test_every_unit_runs_once_within_its_steps_shape(pipeline, chance):
    """Whatever ends when: all units run once, inputs first, never more than the workers, batches closed."""
    graph = chain(*pipeline)
    schedule = Schedule(graph)
    running: list[Unit] = []
    begun: list[Unit] = []
    ended: set[str] = set()
    while True:
        for unit in schedule.start():
            shape = unit.step.verbs.shape
            together = [other for other in running if other.step is unit.step]
            assert set(unit.needs) <= ended
            assert len(together) < shape.workers
            if shape.ordered:
                before = [other.number for other in begun if other.step is unit.step]
                assert all(number < unit.number for number in before)
            if shape.batch:
                place = len([other for other in begun if other.step is unit.step])
                own = [other.number for other in graph.units if other.step is unit.step]
                assert own.index(unit.number) // shape.batch == place // shape.batch
                assert all(
                    [o for o in begun if o.step is unit.step].index(other) // shape.batch
                    == place // shape.batch
                    for other in together
                )
            running.append(unit)
            begun.append(unit)
        if not running:
            break
        last = running.pop(chance.randrange(len(running)))
        ended.add(last.address)
        schedule.ended(last)
    assert sorted(unit.number for unit in begun) == list(range(len(graph.units)))


@given(st.integers(1, 6), st.integers(0, 12))
def test_no_worker_idles_while_something_is_ready(workers, items):
    """A parallel step has all its workers busy as long as it has items, the first in item order first."""
    schedule = Schedule(chain([items], [Shape(workers, parallel=True)]))
    first = schedule.start()
    assert [unit.number for unit in first] == list(range(min(workers, items)))
    assert schedule.start() == []
    for number in range(workers, items):
        schedule.ended(first[0])
        assert [unit.number for unit in schedule.start()] == [number]


def test_a_batch_does_not_wait_for_its_own_first():
    """Of an open batch whatever is ready starts, though an earlier one of it still waits for its input."""
    graph = chain([4, 4], [Shape(4, parallel=True), Shape(2, batch=2, parallel=True)])
    schedule = Schedule(graph)
    inputs = schedule.start()
    schedule.ended(inputs[1])
    (second,) = schedule.start()
    assert second.address == "step1/1"
    schedule.ended(inputs[2])
    assert schedule.start() == []  # the next batch waits for this one
    schedule.ended(second)
    assert schedule.start() == []
    schedule.ended(inputs[0])
    (first,) = schedule.start()
    schedule.ended(first)
    assert [unit.address for unit in schedule.start()] == ["step1/2"]


def test_a_start_looks_only_at_steps_that_something_happened_to():
    """The cost of a start does not grow with the number of steps."""
    graph = chain([1] * 50, [Shape(1, parallel=True)] * 50)
    schedule = Schedule(graph)
    (unit,) = schedule.start()
    looked: list[str] = []

    class Watched(dict):
        def __getitem__(self, name):
            looked.append(name)
            return super().__getitem__(name)

    schedule._lanes = Watched(schedule._lanes)
    schedule.ended(unit)
    assert [unit.address for unit in schedule.start()] == ["step1/0"]
    assert set(looked) == {"step0", "step1"}


@pytest.mark.parametrize("size", [2, 3])
def test_a_batch_waits_for_the_whole_batch_before_it(size):
    """strategy: batch starts the next so many only when the last so many have all ended."""
    schedule = Schedule(chain([5], [Shape(size, batch=size, parallel=True)]))
    first = schedule.start()
    assert [unit.number for unit in first] == list(range(size))
    for unit in first[:-1]:
        schedule.ended(unit)
        assert schedule.start() == []
    schedule.ended(first[-1])
    assert [unit.number for unit in schedule.start()] == list(range(size, min(5, 2 * size)))

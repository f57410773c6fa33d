"""Limits per provider: rate and places, on an injected clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from ai_content_pipeline.errors import ConfigurationError, Interrupted
from ai_content_pipeline.generation.limits import Gate, Gates, Limit, limit_of


class SteppingClock:
    """Waiting is what makes its time pass."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.time += seconds
        return event.is_set()


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


def test_no_minute_holds_more_than_its_limit(clock):
    """In no window of a minute do more submits go out than allowed, plus one burst of a tenth."""
    gate = Gate(Limit(per_minute=60), clock, threading.Event())
    times = []
    for _ in range(300):
        gate.wait_for_turn()
        times.append(clock.time)
    busiest = max(sum(start <= other < start + 60 for other in times) for start in times)
    assert busiest <= 66
    assert times[-1] == pytest.approx(300 - 6, abs=2)


def test_no_limit_never_waits(clock):
    """A provider without limits is never waited for."""
    gate = Gate(Limit(), clock, threading.Event())
    for _ in range(1000):
        with gate.slot():
            gate.wait_for_turn()
    assert clock.time == 0.0


def test_places_are_exact(clock):
    """No more jobs are in flight than there are places, and a place is given back."""
    gate = Gate(Limit(in_flight=3), clock, threading.Event())
    inside, most, lock = 0, 0, threading.Lock()

    def job() -> None:
        nonlocal inside, most
        with gate.slot():
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=job) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (3, 0)


def test_stopping_ends_the_wait(clock):
    """^C is noticed by those who wait for their turn, and nothing of theirs was started."""
    stopping = threading.Event()
    gate = Gate(Limit(per_minute=1), clock, stopping)
    gate.wait_for_turn()
    stopping.set()
    with pytest.raises(Interrupted):
        gate.wait_for_turn()


def test_settings(clock):
    """The environment overrides the documented limits, and nonsense in it is refused by name."""
    assert limit_of("replicate", {}) == Limit(per_minute=600)
    assert limit_of("fal", {}) == Limit()
    environ = {"AICP_FAL_IN_FLIGHT": "10", "AICP_REPLICATE_PER_MINUTE": "6"}
    assert limit_of("fal", environ) == Limit(in_flight=10)
    assert limit_of("replicate", environ) == Limit(per_minute=6)
    for wrong in ("0", "-1", "many", "1.5"):
        with pytest.raises(ConfigurationError, match="AICP_FAL_IN_FLIGHT"):
            limit_of("fal", {"AICP_FAL_IN_FLIGHT": wrong})
    gates = Gates(environ, clock, threading.Event())
    assert gates("fal") is gates("fal")

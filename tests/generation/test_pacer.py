"""Waiting as a vendor's answers tell, on an injected clock: nobody is refused who could have waited."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.errors import Interrupted, ProviderUnavailable
from ai_content_pipeline.generation.limits import Gate, Limit
from ai_content_pipeline.providers.pace import Pace
from ai_content_pipeline.sandbox.actions import RateLimit
from ai_content_pipeline.sandbox.throttle import Throttle


class SteppingClock:
    """Waiting is what makes its time pass."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    def wait(self, event: threading.Event, seconds: float) -> bool:
        assert seconds > 0
        self.time += seconds
        return event.is_set()


def a_gate(limit: Limit | None = None) -> tuple[Gate, SteppingClock]:
    clock = SteppingClock()
    return Gate(limit or Limit(), clock, threading.Event(), "fal"), clock


def test_retry_after_holds_everybody_back() -> None:
    """Whoever comes next waits as long as the one that was refused was told to."""
    gate, clock = a_gate()
    gate.wait_for_turn()
    gate.heard(Pace(refused=True, pause=30.0))
    gate.wait_for_turn()
    assert clock.time == pytest.approx(1030)


def test_after_a_refusal_they_go_one_by_one() -> None:
    """Not all at once again; each acceptance halves the distance, until there is none."""
    gate, clock = a_gate()
    for _ in range(5):  # five at once, all refused: counted as one refusal
        gate.wait_for_turn()
    for _ in range(5):
        gate.heard(Pace(refused=True, pause=8.0))
    times = []
    for _ in range(12):
        gate.wait_for_turn()
        times.append(clock.time - 1000)
        gate.heard(Pace(refused=False))
    steps = [round(later - earlier, 3) for earlier, later in pairwise(times)]
    assert times[0] == pytest.approx(8)
    assert steps == [4.0, 2.0, 1.0, 0.5, 0.25, 0.125, 0.062, 0.031, 0.0, 0.0, 0.0]


def test_no_more_go_than_are_left() -> None:
    """Three are left for a minute, and one of them is under way already: two go, the next waits."""
    gate, clock = a_gate()
    gate.wait_for_turn()
    gate.wait_for_turn()
    gate.heard(Pace(refused=False, left=3, reset=60.0))
    for expected in (1000, 1000, 1060):
        gate.wait_for_turn()
        assert clock.time == expected


def test_a_lost_answer_does_not_block_for_ever() -> None:
    """What never was answered is forgotten when the vendor's time is over."""
    gate, clock = a_gate()
    gate.wait_for_turn()
    gate.heard(Pace(refused=False, left=1, reset=60.0))
    gate.wait_for_turn()
    gate.wait_for_turn()
    assert clock.time == 1060


@pytest.mark.parametrize("pace", [Pace(True, 301.0), Pace(False, None, 0, 86400.0)])
def test_nobody_waits_for_hours(pace: Pace) -> None:
    """A vendor that is closed for longer than five minutes is down for now: exit 75, and nothing sent."""
    gate, clock = a_gate()
    gate.wait_for_turn()
    gate.heard(pace)
    with pytest.raises(ProviderUnavailable, match="fal is busy: it takes no request for another") as raised:
        gate.wait_for_turn()
    assert raised.value.exit_code == 75
    assert clock.time == 1000


def test_the_wait_ends_with_the_run() -> None:
    """^C is noticed, and nothing of theirs was started."""
    clock, stopping = SteppingClock(), threading.Event()
    gate = Gate(Limit(), clock, stopping)
    gate.heard(Pace(refused=True, pause=30.0))
    stopping.set()
    with pytest.raises(Interrupted):
        gate.wait_for_turn()


def test_a_configured_rate_holds_beside_it() -> None:
    """The lower of the two counts."""
    gate, clock = a_gate(Limit(per_minute=6))
    for _ in range(3):
        gate.wait_for_turn()
        gate.heard(Pace(refused=False, left=500, reset=60.0))
    assert clock.time == pytest.approx(1020)


@given(submits=st.integers(1, 10), seconds=st.floats(1, 60), count=st.integers(1, 40))
def test_a_told_limit_refuses_nobody(submits: int, seconds: float, count: int) -> None:
    """Whatever the vendor's limit is: one after the other, none is refused, and no time is wasted."""
    gate, clock = a_gate()
    throttle, limit = Throttle(), RateLimit(submits=submits, seconds=seconds)
    for _ in range(count):
        gate.wait_for_turn()
        turn = throttle.turn("fal", limit, clock.time)
        assert not turn.refused
        gate.heard(Pace(refused=False, left=turn.left, reset=turn.reset))
    assert clock.time - 1000 <= seconds * ((count - 1) // submits) + 1e-3


@given(submits=st.integers(1, 10), seconds=st.floats(10, 60), count=st.integers(10, 60))
def test_an_untold_limit_refuses_few(submits: int, seconds: float, count: int) -> None:
    """A vendor that says only "no": about every second submit is refused at worst, and all get through."""
    gate, clock = a_gate()
    throttle, limit = Throttle(), RateLimit(submits=submits, seconds=seconds, told=False)
    refusals = accepted = 0
    while accepted < count:
        gate.wait_for_turn()
        refused = throttle.turn("fal", limit, clock.time).refused
        refusals, accepted = refusals + refused, accepted + (not refused)
        gate.heard(Pace(refused=refused))
        assert refusals <= count + 8

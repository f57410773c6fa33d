"""Rhythm, clocks and locks: how the door waits."""

from __future__ import annotations

import threading
from datetime import UTC
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.generation.clock import SystemClock
from ai_content_pipeline.generation.locks import NamedLocks
from ai_content_pipeline.generation.rhythm import poll_ages, retry_delays


def polls(seconds: float) -> int:
    """How often a job that takes `seconds` is asked about."""
    return len(list(takewhile(lambda age: age < seconds, poll_ages(0.0)))) + 1


@pytest.mark.parametrize(("seconds", "most"), [(0.5, 2), (1, 4), (20, 15), (60, 25), (300, 85)])
def test_a_job_is_not_asked_too_often(seconds, most):
    """A 20 s job is asked at most 15 times, a 5 min job at most 85 times."""
    assert polls(seconds) <= most


@given(st.floats(0, 600))
def test_an_end_is_noticed_soon(seconds):
    """What ends is noticed within 35 % of its age, at first within 0.5 s, and never later than 4 s."""
    noticed = next(age for age in poll_ages(0.0) if age >= seconds)
    assert noticed - seconds <= min(4.0, max(0.5 if seconds < 0.5 else 0.25, 0.35 * seconds)) + 1e-9


@given(st.floats(0, 10_000))
def test_ages_grow_from_the_first(age):
    """A job is asked about at once, whatever its age, and then at ever later ages."""
    ages = list(islice(poll_ages(age), 20))
    assert ages[0] == age
    assert all(later > earlier for earlier, later in pairwise(ages))


def test_a_job_is_not_asked_before_it_can_have_ended():
    """Where no job ends within half a second, the first look is then; an older one is asked at once."""
    assert list(islice(poll_ages(0.0, 0.5), 3)) == [0.5, 0.75, 1.0]
    assert next(poll_ages(7.0, 0.5)) == 7.0


def test_an_old_job_is_asked_calmly():
    """A job that is resumed after a while is not asked as if it were new."""
    assert list(islice(poll_ages(3600.0), 3)) == [3600.0, 3604.0, 3608.0]


def test_retries_double_and_end():
    """Each pause is twice the last one, up to the longest, and after the last attempt there is none."""
    assert list(retry_delays(4)) == [0.5, 1.0, 2.0, None]
    assert list(retry_delays(9))[5:] == [16.0, 30.0, 30.0, None]
    assert list(retry_delays(1)) == [None]


def test_the_system_clock_is_utc_and_waits():
    """Times are aware of their zone; a set event ends a wait, a passed time does not."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
    event = threading.Event()
    assert not clock.wait(event, 0.001)
    event.set()
    assert clock.wait(event, 60)


def test_a_name_is_held_by_one_at_a_time():
    """Holders of one name exclude each other; holders of two names do not."""
    locks = NamedLocks()
    inside = {"a": 0, "b": 0}
    most = {"a": 0, "b": 0}
    both = threading.Barrier(2)

    def work(name: str) -> None:
        for _ in range(200):
            with locks.hold(name):
                inside[name] += 1
                most[name] = max(most[name], inside[name])
                inside[name] -= 1

    def meet(name: str) -> None:
        with locks.hold(name):
            both.wait(timeout=30)  # breaks if one name kept the other out

    threads = [threading.Thread(target=work, args=(name,)) for name in "aaaabbbb"]
    threads += [threading.Thread(target=meet, args=(name,)) for name in ("c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == {"a": 1, "b": 1}
    assert not both.broken


def test_names_are_forgotten():
    """A lock lasts as long as somebody holds or wants it, also when its holder fails."""
    locks = NamedLocks()
    with pytest.raises(RuntimeError), locks.hold("a"):
        raise RuntimeError
    assert locks._locks == {}

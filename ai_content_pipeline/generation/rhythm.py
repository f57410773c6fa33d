"""How long to wait before asking again."""

from __future__ import annotations

from collections.abc import Iterator


def poll_delays(age: float) -> Iterator[float]:
    """Seconds between polls of a job that is `age` seconds old: quick at first, then a few seconds.

    A 1 s job is asked 4 times (the first time at once), a 20 s job 15 times, a 5 min job 85 times.
    """
    while True:
        delay = 0.5 if age < 0.25 else 0.25 if age < 1.2 else min(4.0, 0.35 * age)
        yield delay
        age += delay


def retry_delays(tries: int, first: float = 0.5, longest: float = 30.0) -> Iterator[float | None]:
    """The pause after each of `tries` attempts, doubling; None after the last."""
    for attempt in range(tries - 1):
        yield min(longest, first * 2**attempt)
    yield None

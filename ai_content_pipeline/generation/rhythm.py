"""How long to wait before asking again."""

from __future__ import annotations

from collections.abc import Iterator


def poll_delays(age: float) -> Iterator[float]:
    """Seconds between polls of a job that is `age` seconds old: quick at first, then a few seconds.

    A 1 s job is asked five times, a 20 s job 14 times, a 5 min job about 70 times.
    """
    while True:
        delay = min(4.0, max(0.15, 0.22 * age))
        yield delay
        age += delay


def retry_delays(tries: int, first: float = 0.5, longest: float = 30.0) -> Iterator[float | None]:
    """The pause after each of `tries` attempts, doubling; None after the last."""
    for attempt in range(tries - 1):
        yield min(longest, first * 2**attempt)
    yield None

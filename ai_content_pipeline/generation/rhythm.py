"""How long to wait before asking again."""

from __future__ import annotations

from collections.abc import Iterator

#: Seconds between two looks at a job, at most.
LONGEST_POLL = 4.0
#: The ages at which a young job is looked at.
_YOUNG = (0.5, 0.75, 1.0, 1.25, 1.6, 2.0)
#: The age at which every job is looked at, however long others took.
LATEST_LOOK = _YOUNG[-1]


def poll_ages(age: float, soonest: float = 0.0) -> Iterator[float]:
    """The ages, in seconds, at which to ask about a job that is `age` seconds old: at once (or when it is
    `soonest`), quickly at first, then every few seconds.

    From the beginning, a 1 s job is asked 4 times, a 20 s job 15 times, a 5 min job 85 times.
    """
    age = max(age, soonest)
    yield age
    while True:
        age = next((young for young in _YOUNG if young > age), age + min(LONGEST_POLL, 0.35 * age))
        yield age


def retry_delays(tries: int, first: float = 0.5, longest: float = 30.0) -> Iterator[float | None]:
    """The pause after each of `tries` attempts, doubling; None after the last."""
    for attempt in range(tries - 1):
        yield min(longest, first * 2**attempt)
    yield None

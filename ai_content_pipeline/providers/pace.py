"""What a vendor's answer to a submit says of the rate at which it wants to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every plan imports this file, and a plan has no use for httpx
    import httpx

#: From here on a number of seconds is a time of day (Unix time), not a length.
_UNIX_TIME = 1e9


@dataclass(frozen=True, slots=True)
class Pace:
    """`refused`: for its rate (429); False when it was taken, None when the answer is about something else
    or did not come. `pause`: seconds for which nothing should be sent. `left`: how many more may be sent
    within the next `reset` seconds. None: it does not say.
    """

    refused: bool | None = None
    pause: float | None = None
    left: int | None = None
    reset: float | None = None


def pace_of(response: httpx.Response) -> Pace:
    """Reads ``Retry-After``, and ``ratelimit-remaining`` with ``ratelimit-reset`` (seconds, or Unix time)."""
    from ai_content_pipeline.providers.answers import http_date, retry_after

    refused = True if response.status_code == 429 else False if response.is_success else None
    left, reset = _header(response, "remaining"), _header(response, "reset")
    if reset is not None and reset > _UNIX_TIME:
        now = http_date(response.headers.get("date")) or datetime.now(UTC)
        reset = max(0.0, reset - now.timestamp())
    # With an acceptance it would mean the polls.
    pause = None if response.is_success else retry_after(response)
    return Pace(refused, pause, None if left is None else int(left), reset)


def _header(response: httpx.Response, name: str) -> float | None:
    from ai_content_pipeline.providers.answers import number

    headers = response.headers
    said = number(headers.get(f"ratelimit-{name}") or headers.get(f"x-ratelimit-{name}"))
    return None if said is None else float(said)

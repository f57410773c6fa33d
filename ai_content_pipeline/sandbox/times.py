"""Timestamps as the vendors write them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate


def iso(seconds: float) -> str:
    """Unix seconds as ``2026-11-21T10:00:00.123456Z``."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def parsed(text: str | None) -> float | None:
    """Unix seconds of an ISO date or time, UTC where it names no zone. Raises ValueError."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def http_date(seconds: float) -> str:
    """Unix seconds as ``Sat, 21 Nov 2026 10:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)

"""Counting submits against the script's rate limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .actions import RateLimit, Vendor


@dataclass(frozen=True, slots=True)
class Turn:
    """One submit under a rate limit: how many are `left` after it, until `reset` seconds from then."""

    refused: bool
    left: int
    reset: float
    told: bool

    @property
    def headers(self) -> Mapping[str, str]:
        after = str(math.ceil(self.reset))
        told = {"ratelimit-remaining": str(self.left), "ratelimit-reset": after} if self.told else {}
        return {**told, "retry-after": after} if self.refused and self.told else told


class Throttle:
    """Windows of time in which submits are counted, each begun by its first submit."""

    def __init__(self) -> None:
        self._windows: dict[tuple[Vendor, RateLimit], tuple[float, int]] = {}

    def turn(self, vendor: Vendor, limit: RateLimit, now: float) -> Turn:
        began, count = self._windows.get((vendor, limit), (now, 0))
        if now >= began + limit.seconds:
            began, count = now, 0
        refused = count >= limit.submits
        count += not refused
        self._windows[vendor, limit] = began, count
        return Turn(refused, limit.submits - count, began + limit.seconds - now, limit.told)

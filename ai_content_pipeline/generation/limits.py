"""How many jobs a provider is given at once, and at which rate: as configured, and as the vendor says.

Waited for before the claim.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ai_content_pipeline.errors import ConfigurationError, Interrupted, ProviderUnavailable
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.generation.pacer import Pacer
from ai_content_pipeline.providers.pace import Pace

_LOOK = 0.5  # seconds between two looks for a free place, so that ^C is noticed
#: A vendor that asks for a longer pause than this, in seconds, is down for now.
LONGEST_PAUSE = 300.0
_MOMENT = 1e-9  # seconds: what is nearer than this is now


@dataclass(frozen=True, slots=True)
class Limit:
    """None: no limit. fal's queue waits and never refuses, so by default it has none."""

    in_flight: int | None = None
    per_minute: int | None = None


#: What the vendors document. Replicate creates at most 600 predictions a minute.
DEFAULTS: Mapping[str, Limit] = {"replicate": Limit(per_minute=600)}


def limit_of(provider: str, environ: Mapping[str, str]) -> Limit:
    """``AICP_FAL_IN_FLIGHT=10``, ``AICP_REPLICATE_PER_MINUTE=60``: else the vendor's documented limit.

    Raises:
        ConfigurationError: not a whole number above 0.
    """
    default = DEFAULTS.get(provider, Limit())
    prefix = f"AICP_{provider.upper()}"
    return Limit(
        _number(environ, f"{prefix}_IN_FLIGHT", default.in_flight),
        _number(environ, f"{prefix}_PER_MINUTE", default.per_minute),
    )


def _number(environ: Mapping[str, str], name: str, default: int | None) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ConfigurationError(f"{name} is {text!r}, which is no whole number above 0")
    return int(text)


class Gate:
    """One provider's limit, shared by all threads. `stopping` set: nobody is let in any more."""

    def __init__(
        self, limit: Limit, clock: Clock, stopping: threading.Event, name: str = "the vendor"
    ) -> None:
        self._limit = limit
        self._name = name
        self._pacer = Pacer()
        self._clock = clock
        self._stopping = stopping
        self._places = threading.Semaphore(limit.in_flight) if limit.in_flight else None
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._allowance = self._burst
        self._counted = clock.monotonic()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A place for one job, from before its claim until it has ended.

        Raises:
            Interrupted: the run is being stopped.
        """
        if self._places is None:
            yield
            return
        while not self._places.acquire(timeout=_LOOK):
            self._pause(0)
        try:
            yield
        finally:
            self._places.release()

    def wait_for_turn(self) -> None:
        """Sit out the rate; call it right before a claim.

        Raises:
            Interrupted: the run is being stopped.
            ProviderUnavailable: the vendor wants to be left alone for longer than anybody waits.
        """
        while (delay := self._take()) > 0:
            if delay > LONGEST_PAUSE:
                raise ProviderUnavailable(
                    f"{self._name} is busy: it takes no request for another {delay / 60:.0f} minutes",
                    hint="nothing was sent; the same command tries again",
                )
            self._pause(delay)

    def heard(self, pace: Pace) -> None:
        """What the vendor answered to a submit: from now on everybody keeps to it."""
        with self._lock:
            self._pacer.heard(pace, self._clock.monotonic())

    def hush(self, seconds: float) -> None:
        """The vendor wants no looks at its jobs for so long. It is asked again after `LONGEST_PAUSE` anyway:
        results are not kept for ever."""
        until = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)
        with self._lock:
            self._quiet_until = max(self._quiet_until, until)

    def quiet(self) -> float:
        """Seconds until this vendor may be asked how its jobs are; 0: now."""
        return max(0.0, self._quiet_until - self._clock.monotonic()) if self._quiet_until else 0.0

    @property
    def _burst(self) -> float:
        """A tenth of a minute's worth may come at once."""
        return max(1.0, (self._limit.per_minute or 0) / 10)

    def _take(self) -> float:
        """0 when a submit may go now (and is counted); else the seconds until one may."""
        with self._lock:
            now = self._clock.monotonic()
            delay = max(self._pacer.delay(now), self._scarce(now))
            if delay > _MOMENT:
                return delay
            self._allowance -= 1.0
            self._pacer.went(now)
            return 0.0

    def _scarce(self, now: float) -> float:
        """Seconds until the configured rate allows one more."""
        if self._limit.per_minute is None:
            return 0.0
        rate = self._limit.per_minute / 60
        self._allowance = min(self._burst, self._allowance + (now - self._counted) * rate)
        self._counted = now
        return max(0.0, (1.0 - self._allowance) / rate)

    def _pause(self, seconds: float) -> None:
        if self._clock.wait(self._stopping, seconds):
            raise Interrupted("not started")


@dataclass
class Gates:
    """The gates of every provider, made when first asked for."""

    environ: Mapping[str, str]
    clock: Clock
    stopping: threading.Event
    _gates: dict[str, Gate] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, provider: str) -> Gate:
        with self._guard:
            if provider not in self._gates:
                limit = limit_of(provider, self.environ)
                self._gates[provider] = Gate(limit, self.clock, self.stopping, provider)
            return self._gates[provider]

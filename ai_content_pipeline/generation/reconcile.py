"""Requests in doubt: was the job created? Asked of the vendor's own listing, never guessed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ai_content_pipeline.errors import Interrupted, ProviderUnavailable
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.generation.store import Job, Store
from ai_content_pipeline.jobs import Sightings
from ai_content_pipeline.providers.protocol import Provider

#: Seconds between two looks at a vendor's listing.
_PAUSE = 5.0
#: How many empty reads of an exhaustive listing, past the grace period, prove that there is no job.
_EMPTY_READS = 2


@dataclass
class Reconciler:
    """`grace` in seconds: how long a vendor's listing may lag behind its acceptances."""

    store: Store
    clock: Clock
    detached: threading.Event
    grace: float = 60.0

    def resolve(self, job: Job, provider: Provider, owner: str) -> None:
        """Leave `job` SUBMITTED (found), PENDING (surely never created) or IN_DOUBT (held)."""
        assert job.intent_at is not None
        started = self.clock.monotonic()
        empty_reads = 0
        while empty_reads < _EMPTY_READS:
            past_grace = self._past_grace(job, started)
            sightings = self._look(job, provider)
            if sightings is not None and self._adopt(job, sightings, owner):
                return
            if past_grace and (sightings is None or sightings.matches):
                return  # several could be ours, or the vendor is down: the user decides, or a later command
            if past_grace:
                empty_reads += 1
            if empty_reads < _EMPTY_READS:
                self._pause(min(_PAUSE, max(0.05, self.grace / 4)))
        if sightings is not None and sightings.exhaustive:
            self.store.undoubted(job.key, abandon=False, spent=False, now=self.clock.now())

    def _past_grace(self, job: Job, started: float) -> bool:
        """By our steady clock since we began to look, or by the journal where the claim is long ago."""
        assert job.intent_at is not None
        waited = self.clock.monotonic() - started
        return max(waited, (self.clock.now() - job.intent_at).total_seconds()) >= self.grace

    def _look(self, job: Job, provider: Provider) -> Sightings | None:
        assert job.intent_at is not None
        try:
            return provider.find(job.wire, job.intent_at)
        except ProviderUnavailable:
            return None

    def _adopt(self, job: Job, sightings: Sightings, owner: str) -> bool:
        known = self.store.handles(job.provider)
        unclaimed = [sighting for sighting in sightings.matches if sighting.handle.request_id not in known]
        if len(unclaimed) != 1:
            return False
        return self.store.adopted(job.key, owner, unclaimed[0].handle, self.clock.now())

    def _pause(self, seconds: float) -> None:
        if self.clock.wait(self.detached, seconds):
            raise Interrupted(
                "detached while a request was in doubt", retry_with="aicp resume --in-doubt wait"
            )

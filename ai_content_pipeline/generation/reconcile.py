"""Requests in doubt: was the job created? Asked of the vendor's own listing, never guessed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ai_content_pipeline.errors import Interrupted, ProviderUnavailable
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.generation.store import Job, State, Store
from ai_content_pipeline.jobs import Sighting, Sightings
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
        started = self.clock.monotonic()
        reads = proofs = 0
        while reads < _EMPTY_READS:
            waited = self.clock.monotonic() - started
            sightings = self._look(job, provider)
            candidates = self._candidates(job, sightings)
            if len(candidates) == 1 and self._adopt(job, candidates[0], owner):
                return
            exhaustive = sightings is not None and sightings.exhaustive
            if self._past_grace(job, waited, exhaustive=exhaustive):
                if candidates:
                    return  # several could be ours: held
                reads += 1
                proofs += exhaustive
            if reads < _EMPTY_READS:
                self._pause(min(_PAUSE, max(0.05, self.grace / 4)))
        if proofs == reads:
            self.store.undoubted(job.key, abandon=False, spent=False, now=self.clock.now(), owner=owner)

    def _past_grace(self, job: Job, waited: float, *, exhaustive: bool) -> bool:
        """Whether a listing that shows nothing has had time to show it.

        Where its silence will be taken for a proof, only our steady clock counts: the journal's times
        are of a clock that may have been set since. Where the job will be held anyway, they do.
        """
        assert job.intent_at is not None
        age = (self.clock.now() - job.intent_at).total_seconds()
        return waited >= self.grace or (not exhaustive and age >= self.grace)

    def _look(self, job: Job, provider: Provider) -> Sightings | None:
        assert job.intent_at is not None
        try:
            return provider.find(job.wire, job.intent_at)
        except ProviderUnavailable:
            return None

    def _candidates(self, job: Job, sightings: Sightings | None) -> list[Sighting]:
        """The listed jobs that could be `job`: those that are no other job of this project."""
        if sightings is None or not sightings.matches:
            return []
        known = self.store.handles(job.provider)
        return [sighting for sighting in sightings.matches if sighting.handle.request_id not in known]

    def _adopt(self, job: Job, sighting: Sighting, owner: str) -> bool:
        """Take the one candidate, unless a twin whose answer is still on its way may be the one we see."""
        for other in self.store.jobs((State.INTENT,)):
            if other.key != job.key and other.provider == job.provider and other.wire == job.wire:
                return False
        return self.store.adopted(job.key, owner, sighting.handle, self.clock.now())

    def _pause(self, seconds: float) -> None:
        if self.clock.wait(self.detached, seconds):
            raise Interrupted(
                "detached while a request was in doubt", retry_with="aicp resume --in-doubt wait"
            )

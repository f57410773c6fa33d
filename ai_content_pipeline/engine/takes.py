"""Which take of a request is meant: the current one, or the one that a redo makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.store import Store, claimable
from ai_content_pipeline.jobs import JobRequest


@dataclass(frozen=True)
class Takes:
    """The project's takes, as they were when this was made."""

    store: Store
    _current: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_current", self.store.current_takes())

    def current(self, request: JobRequest, ordinal: int) -> int:
        """The newest good take that a redo made, else the first."""
        if not self._current:  # as in most projects: no key is needed to know
            return 0
        return self._current.get(keys.lineage_key(request, ordinal), 0)

    def to_redo(self, request: JobRequest, ordinal: int, run: str, address: str) -> int:
        """The take that the redo of `address` by `run` makes; the same one when that run goes on."""
        take = self._unmade(request, ordinal)
        if take is not None:
            return take
        return self.store.redo_take(keys.lineage_key(request, ordinal), run, address)

    def _unmade(self, request: JobRequest, ordinal: int) -> int | None:
        """The take that a redo would make without a new number, because nothing was paid for it yet: the
        current one, or a newer one whose attempt failed unbilled. None: a new take is needed."""
        take = self.current(request, ordinal)
        job = self.store.job(keys.request_key(replace(request, take=take), ordinal))
        if job is None or claimable(job):
            return take
        newest = self.store.takes(keys.lineage_key(request, ordinal))[-1]
        return newest.take if newest.take > take and claimable(newest) else None

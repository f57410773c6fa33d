"""Which take of a request is meant: the current one, the one that a redo makes, or a retry of a low score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.store import Job, Store, claimable
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.references import strength
from ai_content_pipeline.steps.strategy import Consistency


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

    def retries(
        self, request: JobRequest, ordinal: int, card: Card, rule: Consistency
    ) -> Iterator[tuple[JobRequest, Job | None]]:
        """The further takes that a low score of `request` may cost, in turn, each with its job where an
        earlier run asked for it.

        A retry that raises the strength of the references asks for something else, and so its takes are
        counted among those of the same strength.
        """
        known: dict[str, list[Job]] = {}
        last: dict[str, int] = {}
        for number in range(1, rule.retries + 1):
            again = _raised(request, card, number * (rule.raise_strength or 0.0))
            lineage = keys.lineage_key(again, ordinal)
            after = last.get(lineage, request.take)
            if lineage not in known:
                known[lineage] = self.store.takes(lineage)
            job = next((one for one in known[lineage] if one.take > after), None)
            last[lineage] = after + 1 if job is None else job.take
            yield replace(again, take=last[lineage]), job


def _raised(request: JobRequest, card: Card, by: float) -> JobRequest:
    """`request` with its references counting `by` more, where it sends some to a model that can be told."""
    if not by or not request.inputs.get(Role.REFERENCE):
        return request
    return replace(request, params=strength.raised(card, request.params, by))

"""Which take of a request is meant: the current one, or the one that a redo makes."""

from __future__ import annotations

from dataclasses import replace

from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.store import Store, claimable
from ai_content_pipeline.jobs import JobRequest


def current(store: Store, request: JobRequest, ordinal: int) -> int:
    """The newest good take that a redo made, else the first."""
    return store.current_take(keys.lineage_key(request, ordinal))


def unmade(store: Store, request: JobRequest, ordinal: int) -> int | None:
    """The take that a redo would make without a new number, because nothing was paid for it yet: the
    current one, or a newer one whose attempt failed unbilled. None: a new take is needed."""
    take = current(store, request, ordinal)
    job = store.job(keys.request_key(replace(request, take=take), ordinal))
    if job is None or claimable(job):
        return take
    newest = store.takes(keys.lineage_key(request, ordinal))[-1]
    return newest.take if newest.take > take and claimable(newest) else None


def to_redo(store: Store, request: JobRequest, ordinal: int, run: str, address: str) -> int:
    """The take that the redo of `address` by `run` makes; the same one when that run goes on."""
    take = unmade(store, request, ordinal)
    if take is not None:
        return take
    return store.redo_take(keys.lineage_key(request, ordinal), run, address)

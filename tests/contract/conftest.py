"""The two seams of the money door, and everything that stands behind them.

A further store or provider joins its contract by one entry in `STORES` or `PROVIDERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.store import Cap, Claim, Claimed, Job, State, Store
from ai_content_pipeline.jobs import Billed, Handle, Reason, WireRequest

STORES: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda folder: SqliteStore(folder / "journal.sqlite3"),
    "memory": lambda folder: SqliteStore(None),
}

NOW = datetime(2026, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)
PICTURE = Artifact("ab" * 32, 123, MediaInfo(Kind.IMAGE, "image/png", 64, 48))


@dataclass
class Journal:
    """A store, and the shortest way to have a job of it in any state."""

    store: Store
    owner: str = "me"
    now: datetime = NOW
    picture: Artifact = PICTURE
    _ids: Iterator[int] = field(default_factory=count)

    def claim_of(self, key: str = "k", **changes: object) -> Claim:
        claim = Claim(
            key=key,
            lineage=f"lineage-{key}",
            take=0,
            provider="fake",
            endpoint="fake/model",
            description={"model": "m", "kind": "image", "prompt": "a cup"},
            wire=WireRequest("fake/model", {"prompt": "a cup"}),
            outputs=1,
            run="run",
            address=f"clips/{key}",
            owner=self.owner,
            reserve=100,
        )
        return replace(claim, **changes)

    def claim(self, key: str = "k", *, now: datetime = NOW, **changes: object) -> Claimed:
        return self.store.claim(self.claim_of(key, **changes), now)

    def handle(self) -> Handle:
        return Handle(f"id-{next(self._ids)}", {"url": "https://vendor.example/1"})

    def job(self, key: str = "k") -> Job:
        job = self.store.job(key)
        assert job is not None
        return job

    def bring(self, state: State, key: str = "k", **changes: object) -> Job:
        """A job of a new key, brought to `state` by legal moves."""
        assert self.claim(key, **changes) is Claimed.MINE
        for move in _WAYS[state]:
            self.move(move, key)
        job = self.job(key)
        assert job.state is state
        return job

    def move(self, name: str, key: str = "k") -> object:
        """Make the move called `name` with plain arguments."""
        store = self.store
        moves: dict[str, Callable[[], object]] = {
            "submitted": lambda: store.submitted(key, self.owner, self.handle(), NOW),
            "released": lambda: store.released(key, self.owner, "busy", NOW),
            "doubted": lambda: store.doubted(key, self.owner, "dropped", NOW),
            "finished": lambda: store.finished(
                key, ["https://vendor.example/a.png"], None, None, None, [], NOW
            ),
            "done": lambda: store.done(key, [PICTURE], NOW),
            "failed": lambda: store.failed(key, Reason.PROVIDER, "no", Billed.YES, NOW),
            "refused": lambda: store.failed(key, Reason.INVALID, "no", Billed.NO, NOW),
            "gone": lambda: store.gone(key, "404", NOW),
            "abandoned": lambda: store.undoubted(key, abandon=True, spent=True, now=NOW),
            "absent": lambda: store.undoubted(key, abandon=False, spent=False, now=NOW),
        }
        return moves[name]()

    def committed(self, run: str = "run") -> int:
        return self.store.committed(Cap(0, run=run))


_WAYS: dict[State, tuple[str, ...]] = {
    State.INTENT: (),
    State.PENDING: ("released",),
    State.SUBMITTED: ("submitted",),
    State.FINISHED: ("submitted", "finished"),
    State.DONE: ("submitted", "finished", "done"),
    State.FAILED: ("submitted", "failed"),
    State.GONE: ("submitted", "gone"),
    State.IN_DOUBT: ("doubted",),
    State.ABANDONED: ("doubted", "abandoned"),
}


@pytest.fixture(params=STORES)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    store = STORES[request.param](tmp_path)
    yield Journal(store)
    store.close()

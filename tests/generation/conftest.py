"""A project, a vendor and a clock that outlive any process, and processes that can be killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Role
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.door import Door, Made, Order
from ai_content_pipeline.generation.fetch import Fetcher
from ai_content_pipeline.generation.owners import Owners
from ai_content_pipeline.generation.reconcile import Reconciler
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.stills import Stills
from ai_content_pipeline.generation.store import Cap, Job, Store
from ai_content_pipeline.jobs import JobRequest, JobStatus, Model, Task, WireRequest
from ai_content_pipeline.providers.fake import FakeProvider, FakeVendor

GOOD, BAD = b"PICTURE ", b"<html>"
INFO = MediaInfo(Kind.IMAGE, "image/png", 8, 8)


class FakeClock:
    """Time that passes only when somebody waits. `on_wait` is called after each wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
        self._steady = 100.0
        self.waits: list[float] = []
        self.waited_for: list[threading.Event] = []
        self.on_wait: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._steady

    def wait(self, event: threading.Event, seconds: float) -> bool:
        assert seconds >= 0
        if not event.is_set():
            self.pass_time(seconds)
            self.waits.append(seconds)
            self.waited_for.append(event)
            self.on_wait()
        return event.is_set()

    def pass_time(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._steady += seconds

    def set_by(self, seconds: float) -> None:
        """Somebody sets the time of day; the steady clock does not notice."""
        self._now += timedelta(seconds=seconds)


def draw(wire: WireRequest, path: Path) -> Path:
    path.write_bytes(GOOD + repr(wire).encode())
    return path


def verify(path: Path, blank: object = None) -> MediaInfo:
    if not path.read_bytes().startswith(GOOD):
        raise BadMedia("it does not decode")
    return INFO


@dataclass
class Process:
    """One process of ours: its store, its owner lock and its door."""

    store: Store
    owners: Owners
    door: Door
    seen: list[JobStatus] = field(default_factory=list)

    def generate(self, order: Order) -> Made:
        return self.door.generate(order, self.seen.append)

    def collect(self, job: Job) -> Job:
        return self.door.collect(job, self.seen.append)

    def kill(self) -> None:
        """As SIGKILL: the file lock is gone, its file and everything in the journal stay as they are."""
        os.close(self.owners._held)
        self.store.close()

    def end(self) -> None:
        self.owners.close()
        self.store.close()


@dataclass
class World:
    """What lasts: a project's folder, a vendor, and time."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    vendor: FakeVendor = field(init=False)
    repeatable: bool = False
    caps: tuple[Cap, ...] = ()
    wrap: Callable[[str, Any], Any] = lambda name, thing: thing
    _open: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vendor = FakeVendor(draw, now=self.clock.now)

    @property
    def aicp(self) -> Path:
        return self.root / ".aicp"

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.aicp)

    def start(self) -> Process:
        """A process of ours begins. `wrap(name, thing)` may put something around what it works with."""
        self.aicp.mkdir(exist_ok=True)
        owners = Owners(self.aicp / "owners")
        sqlite = SqliteStore(self.aicp / "journal.sqlite3")
        store = self.wrap("store", sqlite)
        artifacts = self.wrap("artifacts", self.artifacts)
        fake = FakeProvider(self.vendor, self.aicp / "tmp", repeatable=self.repeatable)
        provider = self.wrap("provider", fake)
        detached = threading.Event()
        door = Door(
            store=store,
            artifacts=artifacts,
            provider=lambda name: provider,
            owners=owners,
            clock=self.clock,
            run="run",
            fetcher=Fetcher(
                store,
                artifacts,
                self.clock,
                self.wrap("download", self.vendor.download),
                verify,
                Stills(),
                detached,
            ),
            reconciler=Reconciler(store, self.clock, detached),
            caps=self.caps,
            detached=detached,
        )
        process = Process(sqlite, owners, door)
        self._open.append(process)
        return process

    def order(
        self, prompt: str = "a cup", *, price: str | None = "0.04", ordinal: int = 0, **changes: Any
    ) -> Order:
        model = Model("m", "fake", "fake/model", Task.TEXT_TO_IMAGE, seed_field="seed")
        unit_price = changes.pop("unit_price", None)
        request = replace(JobRequest(model, prompt, {}, {}), **changes)
        usd = CostEstimate(Decimal(price)) if price else CostEstimate(unpriced=("m",))
        return Order(request, ordinal, f"stills/{prompt}", usd, unit_price)

    def input(self, content: bytes = GOOD + b"input") -> dict[Role, tuple[Artifact, ...]]:
        """A stored file, as the input of an order."""
        path = self.root / "input.png"
        path.write_bytes(content)
        return {Role.START: (self.artifacts.add(path, INFO),)}

    def content(self, job: Job) -> bytes:
        return b"".join(self.artifacts.path(artifact).read_bytes() for artifact in job.artifacts)

    def close(self) -> None:
        """Every process that is still there ends."""
        for process in self._open:
            process.store.close()
        self._open.clear()


@pytest.fixture
def new_world() -> Iterator[Callable[[Path], World]]:
    worlds = []

    def make(root: Path) -> World:
        root.mkdir(exist_ok=True)
        worlds.append(World(root))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(new_world: Callable[[Path], World], tmp_path: Path) -> World:
    return new_world(tmp_path)

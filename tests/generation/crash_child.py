"""A process that makes nine items and may be killed at any moment, for `test_kill_9.py`; run as a script.

Its vendor is a folder, which outlives it: a file a job. `KILL_AT=n` in the environment has it kill
itself with SIGKILL at its n-th moment: before and after everything that leaves a trace.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ai_content_pipeline.artifacts import Kind, MediaInfo
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation import artifact_store, writer
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.clock import SystemClock
from ai_content_pipeline.generation.door import Door, Order
from ai_content_pipeline.generation.fetch import Fetcher
from ai_content_pipeline.generation.owners import Owners
from ai_content_pipeline.generation.reconcile import Reconciler
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.stills import Stills
from ai_content_pipeline.generation.store import OPEN, State
from ai_content_pipeline.jobs import (
    Handle,
    JobRequest,
    JobStatus,
    Model,
    Output,
    Sighting,
    Sightings,
    Succeeded,
    Task,
    WireRequest,
)  # fmt: skip

ITEMS = 9
INFO = MediaInfo(Kind.IMAGE, "image/png", 8, 8)

_moments = itertools.count(1)
_kill_at = int(os.environ.get("KILL_AT", "0"))


def moment() -> None:
    if next(_moments) == _kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


def around(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any, **named: Any) -> Any:
        moment()
        result = call(*arguments, **named)
        moment()
        return result

    return guarded


class FolderVendor:
    """A job is a file of `folder`, there as soon as it is accepted. Results are a function of the payload."""

    name = "folder"
    repeatable = False
    soonest = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def wire(self, request: JobRequest, uploads: object, seed: int | None) -> WireRequest:
        return WireRequest("folder", {"prompt": request.prompt, "seed": seed})

    def submit(self, wire: WireRequest, key: str) -> Handle:
        moment()
        with self._lock:
            identity = f"{len(list(self.folder.glob('*.json'))):04}"
            half = self.folder / f"{identity}.half"
            half.write_text(json.dumps({"key": key, "payload": dict(wire.payload)}))
            half.rename(half.with_suffix(".json"))
        moment()
        return Handle(identity)

    def poll(self, handle: Handle) -> JobStatus:
        return Succeeded((Output(url=handle.request_id),), cost=Decimal("0.04"))

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        listed = [(path.stem, json.loads(path.read_text())) for path in sorted(self.folder.glob("*.json"))]
        matches = [Sighting(Handle(stem)) for stem, job in listed if job["payload"] == dict(wire.payload)]
        return Sightings(tuple(matches), exhaustive=True)

    def download(self, url: str, path: Path) -> None:
        payload = json.loads((self.folder / f"{url}.json").read_text())["payload"]
        path.write_bytes(b"PICTURE " + hashlib.sha256(repr(payload).encode()).digest())


def main(root: Path) -> int:
    for module, names in ((artifact_store, ("_sync", "_move", "_stamp")), (writer, ("_commit",))):
        for name in names:
            setattr(module, name, around(getattr(module, name)))
    vendor = FolderVendor(root / "vendor")
    store = SqliteStore(root / ".aicp" / "journal.sqlite3")
    artifacts, clock, detached = ArtifactStore(root / ".aicp"), SystemClock(), threading.Event()
    door = Door(
        store=store,
        artifacts=artifacts,
        provider=lambda name: vendor,
        owners=Owners(root / ".aicp" / "owners"),
        clock=clock,
        run="run",
        fetcher=Fetcher(store, artifacts, clock, vendor.download, lambda path, blank: INFO, Stills()),
        reconciler=Reconciler(store, clock, detached, grace=0.1),
    )
    for job in store.jobs((*OPEN, State.IN_DOUBT)):
        door.collect(job, lambda status: None)
    model = Model("m", "folder", "folder", Task.TEXT_TO_IMAGE, seed_field="seed")

    def make(i: int) -> str | None:
        request = JobRequest(model, f"scene {i}", {}, {}, seed=7)
        order = Order(request, 0, f"clips/scene_{i}", CostEstimate(Decimal("0.05")))
        try:
            job = door.generate(order, lambda status: None).job
        except AicpError as error:
            print(error, file=sys.stderr)
            return None
        return artifacts.path(job.artifacts[0]).read_bytes().hex()

    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(make, range(ITEMS)))
    store.close()
    print(json.dumps(made))
    return 0 if None not in made else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

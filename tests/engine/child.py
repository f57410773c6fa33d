"""A run in a process of its own, to be killed and interrupted. Its vendor lives on the disk, so it survives.

``python child.py '{"root": …, "pipeline": …}'`` with, as further keys: `seconds` a job takes; `redo` an
address; `fetch` to collect instead of running; `kill` ["before" | "after", n] for a SIGKILL at the n-th
change of the journal; `limit` in bytes for every file; `large` for pictures of 270 kB; `draft` for the real
renderer; `deaf` for signals that the process was told to ignore. Prints one JSON object an event, and the
result.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.collect import collect_all
from ai_content_pipeline.engine.results import RunResult
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.workshop import Workshop, open_workshop
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.fetch import Download
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.jobs import (
    CancelAnswer,
    Gone,
    Handle,
    JobRequest,
    JobStatus,
    Output,
    Running,
    Sighting,
    Sightings,
    Succeeded,
    Upload,
    WireRequest,
)
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.project import Project
from ai_content_pipeline.providers.fake import Draw, sketch
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.registry import PROVIDERS

#: Every call of the journal that changes something.
STEPS = (
    "begin", "claim", "submitted", "released", "doubted", "finished", "done", "failed", "adopted",
    "undoubted", "take_over", "refetch", "uploaded", "local_done", "redo_take", "deliver", "undeliver", "end",
)  # fmt: skip


class DiskVendor:
    """A vendor whose jobs are files: paid, not repeatable, with a listing that proves absence."""

    repeatable = False
    soonest = 0.0

    def __init__(self, name: str, folder: Path, seconds: float) -> None:
        self.name = name
        self._folder = folder
        self._seconds = seconds
        folder.mkdir(exist_ok=True)

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        return Upload(f"disk://{artifact.sha256}")

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        files = {role.value: [upload.url for upload in found] for role, found in uploads.items()}
        payload = {"prompt": request.prompt, "seed": seed, "outputs": request.outputs, **files}
        return WireRequest(request.model.endpoint, payload)

    def submit(self, wire: WireRequest, key: str) -> Handle:
        name = f"{time.time_ns()}-{threading.get_ident()}-{os.getpid()}"
        job = {"endpoint": wire.endpoint, "payload": dict(wire.payload), "created": time.time()}
        (self._folder / f"{name}.new").write_text(json.dumps(job))
        (self._folder / f"{name}.new").rename(self._folder / f"{name}.json")
        return Handle(name)

    def poll(self, handle: Handle) -> JobStatus:
        path = self._folder / f"{handle.request_id}.json"
        if not path.exists():
            return Gone("no such job")
        job = json.loads(path.read_text())
        age = time.time() - job["created"]
        if age < self._seconds:
            return Running(age / self._seconds)
        count = job["payload"]["outputs"]
        return Succeeded(tuple(Output(url=f"{handle.request_id}#{n}") for n in range(count)))

    def cancel(self, handle: Handle) -> CancelAnswer:
        return CancelAnswer.UNSUPPORTED

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        found = []
        for path in sorted(self._folder.glob("*.json")):
            job = json.loads(path.read_text())
            created = datetime.fromtimestamp(job["created"], UTC)
            if WireRequest(job["endpoint"], job["payload"]) == wire and created >= since:
                found.append(Sighting(Handle(path.stem), created))
        return Sightings(tuple(found), exhaustive=True)

    def close(self) -> None:
        """There is nothing to give back."""


def downloads(folder: Path, draw: Draw) -> Download:
    """Results are drawn when they are fetched."""

    def download(url: str, path: Path) -> None:
        job = json.loads((folder / f"{url.partition('#')[0]}.json").read_text())
        draw(WireRequest(job["endpoint"], job["payload"]), path)

    return download


def noise(wire: WireRequest, path: Path) -> Path:
    """A picture that cannot be compressed."""
    from PIL import Image

    pixels = random.Random(json.dumps(dict(wire.payload))).randbytes(300 * 300 * 3)
    Image.frombytes("RGB", (300, 300), pixels).save(path, "PNG")
    return path


class Deadly:
    """A journal that kills its process before or after its n-th durable step."""

    def __init__(self, store: SqliteStore, when: str, at: int) -> None:
        self._store = store
        self._when = when
        self._left = at
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        if name not in STEPS:
            return real

        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self._left -= 1
                mine = self._left == 0
            if mine and self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = real(*arguments, **options)
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call


def main(settings: dict[str, Any]) -> int:
    if "limit" in settings:
        resource.setrlimit(resource.RLIMIT_FSIZE, (settings["limit"], settings["limit"]))
    for name in settings.get("deaf", ()):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        with opened(settings) as workshop:
            return collect(workshop) if settings.get("fetch") else go(settings, workshop)
    except AicpError as error:
        say("Refused", message=error.message, hint=error.hint)
        return error.exit_code


def opened(settings: dict[str, Any]) -> AbstractContextManager[Workshop]:
    root = Path(settings["root"])

    def vendor(name: str) -> Any:
        def make(surroundings: Surroundings) -> DiskVendor:
            return DiskVendor(name, root / "vendor", settings.get("seconds", 0.0))

        return make

    def open_store(path: Path) -> Any:
        store = SqliteStore(path)
        return Deadly(store, *settings["kill"]) if "kill" in settings else store

    factories = PROVIDERS if settings.get("draft") else {name: vendor(name) for name in ("fal", "replicate")}
    environ = {"AICP_RECONCILE_GRACE": "0.1"}
    download = downloads(root / "vendor", noise if settings.get("large") else sketch)
    return open_workshop(
        Project(root), environ, factories=factories, open_store=open_store, download=download
    )


def go(settings: dict[str, Any], workshop: Workshop) -> int:
    root = Path(settings["root"])
    expansion = expand(load_pipeline(root / settings["pipeline"], environ={}))
    parts = Path(expansion.pipeline.top.output_dir).parts
    options = RunOptions(
        root, parts, f"run-{os.getpid()}", lambda address: f"redo {address}", settings.get("redo")
    )
    result = run(expansion, workshop, options, tell)
    tell_result(result)
    return result.exit_code


def collect(workshop: Workshop) -> int:
    for job, error in collect_all(workshop):
        say("Fetched", address=job.address, message=error and error.message)
    return 0


def tell_result(result: RunResult) -> None:
    say(
        "Result",
        states={item.address: item.state.value for item in result.items},
        errors={item.address: item.error.message for item in result.items if item.error},
        hints={item.address: item.error.hint for item in result.items if item.error},
        retries=[item.error.retry_with for item in result.items if item.error],
        spent=f"{result.spent:.6f}",
        costs=f"{sum(item.cost or 0 for item in result.items):.6f}",
        resume_with=result.resume_with,
        notes=result.notes,
        takes={item.address: item.take for item in result.items},
    )


def say(event: str, **what: object) -> None:
    print(json.dumps({"event": event, **what}), flush=True)


def tell(event: events.Event) -> None:
    address = getattr(event, "address", None) or getattr(getattr(event, "result", None), "address", None)
    say(type(event).__name__, address=address)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

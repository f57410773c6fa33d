"""The process that makes media, so that what kills it does not kill the worker.

One job a line comes in on stdin, as JSON; what happens goes out on stdout, a line each: ``step``, then
``done`` or ``failed``. ``{"cancel": key}`` stops that job. When stdin ends, so does the process:
a worker that was killed leaves nobody behind.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.providers.protocol import Provider, Surroundings
from ai_content_pipeline.providers.registry import PROVIDERS
from ai_content_pipeline.worker import inference, references
from ai_content_pipeline.worker.assignment import assign
from ai_content_pipeline.worker.faults import Code, Fault, of_error
from ai_content_pipeline.worker.job_types import JobType
from ai_content_pipeline.worker.schema import Job

#: Seconds between two lines on progress: a model may tell of thousands of steps.
_PACE = 0.05
#: It must be trusted no longer; the worker starts another.
_SPOILT = 70


@dataclass
class Child:
    """`out` takes the lines. `provider` is made at the first job, so that a fault in it has a job to name."""

    out: TextIO
    factory: Callable[[Surroundings], Provider]
    environ: Mapping[str, str]
    scratch: Path
    allow: HostRule
    stopped: threading.Event = field(default_factory=threading.Event)
    _key: str | None = None  # of the job that runs
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _files: dict[str, Path] = field(default_factory=dict)
    _provider: Provider | None = None
    _told: float = 0.0

    def run(self, order: dict[str, Json]) -> bool:
        """One job. Returns whether another may follow."""
        sound = True
        with self._guard:
            self._key = str(order["key"])
            self.stopped.clear()
        try:
            answer: dict[str, Json] = {"done": self._made(order)}
        except inference.JobFailed as error:
            answer = {"failed": error.fault.json()}
        except (AicpError, MemoryError) as error:
            answer = {"failed": of_error(error).json()}
        except OSError as error:
            answer = {"failed": Fault.of(Code.STORAGE, f"files cannot be written: {error.strerror}").json()}
        except Exception as error:  # noqa: BLE001  the boundary of one job: a CUDA error spoils the process
            answer = {"failed": _fault(error).json()}
            sound = False
        self._say({**answer, "vram_bytes": _vram() if sound else None, "spoilt": not sound})
        return sound

    def cancel(self, key: str) -> None:
        """Stop the job `key`, and no other: it may have ended on its own meanwhile."""
        with self._guard:
            if key == self._key:
                self.stopped.set()

    def _made(self, order: dict[str, Json]) -> Json:
        job = Job.model_validate(order["job"], strict=False)
        assignment = assign(job, JobType.model_validate(order["job_type"]))
        folder = Path(str(order["folder"]))
        found = references.fetch(assignment.references, folder, self.allow, self.stopped.is_set)
        self._files = {artifact.sha256: path for artifact, path in found.values()}
        if self._provider is None:
            locate = self._files_by
            self._provider = self.factory(Surroundings(self.environ, self.scratch, locate, self.stopped))
        bench = inference.Bench(self._provider, folder, found, self._step, self.stopped)
        assets: list[Json] = list(inference.make(assignment, str(order["key"]), bench))
        return assets

    def _files_by(self, sha256: str) -> Path:
        return self._files[sha256]

    def _step(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if step >= steps or now - self._told > _PACE:
            self._told = now
            self._say({"step": step, "steps": steps})

    def _say(self, line: dict[str, Json]) -> None:
        self.out.write(json.dumps(line) + "\n")
        self.out.flush()


def _fault(error: Exception) -> Fault:
    name, words = type(error).__name__, str(error)
    if "outofmemory" in name.lower() or "out of memory" in words.lower():
        return Fault.of(Code.OOM, words or name)
    return Fault.of(Code.CRASHED, f"{name}: {words}")


def _vram() -> int | None:
    """Bytes that a GPU backend holds, where one was loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return int(torch.cuda.memory_reserved())


def _listen(orders: queue.SimpleQueue[dict[str, Json]], child: Child) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "cancel" in order:
            child.cancel(str(order["cancel"]))
        else:
            orders.put(order)
    os._exit(0)  # the worker has gone: whatever runs is nobody's any more


def serve(
    factory: Callable[[Surroundings], Provider], scratch: Path, origins: list[str], private: bool
) -> int:
    """Make jobs until stdin ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # for the worker, which then decides
    if hasattr(os, "nice"):
        os.nice(5)  # answering requests goes first
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    child = Child(out, factory, os.environ, scratch, HostRule(frozenset(origins), private=private))
    orders: queue.SimpleQueue[dict[str, Json]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, child), daemon=True).start()
    child._say({"ready": True})
    while True:
        if not child.run(orders.get()):
            return _SPOILT


def main(arguments: list[str]) -> int:
    """``child PROVIDER SCRATCH PRIVATE [ORIGIN…]``"""
    name, scratch, private, *origins = arguments
    return serve(PROVIDERS[name], Path(scratch), origins, private == "private")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

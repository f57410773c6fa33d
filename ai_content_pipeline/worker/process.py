"""The worker's side of a child: start it, give it a job, hear from it, and start another when it dies."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ai_content_pipeline.jobs import Json
from ai_content_pipeline.worker.faults import Code, Fault

_LONGEST_LINE = 4 << 20
_GRACE = 5.0  # seconds that a cancelled job has to end by itself
_LOOK = 0.25
_START = 300.0  # seconds that a child may take to begin
#: What a child, which opens strangers' pictures, has no use for.
_SECRETS = (
    *("AICP_WORKER_TOKEN", "AICP_WORKER_CALLBACK_SECRET", "AICP_WORKER_USER_TOKENS"),
    *("AICP_WORKER_CALLBACK_URL", "FAL_KEY", "REPLICATE_API_TOKEN"),
)

Line = dict[str, Json]


def command(provider: str, scratch: Path, *, private: bool, origins: Sequence[str]) -> list[str]:
    """How a child is started."""
    hosts = "private" if private else "public"
    return [
        sys.executable, "-m", "ai_content_pipeline.worker.child", provider, str(scratch), hosts, *origins
    ]  # fmt: skip


class Process:
    """One child at a time. Used by one thread; `close` may be called by another."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], *, verbose: bool = False) -> None:
        self._words = list(words)
        self._environ = {name: value for name, value in environ.items() if name not in _SECRETS}
        self._verbose = verbose
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._ready = False
        self.starts = 0
        self.came_up = False  # the last one that was started

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> bool:
        """Have a child that is ready for a job, so that its start takes nothing of the job's time. Returns
        whether it came so far."""
        if self.pid is None:
            self.came_up = False
            self._spawn()
        until = time.monotonic() + _START
        while not self._ready:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                self.kill()  # whoever asks next finds it dead
                return False
            if line is None:
                return False
            self._ready = "ready" in line
        self.came_up = True
        return True

    def _spawn(self) -> None:
        self._ready = False
        self._reap()
        self._child = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if self._verbose else subprocess.DEVNULL,
            env=self._environ,
            start_new_session=True,  # ^C in a terminal goes to the worker alone
        )
        self.starts += 1
        self._lines = queue.SimpleQueue()
        assert self._child.stdout is not None
        threading.Thread(target=_read, args=(self._child.stdout, self._lines), daemon=True).start()

    def run(
        self,
        order: Line,
        *,
        seconds: float,
        heard: Callable[[Line], object],
        cancelled: Callable[[], bool],
    ) -> Line:
        """The child's last word on a job: ``done`` or ``failed``.

        `heard` is told of every line before. A job that is not over after `seconds`, or not soon after
        `cancelled` said so, is ended with its process.
        """
        if not (self.start() and self._tell(order)):
            return self._died()
        until, told = time.monotonic() + seconds, False
        while True:
            try:
                line = self._lines.get(timeout=_LOOK)
            except queue.Empty:
                line = {}
            if line is None:
                return self._died()
            if "done" in line or "failed" in line:
                if line.get("spoilt") is True:  # nothing more is given to a process that may be half dead
                    self.close()
                return line
            if line:
                heard(line)
            now = time.monotonic()
            if not told and cancelled():
                told, until = True, min(until, now + _GRACE)
                self._tell({"cancel": order["key"]})
            if now > until:
                self.close()
                fault = (
                    Fault.of(Code.CANCELLED, "cancelled")
                    if told
                    else Fault.of(Code.TIMEOUT, f"not done after {seconds:g} seconds")
                )
                return {"failed": fault.json()}

    def kill(self) -> None:
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child, whatever it does."""
        self.kill()
        self._reap()

    def _tell(self, line: Line) -> bool:
        child = self._child
        assert child is not None
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(line).encode() + b"\n")
            child.stdin.flush()
        except OSError:
            return False
        return True

    def _died(self) -> Line:
        """What its end tells: a kill that we did not send is the system's answer to too little memory."""
        child = self._child
        assert child is not None
        code = child.wait()
        if code == -9:
            fault = Fault.of(Code.OOM, "the inference process was killed, which is how memory runs out")
        else:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            fault = Fault.of(Code.CRASHED, f"the inference process died with {how}")
        return {"failed": fault.json()}

    def _reap(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still to be written has no reader any more
        child.wait()


def _read(pipe: IO[bytes], lines: queue.SimpleQueue[Line | None]) -> None:
    """Hand on what the child says until it ends; None then."""
    try:
        while raw := pipe.readline(_LONGEST_LINE):
            lines.put(json.loads(raw))
    except (OSError, ValueError):
        pass  # closed by us, or no line of ours: either is its end
    lines.put(None)

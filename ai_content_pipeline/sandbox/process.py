"""A sandbox to hold in a ``with``: in a thread of this process, or in a child process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from ai_content_pipeline.errors import UsageError

from .actions import AnyAction, Vendor
from .faults import Match, Rule, Script
from .messages import JSON_TYPE
from .server import serve
from .state import Charge, Clock, Leak, Settings, State

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class JobRow:
    """An accepted job. Times in Unix seconds; `ended` may lie ahead, and is None for a job that is stuck.

    `status`: queued, running, succeeded, failed, canceled or aborted.
    """

    id: str
    vendor: Vendor
    endpoint: str
    prompt: str
    payload: Mapping[str, object]
    status: str
    created: float
    ended: float | None
    polls: int


class Sandbox:
    """A running sandbox and what it saw.

    ::

        with Sandbox(Settings(image_seconds=0.01)) as sandbox:
            sandbox.script(Rule(match=Match(vendor="fal", times=1), action=Drop()))
            subprocess.run(command, env=os.environ | sandbox.environ())
            assert len(sandbox.charges()) == 1

    `child` runs it as a process of its own, which outlives whatever happens in this one's threads and
    ends with this process. Raises UsageError when `port` is taken.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        port: int = 0,
        child: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if child and clock:
            raise ValueError("a child process has a clock of its own")
        self.settings = settings or Settings()
        self.url = ""
        self._port = port
        self._host: _Thread | _Child = (
            _Child(self.settings, port) if child else _Thread(State(self.settings, clock), port)
        )

    def __enter__(self) -> Self:
        self.url = self._host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._host.stop()

    def environ(self) -> dict[str, str]:
        """The variables that send this project's vendors here, and keep real keys out of it."""
        return {
            "AICP_FAL_URL": self.url,
            "REPLICATE_BASE_URL": self.url,
            "FAL_KEY": self.settings.fal_key,
            "REPLICATE_API_TOKEN": self.settings.replicate_token,
        }

    def charges(self, *, unbilled: bool = False) -> tuple[Charge, ...]:
        """What the vendors took, in the order the jobs ended; with `unbilled` also what was free."""
        rows = self._ask("GET", "charges")
        assert isinstance(rows, list)
        charges = [
            Charge(**{**row, "usd": Decimal(row["usd"]), "units": Decimal(row["units"])}) for row in rows
        ]
        return tuple(charge for charge in charges if charge.billed or unbilled)

    def jobs(self) -> tuple[JobRow, ...]:
        """Every job that was accepted, oldest first."""
        rows = self._ask("GET", "jobs")
        assert isinstance(rows, list)
        return tuple(JobRow(**row) for row in rows)

    def leaks(self) -> tuple[Leak, ...]:
        """Credentials that arrived where none belongs. Empty, one hopes."""
        rows = self._ask("GET", "leaks")
        assert isinstance(rows, list)
        return tuple(Leak(**row) for row in rows)

    def counts(self) -> Mapping[str, int]:
        """Requests by ``vendor.route``, for instance ``fal.status``."""
        counts = self._ask("GET", "counts")
        assert isinstance(counts, dict)
        return counts

    def script(self, *rules: Rule | AnyAction, seed: int = 0) -> None:
        """Replace the fault script; a bare action hits every request it applies to."""
        full = tuple(rule if isinstance(rule, Rule) else Rule(match=Match(), action=rule) for rule in rules)
        self._ask("POST", "script", Script(rules=full, seed=seed).model_dump_json())

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock ahead: results and uploads expire."""
        self._ask("POST", "advance", json.dumps({"seconds": seconds}))

    def reset(self) -> None:
        """Forget jobs, charges, uploads and leaks; the script stays and starts anew."""
        self._ask("POST", "reset", "{}")

    def _ask(self, method: str, name: str, body: str | None = None) -> object:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_PATIENCE)
        try:
            connection.request(method, f"/_sandbox/{name}", body, {"Content-Type": JSON_TYPE})
            response = connection.getresponse()
            answer: object = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"the sandbox refused {name}: {answer}")
        return answer


class _Thread:
    """The server on an event loop of its own thread."""

    def __init__(self, state: State, port: int) -> None:
        self._state, self._port = state, port
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._ready = threading.Event()
        self._url = ""
        self._error: OSError | None = None
        self._stop: Callable[[], object] = lambda: None

    def start(self) -> str:
        self._thread.start()
        self._ready.wait(_PATIENCE)
        if not self._url:
            raise _taken(self._port, self._error) from self._error
        return self._url

    def stop(self) -> None:
        self._stop()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._error = error
            self._ready.set()

    async def _serve(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        await serve(self._state, self._port, self._listening, stopped.wait)

    def _listening(self, url: str) -> None:
        self._url = url
        self._ready.set()


class _Child:
    """The server in a process that reads its settings from stdin and ends when that closes."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings, self._port = settings, port
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        # A session of its own, so that ^C on the terminal reaches the client and not the vendor.
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "ai_content_pipeline.sandbox", str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(self._settings.model_dump_json() + "\n")
        process.stdin.flush()
        url = process.stdout.readline().strip()
        if not url.startswith("http://"):
            self.stop()
            raise _taken(self._port, url)
        return url

    def stop(self) -> None:
        process = self._process
        assert process
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.wait(_PATIENCE)
        process.stdout.close()


def _taken(port: int, reason: object) -> UsageError:
    return UsageError(
        f"the sandbox cannot listen on port {port}: {reason}", hint="take another --port, or 0 for any"
    )


def run(settings: Settings, port: int, ready: Callable[[str], None]) -> None:
    """Serve until ^C; `ready` is told the base address. Raises UsageError when the port is taken."""

    async def forever() -> None:
        await serve(State(settings), port, ready, asyncio.Event().wait)

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(forever())
    except OSError as error:
        raise _taken(port, error) from error

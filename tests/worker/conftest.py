"""A worker on the draft renderer, a host that serves references, and a receiver of callbacks: all really
there, on loopback."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from ai_content_pipeline.media.hosts import HostRule

#: Without the extra there is no worker to test, and everything else is.
if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "standardwebhooks", "prometheus_client")):
    collect_ignore_glob = ["test_*.py"]

TOKEN = "a-token-of-the-service"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SMALL = {"width": 64, "height": 64}


def picture(width: int = 96, height: int = 64, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(buffer, form)
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the site it belongs to."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.site.answer(self, b"")

    def do_POST(self) -> None:
        self.server.site.answer(self, self.rfile.read(int(self.headers.get("content-length", 0))))

    def log_message(self, *words: Any) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, address: Any) -> None:
        """Clients that leave early are what some tests are about."""


class Site:
    """A web server on loopback; `answer` is what it does."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.site = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler: Handler, body: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Pictures(Site):
    """Serves what `files` has, by path; a callable answers by itself."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Callable[[Handler], None]] = {}
        super().__init__()

    def put(self, name: str, what: bytes | Callable[[Handler], None]) -> str:
        self.files[f"/{name}"] = what
        return f"{self.url}/{name}"

    def answer(self, handler: Handler, body: bytes) -> None:
        self.requests.append(handler.path)
        what = self.files.get(handler.path.partition("?")[0])
        if callable(what):
            try:
                what(handler)
            except OSError:
                handler.close_connection = True
        elif what is None:
            handler.reply(404)
        else:
            handler.reply(200, what)


@dataclass
class Delivery:
    headers: dict[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)


class Receiver(Site):
    """Takes callbacks and verifies them as their users do. `script` answers instead while it has entries."""

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.verifies = True
        self.deliveries: list[Delivery] = []
        self.script: list[Callable[[Handler], None]] = []
        self._news = threading.Condition()
        super().__init__()

    def answer(self, handler: Handler, body: bytes) -> None:
        from standardwebhooks.webhooks import Webhook

        self.requests.append(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        if self.verifies:
            Webhook(self.secret).verify(body, headers)  # a wrong one is no answer and no delivery
        with self._news:
            self.deliveries.append(Delivery(headers, body))
            action = self.script.pop(0) if self.script else None
            self._news.notify_all()
        if action is not None:
            action(handler)
        else:
            handler.reply(204)

    def wait(self, count: int = 1, seconds: float = 30.0) -> list[Delivery]:
        """At least that many deliveries."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.deliveries) >= count, seconds), len(self.deliveries)
            return list(self.deliveries)


@dataclass
class Office:
    """A worker that serves, and a client of it."""

    service: Any
    url: str
    client: httpx.Client
    lines: list[dict[str, Any]] = field(default_factory=list)  # of the log

    def put(self, job_id: str, body: dict[str, Any] | None = None, **fields: Any) -> httpx.Response:
        job = {"type": "sdxl_image_fast", "prompt": "a cup", "user_id": "user-1", "config": SMALL}
        return self.client.put(f"/v1/jobs/{job_id}", json={**job, **fields} if body is None else body)

    def job(self, job_id: str) -> dict[str, Any]:
        return self.client.get(f"/v1/jobs/{job_id}").json()

    def end(self, job_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """The job once it has ended."""
        until = time.monotonic() + seconds
        while (job := self.job(job_id))["state"] in ("queued", "running"):
            assert time.monotonic() < until, job
            time.sleep(0.02)
        return job

    @property
    def workspace(self) -> Path:
        return self.service.settings.workspace

    def tree(self) -> list[str]:
        """Every result file."""
        root = self.workspace / "workspace-temp"
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


Open = Callable[..., Office]


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    site = Pictures()
    yield site
    site.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    site = Receiver()
    yield site
    site.close()


def run_office(
    folder: Path,
    *,
    allow: HostRule | None = None,
    command: list[str] | None = None,
    start: bool = True,
    token: str | None = TOKEN,
    users: dict[str, str] | None = None,
    callback_url: str | None = None,
    clock: Any = None,
    **settings: Any,
) -> tuple[Office, Callable[[], None]]:
    """A worker in this process, on a free port, and what ends it."""
    from ai_content_pipeline.worker.server import Listener
    from ai_content_pipeline.worker.service import Service
    from ai_content_pipeline.worker.settings import Access, Settings

    access = Access(token, users or {}, (SECRET,), callback_url)
    chosen = replace(Settings(folder, "draft", port=0, access=access), drain=10.0, **settings)
    lines: list[dict[str, Any]] = []
    more = {} if clock is None else {"clock": clock}
    service = Service(
        chosen,
        lambda event, **fields: lines.append({"event": event, **fields}),
        allow=allow,
        command=command,
        **more,
    )
    listener = Listener(service)
    if not start:
        service.start = service.courier.start
    thread = threading.Thread(target=listener.serve)
    thread.start()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = httpx.Client(base_url=listener.url, headers=headers, timeout=30)

    def close() -> None:
        client.close()
        listener.stop()
        listener.stop()
        thread.join()

    return Office(service, listener.url, client, lines), close


@pytest.fixture
def open_office(tmp_path: Path) -> Iterator[Open]:
    """Start a worker with settings of one's own."""
    with ExitStack() as stack:

        def start(folder: Path = tmp_path / "workspace", **settings: Any) -> Office:
            office, close = run_office(folder, **settings)
            stack.callback(close)
            return office

        yield start


@pytest.fixture
def desk(open_office: Open) -> Office:
    """A worker that takes jobs in and makes none."""
    return open_office(start=False)


@pytest.fixture
def office(open_office: Open, pictures: Pictures, receiver: Receiver) -> Office:
    """A worker that may fetch from `pictures` and call back to `receiver`, and to nobody else here."""
    return open_office(allow=HostRule.of(pictures.url, receiver.url))

"""Listening: uvicorn around the app, and an orderly end on SIGTERM and ^C."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.worker.api import guarded, make_app
from ai_content_pipeline.worker.service import Service

_HEADER_BYTES = 32 << 10
_LAST_ANSWERS = 5  # seconds that open answers have when the server ends


class _Server(uvicorn.Server):
    """Signals are ours: they first drain the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """A service on an address. `stop` may be called from a signal handler or another thread."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stopping = threading.Event()
        self._socket = _bound(service.settings.host, service.settings.port)
        config = uvicorn.Config(
            cast(Any, guarded(make_app(service), service)),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_graceful_shutdown=_LAST_ANSWERS,
        )
        self._server = _Server(config)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def stop(self) -> None:
        """Begin no new job, let the running ones end, then leave. Called twice: leave now."""
        if self._stopping.is_set():
            self._server.should_exit = True
        self._stopping.set()

    def serve(self) -> bool:
        """Serve until stopped. Returns whether every running job could end; the others wait in the queue."""
        drained: list[bool] = []
        self._service.start()
        threading.Thread(target=self._end, args=(drained.append,), daemon=True).start()
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._stopping.set()
            self._service.close()
        return bool(drained and drained[0])

    def _end(self, tell: Callable[[bool], None]) -> None:
        self._stopping.wait()
        service = self._service
        service.log("draining", seconds=service.settings.drain)
        tell(service.drain(service.settings.drain))
        self._server.should_exit = True


def on_signals(stop: Callable[[], None]) -> None:
    """SIGTERM and ^C end it in order."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop())


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, or asyncio leaves Nagle's algorithm on and answers wait 40 ms for an ACK.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)  # from now on nobody is refused, however long the start takes
    except OSError as error:
        sock.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", hint="choose another --port"
        ) from error
    return sock

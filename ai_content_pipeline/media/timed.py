"""Sockets that fail once the time is up, however busily the far side drips, and end when they are told to."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

import httpcore

from ai_content_pipeline.errors import Interrupted

_LOOK = 0.25  # seconds between two looks whether to stop


class TimedBackend(httpcore.NetworkBackend):
    """`backend`, with all its reads and writes over at `until` (monotonic), or when `stopped` says so."""

    def __init__(
        self, backend: httpcore.NetworkBackend, until: float, stopped: Callable[[], bool] = bool
    ) -> None:
        self._backend = backend
        self._until = until
        self._stopped = stopped

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> httpcore.NetworkStream:
        check(self._stopped)
        stream = self._backend.connect_tcp(host, port, _left(self._until, timeout), *args, **kwargs)
        return _TimedStream(stream, self._until, self._stopped)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, until: float, stopped: Callable[[], bool]) -> None:
        self._stream = stream
        self._until = until
        self._stopped = stopped

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _left(self._until, timeout)
        while True:
            check(self._stopped)
            try:
                return self._stream.read(max_bytes, min(left, _LOOK))
            except httpcore.ReadTimeout:
                left -= _LOOK
                if left <= 0:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._until, timeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _TimedStream(stream, self._until, self._stopped)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def check(stopped: Callable[[], bool]) -> None:
    """Raises Interrupted if `stopped` says so."""
    if stopped():
        raise Interrupted("detached: the result waits at the vendor", retry_with="aicp fetch")


def _left(until: float, timeout: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("it took longer than one file may")
    return left if timeout is None else min(left, timeout)

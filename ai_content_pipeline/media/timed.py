"""Sockets that fail once the time is up, however busily the far side drips, and end when they are told to."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ai_content_pipeline.errors import Interrupted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_LOOK = 0.25  # seconds between two looks whether to stop


class TimedSocket:
    """What `http.client` needs of a socket. Reads wait for `idle` seconds at most; all reads and writes are
    over at `until` (monotonic), or when `stopped` says so.

    Closing it is left to whoever opened the socket: `http.client` closes its own hold on it before the body
    is read, where the answer ends with the connection.
    """

    def __init__(
        self, sock: socket.socket, until: float, idle: float, stopped: Callable[[], bool] = bool
    ) -> None:
        self._sock = sock
        self._until = until
        self._idle = idle
        self._stopped = stopped

    def sendall(self, data: ReadableBuffer) -> None:
        self._limit(time_left(self._until, self._idle))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        pass

    def read_into(self, buffer: WriteableBuffer) -> int:
        left = time_left(self._until, self._idle)
        while True:
            check(self._stopped)
            self._limit(min(left, _LOOK))
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                left -= _LOOK
                if left <= 0:
                    raise

    def _limit(self, seconds: float) -> None:
        if self._sock.gettimeout() != seconds:  # else the system is asked in vain
            self._sock.settimeout(seconds)


class _Reader(io.RawIOBase):
    """Unlike a socket's own, it can go on after a wait that was too long."""

    def __init__(self, sock: TimedSocket) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._sock.read_into(buffer)


def check(stopped: Callable[[], bool]) -> None:
    """Raises Interrupted if `stopped` says so."""
    if stopped():
        raise Interrupted("detached: the result waits at the vendor", retry_with="aicp fetch")


def time_left(until: float, most: float) -> float:
    """Seconds until `until` (monotonic), `most` at most. Raises TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took longer than it may")
    return min(left, most)

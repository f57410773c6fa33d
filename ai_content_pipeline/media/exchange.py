"""One request and its answer, with nobody in between: to a host that is judged, within a time that ends.

No cookies, no `Authorization`, no redirect or decompression that was not asked for. Proxies of the
environment (``HTTPS_PROXY``) are not used: behind one, the address that is really connected to could not
be judged.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from ai_content_pipeline.media.certificates import authorities
from ai_content_pipeline.media.guarded import Guard
from ai_content_pipeline.media.hosts import port_of
from ai_content_pipeline.media.timed import TimedSocket, check, time_left

_CONNECT = 10.0  # seconds


class Answer(http.client.HTTPResponse):
    """Interim answers are passed over: by itself `http.client` knows 100 only, and hosts send 103 as well."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 102 <= line[1] < 200:
                return line
            http.client.parse_headers(self.fp)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything is over at `until` (monotonic), or when `stopped` says so; a read waits for `idle` seconds
    at most. `context` trusts other certificate authorities than the usual ones.
    """

    guard: Guard
    until: float
    idle: float
    stopped: Callable[[], bool] = bool
    context: ssl.SSLContext | None = None

    @contextmanager
    def answer(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[Answer]:
        """What `url` answers, its body not yet read; the connection ends with the block.

        Raises:
            BadMedia: nothing is sent there.
            Interrupted: `stopped` said so.
            OSError: there was no connection, it broke, or it took too long.
            http.client.HTTPException: the answer is no HTTP.
        """
        with self._opened(url) as sock:
            connection = http.client.HTTPConnection(url.raw_host.decode("ascii"), port_of(url))
            connection.response_class = Answer
            # Which port need not be named: storage hosts have the name signed that is sent.
            connection.default_port = 443 if url.scheme == "https" else 80
            connection.sock = TimedSocket(sock, self.until, self.idle, self.stopped)
            connection.request(method, url.raw_path.decode("ascii"), body, headers)
            with connection.getresponse() as answer:
                _check_framing(answer)
                assert isinstance(answer, Answer)
                yield answer

    @contextmanager
    def _opened(self, url: httpx.URL) -> Iterator[socket.socket]:
        check(self.stopped)
        host, port = url.raw_host.decode("ascii"), port_of(url)
        with self.guard.dial(host, port, time_left(self.until, _CONNECT)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if url.scheme == "https":
                context = self.context or authorities()
                sock.settimeout(time_left(self.until, _CONNECT))
                with context.wrap_socket(sock, server_hostname=host) as secured:
                    yield secured
            else:
                yield sock


def _check_framing(answer: http.client.HTTPResponse) -> None:
    """`http.client` makes the best of what it cannot read, and would take a file's framing for its bytes.

    Raises http.client.HTTPException.
    """
    headers = answer.headers
    lengths = {text.strip() for text in headers.get_all("Content-Length", [])}
    odd = len(lengths) > 1 or not all(text.isascii() and text.isdigit() for text in lengths)
    unread = bool(lengths) and answer.length is None and not answer.chunked
    coding = headers.get("Transfer-Encoding", "chunked").lower()
    if headers.defects or odd or unread or coding != "chunked":
        raise http.client.HTTPException("the answer's headers cannot be read")


def pieces(answer: Answer, most: int) -> Iterator[bytes]:
    """The body of `answer` as it comes, `most` bytes at once.

    Raises:
        http.client.IncompleteRead: it was cut off.
        OSError: the connection broke, or it took too long.
    """
    while piece := answer.read1(most):
        yield piece
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)

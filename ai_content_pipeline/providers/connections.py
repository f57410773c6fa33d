"""HTTP/1.1 on the standard library's client, one connection a thread and host.

A pool that threads share looks at every connection it has for each request: with 64 workers that costs more
than the request. What goes wrong is told in httpx's words, because that is what its users wait for:
`ConnectError` and `ConnectTimeout` while nothing was sent, anything else after.
"""

from __future__ import annotations

import http.client
import math
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

import httpx

from ai_content_pipeline.media.exchange import Answer
from ai_content_pipeline.media.hosts import origin_of

_PIECE = 1 << 16
_MAX_ANSWER = 256 * 1024**2  # bytes; results may be inside, as data: URIs
_Connection = http.client.HTTPConnection
_Timeouts = Mapping[str, float]
_Headers = Iterable[tuple[bytes, bytes]]


class Connections(httpx.BaseTransport):
    """`keep`: a connection stays open for its thread's next request to the same host. Proxies are not used.
    `certificates` may be None where nobody speaks TLS. An answer must be there, whole, after `whole` seconds.

    Every request carries its timeouts in seconds (connect, read, write) as httpx's clients give them.
    """

    def __init__(self, certificates: ssl.SSLContext | None, *, keep: bool, whole: float = math.inf) -> None:
        self._certificates = certificates
        self._keep = keep
        self._seconds = whole
        self._local = threading.local()
        self._open: set[_Connection] = set()
        self._guard = threading.Lock()

    def close(self) -> None:
        with self._guard:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        chunked = request.headers.get("transfer-encoding") == "chunked"
        return self.exchange(
            origin_of(request.url),
            (request.method, request.url.raw_path.decode("ascii")),
            request.headers.raw,
            _in_chunks(request.stream) if chunked else request.stream,
            request.extensions["timeout"],
        )

    def get(self, origin: str, target: str, headers: _Headers, timeouts: _Timeouts) -> httpx.Response:
        """The same for what needs no `httpx.Request`: to make one takes longer than to send it."""
        return self.exchange(origin, ("GET", target), headers, (), timeouts)

    def exchange(
        self,
        origin: str,
        line: tuple[str, str],
        headers: _Headers,
        body: Iterable[bytes],
        timeouts: _Timeouts,
    ) -> httpx.Response:
        """The whole answer of `origin` to `line`, a method and a target.

        Raises:
            httpx.TransportError: there was none.
        """
        until = monotonic() + self._seconds
        connection = self._connected(origin, timeouts)
        try:
            with _told(httpx.WriteTimeout, httpx.WriteError):
                _limit(connection, timeouts["write"])
                _send(connection, line, headers, body)
            with _told(httpx.ReadTimeout, httpx.ReadError):
                _limit(connection, timeouts["read"])
                answer = connection.getresponse()
                content = _read(answer, until)
        except BaseException:  # ^C as well; it goes on after the clearing up
            self._forget(origin, connection)
            raise
        if not self._keep or answer.will_close:
            self._forget(origin, connection)
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
        return httpx.Response(answer.status, headers=fields, content=content)

    def _connected(self, origin: str, timeouts: _Timeouts) -> _Connection:
        kept: dict[str, _Connection] = self._local.__dict__
        connection = kept.get(origin)
        if connection is not None:
            if _alive(connection):
                return connection
            self._forget(origin, connection)
        connection = self._made(origin, timeouts["connect"])
        with _told(httpx.ConnectTimeout, httpx.ConnectError):
            connection.connect()
        with self._guard:
            self._open.add(connection)
        if self._keep:
            kept[origin] = connection
        return connection

    def _made(self, origin: str, timeout: float) -> _Connection:
        scheme, _, rest = origin.partition("://")
        host, _, port = rest.rpartition(":")
        made = http.client.HTTPConnection(host, int(port), timeout=timeout)
        if scheme == "https":
            made = http.client.HTTPSConnection(host, int(port), timeout=timeout, context=self._certificates)
        made.response_class = Answer
        return made

    def _forget(self, origin: str, connection: _Connection) -> None:
        self._local.__dict__.pop(origin, None)
        with self._guard:
            self._open.discard(connection)
        connection.close()


def _limit(connection: _Connection, seconds: float) -> None:
    """Wait no longer than that. The system is only told of a change: 64 threads ask it for much already."""
    if connection.sock.gettimeout() != seconds:
        connection.sock.settimeout(seconds)


def _send(connection: _Connection, line: tuple[str, str], headers: _Headers, body: Iterable[bytes]) -> None:
    connection.putrequest(*line, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    for piece in filter(None, body):
        connection.send(piece)


def _in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in filter(None, pieces):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _read(answer: http.client.HTTPResponse, until: float) -> bytes:
    """The body, given up when it is too long, or not there by `until` (monotonic)."""
    with answer:
        pieces, size = [], 0
        while piece := answer.read1(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_ANSWER or monotonic() > until:
                raise TimeoutError("the answer does not end")
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(pieces)


def _alive(connection: _Connection) -> bool:
    """Whether an idle connection may be used again. One with something to read was closed by its host."""
    sock: socket.socket | None = connection.sock
    if sock is None:
        return False
    if hasattr(select, "poll"):  # `select` cannot take descriptors above 1023
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return not poll.poll(0)
    return not select.select([sock], [], [], 0)[0]


@contextmanager
def _told(late: type[httpx.TimeoutException], broken: type[httpx.TransportError]) -> Iterator[None]:
    """Whatever the socket or the protocol says, in httpx's words."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error) or "timed out") from error
    except (OSError, ValueError) as error:  # ssl's errors are OSErrors; ValueError: a closed file
        raise broken(str(error)) from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(f"{type(error).__name__}: {error}") from error

"""HTTP/1.1 on the standard library's client, one connection a thread and host.

A pool that threads share looks at every connection it has for each request: with 64 workers that costs more
than the request. What goes wrong is told in httpx's words, because that is what its users wait for:
`ConnectError` and `ConnectTimeout` while nothing was sent, anything else after.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from ai_content_pipeline.media.hosts import origin_of

_PIECE = 1 << 16
_Connection = http.client.HTTPConnection
_Timeouts = dict[str, float]


class Connections(httpx.BaseTransport):
    """`keep`: a connection stays open for its thread's next request to the same host. Proxies are not used.
    `certificates` may be None where nobody speaks TLS.

    Every request carries its timeouts in seconds (connect, read, write) as httpx's clients give them.
    """

    def __init__(self, certificates: ssl.SSLContext | None, *, keep: bool) -> None:
        self._certificates = certificates
        self._keep = keep
        self._local = threading.local()
        self._open: set[_Connection] = set()
        self._guard = threading.Lock()

    def close(self) -> None:
        with self._guard:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        timeouts: _Timeouts = request.extensions["timeout"]
        connection = self._connected(request.url, timeouts)
        try:
            with _told(httpx.WriteTimeout, httpx.WriteError):
                _limit(connection, timeouts["write"])
                _send(connection, request)
            with _told(httpx.ReadTimeout, httpx.ReadError):
                _limit(connection, timeouts["read"])
                answer = connection.getresponse()
        except BaseException:  # ^C as well; it goes on after the clearing up
            self._forget(request.url, connection)
            raise
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
        stream = _Stream(self, request.url, connection, answer)
        return httpx.Response(answer.status, headers=headers, stream=stream)

    def ended(self, url: httpx.URL, connection: _Connection, *, whole: bool) -> None:
        """The answer was read, or given up: may the connection be used again?"""
        if not (self._keep and whole and connection.sock is not None):
            self._forget(url, connection)

    def _connected(self, url: httpx.URL, timeouts: _Timeouts) -> _Connection:
        kept: dict[str, _Connection] = self._local.__dict__
        connection = kept.get(origin_of(url))
        if connection is not None:
            if _alive(connection):
                return connection
            self._forget(url, connection)
        connection = self._made(url, timeouts["connect"])
        with _told(httpx.ConnectTimeout, httpx.ConnectError):
            connection.connect()
        with self._guard:
            self._open.add(connection)
        if self._keep:
            kept[origin_of(url)] = connection
        return connection

    def _made(self, url: httpx.URL, timeout: float) -> _Connection:
        host, port = url.raw_host.decode("ascii").strip("[]"), url.port
        if url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._certificates)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def _forget(self, url: httpx.URL, connection: _Connection) -> None:
        self._local.__dict__.pop(origin_of(url), None)
        with self._guard:
            self._open.discard(connection)
        connection.close()


class _Stream(httpx.SyncByteStream):
    """An answer's body as it comes."""

    def __init__(
        self, owner: Connections, url: httpx.URL, connection: _Connection, answer: http.client.HTTPResponse
    ) -> None:
        self._owner = owner
        self._url = url
        self._connection = connection
        self._answer = answer
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        with _told(httpx.ReadTimeout, httpx.ReadError):
            while piece := self._answer.read1(_PIECE):
                yield piece
            if self._answer.length:
                raise httpx.RemoteProtocolError("the answer was cut off")
        self._whole = True

    def close(self) -> None:
        self._answer.close()
        whole = self._whole and not self._answer.will_close
        self._owner.ended(self._url, self._connection, whole=whole)


def _limit(connection: _Connection, seconds: float) -> None:
    """Wait no longer than that. The system is only told of a change: 64 threads ask it for much already."""
    if connection.sock.gettimeout() != seconds:
        connection.sock.settimeout(seconds)


def _send(connection: _Connection, request: httpx.Request) -> None:
    target = request.url.raw_path.decode("ascii")
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name, value)
    connection.endheaders()
    assert isinstance(request.stream, httpx.SyncByteStream)
    chunked = request.headers.get("transfer-encoding") == "chunked"
    for piece in filter(None, request.stream):
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        connection.send(b"0\r\n\r\n")


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

"""One kept connection a thread: how it is reused, and what is said when it breaks."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ai_content_pipeline.providers.connections import Connections

Answer = Callable[[socket.socket, bytes], bool]
WAITS = {"timeout": {"connect": 5.0, "read": 5.0, "write": 5.0}}


class Host:
    """Reads requests, and lets `answer` write what it likes; True keeps the connection."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/a?b=c"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                while b"chunked" in data.lower() and not data.endswith(b"\r\n0\r\n\r\n"):
                    data += connection.recv(65536)
                if not self.answer(connection, data):
                    return

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # closing alone does not wake whoever accepts
        self._server.close()


@pytest.fixture
def host() -> Iterator[Callable[[Answer], Host]]:
    hosts: list[Host] = []

    def start(answer: Answer) -> Host:
        hosts.append(Host(answer))
        return hosts[-1]

    yield start
    for running in hosts:
        running.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    made = Connections(ssl.create_default_context(), keep=True)
    yield made
    made.close()


def get(connections: Connections, url: str, **more: object) -> bytes:
    request = httpx.Request("GET", url, extensions=WAITS, **more)  # type: ignore[arg-type]
    response = connections.handle_request(request)
    assert isinstance(response.stream, httpx.SyncByteStream)
    try:
        return b"".join(response.stream)
    finally:
        response.close()


def plain(connection: socket.socket, data: bytes) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return True


def in_chunks(connection: socket.socket, data: bytes) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    return True


def empty(connection: socket.socket, data: bytes) -> bool:
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    return True


@pytest.mark.parametrize(("answer", "body"), [(plain, b"ok"), (in_chunks, b"ok"), (empty, b"")])
def test_a_thread_keeps_its_connection(host, connections, answer, body):
    """However the answer is framed, the next request goes over the same connection."""
    server = host(answer)
    assert [get(connections, server.url) for _ in range(5)] == [body] * 5
    assert server.connections == 1


def test_each_thread_has_its_own(host, connections):
    """Threads never share a connection."""
    server = host(plain)
    meet = threading.Barrier(4)

    def twice(_: int) -> list[bytes]:
        first = get(connections, server.url)
        meet.wait(10)
        return [first, get(connections, server.url)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(twice, range(4))) == [[b"ok", b"ok"]] * 4
    assert server.connections == 4


def test_nothing_is_kept_where_nothing_shall_be(host):
    """With `keep=False` every request has a connection of its own."""
    server = host(plain)
    fresh = Connections(ssl.create_default_context(), keep=False)
    assert [get(fresh, server.url) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 3


def test_a_connection_closed_while_idle_is_not_used_again(host, connections):
    """Hosts close idle connections; the next request notices before it is sent."""
    closed = threading.Event()

    def once(connection: socket.socket, data: bytes) -> bool:
        plain(connection, data)
        connection.close()
        closed.set()
        return False

    server = host(once)
    for _ in range(3):
        closed.clear()
        assert get(connections, server.url) == b"ok"
        assert closed.wait(5)
    assert server.connections == 3


def test_an_answer_that_asks_to_close_is_obeyed(host, connections):
    """``Connection: close`` ends the connection, also where the length is known."""

    def closing(connection: socket.socket, data: bytes) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        return True

    server = host(closing)
    assert [get(connections, server.url) for _ in range(2)] == [b"ok"] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf",
        b"this is no HTTP\r\n\r\n",
        b"",
    ],
)
def test_a_broken_answer_is_an_error_and_costs_the_connection(host, connections, broken):
    """Nothing of half an answer is believed, and the next request starts afresh."""
    answers = [broken]

    def answer(connection: socket.socket, data: bytes) -> bool:
        if answers:
            connection.sendall(answers.pop())
            return False
        return plain(connection, data)

    server = host(answer)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        get(connections, server.url)
    assert get(connections, server.url) == b"ok"
    assert server.connections == 2


def test_nobody_there_is_said_before_anything_was_sent(connections):
    """A refused connection is a ConnectError: surely nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(httpx.ConnectError):
        get(connections, f"http://127.0.0.1:{port}/")


def test_a_silent_host_is_not_waited_for_longer_than_asked(host, connections):
    """The read timeout of the request holds."""
    release = threading.Event()

    def silent(connection: socket.socket, data: bytes) -> bool:
        release.wait(10)
        return False

    server = host(silent)
    request = httpx.Request(
        "GET", server.url, extensions={"timeout": {"connect": 5.0, "write": 5.0, "read": 0.05}}
    )
    with pytest.raises(httpx.ReadTimeout):
        connections.handle_request(request)
    release.set()


def test_a_request_arrives_as_it_was_made(host, connections):
    """Method, target, headers and a body of unknown length, framed in chunks."""
    seen: list[bytes] = []

    def note(connection: socket.socket, data: bytes) -> bool:
        seen.append(data)
        return plain(connection, data)

    server = host(note)
    request = httpx.Request(
        "PUT", server.url, headers={"X-Own": "yes"}, content=iter([b"one", b"", b"two"]), extensions=WAITS
    )
    connections.handle_request(request).close()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"PUT /a?b=c HTTP/1.1"
    assert b"X-Own: yes" in head.splitlines()
    assert sum(line.lower().startswith(b"host:") for line in head.splitlines()) == 1
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"

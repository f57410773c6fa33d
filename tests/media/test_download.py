"""Downloads against a socket that does whatever a test says: hardening class U, R3 and M5's first half."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from ai_content_pipeline.errors import AicpError, BadMedia, Interrupted, ProviderUnavailable
from ai_content_pipeline.media.download import Limits, download
from ai_content_pipeline.media.exchange import Exchange, pieces
from ai_content_pipeline.media.guarded import Guard
from ai_content_pipeline.media.hosts import HostRule

BODY = bytes(range(256)) * 400
#: A certificate for files.example and other.example until 2126, and its key: for these tests alone.
PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgs7LwSeR8Nun/xD//
6WOtR0Upo9uiXNN0UZOsZ/+ibQOhRANCAASuS1AtupH/eHd7vxxniLR1WsQpQOs+
1gmYkYZUMmEV24dtG2wlvaCSYoT2NMlKC2i2hL5YQR4o2GqE3X9fVbNX
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBsDCCAVagAwIBAgIUeli91/LN+JX+hVCGkfRDMBaMziUwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNZmlsZXMuZXhhbXBsZTAgFw0yNjExMjExMjAxMTVaGA8yMTI2
MTAyODEyMDExNVowGDEWMBQGA1UEAwwNZmlsZXMuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABK5LUC26kf94d3u/HGeItHVaxClA6z7WCZiRhlQyYRXb
h20bbCW9oJJihPY0yUoLaLaEvlhBHijYaoTdf19Vs1ejfDB6MB0GA1UdDgQWBBRi
/2PTWdoMTE3Ysbi6Y03QhN/KuTAfBgNVHSMEGDAWgBRi/2PTWdoMTE3Ysbi6Y03Q
hN/KuTAPBgNVHRMBAf8EBTADAQH/MCcGA1UdEQQgMB6CDWZpbGVzLmV4YW1wbGWC
DW90aGVyLmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIhAPDC0OQWtZFyCWxiswgh
nVxICrONYiqShgQXJWUcwSCGAiARMG/XI6UpXBaDW1lXxrhHcmQh1KjKcIQC+TCt
NFHTAQ==
-----END CERTIFICATE-----
"""

Handler = Callable[[bytes, socket.socket], None]


class Host:
    """A file host on a loopback port. `handler` gets each request's head and the socket."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.heads: list[bytes] = []
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        try:
            connection = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            head = connection.recv(65536)
            self.heads.append(head)
            self.handler(head, connection)
            connection.close()
        except OSError:
            return  # the client has seen enough


def reply(status: str = "200 OK", body: bytes = BODY, **headers: str) -> bytes:
    named = {"Content-Length": str(len(body)), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(answer: bytes) -> Handler:
    return lambda head, connection: connection.sendall(answer)


@pytest.fixture
def serve() -> Iterator[Callable[..., Host]]:
    hosts: list[Host] = []

    def start(handler: Handler, context: ssl.SSLContext | None = None) -> Host:
        hosts.append(Host(handler, context))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


class Waits(list[float]):
    """Notes the pauses between tries, and takes none."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def fetch(host: Host, path: Path, target: str = "/x.png", limits: Limits | None = None) -> Waits:
    waits = Waits()
    download(host.url + target, path, allow=HostRule.of(host.url), limits=limits or Limits(), wait=waits)
    return waits


def test_a_file_arrives_whole(serve: Callable[..., Host], tmp_path: Path) -> None:
    """The bytes of a good answer are the bytes of the file, after one request."""
    host = serve(always(reply()))
    assert fetch(host, tmp_path / "a") == []
    assert (tmp_path / "a").read_bytes() == BODY
    assert len(host.heads) == 1


def test_no_credential_and_nothing_compressed(
    serve: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request tells a file host nothing about the account, whatever the environment or .netrc hold."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("FAL_KEY", "canary")
    host = serve(always(reply()))
    fetch(host, tmp_path / "a")
    head = host.heads[0].lower()
    assert b"canary" not in head
    assert b"authorization" not in head
    assert b"cookie" not in head
    assert b"accept-encoding: identity" in head


def test_proxies_of_the_environment_are_not_used(
    serve: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect where nobody checks: HTTP_PROXY changes nothing."""
    host, proxy = serve(always(reply())), serve(always(reply(body=b"from the proxy")))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    fetch(host, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    assert proxy.heads == []


def test_a_private_host_is_not_even_connected_to(serve: Callable[..., Host], tmp_path: Path) -> None:
    """A public-looking name that resolves to this machine: refused, and the port hears nothing."""
    host = serve(always(reply()))
    with pytest.raises(BadMedia, match=r"127\.0\.0\.1, where nothing is fetched"):
        download(
            f"https://rebind.example:{host.port}/x", tmp_path / "a", resolve=lambda name, port: ["127.0.0.1"]
        )
    assert host.heads == []
    assert not (tmp_path / "a").exists()


# ---- redirects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_redirects_are_followed(serve: Callable[..., Host], tmp_path: Path, status: str) -> None:
    """Each kind of redirect, to a relative address."""

    def handler(head: bytes, connection: socket.socket) -> None:
        here = head.startswith(b"GET /a/x.png ")
        connection.sendall(reply(status, b"", Location="../b/y.png?s=1") if here else reply())

    host = serve(handler)
    fetch(host, tmp_path / "a", "/a/x.png")
    assert host.heads[1].startswith(b"GET /b/y.png?s=1 ")
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize(
    "location",
    [
        "https://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "//10.0.0.1/x",
        "https://user@fal.media/",
        "https://[broken",
        "gopher://x/",
    ],
)
def test_redirects_are_judged_like_the_first_url(
    serve: Callable[..., Host], tmp_path: Path, location: str
) -> None:
    """An allowed host that points elsewhere opens no door."""
    host = serve(always(reply("302 Found", b"", Location=location)))
    with pytest.raises(BadMedia):
        fetch(host, tmp_path / "a")
    assert len(host.heads) == 1
    assert not (tmp_path / "a").exists()


def test_circles_and_long_chains_end(serve: Callable[..., Host], tmp_path: Path) -> None:
    """A redirect to itself is a circle at once; six different ones are too many."""
    circle = serve(always(reply("302 Found", b"", Location="/x.png")))
    with pytest.raises(BadMedia, match="circle"):
        fetch(circle, tmp_path / "a")
    assert len(circle.heads) == 1

    def onward(head: bytes, connection: socket.socket) -> None:
        connection.sendall(reply("302 Found", b"", Location=head.split()[1].decode() + "x"))

    chain = serve(onward)
    with pytest.raises(BadMedia, match="more than 5"):
        fetch(chain, tmp_path / "a")
    assert len(chain.heads) == 6


def test_a_redirect_without_an_address_is_no_file(serve: Callable[..., Host], tmp_path: Path) -> None:
    """302 with an empty Location is an answer without a file, not a stored nothing."""
    for answer in (reply("302 Found", b"", Location=""), reply("304 Not Modified", b"")):
        with pytest.raises(BadMedia, match="instead of a file"):
            fetch(serve(always(answer)), tmp_path / "a")


# ---- over TLS ---------------------------------------------------------------------------------------


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "host.pem"
    path.write_text(PEM)
    return path


def _server_context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _download_tls(host: Host, pem: Path, path: Path, name: str = "files.example", *also: str) -> None:
    url = f"https://{name}:{host.port}"
    download(
        f"{url}/x.png",
        path,
        allow=HostRule.of(url, *also),
        limits=Limits(tries=1),
        resolve=lambda host, port: ["127.0.0.1"],
        context=ssl.create_default_context(cafile=str(pem)),
    )


def test_tls_checks_the_name_though_the_address_is_pinned(
    serve: Callable[..., Host], tmp_path: Path, pem: Path
) -> None:
    """Connecting by address does not weaken TLS: the certificate must be for the URL's host."""
    host = serve(always(reply()), _server_context(pem))
    _download_tls(host, pem, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    assert b"files.example" in host.heads[0]
    with pytest.raises(ProviderUnavailable, match="certificate"):
        _download_tls(host, pem, tmp_path / "b", "stranger.example")
    assert len(host.heads) == 1


def test_the_host_is_named_as_in_the_url(serve: Callable[..., Host], tmp_path: Path, pem: Path) -> None:
    """With its port only where the URL has one: signatures of storage hosts count the name that is sent."""

    def asked(url: str, host: Host) -> bytes:
        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            return socket.create_connection(("127.0.0.1", host.port), seconds)

        guard = Guard(HostRule.of(url), lambda name, port: ["127.0.0.1"], connect)
        context = ssl.create_default_context(cafile=str(pem))
        exchange = Exchange(guard, monotonic() + 10, 5, context=context)
        with exchange.answer("GET", httpx.URL(url), {}) as answer:
            assert b"".join(pieces(answer, 100)) == BODY
        return host.heads[-1].lower()

    plain, secured = serve(always(reply())), serve(always(reply()), _server_context(pem))
    assert b"\r\nhost: files.example\r\n" in asked("http://files.example/x", plain)
    assert b"\r\nhost: files.example:8080\r\n" in asked("http://files.example:8080/x", plain)
    assert b"\r\nhost: files.example\r\n" in asked("https://files.example/x", secured)
    assert b"\r\nhost: files.example:8443\r\n" in asked("https://files.example:8443/x", secured)


def test_https_never_becomes_http(serve: Callable[..., Host], tmp_path: Path, pem: Path) -> None:
    """Not even to an address that would be allowed by itself."""
    plain = serve(always(reply()))
    host = serve(always(reply("302 Found", b"", Location=f"{plain.url}/x")), _server_context(pem))
    with pytest.raises(BadMedia, match="from https to http"):
        _download_tls(host, pem, tmp_path / "a", "files.example", plain.url)
    assert plain.heads == []


def test_a_redirect_to_another_private_https_host_is_refused(
    serve: Callable[..., Host], tmp_path: Path, pem: Path
) -> None:
    """The second hop's address is checked as the first one's was."""
    host = serve(
        lambda head, connection: connection.sendall(
            reply("302 Found", b"", Location=f"https://other.example:{host.port}/y")
        ),
        _server_context(pem),
    )
    with pytest.raises(BadMedia, match=r"other\.example is at 127"):
        _download_tls(host, pem, tmp_path / "a")
    assert len(host.heads) == 1


# ---- what is sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        reply(Content_Length=str(len(BODY) + 1)),  # promises more than it sends
        reply(Content_Length="", Transfer_Encoding="chunked", body=b"64\r\n" + BODY[:50]),
    ],
)
def test_a_file_that_is_cut_off_is_noticed(serve: Callable[..., Host], tmp_path: Path, answer: bytes) -> None:
    """Fewer bytes than promised are no file; what came is left for the quarantine."""
    host = serve(always(answer))
    with pytest.raises(BadMedia, match="cut off"):
        fetch(host, tmp_path / "a")
    assert (tmp_path / "a").stat().st_size > 0
    assert len(host.heads) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: \xb2\r\n",
        b"Content-Length: -4\r\n",
        b"a line without a colon\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
    ],
)
def test_an_answer_framed_oddly_is_not_guessed_at(
    serve: Callable[..., Host], tmp_path: Path, head: bytes
) -> None:
    """Its framing would be stored as the file, or half of it be taken for the whole."""
    host = serve(always(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + head + b"\r\n4\r\nabcd\r\n0\r\n\r\n"))
    with pytest.raises(ProviderUnavailable, match="headers cannot be read"):
        fetch(host, tmp_path / "a", limits=Limits(tries=1))
    assert not (tmp_path / "a").exists()


def test_interim_answers_are_passed_over(serve: Callable[..., Host], tmp_path: Path) -> None:
    """103 Early Hints and its like come before the answer."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    host = serve(always(hints + reply()))
    fetch(host, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_redirect_may_be_written_in_utf_8(serve: Callable[..., Host], tmp_path: Path) -> None:
    """As hosts write it that do not escape: the name that is asked for is the one that was meant."""

    def answer(head: bytes, connection: socket.socket) -> None:
        found = reply("302 Found", b"", Location="LOCATION").replace(b"LOCATION", "/é.png".encode())
        connection.sendall(reply() if b"%C3%A9" in head else found)

    fetch(serve(answer), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_an_empty_answer_is_no_file(serve: Callable[..., Host], tmp_path: Path) -> None:
    """200 with nothing in it, with and without a length."""
    for answer in (reply(body=b""), reply(body=b"", Content_Length=""), reply("204 No Content", b"")):
        with pytest.raises(BadMedia):
            fetch(serve(always(answer)), tmp_path / "a")


def test_a_missing_length_is_no_obstacle(serve: Callable[..., Host], tmp_path: Path) -> None:
    """Closing the connection ends a file, and so does the last chunk."""
    fetch(serve(always(reply(Content_Length=""))), tmp_path / "a")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    fetch(serve(always(reply(body=chunks, Content_Length="", Transfer_Encoding="chunked"))), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == BODY


def test_a_file_that_is_too_large_is_refused_by_its_length(
    serve: Callable[..., Host], tmp_path: Path
) -> None:
    """What says that it is 10 GB is not begun."""
    host = serve(always(reply(Content_Length=str(10**10))))
    with pytest.raises(BadMedia, match="10000000000 bytes"):
        fetch(host, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(AicpError):
        fetch(serve(always(reply(Content_Length="9" * 5000))), tmp_path / "a", limits=Limits(tries=1))


def test_a_file_that_says_nothing_is_stopped_at_the_cap(serve: Callable[..., Host], tmp_path: Path) -> None:
    """An endless answer without a length costs the cap, and no more."""

    def endless(head: bytes, connection: socket.socket) -> None:
        connection.sendall(reply(body=b"", Content_Length=""))
        while True:
            connection.sendall(bytes(65536))

    with pytest.raises(BadMedia, match="larger than"):
        fetch(serve(endless), tmp_path / "a", limits=Limits(size=1_000_000))
    assert (tmp_path / "a").stat().st_size <= 1_000_000


def test_compressed_answers_are_refused_unopened(serve: Callable[..., Host], tmp_path: Path) -> None:
    """A gzip bomb is not unpacked, because nothing is."""
    bomb = gzip.compress(bytes(50_000_000))
    for encoding in ("gzip", "br", "identity, gzip"):
        with pytest.raises(BadMedia, match="compressed"):
            fetch(serve(always(reply(body=bomb, Content_Encoding=encoding))), tmp_path / "a")
    fetch(serve(always(reply(Content_Encoding="identity"))), tmp_path / "a")


def test_a_drip_is_too_slow(serve: Callable[..., Host], tmp_path: Path) -> None:
    """A byte now and then keeps a connection alive, but not for ever."""

    def drip(head: bytes, connection: socket.socket) -> None:
        connection.sendall(reply(body=b"", Content_Length="1000000"))
        while True:
            connection.sendall(b"x")
            sleep(0.02)

    with pytest.raises(ProviderUnavailable, match="too slowly"):
        fetch(serve(drip), tmp_path / "a", limits=Limits(patience=0.1, tries=1))


@pytest.mark.parametrize("what", ["headers", "body", "nothing"])
def test_one_file_has_its_time_and_no_more(serve: Callable[..., Host], tmp_path: Path, what: str) -> None:
    """The total deadline holds whatever is dripped, and over every try together."""

    def slow(head: bytes, connection: socket.socket) -> None:
        connection.sendall(b"" if what == "nothing" else b"HTTP/1.1 200 OK\r\nX-Slow: ")
        if what == "body":
            connection.sendall(b"\r\n\r\n")
        for _ in range(30):
            sleep(0.02)
            connection.sendall(b"" if what == "nothing" else b"x")

    started = monotonic()
    with pytest.raises(ProviderUnavailable, match=r"longer than it may|timed out"):
        fetch(serve(slow), tmp_path / "a", limits=Limits(seconds=0.3, slowest=0))
    assert monotonic() - started < 2


# ---- trouble that may mend --------------------------------------------------------------------------


def in_turn(*answers: bytes) -> Handler:
    left = iter(answers)

    def handler(head: bytes, connection: socket.socket) -> None:
        connection.sendall(next(left))

    return handler


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_trouble_of_the_host_is_waited_out(serve: Callable[..., Host], tmp_path: Path, status: int) -> None:
    """The file is asked for again after a growing pause, and arrives."""
    busy = reply(f"{status} Busy", b"<html>busy</html>")
    host = serve(in_turn(busy, busy, busy, reply()))
    assert fetch(host, tmp_path / "a") == [0.5, 1.0, 2.0]
    assert (tmp_path / "a").read_bytes() == BODY


def test_it_stops_when_it_is_told_to(serve: Callable[..., Host], tmp_path: Path) -> None:
    """Between two tries, and while a host says nothing: within a second, as Interrupted."""
    silent = serve(lambda head, connection: sleep(5))
    broken = serve(always(reply("503 Busy")))
    for host in (broken, silent):
        told = threading.Event()
        threading.Timer(0.2, told.set).start()
        began = monotonic()
        with pytest.raises(Interrupted):
            download(
                host.url + "/x",
                tmp_path / "a",
                allow=HostRule.of(host.url),
                wait=told.wait,
                stopped=told.is_set,
            )
        assert monotonic() - began < 1.5
    assert len(broken.heads) == 1


def test_trouble_that_stays_is_temporary(serve: Callable[..., Host], tmp_path: Path) -> None:
    """After the last try the error says that a later command may succeed (exit 75)."""
    host = serve(always(reply("503 Busy", b"")))
    with pytest.raises(ProviderUnavailable, match="answers 503") as error:
        fetch(host, tmp_path / "a")
    assert error.value.exit_code == 75
    assert len(host.heads) == 5


def test_a_dropped_connection_is_tried_again(serve: Callable[..., Host], tmp_path: Path) -> None:
    """Closed before a word of the answer: the same as no answer."""
    host = serve(in_turn(b"", b"", reply()))
    assert len(fetch(host, tmp_path / "a")) == 2
    assert (tmp_path / "a").read_bytes() == BODY


def test_nobody_there_is_temporary(tmp_path: Path) -> None:
    """Connection refused, and a name that does not resolve."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    waits = Waits()
    with pytest.raises(ProviderUnavailable, match="cannot be fetched"):
        download(url, tmp_path / "a", allow=HostRule.of(url), wait=waits)
    assert waits == [0.5, 1.0, 2.0, 4.0]

    def no_dns(host: str, port: int) -> list[str]:
        raise OSError("no DNS")

    with pytest.raises(ProviderUnavailable, match="cannot be resolved"):
        download("https://v3.fal.media/x", tmp_path / "a", resolve=no_dns, wait=waits)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_the_host_deleted_is_gone(serve: Callable[..., Host], tmp_path: Path, status: int) -> None:
    """Gone only when it stays so: a store may lag behind the queue that announced the file."""
    with pytest.raises(FileNotFoundError, match=f"answers {status}"):
        fetch(serve(always(reply(f"{status} No", b"x"))), tmp_path / "a")
    late = serve(in_turn(reply(f"{status} No", b"x"), reply()))
    assert fetch(late, tmp_path / "b") == [0.5]


def test_a_refusal_is_told_from_a_deletion(serve: Callable[..., Host], tmp_path: Path) -> None:
    """403 may be a firewall, or a signature that ran out: the file may be there, and is not "deleted"."""
    with pytest.raises(PermissionError, match="answers 403"):
        fetch(serve(always(reply("403 No", b"x"))), tmp_path / "a")
    with pytest.raises(FileNotFoundError) as deleted:
        fetch(serve(always(reply("410 No", b"x"))), tmp_path / "b")
    assert not isinstance(deleted.value, PermissionError)


def test_any_other_answer_is_no_file(serve: Callable[..., Host], tmp_path: Path) -> None:
    """401, 206 and 418 are not retried here: they will not mend by themselves."""
    for status in ("401 Unauthorized", "206 Partial Content", "418 Teapot"):
        host = serve(always(reply(status)))
        with pytest.raises(BadMedia, match="instead of a file"):
            fetch(host, tmp_path / "a")
        assert len(host.heads) == 1


def test_this_disk_is_not_the_vendor(serve: Callable[..., Host], tmp_path: Path) -> None:
    """A missing folder or a full disk must not look as if the vendor had deleted the file."""
    host = serve(always(reply()))
    for path in (tmp_path / "no" / "folder", Path("/dev/full")):
        with pytest.raises(AicpError, match="cannot be stored") as error:
            fetch(host, path)
        assert type(error.value) is AicpError
        assert "at no cost" in str(error.value.hint)


def test_messages_keep_signatures_to_themselves(serve: Callable[..., Host], tmp_path: Path) -> None:
    """A signed URL's query is a secret of sorts."""
    host = serve(always(reply("401 No", b"")))
    with pytest.raises(BadMedia) as error:
        fetch(host, tmp_path / "a", "/x.png?X-Goog-Signature=canary")
    assert "/x.png" in error.value.message
    assert "canary" not in error.value.message


# ---- data: URIs -------------------------------------------------------------------------------------


def test_data_uris_are_decoded(tmp_path: Path) -> None:
    """Base64 and percent-encoded, with parameters and in any case."""
    coded = base64.b64encode(BODY).decode()
    for url in (f"data:image/png;base64,{coded}", f"DATA:video/mp4;name=x;BASE64,{coded}"):
        download(url, tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == BODY
    download("data:image/png,%00a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"\x00a"


@pytest.mark.parametrize(
    "url",
    [
        "data:text/html;base64,PGh0bWw+",
        "data:,x",
        "data:image/png",
        "data:image/png;base64,",
        "data:image/png;base64,####",
        "data:image/png;base64,AAA",
        "data:image/png," + "x" * 101,
        "data:image/png;base64," + "A" * 500,
    ],
)
def test_bad_data_uris_are_refused(tmp_path: Path, url: str) -> None:
    """Not media, no comma, empty, not base64, or more than the cap."""
    with pytest.raises(BadMedia):
        download(url, tmp_path / "a", limits=Limits(inline=100))
    assert not (tmp_path / "a").exists()

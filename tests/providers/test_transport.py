"""What is paid is sent once, every outcome is one of three, and a key stays at home."""

from __future__ import annotations

import gzip
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
import replicate
from fal_client import SyncClient
from fal_client import client as fal_module

from ai_content_pipeline.errors import (
    AicpError,
    ConfigurationError,
    ContentRejected,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.media import certificates
from ai_content_pipeline.providers.connections import Connections
from ai_content_pipeline.providers.fal_sdk import point
from ai_content_pipeline.providers.transport import Patience, VendorTransport

SECRET = "canary-id:canary-secret-9c1f"
HOST = "https://queue.fal.run"
ACCEPTED = httpx.Response(200, json={"request_id": "r1"})
Answer = Callable[[httpx.Request], httpx.Response]


class Inner(Connections):
    """The network: notes every request, and answers as it is told."""

    def __init__(self, answer: Answer | httpx.Response | Exception) -> None:
        super().__init__(None, keep=False)
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def exchange(self, origin, line, headers, body, timeouts):
        method, target = line
        content, extensions = b"".join(body), {"timeout": timeouts}
        request = httpx.Request(
            method, origin + target, headers=headers, content=content, extensions=extensions
        )
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, httpx.Response):
            return httpx.Response(
                self.answer.status_code, headers=self.answer.headers, content=self.answer.content
            )
        response = self.answer(request)
        response.read()
        return response


def transport(answer: Answer | httpx.Response | Exception, **more: Any) -> tuple[VendorTransport, Inner]:
    inner = Inner(answer)
    return VendorTransport("fal", SECRET, ("queue.fal.run",), inner=inner, **more), inner


def posting(http: VendorTransport, url: str = f"{HOST}/fal-ai/x", **how: Any) -> Callable[[], httpx.Response]:
    client = httpx.Client(transport=http, headers={"Authorization": f"Key {SECRET}"})
    return lambda: client.post(url, **({"json": {"prompt": "x"}} | how))


# ---- one POST, three outcomes -----------------------------------------------------------------------


def test_an_acceptance_is_what_the_vendor_said() -> None:
    """Whatever the client makes of it: the JSON of the answer comes back, whole."""
    http, inner = transport(httpx.Response(201, json={"id": "p1", "status": "a new word"}))
    assert http.submit(posting(http)) == {"id": "p1", "status": "a new word"}
    assert len(inner.requests) == 1


NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)


def every_transport_error() -> list[type[httpx.TransportError]]:
    found: list[type[httpx.TransportError]] = []
    waiting: list[type[httpx.TransportError]] = [httpx.TransportError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return found


@pytest.mark.parametrize("kind", every_transport_error())
def test_every_failure_of_the_network_is_classified(kind: type[httpx.TransportError]) -> None:
    """Only where no byte can have left is it sure; whatever httpx may add is unknown by itself."""
    http, inner = transport(kind("boom"))
    expected = NotAccepted if kind in NOT_SENT else OutcomeUnknown
    with pytest.raises(expected) as error:
        http.submit(posting(http))
    assert len(inner.requests) == 1
    if isinstance(error.value, NotAccepted):
        assert error.value.temporary
        assert error.value.cause.exit_code == 75
    else:
        assert error.value.exit_code == 8


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 408, 409, 500, 502, 503, 504, 520, 599])
def test_answers_behind_which_a_job_may_stand(status: int) -> None:
    """Redirects, a vendor's own timeout, a conflict and every 5xx: nobody knows."""
    http, inner = transport(httpx.Response(status, headers={"location": f"{HOST}/other"}, text="nginx"))
    with pytest.raises(OutcomeUnknown, match=str(status)):
        http.submit(posting(http, follow_redirects=True))
    assert len(inner.requests) == 1


@pytest.mark.parametrize(
    ("status", "cause", "code"),
    [
        (400, AicpError, 1),
        (401, ConfigurationError, 4),
        (402, ConfigurationError, 4),
        (403, ConfigurationError, 4),
        (404, AicpError, 1),
        (405, AicpError, 1),
        (413, AicpError, 1),
        (422, AicpError, 1),
    ],
)
def test_refusals_create_no_job(status: int, cause: type[AicpError], code: int) -> None:
    """Read and refused: the reservation is released, and what the user reads says why."""
    http, _ = transport(httpx.Response(status, json={"detail": "because of x"}))
    with pytest.raises(NotAccepted, match="because of x") as error:
        http.submit(posting(http))
    assert type(error.value.cause) is cause
    assert error.value.cause.exit_code == code
    assert error.value.cause.hint
    assert not error.value.temporary


def test_refused_content_is_exit_6() -> None:
    """A content policy's refusal before acceptance."""
    body = {"detail": [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]}
    http, _ = transport(httpx.Response(422, json=body))
    with pytest.raises(NotAccepted) as error:
        http.submit(posting(http))
    assert isinstance(error.value.cause, ContentRejected)


@pytest.mark.parametrize(("after", "seconds"), [("7", 7.0), (None, None), ("1000000000", 3600.0)])
def test_a_rate_limit_is_temporary(after: str | None, seconds: float | None) -> None:
    """429 comes before acceptance: it may be sent again, when the vendor says."""
    http, inner = transport(httpx.Response(429, headers={"retry-after": after} if after else {}, json={}))
    with pytest.raises(NotAccepted) as error:
        http.submit(posting(http))
    assert error.value.temporary
    assert error.value.retry_after == seconds
    assert isinstance(error.value.cause, ProviderUnavailable)
    assert len(inner.requests) == 1


@pytest.mark.parametrize("content", [b"", b"<html>ok</html>", b'{"request_id": "r', b"null", b"[1]", b'"r1"'])
def test_an_acceptance_that_cannot_be_read_is_unknown(content: bytes) -> None:
    """200 means that something was done; half an answer does not say what."""
    http, _ = transport(httpx.Response(200, content=content))
    with pytest.raises(OutcomeUnknown, match="not with JSON"):
        http.submit(posting(http))


def test_a_body_that_breaks_off_is_unknown() -> None:
    """Headers of an acceptance, and then a dropped connection."""

    def answer(request: httpx.Request) -> httpx.Response:
        def body() -> Iterator[bytes]:
            yield b'{"request_id"'
            raise httpx.RemoteProtocolError("peer closed connection")

        return httpx.Response(200, content=body())

    http, _ = transport(answer)
    with pytest.raises(OutcomeUnknown, match="RemoteProtocolError"):
        http.submit(posting(http))


def test_a_body_that_cannot_be_unpacked_is_unknown() -> None:
    """An acceptance that claims to be gzip and is not."""

    def answer(request: httpx.Request) -> httpx.Response:
        stream = httpx.ByteStream(b"no gzip at all")
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream)

    http, _ = transport(answer)
    with pytest.raises(OutcomeUnknown, match="DecodingError"):
        http.submit(posting(http))


def test_a_packed_body_is_read() -> None:
    """An ordinary gzip answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        stream = httpx.ByteStream(gzip.compress(b'{"request_id": "r1"}'))
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream)

    http, _ = transport(answer)
    assert http.submit(posting(http)) == {"request_id": "r1"}


def test_a_second_post_is_not_sent() -> None:
    """A client that calls again within one submit, for whatever reason, gets no further."""
    http, inner = transport(ACCEPTED)
    post = posting(http)

    def twice() -> None:
        post()
        post()

    with pytest.raises(OutcomeUnknown, match="twice"):
        http.submit(twice)
    assert len(inner.requests) == 1
    assert http.submit(post) == {"request_id": "r1"}  # the next submit is a new one


def test_what_cannot_be_sent_is_not_accepted() -> None:
    """NaN is no JSON: nothing left, and the reservation is released."""
    http, inner = transport(ACCEPTED)
    with pytest.raises(NotAccepted, match="cannot be sent as JSON"):
        http.submit(posting(http, json={"cfg": float("nan")}))
    assert inner.requests == []


def test_a_client_that_cannot_read_an_acceptance_loses_nothing() -> None:
    """The error of a client after an accepted job is not the job's error."""
    http, _ = transport(ACCEPTED)
    post = posting(http)

    def strict() -> object:
        return post().json()["a field the vendor forgot"]

    assert http.submit(strict) == {"request_id": "r1"}


def test_a_client_that_sends_nothing_at_all_is_unknown() -> None:
    """No error and no request: better to look than to pay twice."""
    http, _ = transport(ACCEPTED)
    with pytest.raises(OutcomeUnknown, match="no acceptance"):
        http.submit(lambda: None)


# ---- the official clients' own loops ----------------------------------------------------------------


def fal_over(http: VendorTransport) -> SyncClient:
    point(None)  # other tests leave the SDK pointed at their sandbox
    client = SyncClient(key=SECRET)
    vars(client)["_client"] = httpx.Client(transport=http, headers={"Authorization": f"Key {SECRET}"})
    return client


TROUBLE: list[httpx.Response | Exception] = [
    httpx.RemoteProtocolError("dropped"),
    httpx.ReadTimeout("late"),
    httpx.WriteError("reset"),
    httpx.ConnectError("refused"),
    httpx.Response(408),
    httpx.Response(409),
    httpx.Response(429),
    httpx.Response(502, text="nginx"),
    httpx.Response(504, text="nginx"),
    httpx.Response(307, headers={"location": f"{HOST}/again"}),
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=str)
def test_fal_client_sends_one_post(
    trouble: httpx.Response | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left alone it sends up to ten."""
    monkeypatch.setattr(fal_module, "MAX_DELAY", 0.001)
    http, inner = transport(trouble)
    client = fal_over(http)
    with pytest.raises((NotAccepted, OutcomeUnknown)):
        http.submit(lambda: client.submit("fal-ai/x", {"prompt": "x"}))
    assert len(inner.requests) == 1


@pytest.mark.parametrize("trouble", TROUBLE, ids=str)
def test_replicate_client_sends_one_post(trouble: httpx.Response | Exception) -> None:
    """Whatever its own connection would do."""
    inner = Inner(trouble)
    http = VendorTransport("replicate", SECRET, ("api.replicate.com",), inner=inner)
    client = replicate.Client(api_token=SECRET, transport=http)
    with pytest.raises((NotAccepted, OutcomeUnknown)):
        http.submit(lambda: client.models.predictions.create(model="a/b", input={"prompt": "x"}))
    assert len(inner.requests) == 1


# ---- waits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [None, 5, httpx.Timeout(None, read=500), httpx.Timeout(1, pool=None)])
def test_no_wait_is_without_an_end(asked: object) -> None:
    """A client that switches timeouts off gets ours; a shorter one of its own stays."""
    http, inner = transport(ACCEPTED)
    http.submit(posting(http, timeout=asked))
    timeout = inner.requests[0].extensions["timeout"]
    ours = Patience()
    for name in ("connect", "read", "write"):
        own = httpx.Timeout(asked).as_dict()[name]  # type: ignore[arg-type]
        assert timeout[name] == min(own or 1e9, getattr(ours, name))


class Socket:
    """A vendor that does what it likes with the connection."""

    def __init__(self, handler: Callable[[socket.socket], None]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        self._handler = handler
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(5)
                try:
                    self._handler(connection)
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def vendor() -> Iterator[Callable[..., Socket]]:
    started: list[Socket] = []

    def start(handler: Callable[[socket.socket], None]) -> Socket:
        started.append(Socket(handler))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def over() -> Iterator[Callable[..., VendorTransport]]:
    made: list[VendorTransport] = []

    def make(base: str, patience: Patience | None = None) -> VendorTransport:
        made.append(VendorTransport("fal", SECRET, (), base, patience))
        return made[-1]

    yield make
    for http in made:
        http.close()


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"request_id": "r"}'


def test_an_answer_that_drips_ends(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport]
) -> None:
    """A byte now and then satisfies every single read; the whole has its time too."""

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" ")
            sleep(0.02)

    server = vendor(drip)
    http = over(server.url, Patience(read=5, whole=0.2))
    started = monotonic()
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        http.submit(posting(http, f"{server.url}/x"))
    assert monotonic() - started < 2


def test_a_vendor_that_never_answers_is_unknown(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport]
) -> None:
    """The request went out, and nothing came: the client's timeout=None does not matter."""

    def hang(connection: socket.socket) -> None:
        connection.recv(65536)
        sleep(0.5)

    server = vendor(hang)
    http = over(server.url, Patience(read=0.1))
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        http.submit(posting(http, f"{server.url}/x", timeout=None))
    assert server.connections == 1


def test_nobody_there_is_not_accepted(over: Callable[..., VendorTransport]) -> None:
    """Connection refused: nothing was sent, and it may be sent again."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
    http = over(base)
    with pytest.raises(NotAccepted) as error:
        http.submit(posting(http, f"{base}/x"))
    assert error.value.temporary


def test_a_failed_tls_handshake_is_not_accepted(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport]
) -> None:
    """Nothing of the request leaves before the handshake is done."""

    def plain(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    base = vendor(plain).url.replace("http://", "https://")
    http = over(base)
    with pytest.raises(NotAccepted) as error:
        http.submit(posting(http, f"{base}/x"))
    assert error.value.temporary


def test_a_submit_has_a_connection_of_its_own(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport]
) -> None:
    """A kept connection that the vendor closes in that moment would leave a submit in doubt."""

    def keep(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(OK)

    server = vendor(keep)
    http = over(server.url)
    for _ in range(5):
        assert http.submit(posting(http, f"{server.url}/x")) == {"request_id": "r"}
    assert server.connections == 5


def test_polls_share_connections(vendor: Callable[..., Socket], over: Callable[..., VendorTransport]) -> None:
    """Free requests are kept alive."""

    def keep(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(OK)

    server = vendor(keep)
    with httpx.Client(transport=over(server.url)) as client:
        for _ in range(10):
            client.get(f"{server.url}/status")
    assert server.connections == 1


# ---- free requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("{}/a/b?c=d&e", b"/a/b?c=d&e"),
        ("{}/gateway/a/b", b"/gateway/a/b"),
        ("{}/a b", b"/a%20b"),  # not as vendors write it: parsed, and sent as every client sends it
        ("{}/ü", b"/%C3%BC"),
        ("{}/a#part", b"/a"),
    ],
)
def test_a_get_is_what_a_client_would_send(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport], url: str, target: bytes
) -> None:
    """The same target, host and headers, whether or not the URL had to be parsed for it."""
    heads: list[list[bytes]] = []

    def note(connection: socket.socket) -> None:
        while head := connection.recv(65536):
            heads.append(head.lower().splitlines() if b"%C3" not in head else head.splitlines())
            connection.sendall(OK)

    server = vendor(note)
    http = over(server.url)
    headers = httpx.Headers({"Authorization": f"Key {SECRET}"})
    assert http.get(url.format(server.url), headers, 5.0).json() == {"request_id": "r"}
    first, *fields = heads[0]
    assert first.split()[:2] in ([b"GET", target], [b"get", target])
    fields = [field.lower() for field in fields]
    assert fields.count(b"host: " + server.url.removeprefix("http://").encode()) == 1
    assert f"authorization: key {SECRET}".encode() in fields
    assert http.seen.headers["content-length"] == "19"


def test_an_override_with_a_path_keeps_it(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport]
) -> None:
    """A gateway's URL has the vendor below a path: polls go there as submits do."""
    lines: list[bytes] = []

    def note(connection: socket.socket) -> None:
        lines.append(connection.recv(65536).splitlines()[0])
        connection.sendall(OK)

    base = f"{vendor(note).url}/replicate"
    http = over(base)
    http.get(f"{base}/v1/predictions/p1", httpx.Headers(), 5.0)
    http.submit(posting(http, f"{base}/v1/predictions"))
    assert lines == [b"GET /replicate/v1/predictions/p1 HTTP/1.1", b"POST /replicate/v1/predictions HTTP/1.1"]


def test_an_early_hint_is_no_answer(
    vendor: Callable[..., Socket], over: Callable[..., VendorTransport]
) -> None:
    """What comes before the answer is passed over, with whatever headers it has."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n"

    def early(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(hint + hint + OK)

    server = vendor(early)
    http = over(server.url)
    assert http.submit(posting(http, f"{server.url}/x")) == {"request_id": "r"}


def test_a_get_goes_nowhere_else(over: Callable[..., VendorTransport]) -> None:
    """However its URL begins: another host gets nothing, and nobody there is no crash."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
    http = over(base)
    for url in ("http://127.0.0.1:1/x", f"{base}.evil.example/x", f"{base}@evil.example/", "https://[x"):
        with pytest.raises((ConfigurationError, httpx.InvalidURL)):
            http.get(url, httpx.Headers(), 1.0)
    with pytest.raises(ProviderUnavailable, match="ConnectError"):
        http.get(f"{base}/x", httpx.Headers(), 1.0)


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_trouble_of_a_free_request_is_temporary(kind: type[httpx.TransportError]) -> None:
    """One attempt, and an error that no client takes for one of its own: the caller asks again."""
    http, inner = transport(kind("boom"))
    with pytest.raises(ProviderUnavailable, match=kind.__name__):
        httpx.Client(transport=http).get(f"{HOST}/status")
    assert len(inner.requests) == 1


def test_a_submit_in_one_thread_is_none_of_anothers() -> None:
    """While a submit waits, a poll of another thread fails as a poll and is not counted as its POST."""
    polled = threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            raise httpx.ReadTimeout("late")
        assert polled.wait(5)
        return httpx.Response(200, json={"request_id": "r1"})

    http, _ = transport(answer)
    result: list[object] = []
    thread = threading.Thread(target=lambda: result.append(http.submit(posting(http))))
    thread.start()
    with pytest.raises(ProviderUnavailable):
        httpx.Client(transport=http).get(f"{HOST}/status")
    polled.set()
    thread.join(5)
    assert result == [{"request_id": "r1"}]


def test_checked_answers() -> None:
    """401 to 403 are the user's to mend (exit 4); anything else that is not 2xx may mend itself (75)."""
    http, _ = transport(ACCEPTED)
    assert http.checked(httpx.Response(202)).status_code == 202
    for status in (401, 402, 403):
        with pytest.raises(ConfigurationError, match="no such key"):
            http.checked(httpx.Response(status, json={"detail": "no such key"}))
    for status in (302, 404, 408, 429, 500, 503):
        with pytest.raises(ProviderUnavailable, match=str(status)):
            http.checked(httpx.Response(status))


# ---- what is noted ----------------------------------------------------------------------------------


def test_what_an_answer_says_beside_its_body_is_noted() -> None:
    """Request id, billed units, limits, and how far the vendor's clock is ahead of ours."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    headers = {
        "x-fal-request-id": "r1",
        "x-fal-billable-units": "2",
        "retry-after": "3",
        "ratelimit-remaining": "599",
        "ratelimit-reset": "1",
        "date": ahead.strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }
    http, _ = transport(httpx.Response(200, json={}, headers=headers))
    httpx.Client(transport=http).get(f"{HOST}/status")
    assert http.seen.request_id == "r1"
    assert http.seen.billable_units == "2"
    assert http.seen.retry_after == 3
    assert http.seen.limits == {"ratelimit-remaining": "599", "ratelimit-reset": "1"}
    assert http.seen.ahead is not None
    assert abs(http.seen.ahead - timedelta(hours=1)) < timedelta(seconds=3)


def test_an_answer_without_a_date_keeps_the_last_clock() -> None:
    """Neither a missing nor a broken Date header makes the clock unknown again."""
    dates = iter(["Mon, 21 Sep 2026 14:15:00 GMT", "yesterday", ""])
    http, _ = transport(lambda request: httpx.Response(200, json={}, headers={"date": next(dates)}))
    client = httpx.Client(transport=http)
    client.get(f"{HOST}/a")
    first = http.seen.ahead
    assert first is not None
    client.get(f"{HOST}/b")
    client.get(f"{HOST}/c")
    assert http.seen.ahead == first


# ---- the key stays at home --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/requests/1",
        "http://queue.fal.run/requests/1",
        "https://queue.fal.run:8443/x",
        "https://queue.fal.run.evil.example/x",
        "https://evil.example/?queue.fal.run",
        "https://queue.fal.run@evil.example/x",
    ],
)
def test_nobody_else_is_spoken_to(url: str) -> None:
    """A status URL that names another host, port or scheme gets no request at all."""
    http, inner = transport(ACCEPTED)
    assert not http.trusts(url)
    with pytest.raises(ConfigurationError, match="your key is not sent there"):
        httpx.Client(transport=http).get(url)
    with pytest.raises(NotAccepted) as error:
        http.submit(posting(http, url))
    assert error.value.cause.exit_code == 4
    assert inner.requests == []


def test_bad_certificates_are_found_before_anything_is_claimed(monkeypatch, tmp_path) -> None:
    """A vendor that could not be spoken to has no transport; a sandbox over plain http needs none of them."""
    certificates._read.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        VendorTransport("fal", SECRET, ("queue.fal.run",))
    VendorTransport("fal", SECRET, ("queue.fal.run",), "http://127.0.0.1:4010").close()


def test_the_vendor_and_the_override_are_trusted() -> None:
    """Either the vendor's hosts or the override, never both: a sandbox run does not call the vendor."""
    own, _ = transport(ACCEPTED)
    assert own.trusts(f"{HOST}/x")
    assert not own.trusts("https://[broken")
    for unsendable in (f"{HOST}/\x00", f"{HOST}/{'x' * 70_000}"):
        assert not own.trusts(unsendable)
    overridden = VendorTransport(
        "fal", SECRET, ("queue.fal.run",), "http://127.0.0.1:4010", inner=Inner(ACCEPTED)
    )
    assert overridden.trusts("http://127.0.0.1:4010/fal-ai/x")
    assert not overridden.trusts(f"{HOST}/x")


def test_a_key_that_is_echoed_is_not_shown() -> None:
    """Neither the key nor a half of it survives in what a vendor says; nor do control characters."""
    http, _ = transport(httpx.Response(422, json={"detail": f"bad key {SECRET}\x1b[31m: canary-secret-9c1f"}))
    with pytest.raises(NotAccepted) as error:
        http.submit(posting(http))
    said = error.value.message
    assert "canary" not in said
    assert "[key]" in said
    assert said.isprintable()
    assert "canary" not in repr(http)
    assert "canary" not in http.words(f"x {SECRET}")


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The libraries' own lines name whole URLs, signed ones too; at any level of ours they are silent."""
    caplog.set_level(logging.DEBUG)
    http, _ = transport(ACCEPTED)
    http.submit(posting(http, f"{HOST}/x?signature=canary"))
    httpx.Client(transport=http).get(f"{HOST}/x?signature=canary")
    assert not re.search("canary", caplog.text)

"""Callbacks: signed, at least once under one id, to public addresses only, never redirected, and not for ever
(classes W3, W4, W5 and W13)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.worker.courier import Courier
from ai_content_pipeline.worker.delivery import Undelivered, check_callback, encoded, post, signed
from ai_content_pipeline.worker.outbox import DELAYS, Outbox, delay
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.redelivery import undelivered, wish
from ai_content_pipeline.worker.rows import Bounds, Ending, New, State
from ai_content_pipeline.worker.settings import Settings
from ai_content_pipeline.worker.storage import LocalFolder
from tests.worker.conftest import SECRET, Handler, Open, Pictures, Receiver

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
BODY = encoded({"job_id": "a", "status": "completed"})


@dataclass
class Time:
    """A clock that a test turns."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(min(seconds, 0.01))


@dataclass
class Post:
    """An outbox with one callback in it, and who delivers it; nothing runs by itself."""

    queue: Queue
    courier: Courier
    time: Time
    outcomes: list[str]

    def send(self) -> None:
        """One try of everything due."""
        for callback in Outbox(self.queue).due(self.time.now(), 9, frozenset()):
            self.courier.deliver(callback)

    @property
    def state(self) -> tuple[str, int]:
        (callback,) = Outbox(self.queue).undelivered()
        return callback.state, callback.tries


@pytest.fixture
def open_post(tmp_path: Path) -> Callable[..., Post]:
    """Have a job end whose callback goes to an address."""

    def start(url: str, allow: HostRule | None = None) -> Post:
        queue, clock, outcomes = Queue(None), Time(), []
        queue.put(New("a", "u", "t", 0, "f", '{"type": "t"}', "none", (), url), Bounds(), clock.now())
        queue.claim(Bounds(), clock.now())
        queue.end("a", Ending(State.COMPLETED, seconds=1.0), clock.now())
        courier = Courier(
            queue,
            LocalFolder(tmp_path),
            (SECRET,),
            allow or HostRule.of(url),
            clock,
            lambda event, **fields: None,
            outcomes.append,
            random.Random(1),
        )
        return Post(queue, courier, clock, outcomes)

    return start


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(code, **headers)


def test_tries_go_on_for_hours_under_one_id(open_post: Callable[..., Post], receiver: Receiver) -> None:
    """Each failure waits longer, jittered, up to half a day; every try has the same id and a fresh signature;
    after the last the callback is dead, and redelivery brings it back to life."""
    receiver.script = [status(500)] * (len(DELAYS) + 1)
    receiver.verifies = False  # its clock does not run ahead as ours does
    office, pauses = open_post(f"{receiver.url}/x"), []
    for tries, usual in enumerate(DELAYS, 1):
        office.send()
        due = Outbox(office.queue).next_due()
        assert due is not None
        pauses.append((due - office.time.at).total_seconds() / usual)
        office.time.at = due - timedelta(seconds=1)
        office.send()
        assert len(receiver.deliveries) == tries  # the last one was too early
        office.time.at = due
    assert all(0.8 <= pause <= 1.2 for pause in pauses)
    assert len(set(pauses)) == len(DELAYS)
    office.send()
    assert office.state == ("dead", len(DELAYS) + 1)
    assert office.outcomes == ["failed"] * len(DELAYS) + ["dead"]
    assert {one.id for one in receiver.deliveries} == {"msg_a"}
    for one in receiver.deliveries:
        moment = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
        again = signed(one.raw, one.id, (SECRET,), moment)
        assert one.headers["webhook-signature"] == again["webhook-signature"]
    assert len({one.headers["webhook-timestamp"] for one in receiver.deliveries}) == len(DELAYS) + 1
    office.time.at += timedelta(days=30)
    office.send()
    assert len(receiver.deliveries) == len(DELAYS) + 1
    assert Outbox(office.queue).redeliver("msg_a", office.time.now())
    assert not Outbox(office.queue).redeliver("msg_a", office.time.now())  # it waits already
    office.send()
    assert receiver.deliveries[-1].id == "msg_a"
    assert office.outcomes[-1] == "delivered"
    assert Outbox(office.queue).undelivered() == []


def test_the_schedule_lasts_a_day_and_then_ends() -> None:
    """All pauses together are more than a day and less than two; after the last there is none."""
    chance = random.Random(7)
    pauses = [delay(tries, chance) for tries in range(1, len(DELAYS) + 2)]
    assert pauses[-1] is None
    assert timedelta(hours=20) < sum((pause for pause in pauses if pause), timedelta()) < timedelta(hours=48)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(
    open_post: Callable[..., Post], receiver: Receiver, pictures: Pictures, code: int
) -> None:
    """A redirect is a failure, wherever it leads."""
    receiver.script = [status(code, location=f"{pictures.url}/secrets")]
    office = open_post(f"{receiver.url}/x", HostRule.of(receiver.url, pictures.url))
    office.send()
    assert office.state == ("pending", 1)
    assert pictures.requests == []


def test_a_receiver_that_is_gone_is_believed(open_post: Callable[..., Post], receiver: Receiver) -> None:
    """410: nobody wants it any more, and it is dead at once."""
    receiver.script = [status(410)]
    office = open_post(f"{receiver.url}/x")
    office.send()
    assert office.state == ("dead", 1)


def test_a_slow_receiver_has_its_time(receiver: Receiver) -> None:
    """One that says nothing, or drips, is given up after the time a try has; the default is ten seconds."""
    gone = threading.Event()

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        while not gone.wait(0.05):
            handler.wfile.write(b" ")

    for action in (lambda handler: gone.wait(5), drip):
        receiver.script = [action]
        began = time.monotonic()
        headers = signed(BODY, "msg_a", (SECRET,), datetime.now(UTC))
        with pytest.raises(Undelivered, match="no answer"):
            post(f"{receiver.url}/x", BODY, headers, HostRule.of(receiver.url), seconds=0.5)
        assert time.monotonic() - began < 3
    gone.set()
    assert post.__kwdefaults__["seconds"] == 10.0


def test_a_receiver_without_sound_tls_is_tried_again(receiver: Receiver) -> None:
    """A TLS error is a failed try like another, and nothing was sent in the clear (W13)."""
    url = receiver.url.replace("http://", "https://")
    with pytest.raises(Undelivered, match="no answer") as caught:
        post(f"{url}/x", BODY, {}, HostRule.of(url))
    assert not caught.value.final
    assert receiver.deliveries == []


def test_proxies_do_not_stand_in_between(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would be asked in place of the address that was checked: none is (U7)."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    headers = signed(BODY, "msg_a", (SECRET,), datetime.now(UTC))
    post(f"{receiver.url}/x", BODY, headers, HostRule.of(receiver.url))
    assert len(receiver.deliveries) == 1


def test_a_long_answer_is_not_read(receiver: Receiver) -> None:
    """Delivered is delivered: of what the receiver says besides, 64 KiB are read at most."""
    written = []

    def talk(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(1 << 30))
        handler.end_headers()
        try:
            while True:
                written.append(handler.wfile.write(b" " * 65536))
        except OSError:
            handler.close_connection = True

    receiver.script = [talk]
    headers = signed(BODY, "msg_a", (SECRET,), datetime.now(UTC))
    post(f"{receiver.url}/x", BODY, headers, HostRule.of(receiver.url))
    assert sum(written) < 64 << 20


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://user:pass@hooks.example/",
        "https://hooks.example:22/",
        "https://hooks.example:6379/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "//hooks.example/",
        "https://hooks.example\\@evil.example/",
    ],
)
def test_addresses_that_get_no_callback(url: str) -> None:
    """Private, loopback and metadata addresses however written, userinfo, plain http, other ports."""
    with pytest.raises(Undelivered) as caught:
        post(url, BODY, {}, HostRule())
    assert caught.value.final


def test_a_private_network_is_allowed_by_the_operator() -> None:
    """--allow-private-hosts: plain http and private addresses; clouds' metadata stays out of reach."""
    allow = HostRule(private=True)
    assert check_callback("http://10.1.2.3:8080/hook", allow).host == "10.1.2.3"
    for url in ("http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/"):
        with pytest.raises(Undelivered):
            post(url, BODY, {}, allow)


def test_a_name_is_judged_when_it_is_connected_to() -> None:
    """A name that is public when the job comes in and private later gets nothing: addresses count."""
    looked = []

    def rebinding(host: str, port: int) -> list[str]:
        looked.append(host)
        return ["93.184.216.34"] if len(looked) > 1 else ["127.0.0.1"]

    with pytest.raises(Undelivered, match=r"127\.0\.0\.1") as caught:
        post("https://hooks.example/", BODY, {}, HostRule(), resolve=rebinding)
    assert not caught.value.final
    assert looked == ["hooks.example"]


def test_what_was_changed_does_not_verify() -> None:
    """Any bit of the body, another id, another secret, an old time: the receiver's library refuses each."""
    now = datetime.now(UTC)
    headers = signed(BODY, "msg_a", (SECRET,), now)
    hook = Webhook(SECRET)
    assert hook.verify(BODY, headers)["job_id"] == "a"
    old = signed(BODY, "msg_a", (SECRET,), now - timedelta(minutes=6))
    flipped = bytes([BODY[0] ^ 0, *BODY[1:-3], BODY[-3] ^ 1, *BODY[-2:]])
    for body, given in (
        (flipped, headers),
        (BODY, {**headers, "webhook-id": "msg_b"}),
        (BODY, {**headers, "webhook-timestamp": str(int(now.timestamp()) + 1)}),
        (BODY, old),
    ):
        with pytest.raises(WebhookVerificationError):
            hook.verify(body, given)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(BODY, headers)


def test_two_secrets_sign_while_one_is_replaced() -> None:
    """Receivers with the old secret and with the new one both accept."""
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    headers = signed(BODY, "msg_a", (other, SECRET), datetime.now(UTC))
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (SECRET, other):
        assert Webhook(secret).verify(BODY, headers)


def test_a_worker_delivers_by_itself(open_office: Open, receiver: Receiver) -> None:
    """A job without an address of its own is told of at the default one; a failed try is repeated."""
    receiver.script = [status(503)]
    office = open_office(allow=HostRule.of(receiver.url), callback_url=f"{receiver.url}/default")
    office.put("one")
    receiver.wait(1)
    first, second = receiver.wait(2)
    assert (first.id, first.raw) == (second.id, second.raw) == ("msg_one", first.raw)
    assert receiver.requests == ["/default", "/default"]
    until = time.monotonic() + 20
    while 'aicp_worker_callbacks_total{outcome="delivered"} 1.0' not in office.client.get("/metrics").text:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert 'aicp_worker_callbacks_total{outcome="failed"} 1.0' in office.client.get("/metrics").text


def test_a_running_worker_is_asked_to_redeliver(open_office: Open, receiver: Receiver) -> None:
    """`callbacks redeliver` beside a worker that runs: it takes the wish within seconds, and delivers under
    the same id; wishes for what is not dead are dropped."""
    receiver.script = [status(410)]
    office = open_office(allow=HostRule.of(receiver.url))
    office.put("one", callback_url=f"{receiver.url}/x")
    settings = office.service.settings
    until = time.monotonic() + 20
    while [one.state for one in undelivered(settings)] != ["dead"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert wish(settings, ("nobody",)) == []
    assert wish(settings, ("one",)) == ["msg_one"]
    (settings.wishes / "msg_nobody").touch()
    office.service.courier.wake()
    assert [one.id for one in receiver.wait(2)] == ["msg_one", "msg_one"]
    while undelivered(settings) or list(settings.wishes.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_only_the_worker_writes_to_the_queue(tmp_path: Path) -> None:
    """What `callbacks` opens beside it cannot write, also where a worker was killed: the flaw of SQLite's
    write-ahead log up to 3.51.2 needs two that do."""
    settings = Settings(tmp_path, "draft")
    settings.state.mkdir()
    queue = Queue(settings.queue)
    queue.put(New("a", "u", "t", 0, "f", '{"type": "t"}', "none", (), "https://x.example/h"), Bounds(), NOW)
    queue.claim(Bounds(), NOW)
    queue.end("a", Ending(State.COMPLETED), NOW)
    for one in Outbox(queue).due(NOW, 9, frozenset()):
        Outbox(queue).failed(one, "the receiver answers 500", None, NOW)
    before = (
        queue.look(lambda db: db.execute("PRAGMA data_version").fetchone()),
        settings.queue.read_bytes(),
    )
    killed = tmp_path / "killed"
    killed.mkdir()
    for file in settings.state.glob("queue.sqlite3*"):
        (killed / file.name).write_bytes(file.read_bytes())
    assert wish(settings, ()) == ["msg_a"]
    assert wish(settings, ()) == []  # it waits for the worker
    after = (queue.look(lambda db: db.execute("PRAGMA data_version").fetchone()), settings.queue.read_bytes())
    assert before == after
    left = {file.name: file.read_bytes() for file in killed.iterdir() if not file.name.endswith("-shm")}
    assert [one.state for one in undelivered(Settings(tmp_path, "draft", own_state=killed))] == ["dead"]
    assert left == {name: (killed / name).read_bytes() for name in left}
    queue.close()


def test_an_address_is_refused_before_the_job_is_taken(desk: Open) -> None:
    """A callback_url that will never get anything is 422, by its path."""
    for url in ("http://127.0.0.1:1/", "https://hooks.example:22/", "https://10.0.0.1/x"):
        answer = desk.put("one", callback_url=url)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "callback_url"])

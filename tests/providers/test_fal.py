"""fal through the sandbox: every law of docs/providers/fal.md, with the charges counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, Role
from ai_content_pipeline.errors import (
    AicpError,
    ConfigurationError,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
    UsageError,
)
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Gone,
    Handle,
    InputField,
    JobRequest,
    JobStatus,
    Json,
    Model,
    Queued,
    Reason,
    Running,
    Succeeded,
    Task,
    Upload,
    WireRequest,
)
from ai_content_pipeline.media.download import download
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.providers.connections import Connections
from ai_content_pipeline.providers.fal import FalProvider
from ai_content_pipeline.providers.protocol import Provider, Surroundings
from ai_content_pipeline.sandbox import Clock, Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox import actions as do
from ai_content_pipeline.sandbox.faults import Route

NANO = "fal-ai/nano-banana-pro"
KLING = "fal-ai/kling-video/v2.6/pro/image-to-video"
IMAGE = WireRequest(NANO, {"prompt": "a cat"})
Finish = Callable[[Provider, Handle], JobStatus]
MakeFal = Callable[..., FalProvider]


def once(route: Route, action: do.AnyAction, times: int = 1) -> Rule:
    return Rule(match=Match(vendor="fal", route=(route,), times=times), action=action)


def fetched(status: JobStatus, sandbox: Sandbox, path: Path) -> Kind:
    assert isinstance(status, Succeeded)
    assert status.outputs[0].url
    download(status.outputs[0].url, path, allow=HostRule.of(sandbox.url))
    return verify(path).kind


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[..., FalProvider]]:
    """A provider whose vendor answers each request with the next of the given (status, JSON)."""
    made: list[FalProvider] = []

    def make(*answers: tuple[int, Json]) -> FalProvider:
        left = iter(answers)

        class Scripted(Connections):
            def exchange(self, *_: object) -> httpx.Response:
                status, body = next(left)
                return httpx.Response(status, json=body)

        provider = FalProvider(Surroundings({"FAL_KEY": "id:canary-key"}, tmp_path, lambda sha: tmp_path))
        provider._http._pool = provider._http._fresh = Scripted(None, keep=True)
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.close()


# ---- when all goes well -----------------------------------------------------------------------------


def test_a_picture(sandbox: Sandbox, fal: FalProvider, finish: Finish, tmp_path: Path) -> None:
    """One submit is one charge; the units that fal bills come with the result, which decodes."""
    handle = fal.submit(WireRequest(NANO, {"prompt": "a cat", "num_images": 2}), "key")
    done = finish(fal, handle)
    assert isinstance(done, Succeeded)
    assert len(done.outputs) == 2
    assert done.units == 2
    assert fetched(done, sandbox, tmp_path / "a") is Kind.IMAGE
    assert [charge.units for charge in sandbox.charges()] == [Decimal(2)]


def test_a_clip_from_an_uploaded_picture(
    sandbox: Sandbox, fal: FalProvider, finish: Finish, tmp_path: Path, picture: tuple[Artifact, Path]
) -> None:
    """The upload's URL goes under the model's own field name, and the model can read it."""
    upload = fal.upload(*picture)
    assert upload.expires is not None
    assert timedelta(days=5) < upload.expires - datetime.now(UTC) < timedelta(days=7)
    model = Model("kling", "fal", KLING, Task.IMAGE_TO_VIDEO, {Role.START: InputField("start_image_url")})
    request = JobRequest(model, "steam", {"duration": "5"}, {})
    wire = fal.wire(request, {Role.START: (upload,)}, None)
    assert wire.payload == {"prompt": "steam", "duration": "5", "start_image_url": upload.url}
    assert fetched(finish(fal, fal.submit(wire, "key")), sandbox, tmp_path / "a") is Kind.VIDEO
    assert len(sandbox.charges()) == 1


def test_uploads_are_kept_for_longer_than_they_are_trusted(
    slow: Sandbox, make_fal: MakeFal, picture: tuple[Artifact, Path]
) -> None:
    """The file is still at the vendor when we last use it, and is not kept for ever."""
    fal = make_fal(slow)
    upload = fal.upload(*picture)
    assert upload.expires is not None
    with httpx.Client() as client:
        assert client.get(upload.url).content == picture[1].read_bytes()
        slow.advance(6 * 86_400)
        assert client.get(upload.url).status_code == 200
        slow.advance(2 * 86_400)
        assert client.get(upload.url).status_code == 404


def test_progress_is_reported(slow: Sandbox, make_fal: MakeFal) -> None:
    """Position in the queue; then the percentage and the last line of the log."""
    fal = make_fal(slow)
    handle = fal.submit(IMAGE, "key")
    assert fal.poll(handle) == Queued(2)
    slow.advance(55)
    running = fal.poll(handle)
    assert isinstance(running, Running)
    assert running.progress == 0.4
    assert running.message == "40%|#### | 8/20"
    slow.advance(45)
    assert isinstance(fal.poll(handle), Succeeded)


def test_a_handle_works_in_another_process(sandbox: Sandbox, make_fal: MakeFal, finish: Finish) -> None:
    """All that is needed to ask again is in it."""
    first = make_fal(sandbox)
    handle = first.submit(IMAGE, "key")
    first.close()
    assert isinstance(finish(make_fal(sandbox), Handle(handle.request_id, dict(handle.data))), Succeeded)


def test_many_threads_share_one_provider(sandbox: Sandbox, make_fal: MakeFal, finish: Finish) -> None:
    """64 submits and polls at once: 64 jobs, 64 ids, 64 charges."""
    fal = make_fal(sandbox)

    def one(number: int) -> tuple[str, JobStatus]:
        handle = fal.submit(WireRequest(NANO, {"prompt": f"cat {number}"}), "key")
        return handle.request_id, finish(fal, handle)

    with ThreadPoolExecutor(64) as pool:
        results = list(pool.map(one, range(64)))
    assert len({request_id for request_id, _ in results}) == 64
    assert all(isinstance(status, Succeeded) for _, status in results)
    assert len(sandbox.charges()) == len(sandbox.jobs()) == 64
    assert sandbox.counts()["fal.submit"] == 64


def test_many_uploads_leave_no_connections_behind(
    sandbox: Sandbox, fal: FalProvider, picture: tuple[Artifact, Path]
) -> None:
    """The client alone opens one for every upload and closes none; the token is asked for once."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        fal.upload(*picture)
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 6
    assert sandbox.counts()["fal.token"] == 1


def test_large_uploads_go_in_parts(
    sandbox: Sandbox, fal: FalProvider, picture: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 100 MiB the client splits a file; its parts go through our transport too."""
    from fal_client import client as module

    monkeypatch.setattr(module, "MULTIPART_THRESHOLD", 10)
    upload = fal.upload(*picture)
    with httpx.Client() as client:
        assert client.get(upload.url).content == picture[1].read_bytes()
    assert sandbox.leaks() == ()


# ---- one POST ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "jobs"),
    [
        (do.Drop(), 1),  # accepted, and the answer lost: unaided the client makes ten of it
        (do.Truncate(), 1),
        (do.Cut(), 1),
        (do.Empty(), 1),
        (do.Html(), 1),
        (do.Hang(seconds=2), 1),
        (do.Drip(chunk=1, pause=0.05), 1),
        (do.Reset(), 0),
        (do.Status(code=408), 0),
        (do.Status(code=409), 0),
        (do.Status(code=500), 0),
        (do.Status(code=502, body="nginx"), 0),
        (do.Status(code=503, retry_after=1), 0),
        (do.Status(code=504, body="nginx"), 0),
        (do.Redirect(url="/elsewhere/again"), 1),
    ],
    ids=repr,
)
def test_a_lost_answer_is_in_doubt_and_costs_once(
    sandbox: Sandbox, hasty_fal: FalProvider, action: do.AnyAction, jobs: int
) -> None:
    """Exactly one POST leaves; whether there is a job is not guessed (exit 8)."""
    sandbox.script(once("submit", action, times=99))
    with pytest.raises(OutcomeUnknown) as error:
        hasty_fal.submit(IMAGE, "key")
    assert error.value.exit_code == 8
    assert sandbox.counts()["fal.submit"] == 1
    assert len(sandbox.jobs()) == jobs


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (do.Status(code=400), 1),
        (do.Status(code=401), 4),
        (do.Status(code=402), 4),
        (do.Status(code=403), 4),
        (do.Status(code=404), 1),
        (do.Status(code=422), 1),
    ],
    ids=repr,
)
def test_a_refusal_is_no_job(sandbox: Sandbox, fal: FalProvider, action: do.AnyAction, code: int) -> None:
    """Refused before acceptance, for good: no job, no charge, the exit code that fits."""
    sandbox.script(once("submit", action, times=99))
    with pytest.raises(NotAccepted) as error:
        fal.submit(IMAGE, "key")
    assert error.value.cause.exit_code == code
    assert not error.value.temporary
    assert sandbox.counts()["fal.submit"] == 1
    assert sandbox.jobs() == ()


@pytest.mark.parametrize(
    ("after", "seconds"), [(None, None), (7, 7.0), ("date+30", 30.0), ("1000000000", 3600.0)]
)
def test_a_rate_limit_may_be_sent_again(
    sandbox: Sandbox, fal: FalProvider, after: int | str | None, seconds: float | None
) -> None:
    """429 is no job, and says when to come back."""
    sandbox.script(once("submit", do.Status(code=429, retry_after=after), times=99))
    with pytest.raises(NotAccepted) as error:
        fal.submit(IMAGE, "key")
    assert error.value.temporary
    assert error.value.retry_after == pytest.approx(seconds, abs=1)
    assert sandbox.counts()["fal.submit"] == 1


def test_an_unreachable_vendor_is_no_job(tmp_path: Path) -> None:
    """Nobody listens: nothing was sent, and it may be sent again."""
    with Sandbox() as gone:
        environ = gone.environ()
    provider = FalProvider(Surroundings(environ, tmp_path, lambda sha: tmp_path))
    with pytest.raises(NotAccepted) as error:
        provider.submit(IMAGE, "key")
    assert error.value.temporary
    assert error.value.cause.exit_code == 75
    provider.close()


@pytest.mark.parametrize("answer", [{}, {"status": "IN_QUEUE"}, {"request_id": 5}, [], "r1", None])
def test_an_acceptance_without_an_id_is_unknown(told: Callable[..., FalProvider], answer: Json) -> None:
    """There is a job, and its name is not known."""
    with pytest.raises(OutcomeUnknown):
        told((200, answer)).submit(IMAGE, "key")


def test_an_acceptance_that_the_client_cannot_read_is_kept(told: Callable[..., FalProvider]) -> None:
    """Without its three URLs the official client raises, after the job was created and is paid for."""
    handle = told((200, {"request_id": "r1"})).submit(IMAGE, "key")
    assert handle.request_id == "r1"
    assert handle.data["status_url"] == "https://queue.fal.run/fal-ai/nano-banana-pro/requests/r1/status"


# ---- polling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        do.Status(code=429, retry_after=1000),
        do.Status(code=500),
        do.Status(code=502, body="nginx"),
        do.Status(code=503),
        do.Status(code=504, body="empty"),
        do.Status(code=500, body="json_string"),
        do.Status(code=404, body="nginx"),
        do.Reset(),
        do.Drop(),
        do.Truncate(),
        do.Cut(),
        do.Empty(),
        do.Html(),
        do.Hang(seconds=1),
        do.Redirect(url="http://169.254.169.254/"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("route", ["status", "result"])
def test_trouble_while_polling_loses_no_job(
    sandbox: Sandbox,
    fal: FalProvider,
    hasty_fal: FalProvider,
    finish: Finish,
    route: Route,
    action: do.AnyAction,
) -> None:
    """One attempt, told as temporary; the next poll goes on, and nothing is paid again."""
    handle = fal.submit(IMAGE, "key")
    finish(fal, handle)
    sandbox.script(once(route, action))
    before = sandbox.counts()[f"fal.{route}"]
    with pytest.raises(ProviderUnavailable):
        hasty_fal.poll(handle)
    assert sandbox.counts()[f"fal.{route}"] == before + 1
    assert isinstance(fal.poll(handle), Succeeded)
    assert len(sandbox.charges()) == 1


def test_an_unknown_status_is_a_job_that_runs(slow: Sandbox, make_fal: MakeFal) -> None:
    """A new word of the vendor's is shown, and waited through."""
    slow.script(once("submit", do.UnknownStatus(word="WARMING_UP", polls=2)))
    fal = make_fal(slow)
    handle = fal.submit(IMAGE, "key")
    assert fal.poll(handle) == Running(message="fal says WARMING_UP")
    slow.advance(100)
    assert isinstance(fal.poll(handle), Running)
    assert isinstance(fal.poll(handle), Succeeded)


def test_a_status_that_goes_backwards_or_ends_twice(
    sandbox: Sandbox, fal: FalProvider, finish: Finish
) -> None:
    """Running, queued, running; finished, running, finished: it ends all the same, with one charge."""
    for action in (do.Backwards(), do.CompletedTwice()):
        sandbox.script(once("submit", action))
        handle = fal.submit(IMAGE, "key")
        assert isinstance(finish(fal, handle), Succeeded)
        later = [fal.poll(handle) for _ in range(3)]
        assert isinstance(later[-1], Succeeded)
        assert all(isinstance(status, Succeeded | Running) for status in later)
    assert len(sandbox.charges()) == 2


def test_a_status_that_never_changes_is_patient(slow: Sandbox, make_fal: MakeFal) -> None:
    """Stuck is not failed: only the vendor ends a job."""
    slow.script(once("submit", do.Stuck(phase="queued")))
    fal = make_fal(slow)
    handle = fal.submit(IMAGE, "key")
    slow.advance(100_000)
    assert isinstance(fal.poll(handle), Queued)


def test_a_record_without_its_addresses_is_gone(told: Callable[..., FalProvider]) -> None:
    """A handle that does not say where the request is is no crash, and nobody is asked."""
    fal = told()
    for data in (
        {},
        {"endpoint": "fal-ai/x"},
        {"status_url": None},
        {"status_url": "https://queue.fal.run/x"},
    ):
        assert isinstance(fal.poll(Handle("r1", data)), Gone)
        assert fal.cancel(Handle("r1", data)) is CancelAnswer.UNKNOWN_JOB


@pytest.mark.parametrize(
    ("action", "reason", "billed"),
    [
        (do.Reject(), Reason.CONTENT, Billed.UNKNOWN),
        (do.Reject(billed=True), Reason.CONTENT, Billed.UNKNOWN),
        (do.Fail(code=500), Reason.TEMPORARY, Billed.NO),  # marked as worth another try
        (do.Fail(code=422), Reason.INVALID, Billed.UNKNOWN),
        (do.ErrorBody(), Reason.PROVIDER, Billed.NO),
        (do.ErrorBody(billed=True), Reason.PROVIDER, Billed.YES),
    ],
    ids=repr,
)
def test_how_a_job_fails(
    sandbox: Sandbox,
    fal: FalProvider,
    finish: Finish,
    action: do.AnyAction,
    reason: Reason,
    billed: Billed,
) -> None:
    """COMPLETED and an error: the reason, the vendor's words, and what is known of the bill."""
    sandbox.script(once("submit", action))
    failed = finish(fal, fal.submit(IMAGE, "key"))
    assert isinstance(failed, Failed)
    assert failed.reason is reason
    assert failed.billed is billed
    assert not (failed.billed is Billed.NO and sandbox.charges())
    assert failed.message.isprintable()


def test_a_wrong_parameter_is_named(sandbox: Sandbox, fal: FalProvider, finish: Finish) -> None:
    """The user reads which field, and what it may be."""
    wire = WireRequest(NANO, {"prompt": "x", "resolution": "9K"})
    failed = finish(fal, fal.submit(wire, "key"))
    assert isinstance(failed, Failed)
    assert failed.reason is Reason.INVALID
    assert failed.message.startswith("resolution: ")


def test_an_expired_upload_is_a_failure_of_the_request(
    sandbox: Sandbox, fal: FalProvider, finish: Finish, picture: tuple[Artifact, Path]
) -> None:
    """The model says that it cannot read its input; nothing is uploaded or sent by itself."""
    sandbox.script(once("upload", do.ExpireUpload()))
    upload = fal.upload(*picture)
    failed = finish(
        fal, fal.submit(WireRequest(KLING, {"prompt": "x", "start_image_url": upload.url}), "key")
    )
    assert isinstance(failed, Failed)
    assert failed.reason is Reason.INVALID
    assert "start_image_url" in failed.message


def test_a_deleted_result_is_gone(sandbox: Sandbox, fal: FalProvider, finish: Finish) -> None:
    """And so is a request that fal does not know."""
    sandbox.script(once("submit", do.Gone(what="result")))
    handle = fal.submit(IMAGE, "key")
    assert isinstance(finish(fal, handle), Gone)
    unknown = fal.submit(IMAGE, "key")
    urls = {name: str(url).replace(unknown.request_id, "x") for name, url in unknown.data.items()}
    assert isinstance(fal.poll(Handle("x", urls)), Gone)


def test_an_empty_result_is_a_success_without_files(
    sandbox: Sandbox, fal: FalProvider, finish: Finish
) -> None:
    """It was paid; the caller says that it is no good."""
    sandbox.script(once("submit", do.Outputs(count=0)))
    done = finish(fal, fal.submit(IMAGE, "key"))
    assert isinstance(done, Succeeded)
    assert done.outputs == ()


# ---- cancelling -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (None, CancelAnswer.REQUESTED),
        (do.Cancel(answer="ignored"), CancelAnswer.REQUESTED),
        (do.Cancel(answer="too_late"), CancelAnswer.TOO_LATE),
        (do.Cancel(answer="not_found"), CancelAnswer.UNKNOWN_JOB),
        (do.Cancel(answer="forgotten"), CancelAnswer.REQUESTED),
    ],
    ids=repr,
)
def test_what_fal_answers_to_a_cancel(
    slow: Sandbox, make_fal: MakeFal, action: do.Cancel | None, answer: CancelAnswer
) -> None:
    """Asked once, and told what fal said, which is no proof that it stopped."""
    fal = make_fal(slow)
    handle = fal.submit(IMAGE, "key")
    if action is not None:
        slow.script(once("cancel", action))
    assert fal.cancel(handle) is answer


def test_a_cancelled_job_ends_as_cancelled(slow: Sandbox, make_fal: MakeFal) -> None:
    """fal has no status for it: COMPLETED, with an error that says so."""
    fal = make_fal(slow)
    handle = fal.submit(IMAGE, "key")
    fal.cancel(handle)
    slow.advance(1)
    ended = fal.poll(handle)
    assert isinstance(ended, Failed)
    assert ended.reason is Reason.CANCELLED


def test_a_late_cancel_leaves_the_result(sandbox: Sandbox, fal: FalProvider, finish: Finish) -> None:
    """Finished already: too late, and it can be collected."""
    handle = fal.submit(IMAGE, "key")
    finish(fal, handle)
    assert fal.cancel(handle) is CancelAnswer.TOO_LATE
    assert isinstance(fal.poll(handle), Succeeded)


def test_a_cancel_that_fails_says_so(sandbox: Sandbox, fal: FalProvider) -> None:
    """A gateway's 500 or a wrong key is not an answer."""
    handle = fal.submit(IMAGE, "key")
    sandbox.script(once("cancel", do.Status(code=500)))
    with pytest.raises(ProviderUnavailable):
        fal.cancel(handle)
    sandbox.script(once("cancel", do.Status(code=401)))
    with pytest.raises(ConfigurationError):
        fal.cancel(handle)


def test_a_cancel_that_is_refused_without_a_word_is_too_late(told: Callable[..., FalProvider]) -> None:
    """400 is what a finished request gets, whatever its body says."""
    fal = told((400, {"detail": "cannot be cancelled"}))
    assert fal.cancel(Handle("r1", {"cancel_url": "https://queue.fal.run/x/cancel"})) is CancelAnswer.TOO_LATE


# ---- the listing ------------------------------------------------------------------------------------


def test_a_lost_request_is_found_when_it_has_ended(slow: Sandbox, make_fal: MakeFal) -> None:
    """Accepted and the answer lost: not listed while it runs, then exactly it; never a proof of absence."""
    fal = make_fal(slow)
    since = datetime.fromtimestamp(1_790_000_000.0, UTC)
    fal.submit(WireRequest(NANO, {"prompt": "another"}), "key")
    slow.script(once("submit", do.Drop()))
    with pytest.raises(OutcomeUnknown):
        fal.submit(IMAGE, "key")
    fal._http.seen = replace(fal._http.seen, ahead=timedelta())  # the test's clock stands still
    nothing = fal.find(IMAGE, since)
    assert (nothing.matches, nothing.exhaustive) == ((), False)
    slow.advance(100)
    fal._http.seen = replace(fal._http.seen, ahead=timedelta())
    found = fal.find(IMAGE, since)
    assert [match.handle.request_id for match in found.matches] == [slow.jobs()[1].id]
    assert not found.exhaustive
    assert isinstance(fal.poll(found.matches[0].handle), Succeeded)
    assert len(slow.charges()) == 2


def test_a_listing_is_read_to_its_end(sandbox: Sandbox, fal: FalProvider, finish: Finish) -> None:
    """Ours may be on a later page, behind 120 others; one that is listed twice is one."""
    since = datetime.now(UTC)
    with ThreadPoolExecutor(16) as pool:
        sandbox.script(once("submit", do.CompletedTwice()))
        ours = fal.submit(IMAGE, "key")
        finish(fal, ours)
        others = [WireRequest(NANO, {"prompt": f"cat {number}"}) for number in range(120)]
        for handle in pool.map(lambda wire: fal.submit(wire, "key"), others):
            finish(fal, handle)
    found = fal.find(IMAGE, since)
    assert [match.handle.request_id for match in found.matches] == [ours.request_id]
    assert sandbox.counts()["fal.list"] == 2


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_clock_that_is_an_hour_wrong_hides_nothing(
    sandbox: Sandbox, make_fal: MakeFal, finish: Finish, skew: float
) -> None:
    """The window is on the vendor's clock, also in a process that has not spoken to it before."""
    sandbox.script(do.ClockSkew(seconds=skew))
    since = datetime.now(UTC)
    first = make_fal(sandbox)
    handle = first.submit(IMAGE, "key")
    finish(first, handle)
    for fal in (first, make_fal(sandbox)):
        found = fal.find(IMAGE, since)
        assert [match.handle.request_id for match in found.matches] == [handle.request_id]


def test_yesterdays_request_is_not_todays(make_fal: MakeFal, finish: Finish) -> None:
    """An equal request that was sent long before ours is somebody else's."""
    clock = Clock()
    with Sandbox(Settings(image_seconds=0.0, look="plain", image_px=64), clock=clock) as sandbox:
        fal = make_fal(sandbox)
        finish(fal, fal.submit(IMAGE, "key"))
        clock.advance(3600)
        fal.submit(IMAGE, "key")
        found = fal.find(IMAGE, datetime.now(UTC))
        assert [match.handle.request_id for match in found.matches] == [sandbox.jobs()[1].id]


ROW: dict[str, Json] = {
    "request_id": "r1",
    "sent_at": "2026-11-21T10:00:00Z",
    "json_input": {"prompt": "a cat"},
}


@pytest.mark.parametrize(
    ("rows", "matches"),
    [
        ([ROW], 1),
        ([ROW | {"json_input": {"prompt": "a cat", "seed": 1}}], 0),
        ([ROW | {"json_input": None}], 0),
        ([ROW | {"sent_at": "2026-11-21T09:00:00Z"}], 0),  # ended in our window, but sent before it
        ([ROW | {"sent_at": None}], 0),
        ([ROW | {"request_id": None}], 0),
        (["words", None, ROW], 1),
        ("no list", 0),
        (None, 0),
    ],
)
def test_rows_that_cannot_be_read_are_skipped(
    told: Callable[..., FalProvider], rows: Json, matches: int
) -> None:
    """A listing of unknown shape is no error: the job stays in doubt."""
    fal = told((200, {"items": []}), (200, {"items": rows, "next_cursor": None}))
    found = fal.find(IMAGE, datetime(2026, 11, 21, 9, 59, tzinfo=UTC))
    assert (len(found.matches), found.exhaustive) == (matches, False)


def test_a_key_that_may_not_list_finds_nothing(sandbox: Sandbox, fal: FalProvider) -> None:
    """The job stays in doubt; the run does not fail for it. A gateway's trouble is told as such."""
    sandbox.script(once("list", do.Status(code=403), times=9))
    assert fal.find(IMAGE, datetime.now(UTC)).matches == ()
    sandbox.script(once("list", do.Status(code=500), times=9))
    with pytest.raises(ProviderUnavailable):
        fal.find(IMAGE, datetime.now(UTC))


# ---- uploads that fail, keys that leak ---------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [do.Status(code=500), do.Status(code=429), do.Drop(), do.Html(), do.Truncate(), do.Empty(), do.Reset()],
    ids=repr,
)
@pytest.mark.parametrize("route", ["upload", "token"])
def test_an_upload_that_fails_may_be_tried_again(
    sandbox: Sandbox,
    fal: FalProvider,
    picture: tuple[Artifact, Path],
    route: Route,
    action: do.AnyAction,
) -> None:
    """One attempt, temporary; the next one works."""
    sandbox.script(once(route, action))
    with pytest.raises(ProviderUnavailable):
        fal.upload(*picture)
    assert sandbox.counts()[f"fal.{route}"] == 1
    assert fal.upload(*picture).url


def test_a_wrong_key_is_exit_4_everywhere(
    sandbox: Sandbox, tmp_path: Path, picture: tuple[Artifact, Path], fal: FalProvider
) -> None:
    """Submit, poll, upload: refused, and the key is in none of the messages."""
    handle = fal.submit(IMAGE, "key")
    environ = sandbox.environ() | {"FAL_KEY": "wrong-canary:secret-canary"}
    wrong = FalProvider(Surroundings(environ, tmp_path, lambda sha: tmp_path))
    errors: list[AicpError] = []
    for call in (
        lambda: wrong.submit(IMAGE, "key"),
        lambda: wrong.poll(handle),
        lambda: wrong.upload(*picture),
        lambda: wrong.cancel(handle),
    ):
        with pytest.raises(AicpError) as error:
            call()
        errors.append(getattr(error.value, "cause", error.value))
    wrong.close()
    assert [error.exit_code for error in errors] == [4, 4, 4, 4]
    assert not any("canary" in f"{error.message} {error.hint} {error!r}" for error in errors)


def test_the_key_is_fals_alone(
    sandbox: Sandbox, fal: FalProvider, finish: Finish, tmp_path: Path, picture: tuple[Artifact, Path]
) -> None:
    """Uploading, making and downloading: no file host sees a key, and no object shows one."""
    upload = fal.upload(*picture)
    wire = WireRequest(KLING, {"prompt": "x", "start_image_url": upload.url})
    fetched(finish(fal, fal.submit(wire, "key")), sandbox, tmp_path / "a")
    assert sandbox.leaks() == ()
    assert "canary" not in repr(fal) + repr(vars(fal)) + repr(fal._client)


def test_a_saved_login_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key in the given environment there is no provider, whatever else this machine holds."""
    home = tmp_path / "fal"
    home.mkdir()
    (home / "auth0_token").write_text("a login")
    monkeypatch.setenv("FAL_HOME_DIR", str(home))
    monkeypatch.setenv("FAL_KEY", "of this process")
    with pytest.raises(ConfigurationError, match="FAL_KEY is not set"):
        FalProvider(Surroundings({}, tmp_path, lambda sha: tmp_path))


def test_urls_of_strangers_are_replaced(sandbox: Sandbox, fal: FalProvider) -> None:
    """An acceptance that sends our next requests, and so our key, elsewhere is not followed."""
    given = {"status_url": "https://evil.example/s", "response_url": "http://169.254.169.254/"}
    handle = fal._handle(NANO, "r1", given)  # type: ignore[arg-type]
    base = f"{sandbox.url}/fal-ai/nano-banana-pro/requests/r1"
    assert handle.data == {
        "endpoint": NANO,
        "status_url": f"{base}/status",
        "response_url": base,
        "cancel_url": f"{base}/cancel",
    }


def test_a_job_of_another_place_is_not_asked_for_here(
    sandbox: Sandbox, make_fal: MakeFal, tmp_path: Path
) -> None:
    """A job that was made at fal is not declared gone by a sandbox, nor is fal's key sent to one."""
    environ = {"FAL_KEY": "id:real-canary"}
    real = FalProvider(Surroundings(environ, tmp_path, lambda sha: tmp_path))
    handle = real._handle(NANO, "r1", {})
    real.close()
    assert urlsplit(str(handle.data["status_url"])).netloc == "queue.fal.run"
    with pytest.raises(ConfigurationError, match=r"queue\.fal\.run is not fal's"):
        make_fal(sandbox).poll(handle)


# ---- what is sent -----------------------------------------------------------------------------------


def test_what_no_model_can_be_called_is_refused() -> None:
    """Before anything is sent: an endpoint is part of a URL."""
    allowed = ["fal-ai/flux/dev", "workflows/me/mine", "comfy/me/mine/x", "owner/model", "Fal-ai/x_1.2"]
    refused = [
        "flux",
        "a//b",
        "../x",
        "a/../b",
        "a/b?x=1",
        "a/b#c",
        "a b/c",
        "workflows/me",
        "/a/b",
        "a/b/",
        "é/b",
    ]
    provider = FalProvider(Surroundings({"FAL_KEY": "id:secret"}, Path(), lambda sha: Path()))
    counted: Counter[str] = Counter()
    for endpoint in (*allowed, *refused):
        model = Model(endpoint, "fal", endpoint, Task.TEXT_TO_IMAGE)
        try:
            provider.wire(JobRequest(model, "x", {}, {}), {}, None)
            counted["wired"] += 1
            assert endpoint in allowed
            assert provider._handle(endpoint, "r1", {}).request_id == "r1"
        except UsageError:
            assert endpoint in refused
    provider.close()
    assert counted["wired"] == len(allowed)


def test_the_wire_is_pure(fal: FalProvider, sandbox: Sandbox) -> None:
    """The same request makes the same JSON, and nothing is sent for it."""
    model = Model("nano", "fal", NANO, Task.TEXT_TO_IMAGE, {Role.REFERENCE: InputField("image_urls", True)})
    request = JobRequest(model, "x", {"aspect_ratio": "16:9"}, {})
    uploads = {Role.REFERENCE: (Upload("https://v3.fal.media/a"),)}
    assert fal.wire(request, uploads, 5) == fal.wire(request, uploads, 5)
    assert sandbox.counts() == {}

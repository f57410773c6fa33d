"""Replicate through the sandbox: every law of docs/providers/replicate.md, with the charges counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
    WireRequest,
)
from ai_content_pipeline.media.download import download
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.providers.connections import Connections
from ai_content_pipeline.providers.protocol import Provider, Surroundings
from ai_content_pipeline.providers.replicate import ReplicateProvider
from ai_content_pipeline.sandbox import Clock, Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox import actions as do
from ai_content_pipeline.sandbox.faults import Route

NANO = "google/nano-banana"
SEEDANCE = "bytedance/seedance-1-lite"
VERSION = "a" * 64
IMAGE = WireRequest(NANO, {"prompt": "a cat"})
Finish = Callable[[Provider, Handle], JobStatus]
MakeRep = Callable[..., ReplicateProvider]


def once(route: Route, action: do.AnyAction, times: int = 1) -> Rule:
    return Rule(match=Match(vendor="replicate", route=(route,), times=times), action=action)


def fetched(status: JobStatus, sandbox: Sandbox, path: Path) -> Kind:
    assert isinstance(status, Succeeded)
    assert status.outputs[0].url
    download(status.outputs[0].url, path, allow=HostRule.of(sandbox.url))
    return verify(path).kind


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[..., ReplicateProvider]]:
    """A provider whose vendor answers each request with the next of the given (status, JSON)."""
    made: list[ReplicateProvider] = []

    def make(*answers: tuple[int, Json]) -> ReplicateProvider:
        left = iter(answers)

        class Scripted(Connections):
            def exchange(self, *_: object) -> httpx.Response:
                status, body = next(left)
                return httpx.Response(status, json=body)

        provider = ReplicateProvider(
            Surroundings({"REPLICATE_API_TOKEN": "r8_canary-token"}, tmp_path, lambda sha: tmp_path)
        )
        provider._http._pool = provider._http._fresh = Scripted(None, keep=True)
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.close()


# ---- when all goes well -----------------------------------------------------------------------------


def test_a_picture(sandbox: Sandbox, rep: ReplicateProvider, finish: Finish, tmp_path: Path) -> None:
    """One submit is one charge; its file decodes, and is there for an hour."""
    done = finish(rep, rep.submit(IMAGE, "key"))
    assert isinstance(done, Succeeded)
    assert fetched(done, sandbox, tmp_path / "a") is Kind.IMAGE
    assert done.expires is not None
    assert timedelta(minutes=58) < done.expires - datetime.now(UTC) < timedelta(minutes=62)
    assert len(sandbox.charges()) == 1


def test_a_clip_from_an_uploaded_picture(
    sandbox: Sandbox, rep: ReplicateProvider, finish: Finish, tmp_path: Path, picture: tuple[Artifact, Path]
) -> None:
    """The upload's URL goes under the model's own field name, and the model can read it."""
    upload = rep.upload(*picture)
    assert upload.expires is not None
    assert timedelta(hours=23) < upload.expires - datetime.now(UTC) < timedelta(hours=24)
    model = Model("seedance", "replicate", SEEDANCE, Task.IMAGE_TO_VIDEO, {Role.START: InputField("image")})
    wire = rep.wire(JobRequest(model, "steam", {"duration": 5}, {}), {Role.START: (upload,)}, None)
    assert wire.payload == {"prompt": "steam", "duration": 5, "image": upload.url}
    assert fetched(finish(rep, rep.submit(wire, "key")), sandbox, tmp_path / "a") is Kind.VIDEO
    assert len(sandbox.charges()) == 1


def test_an_output_that_is_a_list(sandbox: Sandbox, rep: ReplicateProvider, finish: Finish) -> None:
    """Several files in their order."""
    wire = WireRequest("black-forest-labs/flux-schnell", {"prompt": "x", "num_outputs": 3})
    done = finish(rep, rep.submit(wire, "key"))
    assert isinstance(done, Succeeded)
    assert [str(output.url)[-9:] for output in done.outputs] == ["out-0.png", "out-1.png", "out-2.png"]


def test_a_version_is_asked_for_by_its_id(sandbox: Sandbox, rep: ReplicateProvider, finish: Finish) -> None:
    """owner/model:version goes to the predictions API itself."""
    handle = rep.submit(WireRequest(f"someone/thing:{VERSION}", {"prompt": "x"}), "key")
    assert isinstance(finish(rep, handle), Succeeded)
    assert len(sandbox.jobs()) == 1


def test_progress_is_reported(slow: Sandbox, make_rep: MakeRep) -> None:
    """Waiting, then the percentage and the last line of the log."""
    rep = make_rep(slow)
    handle = rep.submit(IMAGE, "key")
    assert rep.poll(handle) == Queued()
    slow.advance(55)
    assert rep.poll(handle) == Running(0.4, "40%|#### | 8/20")
    slow.advance(45)
    assert isinstance(rep.poll(handle), Succeeded)


def test_a_handle_works_in_another_process(sandbox: Sandbox, make_rep: MakeRep, finish: Finish) -> None:
    """All that is needed to ask again is in it, as JSON."""
    handle = make_rep(sandbox).submit(IMAGE, "key")
    data = json.loads(json.dumps(dict(handle.data)))
    assert isinstance(finish(make_rep(sandbox), Handle(handle.request_id, data)), Succeeded)


def test_many_threads_share_one_provider(sandbox: Sandbox, make_rep: MakeRep, finish: Finish) -> None:
    """64 submits and polls at once: 64 jobs, 64 ids, 64 charges."""
    rep = make_rep(sandbox)

    def one(number: int) -> tuple[str, JobStatus]:
        handle = rep.submit(WireRequest(NANO, {"prompt": f"cat {number}"}), "key")
        return handle.request_id, finish(rep, handle)

    with ThreadPoolExecutor(64) as pool:
        results = list(pool.map(one, range(64)))
    assert len({prediction_id for prediction_id, _ in results}) == 64
    assert all(isinstance(status, Succeeded) for _, status in results)
    assert len(sandbox.charges()) == len(sandbox.jobs()) == 64


# ---- one POST ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "jobs"),
    [
        (do.Drop(), 1),
        (do.Truncate(), 1),
        (do.Cut(), 1),
        (do.Empty(), 1),
        (do.Html(), 1),
        (do.Hang(seconds=2), 1),  # the client would wait for ever
        (do.Drip(chunk=1, pause=0.05), 1),
        (do.Reset(), 0),
        (do.Status(code=408), 0),
        (do.Status(code=409), 0),
        (do.Status(code=500, body="json_string"), 0),
        (do.Status(code=502, body="nginx"), 0),
        (do.Status(code=503, retry_after=1), 0),
        (do.Status(code=504), 0),
        (do.Redirect(url="/v1/elsewhere"), 1),
    ],
    ids=repr,
)
def test_a_lost_answer_is_in_doubt_and_costs_once(
    sandbox: Sandbox, hasty_rep: ReplicateProvider, action: do.AnyAction, jobs: int
) -> None:
    """Exactly one POST leaves; whether there is a job is not guessed (exit 8)."""
    sandbox.script(once("submit", action, times=99))
    with pytest.raises(OutcomeUnknown) as error:
        hasty_rep.submit(IMAGE, "key")
    assert error.value.exit_code == 8
    assert sandbox.counts()["replicate.submit"] == 1
    assert len(sandbox.jobs()) == jobs


@pytest.mark.parametrize(("status", "code"), [(400, 1), (401, 4), (402, 4), (403, 4), (404, 1), (422, 1)])
def test_a_refusal_is_no_job(sandbox: Sandbox, rep: ReplicateProvider, status: int, code: int) -> None:
    """Refused before acceptance, for good: no job, no charge, the exit code that fits."""
    sandbox.script(once("submit", do.Status(code=status), times=99))
    with pytest.raises(NotAccepted) as error:
        rep.submit(IMAGE, "key")
    assert error.value.cause.exit_code == code
    assert not error.value.temporary
    assert sandbox.jobs() == ()


def test_a_wrong_input_is_named(sandbox: Sandbox, rep: ReplicateProvider) -> None:
    """Replicate checks inputs before it accepts: the user reads which field is wrong."""
    with pytest.raises(NotAccepted, match="resolution") as error:
        rep.submit(WireRequest(SEEDANCE, {"prompt": "x", "resolution": "9K"}), "key")
    assert error.value.message.isprintable()
    assert sandbox.jobs() == ()


@pytest.mark.parametrize(("after", "seconds"), [(None, None), (7, 7.0), ("1000000000", 3600.0)])
def test_a_rate_limit_may_be_sent_again(
    sandbox: Sandbox, rep: ReplicateProvider, after: int | str | None, seconds: float | None
) -> None:
    """429 is no job, and says when to come back."""
    sandbox.script(once("submit", do.Status(code=429, retry_after=after), times=99))
    with pytest.raises(NotAccepted, match="throttled") as error:
        rep.submit(IMAGE, "key")
    assert error.value.temporary
    assert error.value.retry_after == seconds
    assert sandbox.counts()["replicate.submit"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "p1", "model": "a/b", "version": "v", "status": "aborted"},
        {"id": "p1", "model": "a/b", "version": "v", "status": "a new word"},
        {"id": "p1", "status": "starting"},
        {"id": "p1"},
    ],
)
def test_an_acceptance_that_the_client_cannot_read_is_kept(
    told: Callable[..., ReplicateProvider], answer: Json
) -> None:
    """The official client raises on each of these, after the job was created and is paid for."""
    assert told((201, answer)).submit(IMAGE, "key").request_id == "p1"


@pytest.mark.parametrize("answer", [{}, {"status": "starting"}, {"id": 5}, {"id": None}, [], "p1", None])
def test_an_acceptance_without_an_id_is_unknown(told: Callable[..., ReplicateProvider], answer: Json) -> None:
    """There is a job, and its name is not known."""
    with pytest.raises(OutcomeUnknown):
        told((201, answer)).submit(IMAGE, "key")


# ---- polling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        do.Status(code=429, retry_after=1000),  # the client would sleep as long as it is told
        do.Status(code=500),
        do.Status(code=500, body="json_string"),  # the client would crash
        do.Status(code=502, body="nginx"),
        do.Status(code=503, body="empty"),
        do.Status(code=504),
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
def test_trouble_while_polling_loses_no_job(
    sandbox: Sandbox,
    rep: ReplicateProvider,
    hasty_rep: ReplicateProvider,
    finish: Finish,
    action: do.AnyAction,
) -> None:
    """One attempt, told as temporary; the next poll goes on, and nothing is paid again."""
    handle = rep.submit(IMAGE, "key")
    finish(rep, handle)
    sandbox.script(once("result", action))
    before = sandbox.counts().get("replicate.result", 0)
    with pytest.raises(ProviderUnavailable):
        hasty_rep.poll(handle)
    assert sandbox.counts()["replicate.result"] == before + 1
    assert isinstance(rep.poll(handle), Succeeded)
    assert len(sandbox.charges()) == 1


def test_an_unknown_status_is_a_job_that_runs(slow: Sandbox, make_rep: MakeRep) -> None:
    """A new word of the vendor's is shown, and waited through."""
    slow.script(once("submit", do.UnknownStatus(word="WARMING_UP", polls=2)))
    rep = make_rep(slow)
    handle = rep.submit(IMAGE, "key")
    assert rep.poll(handle) == Running(message="replicate says WARMING_UP")
    slow.advance(100)
    assert isinstance(rep.poll(handle), Running)
    assert isinstance(rep.poll(handle), Succeeded)


def test_a_status_that_goes_backwards_or_ends_twice(
    sandbox: Sandbox, rep: ReplicateProvider, finish: Finish
) -> None:
    """It ends all the same, with one charge each."""
    for action in (do.Backwards(), do.CompletedTwice()):
        sandbox.script(once("submit", action))
        handle = rep.submit(IMAGE, "key")
        assert isinstance(finish(rep, handle), Succeeded)
        later = [rep.poll(handle) for _ in range(3)]
        assert isinstance(later[-1], Succeeded)
    assert len(sandbox.charges()) == 2


@pytest.mark.parametrize(
    ("action", "reason", "billed"),
    [
        (do.Reject(), Reason.CONTENT, Billed.UNKNOWN),
        (do.Reject(billed=True), Reason.CONTENT, Billed.UNKNOWN),
        (do.Fail(), Reason.PROVIDER, Billed.UNKNOWN),
        (do.Aborted(), Reason.CANCELLED, Billed.NO),
    ],
    ids=repr,
)
def test_how_a_prediction_fails(
    sandbox: Sandbox,
    rep: ReplicateProvider,
    finish: Finish,
    action: do.AnyAction,
    reason: Reason,
    billed: Billed,
) -> None:
    """The reason, the vendor's words, and what is known of the bill: the client crashes on `aborted`."""
    sandbox.script(once("submit", action))
    failed = finish(rep, rep.submit(IMAGE, "key"))
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.billed) == (reason, billed)
    assert not (failed.billed is Billed.NO and sandbox.charges())
    assert failed.message


def test_a_cancelled_prediction_was_billed(slow: Sandbox, make_rep: MakeRep) -> None:
    """Replicate bills what ran until it was stopped."""
    rep = make_rep(slow)
    handle = rep.submit(IMAGE, "key")
    slow.advance(50)
    assert rep.cancel(handle) is CancelAnswer.CANCELLED
    failed = rep.poll(handle)
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.billed) == (Reason.CANCELLED, Billed.YES)
    assert len(slow.charges()) == 1


def test_an_expired_upload_is_a_failure(
    sandbox: Sandbox, rep: ReplicateProvider, finish: Finish, picture: tuple[Artifact, Path]
) -> None:
    """The model says that it cannot read its input; nothing is uploaded or sent by itself."""
    sandbox.script(once("upload", do.ExpireUpload()))
    upload = rep.upload(*picture)
    failed = finish(rep, rep.submit(WireRequest(SEEDANCE, {"prompt": "x", "image": upload.url}), "key"))
    assert isinstance(failed, Failed)
    assert "Not Found" in failed.message


def test_what_replicate_deleted_is_gone(slow: Sandbox, make_rep: MakeRep) -> None:
    """After an hour, at once (a fault), and a prediction that it does not know."""
    rep = make_rep(slow)
    handle = rep.submit(IMAGE, "key")
    slow.advance(100)
    assert isinstance(rep.poll(handle), Succeeded)
    slow.advance(3601)
    assert isinstance(rep.poll(handle), Gone)
    assert isinstance(rep.poll(Handle("unknown", handle.data)), Gone)
    slow.script(once("submit", do.Gone(what="result")))
    handle = rep.submit(IMAGE, "key")
    slow.advance(100)
    assert isinstance(rep.poll(handle), Gone)


def test_no_output_is_gone_only_when_it_was_deleted(told: Callable[..., ReplicateProvider]) -> None:
    """Deleted: it says so, or its hour is over. Before that, nothing is what the model made."""
    handle = Handle("p1", {"base": "https://api.replicate.com"})
    ended = [(datetime.now(UTC) - timedelta(minutes=minutes)).isoformat() for minutes in (59, 61)]
    rep = told(
        (200, {"status": "succeeded", "output": [], "data_removed": True}),
        (200, {"status": "succeeded", "output": None, "completed_at": ended[1]}),
        (200, {"status": "succeeded", "output": None, "completed_at": ended[0]}),
        (200, {"status": "succeeded", "output": None}),
        (200, {"status": "succeeded", "output": []}),
    )
    for _ in range(2):
        assert isinstance(rep.poll(handle), Gone)
    for _ in range(3):
        status = rep.poll(handle)
        assert isinstance(status, Succeeded)
        assert status.outputs == ()


def test_a_record_without_its_place_is_gone(told: Callable[..., ReplicateProvider]) -> None:
    """A handle that does not say where the prediction was made is no crash, and nobody is asked."""
    rep = told()
    for data in ({}, {"base": None}, {"endpoint": "a/b"}):
        assert isinstance(rep.poll(Handle("p1", data)), Gone)
        assert rep.cancel(Handle("p1", data)) is CancelAnswer.UNKNOWN_JOB


def test_an_id_is_no_path(told: Callable[..., ReplicateProvider]) -> None:
    """A strange id asks for a strange prediction, and not for another part of the API."""
    seen: list[str] = []
    rep = told()

    class Notes(Connections):
        def exchange(self, origin: str, line: tuple[str, str], *_: object) -> httpx.Response:
            seen.append(line[1])
            return httpx.Response(200, json={"status": "starting"})

    rep._http._pool = Notes(None, keep=True)
    rep.poll(Handle("../account?x=/y", {"base": "https://api.replicate.com"}))
    assert seen == ["/v1/predictions/..%2Faccount%3Fx%3D%2Fy"]


# ---- cancelling -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (None, CancelAnswer.CANCELLED),
        (do.Cancel(answer="ignored"), CancelAnswer.REQUESTED),
        (do.Cancel(answer="not_found"), CancelAnswer.UNKNOWN_JOB),
        (do.Cancel(answer="forgotten"), CancelAnswer.CANCELLED),
    ],
    ids=repr,
)
def test_what_replicate_answers_to_a_cancel(
    slow: Sandbox, make_rep: MakeRep, action: do.Cancel | None, answer: CancelAnswer
) -> None:
    """The prediction comes back as it is now."""
    rep = make_rep(slow)
    handle = rep.submit(IMAGE, "key")
    if action is not None:
        slow.script(once("cancel", action))
    assert rep.cancel(handle) is answer


def test_a_late_cancel_leaves_the_result(sandbox: Sandbox, rep: ReplicateProvider, finish: Finish) -> None:
    """Finished already: too late, and it can be collected."""
    handle = rep.submit(IMAGE, "key")
    finish(rep, handle)
    assert rep.cancel(handle) is CancelAnswer.TOO_LATE
    assert isinstance(rep.poll(handle), Succeeded)


def test_a_cancel_that_fails_says_so(sandbox: Sandbox, rep: ReplicateProvider) -> None:
    """A gateway's 500, a dropped connection and a wrong key are no answers."""
    handle = rep.submit(IMAGE, "key")
    for action in (do.Status(code=500), do.Drop()):
        sandbox.script(once("cancel", action))
        with pytest.raises(ProviderUnavailable):
            rep.cancel(handle)
    sandbox.script(once("cancel", do.Status(code=401)))
    with pytest.raises(ConfigurationError):
        rep.cancel(handle)


# ---- the listing ------------------------------------------------------------------------------------


def test_a_lost_prediction_is_found_while_it_runs(
    sandbox: Sandbox, make_rep: MakeRep, finish: Finish
) -> None:
    """Accepted and the answer lost: exactly it, among others, by a process that starts afterwards."""
    since = datetime.now(UTC)
    first = make_rep(sandbox)
    first.submit(WireRequest(NANO, {"prompt": "another"}), "key")
    first.submit(WireRequest(SEEDANCE, {"prompt": "a cat"}), "key")
    sandbox.script(once("submit", do.Drop()))
    with pytest.raises(OutcomeUnknown):
        first.submit(IMAGE, "key")
    sandbox.script()
    for _ in range(4):  # pages of two
        first.submit(WireRequest(NANO, {"prompt": "later"}), "key")
    rep = make_rep(sandbox)
    found = rep.find(IMAGE, since)
    assert [match.handle.request_id for match in found.matches] == [sandbox.jobs()[2].id]
    assert found.exhaustive
    assert isinstance(finish(rep, found.matches[0].handle), Succeeded)
    assert len(sandbox.jobs()) == 7


def test_absence_is_proved_by_a_full_look(sandbox: Sandbox, rep: ReplicateProvider) -> None:
    """A reset before acceptance: the listing shows others, not ours, and says so for sure."""
    since = datetime.now(UTC)
    for number in range(5):
        rep.submit(WireRequest(NANO, {"prompt": f"cat {number}"}), "key")
    sandbox.script(once("submit", do.Reset()))
    with pytest.raises(OutcomeUnknown):
        rep.submit(IMAGE, "key")
    found = rep.find(IMAGE, since)
    assert (found.matches, found.exhaustive) == ((), True)
    assert sandbox.counts()["replicate.list"] == 3


def test_twins_are_both_seen_and_doubles_once(sandbox: Sandbox, rep: ReplicateProvider) -> None:
    """Two equal predictions are two; one that is listed twice is one."""
    since = datetime.now(UTC)
    sandbox.script(once("submit", do.CompletedTwice()))
    ids = {rep.submit(IMAGE, "key").request_id for _ in range(2)}
    assert {match.handle.request_id for match in rep.find(IMAGE, since).matches} == ids
    assert len(rep.find(IMAGE, since).matches) == 2


def test_a_version_is_not_its_model(sandbox: Sandbox, rep: ReplicateProvider) -> None:
    """The same input to another version is another prediction."""
    since = datetime.now(UTC)
    wire = WireRequest(f"someone/thing:{VERSION}", {"prompt": "x"})
    ours = rep.submit(wire, "key")
    rep.submit(WireRequest(f"someone/thing:{'b' * 64}", {"prompt": "x"}), "key")
    assert [match.handle.request_id for match in rep.find(wire, since).matches] == [ours.request_id]


def test_numbers_are_compared_by_value(sandbox: Sandbox, rep: ReplicateProvider) -> None:
    """A vendor that lists 5.0 where 5 was sent lists our prediction; "5" would be another."""
    since = datetime.now(UTC)
    rep.submit(WireRequest(SEEDANCE, {"prompt": "x", "duration": 5}), "key")
    assert len(rep.find(WireRequest(SEEDANCE, {"prompt": "x", "duration": 5.0}), since).matches) == 1
    assert len(rep.find(WireRequest(SEEDANCE, {"prompt": "x", "duration": "5"}), since).matches) == 0


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_clock_that_is_an_hour_wrong_hides_nothing(
    sandbox: Sandbox, make_rep: MakeRep, finish: Finish, skew: float
) -> None:
    """The window is on the vendor's clock, and its times are told on ours."""
    sandbox.script(do.ClockSkew(seconds=skew))
    since = datetime.now(UTC)
    first = make_rep(sandbox)
    handle = first.submit(IMAGE, "key")
    done = finish(first, handle)
    assert isinstance(done, Succeeded)
    assert done.expires is not None
    assert abs(done.expires - since - timedelta(hours=1)) < timedelta(seconds=30)
    for rep in (first, make_rep(sandbox)):
        found = rep.find(IMAGE, since)
        assert [match.handle.request_id for match in found.matches] == [handle.request_id]
        assert found.exhaustive


def test_old_predictions_are_neither_matches_nor_pages(make_rep: MakeRep) -> None:
    """What lies before our window is not read, and an equal one of long ago is somebody else's."""
    clock = Clock()
    settings = Settings(image_seconds=0.0, look="plain", image_px=64, page_size=2)
    with Sandbox(settings, clock=clock) as sandbox:
        for _ in range(6):
            make_rep(sandbox).submit(IMAGE, "key")
        clock.advance(2000)  # of the vendor's clock; a new process learns by how much it is ahead
        rep, since = make_rep(sandbox), datetime.now(UTC)
        ours = rep.submit(IMAGE, "key")
        found = rep.find(IMAGE, since)
        assert [match.handle.request_id for match in found.matches] == [ours.request_id]
        assert sandbox.counts()["replicate.list"] == 1


ROW: dict[str, Json] = {
    "id": "p1",
    "model": NANO,
    "version": "hidden",
    "created_at": "2026-11-21T10:00:00Z",
    "input": {"prompt": "a cat"},
}
ACCOUNT: tuple[int, Json] = (200, {"type": "user"})


@pytest.mark.parametrize(
    ("rows", "matches", "exhaustive"),
    [
        ([ROW], 1, True),
        ([], 0, True),
        ([ROW | {"input": {"prompt": "b"}}], 0, True),
        ([ROW | {"model": "other/model", "input": None}], 0, True),
        ([ROW | {"input": {}, "data_removed": True}], 0, False),  # an hour later nobody can tell
        ([ROW | {"input": None}], 0, False),
        ([ROW | {"created_at": None}], 0, False),
        ([ROW | {"model": None}], 0, False),
        ([ROW | {"id": 5}], 0, False),
        (["a row of words", ROW], 1, False),
        ([None], 0, False),
        ([ROW, ROW | {"id": "p2", "created_at": "2026-11-21T09:00:00Z", "input": None}], 1, True),
        ("no list", 0, False),
        (None, 0, False),
    ],
)
def test_rows_that_cannot_be_read_prove_nothing(
    told: Callable[..., ReplicateProvider], rows: Json, matches: int, exhaustive: bool
) -> None:
    """They are skipped and are not fatal, but then absence is not sure."""
    rep = told(ACCOUNT, (200, {"next": None, "results": rows}))
    found = rep.find(IMAGE, datetime(2026, 11, 21, 9, 59, tzinfo=UTC))
    assert (len(found.matches), found.exhaustive) == (matches, exhaustive)


def test_a_clock_that_was_set_back_proves_nothing(told: Callable[..., ReplicateProvider]) -> None:
    """A request that we sent "in the future" was sent by a wrong clock: how wrong, nobody knows."""
    rep = told(ACCOUNT, (200, {"next": None, "results": []}))
    assert not rep.find(IMAGE, datetime.now(UTC) + timedelta(minutes=30)).exhaustive


def test_a_listing_without_an_end_proves_nothing(told: Callable[..., ReplicateProvider]) -> None:
    """Page after page of others: read for a while, and not believed to be all."""
    row = ROW | {"input": {"prompt": "b"}}
    page: tuple[int, Json] = (
        200,
        {"next": "https://api.replicate.com/v1/predictions?cursor=x", "results": [row]},
    )
    rep = told(ACCOUNT, *[page] * 200)
    assert not rep.find(IMAGE, datetime(2026, 11, 21, 9, 59, tzinfo=UTC)).exhaustive


def test_a_next_page_elsewhere_is_not_fetched(told: Callable[..., ReplicateProvider]) -> None:
    """The listing names its next page by its whole address: the token does not go to a stranger's."""
    rep = told(ACCOUNT, (200, {"next": "https://evil.example/v1/predictions", "results": []}))
    with pytest.raises(ConfigurationError, match=r"evil\.example"):
        rep.find(IMAGE, datetime(2026, 11, 21, 9, 59, tzinfo=UTC))


# ---- uploads that fail, tokens that leak -------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        do.Status(code=500),
        do.Status(code=429, retry_after=99),
        do.Drop(),
        do.Html(),
        do.Truncate(),
        do.Reset(),
    ],
    ids=repr,
)
def test_an_upload_that_fails_may_be_tried_again(
    sandbox: Sandbox, rep: ReplicateProvider, picture: tuple[Artifact, Path], action: do.AnyAction
) -> None:
    """One attempt, temporary; the next one works."""
    sandbox.script(once("upload", action))
    with pytest.raises(ProviderUnavailable):
        rep.upload(*picture)
    assert sandbox.counts()["replicate.upload"] == 1
    assert rep.upload(*picture).url


def test_an_upload_answer_needs_an_address_only(
    told: Callable[..., ReplicateProvider], picture: tuple[Artifact, Path]
) -> None:
    """The official client refuses an answer without `name` and `etag`; an hour is a safe life."""
    urls: Json = {"urls": {"get": "https://api.replicate.com/v1/files/f1"}}
    upload = told((201, urls)).upload(*picture)
    assert upload.url == "https://api.replicate.com/v1/files/f1"
    assert upload.expires is not None
    assert upload.expires - datetime.now(UTC) < timedelta(hours=1)
    for wrong in ({}, {"urls": "x"}, {"urls": {}}):
        with pytest.raises(ProviderUnavailable):
            told((201, wrong)).upload(*picture)


def test_a_wrong_token_is_exit_4_everywhere(
    sandbox: Sandbox, tmp_path: Path, rep: ReplicateProvider, picture: tuple[Artifact, Path]
) -> None:
    """Submit, poll, upload, cancel, find: refused, and the token is in none of the messages."""
    handle = rep.submit(IMAGE, "key")
    environ = sandbox.environ() | {"REPLICATE_API_TOKEN": "r8_wrong-canary"}
    wrong = ReplicateProvider(Surroundings(environ, tmp_path, lambda sha: tmp_path))
    errors: list[AicpError] = []
    calls: list[Callable[[], object]] = [
        lambda: wrong.submit(IMAGE, "key"),
        lambda: wrong.poll(handle),
        lambda: wrong.upload(*picture),
        lambda: wrong.cancel(handle),
        lambda: wrong.find(IMAGE, datetime.now(UTC)),
    ]
    for call in calls:
        with pytest.raises(AicpError) as error:
            call()
        errors.append(getattr(error.value, "cause", error.value))
    wrong.close()
    assert [error.exit_code for error in errors] == [4, 4, 4, 4, 4]
    assert not any("canary" in f"{error.message} {error.hint} {error!r}" for error in errors)


def test_the_token_is_replicates_alone(
    sandbox: Sandbox, rep: ReplicateProvider, finish: Finish, tmp_path: Path, picture: tuple[Artifact, Path]
) -> None:
    """Uploading, making and downloading: no file host sees it, and no object shows it."""
    upload = rep.upload(*picture)
    handle = rep.submit(WireRequest(SEEDANCE, {"prompt": "x", "image": upload.url}), "key")
    fetched(finish(rep, handle), sandbox, tmp_path / "a")
    assert sandbox.leaks() == ()
    assert "canary" not in repr(rep) + repr(vars(rep))


def test_a_token_of_this_process_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the given environment counts: exit 4 without a token there."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "of this process")
    with pytest.raises(ConfigurationError, match="REPLICATE_API_TOKEN is not set"):
        ReplicateProvider(Surroundings({}, tmp_path, lambda sha: tmp_path))


def test_a_job_of_another_place_is_not_asked_for_here(
    sandbox: Sandbox, rep: ReplicateProvider, told: Callable[..., ReplicateProvider]
) -> None:
    """A prediction that was made at Replicate is not declared gone by a sandbox, nor the other way."""
    real = told((201, {"id": "p1"})).submit(IMAGE, "key")
    for call in (rep.poll, rep.cancel):
        with pytest.raises(ConfigurationError, match=r"is at https://api\.replicate\.com"):
            call(real)
    with pytest.raises(ConfigurationError, match="is at http://127"):
        told().poll(rep.submit(IMAGE, "key"))


@pytest.mark.parametrize(
    ("endpoint", "good"),
    [
        ("google/nano-banana", True),
        (f"stability-ai/sdxl:{VERSION}", True),
        ("a/b_c.d-1", True),
        ("nano", False),
        ("a/b/c", False),
        ("../b", False),
        ("a/..", False),
        ("a/b:latest", False),
        ("a/b?x=1", False),
        ("a b/c", False),
        ("é/b", False),
    ],
)
def test_what_no_model_can_be_called_is_refused(rep: ReplicateProvider, endpoint: str, good: bool) -> None:
    """Before anything is sent: an endpoint is part of a URL."""
    request = JobRequest(Model(endpoint, "replicate", endpoint, Task.TEXT_TO_IMAGE), "x", {}, {})
    if good:
        assert rep.wire(request, {}, None) == WireRequest(endpoint, {"prompt": "x"})
    else:
        with pytest.raises(UsageError):
            rep.wire(request, {}, None)

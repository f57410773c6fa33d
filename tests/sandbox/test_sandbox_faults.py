"""Every fault of the script, seen from the client's side of the wire."""

from __future__ import annotations

import email.utils
import json
import random
import socket
import time
from pathlib import Path
from unittest import mock

import httpx
import pytest
import replicate
from fal_client import Completed, InProgress, Queued, SyncClient
from fal_client.client import FalClientHTTPError
from replicate.exceptions import ReplicateError

from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Script, read_script
from ai_content_pipeline.sandbox import actions as act
from ai_content_pipeline.sandbox import faults as f

NANO = "fal-ai/nano-banana-pro"
BANANA = "google/nano-banana"
INPUT = {"prompt": "a cat"}


def submit(sandbox: Sandbox, client: httpx.Client, **options: object) -> httpx.Response:
    headers = {"Authorization": f"Key {sandbox.settings.fal_key}"}
    return client.post(f"{sandbox.url}/{NANO}", json=INPUT, headers=headers, **options)


def create(sandbox: Sandbox, client: httpx.Client) -> httpx.Response:
    headers = {"Authorization": f"Bearer {sandbox.settings.replicate_token}"}
    return client.post(
        f"{sandbox.url}/v1/models/{BANANA}/predictions", json={"input": INPUT}, headers=headers
    )


def image_url(fal: SyncClient) -> str:
    url: str = fal.subscribe(NANO, INPUT, interval=0.005)["images"][0]["url"]
    return url


# ---- the answer on the wire -------------------------------------------------------------------------


def test_accepted_then_dropped_makes_ten_jobs_of_one_submit(sandbox: Sandbox, fal: SyncClient) -> None:
    """The measured fact: fal's client repeats the POST ten times, and pays ten times."""
    sandbox.script(act.Drop())
    with pytest.raises(httpx.RemoteProtocolError):
        fal.submit(NANO, INPUT)
    time.sleep(0.02)
    assert len(sandbox.jobs()) == len(sandbox.charges()) == 10


def test_accepted_then_dropped_is_one_prediction(sandbox: Sandbox, rep: replicate.Client) -> None:
    """Replicate's client does not repeat a POST; the job runs all the same and is listed."""
    sandbox.script(Rule(match=Match(route=("submit",)), action=act.Drop()))
    with pytest.raises(httpx.RemoteProtocolError):
        rep.models.predictions.create(BANANA, input=INPUT)
    assert [prediction.input for prediction in rep.predictions.list()] == [INPUT]


def test_a_rate_limit_refuses_and_says_how_long(slow: Sandbox, client: httpx.Client) -> None:
    """Two in a minute: the third is 429 and no job; what is left is told; a minute later there is room."""
    slow.script(act.RateLimit(submits=2, seconds=60))
    for send, vendor in ((submit, "fal"), (create, "replicate")):  # each vendor counts for itself
        answers = [send(slow, client) for _ in range(3)]
        assert [answer.status_code == 429 for answer in answers] == [False, False, True]
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
        assert {answer.headers["ratelimit-reset"] for answer in answers} == {"60"}
        assert [answer.headers.get("retry-after") for answer in answers] == [None, None, "60"]
        assert sum(job.vendor == vendor for job in slow.jobs()) == 2
    slow.advance(60)
    assert create(slow, client).status_code == 201


def test_a_rate_limit_that_is_not_told(slow: Sandbox, client: httpx.Client) -> None:
    """429 and nothing else: the client must find out by itself."""
    slow.script(act.RateLimit(submits=1, seconds=60, told=False))
    for answer in (create(slow, client), create(slow, client)):
        assert not {"ratelimit-remaining", "ratelimit-reset", "retry-after"} & set(answer.headers)
    assert answer.status_code == 429


@pytest.mark.parametrize("when", ["before_body", "after_body"])
def test_a_reset_accepts_nothing(sandbox: Sandbox, client: httpx.Client, when: str) -> None:
    """The connection dies before the request was served."""
    sandbox.script(act.Reset.model_validate({"when": when}))
    with pytest.raises(httpx.TransportError):  # which one depends on what was being sent
        submit(sandbox, client)
    assert sandbox.jobs() == ()


@pytest.mark.parametrize(("when", "body"), [("before_body", b""), ("after_body", b"{}")])
def test_a_reset_is_one_and_needs_no_more_than_it_says(sandbox: Sandbox, when: str, body: bytes) -> None:
    """A TCP reset, in the one case while the body is still to come."""
    sandbox.script(act.Reset.model_validate({"when": when}))
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(f"POST /{NANO} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n".encode() + body)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_hang_accepts_and_outlives_the_client(sandbox: Sandbox, client: httpx.Client) -> None:
    """The job is there; the client's patience is not."""
    sandbox.script(act.Hang())
    with pytest.raises(httpx.ReadTimeout):
        submit(sandbox, client, timeout=0.5)
    assert len(sandbox.jobs()) == 1


def test_a_delay_is_drawn_from_the_scripts_seed(sandbox: Sandbox, client: httpx.Client) -> None:
    """The answer comes late by the same time in every run with the same seed."""

    def seconds(seed: int) -> float:
        faults = f.Faults(Script(rules=(Rule(action=action),), seed=seed))
        (taken,) = faults.take(f.Call("fal", "submit"))
        assert isinstance(taken, act.Delay)
        assert isinstance(taken.seconds, float)
        return taken.seconds

    action = act.Delay(seconds=act.Uniform(low=0.05, high=0.09))
    sandbox.script(action, seed=3)
    before = time.perf_counter()
    submit(sandbox, client)
    took = time.perf_counter() - before
    assert took >= seconds(3)
    assert seconds(3) == seconds(3) != seconds(4)
    assert act.Lognormal(median=1, sigma=3, maximum=2).draw(random.Random(1)) <= 2


@pytest.mark.parametrize("code", [401, 402, 403, 408, 429, 500, 502, 503, 504])
def test_any_status_can_stand_in_for_the_answer(sandbox: Sandbox, client: httpx.Client, code: int) -> None:
    """Nothing is created; the body is the vendor's own."""
    sandbox.script(act.Status(code=code))
    fal, rep = submit(sandbox, client), create(sandbox, client)
    assert (fal.status_code, rep.status_code) == (code, code)
    assert "detail" in fal.json()
    assert rep.json()["status"] == code
    assert "x-fal-request-id" in fal.headers
    assert sandbox.jobs() == ()


@pytest.mark.parametrize(
    ("asked", "sent"),
    [(None, None), (30, "30"), ("1000000000", "1000000000"), ("date+30", "Mon, 21 Sep 2026 14:13:50 GMT")],
)
def test_retry_after_takes_every_form(
    slow: Sandbox, client: httpx.Client, asked: int | str | None, sent: str | None
) -> None:
    """Missing, seconds, an absurd number, an HTTP date."""
    slow.script(act.Status(code=429, retry_after=asked))
    assert submit(slow, client).headers.get("retry-after") == sent


@pytest.mark.parametrize(
    ("body", "start"), [("nginx", "<html>"), ("text", "upstream"), ("json_string", '"'), ("empty", "")]
)
def test_an_error_has_many_bodies(sandbox: Sandbox, client: httpx.Client, body: str, start: str) -> None:
    """An ingress page, plain text, a JSON string and nothing; none carries a request id."""
    sandbox.script(act.Status.model_validate({"code": 502, "body": body}))
    answer = submit(sandbox, client)
    assert answer.status_code == 502
    assert answer.text.startswith(start)
    assert "x-fal-request-id" not in answer.headers


@pytest.mark.parametrize(
    ("action", "requests"),
    [
        (act.Status(code=502, body="nginx"), 10),
        (act.Status(code=429), 10),
        (act.Status(code=500), 1),
        (act.Status(code=503), 1),
        (act.Status(code=422), 1),
    ],
)
def test_the_client_repeats_what_it_was_measured_to_repeat(
    sandbox: Sandbox, fal: SyncClient, action: act.Status, requests: int
) -> None:
    """An nginx page and a 429 are tried ten times, an error with a request id once."""
    sandbox.script(action)
    with pytest.raises(FalClientHTTPError):
        fal.submit(NANO, INPUT)
    assert sandbox.counts() == {"fal.submit": requests}


def test_a_json_string_breaks_the_clients_error(sandbox: Sandbox, rep: replicate.Client) -> None:
    """An error body that is no object is an AttributeError inside replicate 1.0.7."""
    sandbox.script(act.Status(code=500, body="json_string"))
    with pytest.raises(AttributeError):
        rep.models.predictions.create(BANANA, input=INPUT)


def test_json_can_be_cut_short(sandbox: Sandbox, client: httpx.Client) -> None:
    """A complete answer whose JSON is not; the job exists."""
    sandbox.script(act.Cut(keep=0.5))
    answer = submit(sandbox, client)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert len(sandbox.jobs()) == 1


def on_download(sandbox: Sandbox, action: act.AnyAction) -> None:
    sandbox.script(Rule(match=Match(route=("download",)), action=action))


def test_a_truncated_body_breaks_its_promise(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """Content-Length says more than what comes."""
    url = image_url(fal)
    on_download(sandbox, act.Truncate(keep=0.5))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(url)


def test_a_download_drips(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """The bytes are right and slow."""
    url = image_url(fal)
    whole = client.get(url).content
    on_download(sandbox, act.Drip(chunk=len(whole) // 4, pause=0.02))
    before = time.perf_counter()
    assert client.get(url).content == whole
    assert time.perf_counter() - before >= 0.08


@pytest.mark.parametrize(
    ("action", "start", "content_type"),
    [
        (act.Empty(), b"", "image/png"),
        (act.Html(), b"<!doctype html>", "text/html"),
        (act.WrongMedia(format="GIF"), b"GIF8", "image/png"),
        (act.WrongMedia(format="TIFF"), b"II*", "image/png"),
    ],
)
def test_a_download_can_be_something_else(
    sandbox: Sandbox,
    fal: SyncClient,
    client: httpx.Client,
    action: act.AnyAction,
    start: bytes,
    content_type: str,
) -> None:
    """200 with nothing, with a web page, with another format under the promised type."""
    url = image_url(fal)
    on_download(sandbox, action)
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.content.startswith(start)
    assert bool(answer.content) is bool(start)
    assert answer.headers["content-type"] == content_type


def test_a_download_can_point_elsewhere(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """A redirect, and a result that names another host outright."""
    url = image_url(fal)
    on_download(sandbox, act.Redirect(url="http://169.254.169.254/"))
    assert client.get(url).headers["location"] == "http://169.254.169.254/"
    sandbox.script(act.OutputUrl(url="http://10.0.0.1/a.png"))
    assert image_url(fal) == "http://10.0.0.1/a.png"


def test_a_download_can_be_forbidden(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """403 as a storage host says it, once."""
    url = image_url(fal)
    sandbox.script(Rule(match=Match(route=("download",), times=1), action=act.Status(code=403)))
    assert client.get(url).status_code == 403
    assert client.get(url).status_code == 200


# ---- what becomes of a job --------------------------------------------------------------------------


def test_a_job_takes_the_scripted_time(slow: Sandbox, slow_fal: SyncClient) -> None:
    """Instead of the default's 100 s."""
    slow.script(act.RunTime(seconds=7))
    handle = slow_fal.submit(NANO, INPUT)
    slow.advance(6.9)
    assert isinstance(handle.status(), InProgress)
    slow.advance(0.1)
    assert isinstance(handle.status(), Completed)


@pytest.mark.parametrize("billed", [False, True])
def test_content_is_rejected(
    sandbox: Sandbox, fal: SyncClient, rep: replicate.Client, *, billed: bool
) -> None:
    """fal: COMPLETED and a 422 that names the policy; Replicate: failed and flagged. Billed or not."""
    sandbox.script(act.Reject(billed=billed))
    with pytest.raises(FalClientHTTPError) as caught:
        fal.subscribe(NANO, INPUT, interval=0.005)
    assert (caught.value.status_code, caught.value.message[0]["type"]) == (422, "content_policy_violation")
    assert caught.value.response_headers["x-fal-retryable"] == "false"
    prediction = rep.models.predictions.create(BANANA, input=INPUT)
    prediction.wait()
    assert prediction.status == "failed"
    assert "E005" in str(prediction.error)
    assert len(sandbox.charges()) == (2 if billed else 0)


def test_a_model_fails(sandbox: Sandbox, fal: SyncClient, rep: replicate.Client) -> None:
    """COMPLETED with an error and a 500 at fal, ``failed`` with the reason at Replicate."""
    sandbox.script(act.Fail(reason="out of memory", billed=True))
    handle = fal.submit(NANO, INPUT)
    with pytest.raises(FalClientHTTPError, match="out of memory") as caught:
        handle.get(interval=0.005)
    assert (caught.value.status_code, caught.value.error_type) == (500, "runner_server_error")
    status = handle.status()
    assert isinstance(status, Completed)
    assert status.error == "out of memory"
    prediction = rep.models.predictions.create(BANANA, input=INPUT)
    prediction.wait()
    assert (prediction.status, prediction.error, prediction.output) == ("failed", "out of memory", None)
    assert [str(charge.usd) for charge in sandbox.charges()] == ["0.15", "0.039"]


def test_an_error_arrives_as_a_result(sandbox: Sandbox, fal: SyncClient) -> None:
    """COMPLETED, 200, and a body that is an error."""
    sandbox.script(act.ErrorBody())
    result = fal.subscribe(NANO, INPUT, interval=0.005)
    assert [fault["type"] for fault in result["detail"]] == ["no_media_generated"]
    assert sandbox.charges() == ()


@pytest.mark.parametrize(("phase", "kind"), [("queued", Queued), ("running", InProgress)])
def test_a_status_never_changes(slow: Sandbox, slow_fal: SyncClient, phase: str, kind: type) -> None:
    """Not after a day; nothing is charged, and the job can be cancelled."""
    slow.script(act.Stuck.model_validate({"phase": phase}))
    handle = slow_fal.submit(NANO, INPUT)
    slow.advance(86_400)
    assert isinstance(handle.status(with_logs=True), kind)
    assert slow.charges(unbilled=True) == ()
    assert slow.jobs()[0].ended is None
    handle.cancel()
    assert handle.status(with_logs=True) == Completed(
        logs=mock.ANY, metrics=mock.ANY, error="Request was cancelled", error_type="request_cancelled"
    )


def test_a_stuck_prediction_reads_well(slow: Sandbox, slow_rep: replicate.Client) -> None:
    """Replicate's ``processing`` for ever, in get and in the list."""
    slow.script(act.Stuck())
    prediction = slow_rep.models.predictions.create(BANANA, input=INPUT)
    slow.advance(86_400)
    assert slow_rep.predictions.get(prediction.id).status == "processing"
    assert slow_rep.predictions.cancel(prediction.id).status == "canceled"


def test_a_status_goes_backwards(slow: Sandbox, slow_fal: SyncClient) -> None:
    """Running, queued, running, and finished in the end."""
    slow.script(act.Backwards())
    handle = slow_fal.submit(NANO, INPUT)
    slow.advance(50)
    assert [type(handle.status()) for _ in range(3)] == [InProgress, Queued, InProgress]
    slow.advance(50)
    assert isinstance(handle.status(), Completed)


def test_a_status_word_nobody_knows(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """The client gives up on it; the job does not."""
    sandbox.script(act.UnknownStatus(word="WARMING_UP", polls=2))
    handle = fal.submit(NANO, INPUT)
    with pytest.raises(ValueError, match="Unknown status: WARMING_UP"):
        handle.status()
    url = create(sandbox, client).json()["urls"]["get"]
    headers = {"Authorization": f"Bearer {sandbox.settings.replicate_token}"}
    words = [client.get(url, headers=headers).json()["status"] for _ in range(3)]
    assert words[:2] == ["WARMING_UP"] * 2
    assert words[2] != "WARMING_UP"
    time.sleep(0.02)
    assert len(sandbox.charges()) == 2


def test_a_result_is_deleted(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """Paid for and gone: 404 at fal, ``data_removed`` at Replicate; or the file alone is gone."""
    sandbox.script(act.Gone())
    with pytest.raises(FalClientHTTPError) as caught:
        fal.subscribe(NANO, INPUT, interval=0.005)
    assert caught.value.status_code == 404
    url = create(sandbox, client).json()["urls"]["get"]
    time.sleep(0.02)
    row = client.get(url, headers={"Authorization": f"Bearer {sandbox.settings.replicate_token}"}).json()
    assert (row["status"], row["data_removed"], row["output"], row["input"]) == ("succeeded", True, None, {})
    sandbox.script(act.Gone(what="files"))
    assert client.get(image_url(fal)).status_code == 404
    assert len(sandbox.charges()) == 3


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_outputs_than_paid_for(
    sandbox: Sandbox, fal: SyncClient, rep: replicate.Client, count: int
) -> None:
    """Four were asked for and are charged."""
    sandbox.script(act.Outputs(count=count))
    result = fal.subscribe(NANO, {**INPUT, "num_images": 4}, interval=0.005)
    assert len(result["images"]) == count
    prediction = rep.models.predictions.create("me/pictures", input={**INPUT, "num_outputs": 4})
    prediction.wait()
    assert len(prediction.output) == count
    assert [str(charge.usd) for charge in sandbox.charges()] == ["0.60", "0.20"]


def test_a_clip_that_is_not_there(sandbox: Sandbox, fal: SyncClient, rep: replicate.Client) -> None:
    """An empty result of a video model is null at both."""
    sandbox.script(act.Outputs())
    assert fal.subscribe("fal-ai/veo3/fast", INPUT, interval=0.005) == {"video": None}
    prediction = rep.models.predictions.create("bytedance/seedance-1-lite", input=INPUT)
    prediction.wait()
    assert (prediction.status, prediction.output) == ("succeeded", None)


def test_completed_twice(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """Finished, running, finished; listed twice; charged once."""
    sandbox.script(act.CompletedTwice())
    handle = fal.submit(NANO, INPUT)
    time.sleep(0.02)
    assert [type(handle.status()) for _ in range(3)] == [Completed, InProgress, Completed]
    listing = f"{sandbox.url}/v1/models/requests/by-endpoint?endpoint_id={NANO}"
    rows = client.get(listing, headers={"Authorization": f"Key {sandbox.settings.fal_key}"}).json()["items"]
    assert [row["request_id"] for row in rows] == [handle.request_id] * 2
    assert len(sandbox.charges()) == 1


# ---- the rest ---------------------------------------------------------------------------------------


def test_an_upload_expires_at_once(sandbox: Sandbox, rep: replicate.Client, tmp_path: Path) -> None:
    """Accepted by the files API, not found by the model."""
    sandbox.script(act.ExpireUpload())
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    prediction = rep.models.predictions.create("me/pictures", input={**INPUT, "image": path})
    prediction.wait()
    assert prediction.status == "failed"
    with pytest.raises(ReplicateError):
        rep.files.get(str(prediction.input["image"]).rpartition("/")[2])


@pytest.mark.parametrize(
    ("answer", "code", "charged"),
    [("ignored", 202, True), ("too_late", 400, True), ("not_found", 404, True), ("forgotten", 202, False)],
)
def test_a_cancel_is_answered_in_many_ways(
    slow: Sandbox, client: httpx.Client, answer: str, code: int, *, charged: bool
) -> None:
    """Whatever the vendor says, the charge tells what happened."""
    slow.script(act.Cancel.model_validate({"answer": answer}))
    headers = {"Authorization": f"Key {slow.settings.fal_key}"}
    job = submit(slow, client).json()
    assert client.put(job["cancel_url"], headers=headers).status_code == code
    assert client.get(job["status_url"], headers=headers).status_code == (
        404 if answer == "forgotten" else 202
    )
    slow.advance(100)
    assert bool(slow.charges()) is charged
    listing = f"{slow.url}/v1/models/requests/by-endpoint?endpoint_id={NANO}"
    assert bool(client.get(listing, headers=headers).json()["items"]) is charged


@pytest.mark.parametrize("answer", ["ignored", "too_late", "not_found", "forgotten"])
def test_replicates_cancel_too(slow: Sandbox, slow_rep: replicate.Client, answer: str) -> None:
    """The prediction goes on unless it was cancelled and forgotten."""
    slow.script(act.Cancel.model_validate({"answer": answer}))
    prediction = slow_rep.models.predictions.create(BANANA, input=INPUT)
    if answer == "not_found":
        with pytest.raises(ReplicateError):
            prediction.cancel()
    else:
        prediction.cancel()
        assert prediction.status == ("canceled" if answer == "forgotten" else "starting")
    slow.advance(100)
    assert bool(slow.charges()) is (answer != "forgotten")


def test_a_vendors_clock_is_an_hour_wrong(
    slow: Sandbox, slow_rep: replicate.Client, client: httpx.Client
) -> None:
    """The Date header and every timestamp agree with each other, and with nobody else."""
    slow.script(Rule(match=Match(vendor="replicate"), action=act.ClockSkew(seconds=-3600)))
    answer = create(slow, client)
    date = email.utils.parsedate_to_datetime(answer.headers["date"])
    assert answer.json()["created_at"] == date.isoformat().replace("+00:00", ".000000Z")
    assert date.hour == 13
    assert [*slow_rep.predictions.list("/v1/predictions?created_after=2026-09-21T13:13:20Z")]
    assert [*slow_rep.predictions.list("/v1/predictions?created_after=2026-09-21T13:13:21Z")] == []
    assert email.utils.parsedate_to_datetime(submit(slow, client).headers["date"]).hour == 14


# ---- the script -------------------------------------------------------------------------------------


def test_a_rule_hits_the_nth_match_and_so_many_times() -> None:
    """`nth` counts what fits the rule alone, `times` ends it."""
    match = Match(vendor="fal", endpoint="fal-ai/kling*", prompt="leaves", nth=2, times=2)
    faults = f.Faults(Script(rules=(Rule(match=match, action=act.Drop()),)))
    fits = f.Call("fal", "submit", "fal-ai/kling-video/x", "autumn leaves")
    others = [
        f.Call("replicate", "submit", fits.endpoint, fits.prompt),
        f.Call("fal", "submit", "fal-ai/veo3", fits.prompt),
        f.Call("fal", "submit", fits.endpoint, "snow"),
    ]
    hits = []
    for _ in range(4):
        assert all(not faults.take(other) for other in others)
        hits.append(bool(faults.take(fits)))
    assert hits == [False, True, True, False]


def test_a_script_is_read_from_yaml_and_json(tmp_path: Path) -> None:
    """The same script in three notations."""
    script = Script(
        rules=(
            Rule(match=Match(route=("status",), times=1), action=act.Status(code=429, retry_after="date+5")),
            Rule(action=act.RunTime(seconds=act.Lognormal(median=0.2))),
        ),
        seed=4,
    )
    path = tmp_path / "script.json"
    path.write_text(script.model_dump_json())
    assert read_script(path) == script
    path = tmp_path / "script.yaml"
    path.write_text(
        "seed: 4\nrules:\n"
        "  - match: {route: [status], times: 1}\n"
        "    action: {kind: status, code: 429, retry_after: date+5}\n"
        "  - action: {kind: run_time, seconds: {median: 0.2}}\n"
    )
    assert read_script(path) == script


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [{action: {kind: explode}}]", "rules.0.action"),
        ("rules: [{match: {nht: 1}, action: {kind: drop}}]", "rules.0.match.nht"),
        ("rules: [{match: {route: [status]}, action: {kind: reject}}]", "reject does nothing on status"),
        (
            "rules: [{match: {prompt: x}, action: {kind: reset, when: before_body}}]",
            "cannot depend on the prompt",
        ),
        ("[", "cannot be read"),
        ("- 1", "not a fault script"),
    ],
)
def test_a_bad_script_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A usage error with the file and the place, never a traceback."""
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_script(path)
    assert str(path) in caught.value.message


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    """The same for a file that is not there."""
    with pytest.raises(UsageError, match="nothing"):
        read_script(tmp_path / "nothing.yaml")

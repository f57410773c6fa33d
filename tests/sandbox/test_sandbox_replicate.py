"""The unmodified Replicate client against the sandbox: what the facts say the vendor does."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
import replicate
from pydantic.v1 import ValidationError
from replicate.exceptions import ReplicateError

from ai_content_pipeline.sandbox import Sandbox
from ai_content_pipeline.sandbox.actions import Aborted

BANANA = "google/nano-banana"
SEEDANCE = "bytedance/seedance-1-lite"
INPUT = {"prompt": "a dog"}


def auth(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.settings.replicate_token}"}


def test_a_prediction_starts_processes_and_succeeds(slow: Sandbox, slow_rep: replicate.Client) -> None:
    """The states come in order; progress is read from the logs; official models hide their version."""
    prediction = slow_rep.models.predictions.create(BANANA, input=INPUT)
    assert (prediction.status, prediction.version, prediction.output) == ("starting", "hidden", None)
    assert prediction.started_at is None
    slow.advance(70)
    prediction.reload()
    assert (prediction.status, prediction.started_at) == ("processing", "2026-09-21T14:13:45.000000Z")
    assert prediction.progress
    assert (prediction.progress.current, prediction.progress.total) == (12, 20)
    slow.advance(30)
    prediction.reload()
    assert prediction.status == "succeeded"
    assert prediction.completed_at == "2026-09-21T14:15:00.000000Z"
    assert prediction.metrics == {"predict_time": 75.0, "total_time": 100.0}
    assert [str(charge.usd) for charge in slow.charges()] == ["0.039"]


@pytest.mark.parametrize(
    ("model", "listed", "start"),
    [(BANANA, False, b"\x89PNG"), (SEEDANCE, False, b"\x00\x00\x00"), ("me/pictures", True, b"\x89PNG")],
)
def test_outputs_are_what_the_model_returns(
    sandbox: Sandbox, rep: replicate.Client, client: httpx.Client, model: str, listed: bool, start: bytes
) -> None:
    """One address or a list of them; the files need no credential."""
    prediction = rep.models.predictions.create(model, input=INPUT)
    prediction.wait()
    output = prediction.output if listed else [prediction.output]
    assert isinstance(output, list)
    assert client.get(output[0]).content.startswith(start)
    assert sandbox.leaks() == ()


def test_a_download_with_the_token_is_a_leak(
    sandbox: Sandbox, rep: replicate.Client, client: httpx.Client
) -> None:
    """What the client's FileOutput does is noted; the credential itself is not kept."""
    prediction = rep.models.predictions.create(BANANA, input=INPUT)
    prediction.wait()
    client.get(str(prediction.output), headers=auth(sandbox))
    (leak,) = sandbox.leaks()
    assert (leak.method, leak.scheme) == ("GET", "Bearer")
    assert sandbox.settings.replicate_token not in repr(leak)


def test_waiting_may_end_before_the_prediction(slow: Sandbox, client: httpx.Client) -> None:
    """``Prefer: wait=n`` answers 202 and ``processing`` when n seconds were not enough."""
    settings = slow.settings.model_copy(update={"image_seconds": 30.0, "queue_share": 0.01})
    with Sandbox(settings) as sandbox:
        url = f"{sandbox.url}/v1/models/{BANANA}/predictions"
        answer = client.post(url, json={"input": INPUT}, headers={**auth(sandbox), "Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"], answer.json()["output"]) == (202, "processing", None)


def test_waiting_long_enough_returns_the_output(rep: replicate.Client) -> None:
    """``wait=`` comes back finished; without it the answer is 201 and ``starting``."""
    assert rep.models.predictions.create(BANANA, input=INPUT, wait=5).status == "succeeded"


def test_versions_name_their_model(rep: replicate.Client) -> None:
    """A version id, ``owner/name`` and ``owner/name:id`` all run; something else does not."""
    model = rep.models.get(BANANA)
    assert model.latest_version
    version = model.latest_version.id
    for asked in (version, BANANA, f"{BANANA}:{version}"):
        prediction = rep.predictions.create(version=asked, input=INPUT)
        assert (prediction.model, prediction.version) == (BANANA, version)
    assert rep.predictions.create(version="0" * 64, input=INPUT).version == "0" * 64
    with pytest.raises(ReplicateError, match="version does not exist"):
        rep.predictions.create(version="latest", input=INPUT)


def test_a_models_schema_marks_its_files(rep: replicate.Client) -> None:
    """Files are strings of format uri, enums stand beside the input, the output is one address."""
    model = rep.models.get(SEEDANCE)
    assert model.latest_version
    schemas = model.latest_version.openapi_schema["components"]["schemas"]
    fields = schemas["Input"]["properties"]
    uri = {"type": "string", "format": "uri", "title": "Image", "nullable": True, "x-order": 1}
    assert fields["image"] == uri
    assert fields["reference_images"]["items"]["format"] == "uri"
    assert fields["duration"]["allOf"] == [{"$ref": "#/components/schemas/duration"}]
    assert schemas["duration"]["enum"][:2] == [2, 3]
    assert schemas["Output"]["format"] == "uri"
    assert rep.models.get("me/pictures").versions.list()[0].openapi_schema["components"]["schemas"]["Output"][
        "items"
    ] == {"type": "string", "format": "uri"}


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ({}, "prompt is required"),
        ({"prompt": "x", "duration": "5"}, "Input should be"),
        ({"prompt": "x", "duration": 13}, "12"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    sandbox: Sandbox, rep: replicate.Client, inputs: dict[str, object], detail: str
) -> None:
    """422 at creation, with the fields named; no job."""
    with pytest.raises(ReplicateError, match=detail) as caught:
        rep.models.predictions.create(SEEDANCE, input=inputs)
    assert caught.value.status == 422
    assert sandbox.jobs() == ()


@pytest.mark.parametrize(
    "path", ["/v1/predictions", "/v1/predictions/x", "/v1/files", f"/v1/models/{BANANA}"]
)
def test_a_wrong_token_is_401(sandbox: Sandbox, client: httpx.Client, path: str) -> None:
    """A problem document, on every route."""
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = client.get(sandbox.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["status"] == 401
        assert answer.json()["title"] == "Unauthenticated"


def test_an_unknown_prediction_is_404(rep: replicate.Client) -> None:
    """Get and cancel of a prediction that never was."""
    for call in (rep.predictions.get, rep.predictions.cancel):
        with pytest.raises(ReplicateError) as caught:
            call("nothing")
        assert caught.value.status == 404


@pytest.mark.parametrize(("waited", "billed"), [(0, False), (50, True)])
def test_cancelling_costs_once_it_ran(
    slow: Sandbox, slow_rep: replicate.Client, waited: int, billed: bool
) -> None:
    """A prediction cancelled while it runs is charged; one that had not started is not."""
    prediction = slow_rep.models.predictions.create(BANANA, input=INPUT)
    slow.advance(waited)
    prediction.cancel()
    assert prediction.status == "canceled"
    assert [charge.billed for charge in slow.charges(unbilled=True)] == [billed]
    slow.advance(100)
    assert slow_rep.predictions.get(prediction.id).status == "canceled"


def test_a_late_cancel_changes_nothing(rep: replicate.Client) -> None:
    """Cancelling what has ended answers the finished prediction."""
    prediction = rep.models.predictions.create(BANANA, input=INPUT)
    prediction.wait()
    assert rep.predictions.cancel(prediction.id).status == "succeeded"


@pytest.mark.parametrize(
    ("after", "status", "billed"),
    [("10s", "aborted", False), ("1m", "canceled", True), ("2m", "succeeded", True)],
)
def test_a_deadline_ends_a_prediction(
    slow: Sandbox, client: httpx.Client, after: str, status: str, billed: bool
) -> None:
    """``Cancel-After``: aborted and free before the start, canceled and charged after it."""
    url = f"{slow.url}/v1/models/{BANANA}/predictions"
    answer = client.post(url, json={"input": INPUT}, headers={**auth(slow), "Cancel-After": after}).json()
    slow.advance(100)
    assert client.get(answer["urls"]["get"], headers=auth(slow)).json()["status"] == status
    assert [charge.billed for charge in slow.charges(unbilled=True)] == [billed]


def test_aborted_is_a_status_that_the_client_cannot_read(slow: Sandbox, slow_rep: replicate.Client) -> None:
    """The documented word crashes replicate 1.0.7: in wait() and in a whole page of the list."""
    slow.script(Aborted())
    prediction = slow_rep.models.predictions.create(BANANA, input=INPUT)
    slow.advance(100)
    with pytest.raises(ValidationError):
        prediction.wait()
    with pytest.raises(ValidationError):
        slow_rep.predictions.list()
    assert [charge.billed for charge in slow.charges(unbilled=True)] == [False]


def test_the_listing_has_pages_by_absolute_address(paged_rep: tuple[Sandbox, replicate.Client]) -> None:
    """Newest first, unfinished ones too, with their exact input; ``created_after`` holds on every page."""
    sandbox, rep = paged_rep
    ids = []
    for number in range(6):
        ids.append(rep.models.predictions.create(BANANA, input={"prompt": "é", "n": number}).id)
        sandbox.advance(1)
    page = rep.predictions.list("/v1/predictions?created_after=2026-09-21T14:13:21Z")
    rows = [*page]
    while page.next:
        assert page.next.startswith(f"{sandbox.url}/v1/predictions?")
        page = rep.predictions.list(page.next)
        rows += page
    assert [row.id for row in rows] == ids[:0:-1]
    assert rows[0].input == {"prompt": "é", "n": 5}
    assert {row.status for row in rows} == {"starting"}


def test_a_new_prediction_does_not_shift_the_next_page(paged_rep: tuple[Sandbox, replicate.Client]) -> None:
    """The cursor is a prediction, not a number."""
    _, rep = paged_rep
    old = [rep.models.predictions.create(BANANA, input=INPUT).id for _ in range(3)]
    first = rep.predictions.list()
    rep.models.predictions.create(BANANA, input=INPUT)
    assert first.next
    assert [row.id for row in rep.predictions.list(first.next)] == old[:1]


def test_everything_but_the_record_is_deleted_after_an_hour(
    slow: Sandbox, slow_rep: replicate.Client, client: httpx.Client
) -> None:
    """Input, output, logs and files go; the prediction stays, with ``data_removed``."""
    prediction = slow_rep.models.predictions.create(BANANA, input=INPUT)
    slow.advance(100)
    prediction.reload()
    url = str(prediction.output)
    slow.advance(3599)
    assert client.get(url).status_code == 200
    slow.advance(1)
    assert client.get(url).status_code == 404
    row = client.get(f"{slow.url}/v1/predictions/{prediction.id}", headers=auth(slow)).json()
    assert (row["data_removed"], row["input"], row["output"], row["logs"]) == (True, {}, None, "")
    assert row["status"] == "succeeded"


def test_files_are_stored_described_served_and_deleted(
    sandbox: Sandbox, rep: replicate.Client, client: httpx.Client, tmp_path: Path
) -> None:
    """The files API, binary content included; serving needs the token."""
    path, content = tmp_path / "a b.png", b"\r\n--x\r\n\x00\xff\r\n"
    path.write_bytes(content)
    file = rep.files.create(path, metadata={"panel": 1})
    assert (file.name, file.content_type, file.size) == ("a b.png", "image/png", len(content))
    assert file.metadata == {"panel": 1}
    assert rep.files.get(file.id) == file
    assert rep.files.list() == [file]
    url = f"{file.urls['get']}/download"
    assert client.get(url).status_code == 401
    assert client.get(url, headers=auth(sandbox)).content == content
    assert rep.files.delete(file.id)
    with pytest.raises(ReplicateError):
        rep.files.get(file.id)


def test_a_local_file_is_uploaded_and_used(sandbox: Sandbox, rep: replicate.Client, tmp_path: Path) -> None:
    """A Path becomes the address of an upload; after a day the file is gone and the job fails."""
    path = tmp_path / "start.png"
    path.write_bytes(b"picture")
    prediction = rep.models.predictions.create(SEEDANCE, input={**INPUT, "image": path})
    prediction.wait()
    assert prediction.status == "succeeded"
    assert prediction.input
    image = prediction.input["image"]
    assert image.startswith(f"{sandbox.url}/v1/files/")
    sandbox.advance(86_400)
    late = rep.models.predictions.create(SEEDANCE, input={**INPUT, "image": image})
    late.wait()
    assert (late.status, late.error) == ("failed", f"404 Client Error: Not Found for url: {image}")
    assert len(sandbox.charges()) == 1


def test_a_deployment_runs_like_a_model(rep: replicate.Client) -> None:
    """Deployments share the prediction's life."""
    prediction = rep.deployments.predictions.create("me/pictures", input=INPUT)
    prediction.wait()
    assert prediction.status == "succeeded"


def test_what_is_no_json_object_is_400(sandbox: Sandbox, client: httpx.Client) -> None:
    """Malformed JSON and a missing input create nothing."""
    url = f"{sandbox.url}/v1/models/{BANANA}/predictions"
    assert client.post(url, content=b"{", headers=auth(sandbox)).status_code == 400
    assert client.post(url, content=json.dumps({"input": 1}), headers=auth(sandbox)).status_code == 422
    assert sandbox.jobs() == ()

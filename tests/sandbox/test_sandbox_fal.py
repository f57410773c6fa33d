"""The unmodified fal client against the sandbox: what the facts say the vendor does."""

from __future__ import annotations

import httpx
import pytest
from fal_client import Completed, InProgress, Queued, StorageSettings, SyncClient
from fal_client.client import FalClientHTTPError, MultipartUpload

from ai_content_pipeline.sandbox import Sandbox

# fal's client opens a connection for each upload and closes none (the fixture collects the rest).
pytestmark = pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")

NANO = "fal-ai/nano-banana-pro"
KLING = "fal-ai/kling-video/v2.6/pro/image-to-video"
IMAGE = {"prompt": "a cat"}


def auth(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Key {sandbox.settings.fal_key}"}


def test_a_job_is_queued_then_runs_then_is_completed(slow: Sandbox, slow_fal: SyncClient) -> None:
    """The three states come in order, with the fields that the client insists on."""
    handle = slow_fal.submit(NANO, IMAGE)
    assert handle.status() == Queued(position=2)
    slow.advance(20)
    assert handle.status() == Queued(position=0)
    slow.advance(30)
    assert handle.status() == InProgress(logs=None)
    running = handle.status(with_logs=True)
    assert isinstance(running, InProgress)
    assert running.logs
    assert running.logs[-1]["message"] == " 20%|##        | 4/20"
    slow.advance(50)
    done = handle.status()
    assert isinstance(done, Completed)
    assert (done.logs, done.error, done.metrics) == (None, None, {"inference_time": 75.0})


def test_the_result_is_media_and_is_charged_once(
    sandbox: Sandbox, fal: SyncClient, client: httpx.Client
) -> None:
    """One submit is one charge at the sandbox's own price, however often the result is read."""
    handle = fal.submit(NANO, {**IMAGE, "num_images": 2, "aspect_ratio": "16:9"})
    images = handle.get(interval=0.005)["images"]
    assert [(image["width"], image["height"]) for image in images] == [(64, 36)] * 2
    assert handle.get() == {"images": images, "description": ""}
    files = [client.get(image["url"]) for image in images]
    assert [file.headers["content-type"] for file in files] == ["image/png"] * 2
    assert files[0].content != files[1].content
    assert all(file.content.startswith(b"\x89PNG") for file in files)
    assert [str(charge.usd) for charge in sandbox.charges()] == ["0.30"]
    assert sandbox.leaks() == ()


def test_http_details_of_the_queue(slow: Sandbox, client: httpx.Client) -> None:
    """202 until completed, 200 then; request id, billable units and the vendor's date in the headers."""
    submitted = client.post(f"{slow.url}/{NANO}", json={**IMAGE, "resolution": "4K"}, headers=auth(slow))
    answer = submitted.json()
    assert submitted.status_code == 200
    assert answer["status"] == "IN_QUEUE"
    early = client.get(answer["response_url"], headers=auth(slow))
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert client.get(answer["status_url"], headers=auth(slow)).status_code == 202
    slow.advance(100)
    status = client.get(answer["status_url"], headers=auth(slow))
    assert (status.status_code, status.json()["logs"]) == (200, None)
    result = client.get(answer["response_url"], headers=auth(slow))
    assert result.headers["x-fal-billable-units"] == "2"
    seen = {reply.headers["x-fal-request-id"] for reply in (submitted, status, result)}
    assert seen == {answer["request_id"]}
    assert result.headers["date"] == "Mon, 21 Sep 2026 14:15:00 GMT"


@pytest.mark.parametrize(
    ("endpoint", "app"),
    [
        (KLING, "fal-ai/kling-video"),
        (NANO, NANO),
        ("workflows/me/story/v2", "workflows/me/story"),
        ("comfy/me/graph", "comfy/me/graph"),
    ],
)
def test_a_job_is_addressed_without_the_sub_path(
    sandbox: Sandbox, fal: SyncClient, endpoint: str, app: str
) -> None:
    """Both the URLs that come back and the ones the client computes leave the sub-path out."""
    handle = fal.submit(endpoint, {"prompt": "x", "start_image_url": "data:image/png;base64,AAAA"})
    assert handle.response_url == f"{sandbox.url}/{app}/requests/{handle.request_id}"
    again = fal.get_handle(endpoint, handle.request_id)
    assert again.response_url == handle.response_url
    assert again.get(interval=0.005)


def test_a_status_below_the_sub_path_does_not_exist(sandbox: Sandbox, client: httpx.Client) -> None:
    """A status address built from the whole endpoint id is refused, as the vendor refuses it."""
    job = client.post(f"{sandbox.url}/{KLING}", json=IMAGE, headers=auth(sandbox)).json()["request_id"]
    url = f"{sandbox.url}/{KLING}/requests/{job}/status"
    assert client.get(url, headers=auth(sandbox)).status_code == 405


def test_the_address_handed_out_is_the_one_the_client_used(sandbox: Sandbox, client: httpx.Client) -> None:
    """URLs are built from the Host header."""
    base = sandbox.url.replace("127.0.0.1", "localhost")
    answer = client.post(
        f"{sandbox.url}/{NANO}", json=IMAGE, headers={**auth(sandbox), "Host": base[7:]}
    ).json()
    assert answer["status_url"].startswith(f"{base}/")


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key_is_401(sandbox: Sandbox, client: httpx.Client, key: str) -> None:
    """No job, a detail and a request id."""
    headers = {"Authorization": f"Key {key}"} if key else {}
    answer = client.post(f"{sandbox.url}/{NANO}", json=IMAGE, headers=headers)
    assert answer.status_code == 401
    assert isinstance(answer.json()["detail"], str)
    assert "x-fal-request-id" in answer.headers
    assert sandbox.jobs() == ()


def test_an_unknown_job_is_404_everywhere(fal: SyncClient) -> None:
    """Status, result and cancel of a job that never was."""
    for call in (fal.status, fal.result, fal.cancel):
        with pytest.raises(FalClientHTTPError) as caught:
            call(NANO, "00000000-0000-0000-0000-000000000000")
        assert caught.value.status_code == 404


@pytest.mark.parametrize("waited", [0, 50])
def test_cancelling_before_the_end_costs_nothing(slow: Sandbox, slow_fal: SyncClient, waited: int) -> None:
    """A cancelled job reads as COMPLETED with an error, its result is a 499."""
    handle = slow_fal.submit(NANO, IMAGE)
    slow.advance(waited)
    handle.cancel()
    status = handle.status()
    assert isinstance(status, Completed)
    assert status.error_type == "request_cancelled"
    with pytest.raises(FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code == 499
    slow.advance(100)
    assert slow.charges() == ()
    assert [charge.billed for charge in slow.charges(unbilled=True)] == [False]


def test_cancelling_after_the_end_says_so(sandbox: Sandbox, fal: SyncClient) -> None:
    """400 ALREADY_COMPLETED, and the result is still there."""
    handle = fal.submit(NANO, IMAGE)
    handle.get(interval=0.005)
    with pytest.raises(FalClientHTTPError, match="ALREADY_COMPLETED") as caught:
        handle.cancel()
    assert caught.value.status_code == 400
    assert handle.get()["images"]


def test_the_synchronous_host_answers_with_the_result(sandbox: Sandbox, fal: SyncClient) -> None:
    """``fal.run`` holds the connection until the job has ended, and charges."""
    assert fal.run(NANO, IMAGE)["images"]
    assert len(sandbox.charges()) == 1


@pytest.mark.parametrize("repository", ["fal_v3", "fal"])
def test_an_upload_can_be_used_and_read_back(
    sandbox: Sandbox, fal: SyncClient, client: httpx.Client, repository: str
) -> None:
    """Both ways of uploading; the signed one proves that the client sends its key to the storage host."""
    url = fal.upload(b"some bytes", "image/png", "a.png", repository=repository)
    assert client.get(url).content == b"some bytes"
    fal.subscribe(KLING, {"prompt": "x", "start_image_url": url}, interval=0.005)
    assert len(sandbox.charges()) == 1
    assert [leak.scheme for leak in sandbox.leaks()] == (["Key"] if repository == "fal" else [])


def test_a_multipart_upload_is_joined_in_order(fal: SyncClient, client: httpx.Client) -> None:
    """Parts go up ten at a time and are listed as they finish."""
    data = bytes(range(256)) * 100
    url = MultipartUpload.save(
        client=fal._get_cdn_client(),
        token_manager=fal._token_manager,
        file_name="a.bin",
        data=data,
        chunk_size=1000,
    )
    assert client.get(url).content == data


def test_an_expired_upload_fails_the_job_unbilled(slow: Sandbox, slow_fal: SyncClient) -> None:
    """The lifecycle the client asked for is kept; the model cannot fetch the file afterwards."""
    url = slow_fal.upload(b"x", "image/png", "a.png", lifecycle=StorageSettings(expires_in="1h"))
    slow.advance(3600)
    handle = slow_fal.submit(KLING, {"prompt": "x", "start_image_url": url})
    slow.advance(100)
    with pytest.raises(FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code == 422
    (fault,) = caught.value.message  # the client puts the list where text belongs
    assert (fault["loc"], fault["type"]) == (["body", "start_image_url"], "file_download_error")
    assert slow.charges() == ()


def test_another_jobs_output_is_an_input(sandbox: Sandbox, fal: SyncClient) -> None:
    """A CDN address of the sandbox can be passed on, and one that does not exist cannot."""
    image = fal.subscribe(NANO, IMAGE, interval=0.005)["images"][0]["url"]
    clip = {"prompt": "x", "start_image_url": image}
    assert fal.subscribe(KLING, clip, interval=0.005)["video"]["content_type"] == "video/mp4"
    with pytest.raises(FalClientHTTPError, match="file_download_error"):
        fal.subscribe(KLING, {**clip, "start_image_url": image.replace("out-0", "out-1")}, interval=0.005)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"start_image_url": None}, "missing"),
        ({"duration": 5}, "literal_error"),
        ({"duration": "7"}, "literal_error"),
    ],
)
def test_kling_refuses_what_the_real_one_refuses(
    sandbox: Sandbox, fal: SyncClient, change: dict[str, object], kind: str
) -> None:
    """The image's field and the duration's type are checked: 422 as the result, and free."""
    good = {"prompt": "x", "start_image_url": "data:image/png;base64,AAAA", "duration": "5"}
    with pytest.raises(FalClientHTTPError) as caught:
        fal.subscribe(KLING, {**good, **change}, interval=0.005)
    assert (caught.value.status_code, caught.value.message[0]["type"]) == (422, kind)
    assert sandbox.charges() == ()


def listed(sandbox: Sandbox, client: httpx.Client, **params: str) -> dict[str, object]:
    url = f"{sandbox.url}/v1/models/requests/by-endpoint"
    answer = client.get(url, params={"endpoint_id": NANO, **params}, headers=auth(sandbox))
    assert answer.status_code == 200, answer.text
    page: dict[str, object] = answer.json()
    return page


def test_the_listing_shows_finished_requests_alone(
    slow: Sandbox, slow_fal: SyncClient, client: httpx.Client
) -> None:
    """A lost request is found only once it has ended, with exactly the JSON that was sent."""
    payload = {"prompt": "ünï", "seed": 7, "nested": {"list": [1, 2.5, None, True]}}
    handle = slow_fal.submit(NANO, payload)
    slow.advance(99)
    assert listed(slow, client, end="2027-01-01")["items"] == []
    slow.advance(1)
    (row,) = listed(slow, client, expand="payloads")["items"]
    assert (row["request_id"], row["json_input"], row["status_code"]) == (handle.request_id, payload, 200)
    assert row["json_output"] == handle.get()
    assert row["sent_at"] == "2026-09-21T14:13:20.000000Z"
    (bare,) = listed(slow, client)["items"]
    assert "json_input" not in bare


def test_the_listing_has_pages_filters_and_a_window(
    slow: Sandbox, slow_fal: SyncClient, client: httpx.Client
) -> None:
    """Newest end first, a page by cursor, a day unless the window is given."""
    ids = []
    for _ in range(3):
        ids.append(slow_fal.submit(NANO, IMAGE).request_id)
        slow.advance(1)
    slow.advance(100)
    first = listed(slow, client, limit="2")
    second = listed(slow, client, limit="2", cursor=str(first["next_cursor"]))
    rows = [*first["items"], *second["items"]]
    assert [row["request_id"] for row in rows] == ids[::-1]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    assert listed(slow, client, status="error")["items"] == []
    assert len(listed(slow, client, request_id=ids[0])["items"]) == 1
    slow.advance(90_000)
    assert listed(slow, client)["items"] == []
    assert len(listed(slow, client, start="2026-09-21")["items"]) == 3


def test_schema_and_price_of_an_endpoint(sandbox: Sandbox, client: httpx.Client) -> None:
    """The schema needs no key and names the image field; the price list knows base prices alone."""
    url = f"{sandbox.url}/api/openapi/queue/openapi.json"
    spec = client.get(url, params={"endpoint_id": KLING}).json()
    body = spec["paths"][f"/{KLING}"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    inputs = spec["components"]["schemas"][body.rpartition("/")[2]]
    assert inputs["required"] == ["prompt", "start_image_url"]
    assert inputs["properties"]["duration"]["enum"] == ["5", "10"]
    pricing = f"{sandbox.url}/v1/models/pricing"
    assert client.get(pricing, params={"endpoint_id": KLING}).status_code == 401
    (row,) = client.get(pricing, params={"endpoint_id": KLING}, headers=auth(sandbox)).json()["prices"]
    assert row == {"endpoint_id": KLING, "unit_price": 0.07, "unit": "seconds", "currency": "USD"}


def test_a_body_that_is_not_json_creates_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """422 and no job."""
    for body in (b"{", b"[]", b""):
        answer = client.post(f"{sandbox.url}/{NANO}", content=body, headers=auth(sandbox))
        assert answer.status_code == 422
    assert sandbox.jobs() == ()


def test_a_cdn_token_is_needed_to_upload(sandbox: Sandbox, client: httpx.Client) -> None:
    """The account's key is no upload token, and a token expires after an hour."""
    url = f"{sandbox.url}/files/upload"
    assert client.post(url, content=b"x", headers=auth(sandbox)).status_code == 401
    answer = client.post(f"{sandbox.url}/storage/auth/token", json={}, headers=auth(sandbox)).json()
    assert answer["expires_at"].endswith("+00:00")
    token = {"Authorization": f"Bearer {answer['token']}"}
    assert client.post(url, content=b"x", headers=token).status_code == 200
    sandbox.advance(3601)
    assert client.post(url, content=b"x", headers=token).status_code == 401

"""Jobs over HTTP: one id is one job, who may see it, how it is watched, listed and stopped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.worker.conftest import SMALL, TOKEN, Office, Open

OTHERS = "a-token-of-user-two"


def test_the_same_job_is_the_same_job(office: Office) -> None:
    """PUT twice: 202, then 200 with the same job; another body under that id is 409, and changes nothing."""
    first, again, other = office.put("one"), office.put("one"), office.put("one", prompt="another cup")
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["sequence"] == again.json()["sequence"]
    assert office.end("one")["result"]["status"] == "completed"
    assert (office.put("one").status_code, office.put("one", prompt="x").status_code) == (200, 409)
    assert len(office.client.get("/v1/jobs").json()["jobs"]) == 1


def test_a_hundred_at_once_make_one_job(office: Office) -> None:
    """100 concurrent PUTs of one id: one is told 202, all others 200, and one job is made."""
    with ThreadPoolExecutor(20) as pool:
        codes = [answer.status_code for answer in pool.map(lambda _: office.put("one"), range(100))]
    assert sorted(codes) == [200] * 99 + [202]
    office.end("one")
    assert [line["event"] for line in office.lines].count("job_queued") == 1
    assert office.tree() == ["user-1/one/0.png", "user-1/one/0.thumb.webp"]


def test_ids_that_differ_in_case_alone_are_one(desk: Office) -> None:
    """Where file names have no case, two such jobs would share a folder: the second is refused."""
    assert desk.put("one").status_code == 202
    assert desk.put("ONE").status_code == 409


def test_a_post_may_leave_the_id_to_the_worker(desk: Office) -> None:
    """POST without an id gets one; with an id it is as idempotent as PUT; a PUT's two ids must agree."""
    job = {"type": "sdxl_image_fast", "prompt": "x", "user_id": "u", "config": SMALL}
    made = desk.client.post("/v1/jobs", json=job)
    assert made.status_code == 202
    assert made.json()["id"].startswith("job-")
    assert desk.client.post("/v1/jobs", json={**job, "id": "mine"}).status_code == 202
    assert desk.client.put("/v1/jobs/mine", json=job).status_code == 200
    answer = desk.client.put("/v1/jobs/yours", json={**job, "id": "mine"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "id"])


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"config": {"num_images": 0}}, ["body", "config", "num_images"]),
        ({"config": {"steps": 9}}, ["body", "config", "steps"]),
        ({"metadata": {"denoise_strength": 2}}, ["body", "metadata", "denoise_strength"]),
        ({"config": {"width": 65, "height": 64}}, ["body", "config", "width"]),
        ({"type": "sdxl_image_slow"}, ["body", "type"]),
        ({"user_id": "../../etc"}, ["body", "user_id"]),
        ({"wat": 1}, ["body", "wat"]),
    ],
)
def test_mistakes_are_422_with_their_path(desk: Office, fields: dict[str, object], loc: list[str]) -> None:
    """An unknown field or a value out of range is told by its path, and nothing is taken in."""
    answer = desk.put("bad", **fields)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == loc
    assert answer.json()["error"]["code"] == "validation"
    assert desk.client.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b"null",
        b"[]",
        b'{"type": "sdxl_image_fast", "prompt": "\\ud800", "user_id": "u"}',
        b'{"type": "sdxl_image_fast", "\\ud800": 1}',
        b'{"type": "sdxl_image_fast", "config": {"seed": ' + b"9" * 5000 + b"}}",
        b'{"type": "sdxl_image_fast", "config": {"guidance_scale": NaN}}',
        b"\xff\xfe",
    ],
)
def test_what_is_hardly_json_is_a_4xx(desk: Office, body: bytes) -> None:
    """Half JSON, deep JSON, huge numbers, NaN and broken text: refused, and never a 5xx."""
    headers = {"Content-Type": "application/json"}
    assert 400 <= desk.client.put("/v1/jobs/bad", content=body, headers=headers).status_code < 500


def test_other_users_jobs_are_not_there(open_office: Open) -> None:
    """A user's token sees the jobs of that user; all others, and their files, are 404 to it."""
    office = open_office(users={OTHERS: "user-2"})
    two = {"Authorization": f"Bearer {OTHERS}"}
    office.put("ones")
    office.end("ones")
    for path in ("", "/events", "/assets/0.png"):
        assert office.client.get(f"/v1/jobs/ones{path}", headers=two).status_code == 404
        assert office.client.get(f"/v1/jobs/ones{path}", params={"user_id": "user-2"}).status_code == 404
    assert office.client.post("/v1/jobs/ones/cancel", headers=two).status_code == 404
    assert office.client.get("/v1/jobs", headers=two).json() == {"jobs": []}
    assert office.client.get("/v1/jobs", headers=two, params={"user_id": "user-1"}).json() == {"jobs": []}
    job = {"type": "sdxl_image_fast", "prompt": "x", "config": SMALL}
    refused = office.client.put("/v1/jobs/mine", json={**job, "user_id": "user-1"}, headers=two)
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "user_id"])
    assert office.client.put("/v1/jobs/mine", json=job, headers=two).json()["user_id"] == "user-2"
    assert office.client.get("/v1/jobs/mine", headers=two).status_code == 200


def test_jobs_are_listed_by_state(open_office: Open) -> None:
    """`state` and `user_id` choose, the newest come first, `before` gives the next page."""
    office = open_office(start=False)
    for number in range(5):
        office.put(f"job-{number}", user_id=f"user-{number % 2}")
    office.client.post("/v1/jobs/job-0/cancel")

    def ids(**query: object) -> list[str]:
        return [job["id"] for job in office.client.get("/v1/jobs", params=query).json()["jobs"]]

    assert ids(state="queued") == ["job-4", "job-3", "job-2", "job-1"]
    assert ids(state="cancelled") == ["job-0"]
    assert ids(state="queued", user_id="user-0") == ["job-4", "job-2"]
    assert ids(limit=2) == ["job-4", "job-3"]
    before = office.job("job-3")["sequence"]
    assert ids(limit=2, before=before) == ["job-2", "job-1"]
    assert office.client.get("/v1/jobs", params={"state": "odd"}).status_code == 422


def test_a_waiting_job_is_cancelled_at_once(open_office: Open) -> None:
    """It never starts, has no files, and says so; cancelling again changes nothing."""
    office = open_office(start=False)
    office.put("one")
    for _ in range(2):
        job = office.client.post("/v1/jobs/one/cancel").json()
        assert (job["state"], job["error"]["code"], job["started_at"]) == ("cancelled", "cancelled", None)
    assert office.client.post("/v1/jobs/none/cancel").status_code == 404


def test_a_running_job_is_cancelled(office: Office) -> None:
    """It ends as cancelled within seconds, leaves no files, and the next job runs."""
    started = threading.Event()
    events = watched(office, "long", started)
    config = {"num_images": 16, "width": 1024, "height": 1024}
    office.put("long", config=config)
    thread = threading.Thread(target=lambda: list(events))
    thread.start()
    assert started.wait(30)
    office.client.post("/v1/jobs/long/cancel")
    assert office.end("long", seconds=20)["state"] == "cancelled"
    thread.join()
    assert office.tree() == []
    office.put("next")
    assert office.end("next")["state"] == "completed"


def watched(
    office: Office, job_id: str, started: threading.Event | None = None
) -> Iterator[tuple[str, dict]]:
    """The events of a job as a client of server-sent events gets them."""
    with office.client.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
                if started is not None and name == "started":
                    started.set()
            if line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_a_job_is_watched_to_its_end(office: Office) -> None:
    """Events: queued, started, step k of n (rising to n), uploaded, done; then the stream ends."""
    office.put("one", config={**SMALL, "num_images": 3})
    events = list(watched(office, "one"))
    names = [name for name, _ in events]
    steps = [(data["step"], data["steps"]) for name, data in events if name == "step"]
    assert [name for name in names if name != "step"] == ["queued", "started", "uploaded", "done"]
    assert steps == sorted(steps)
    assert steps[-1] == (45, 45)
    late = [name for name, _ in watched(office, "one")]
    assert late == ["queued", "started", "uploaded", "done"]
    assert office.client.get("/v1/jobs/none/events").status_code == 404


def test_events_are_kept_while_a_job_lives(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late the sender's thread goes on, `queued` comes first, and of ended jobs nothing is kept."""
    taken = office.service._taken

    def late(row: Any, job: Any) -> None:
        office.service.wake()
        office.end(row.id)
        taken(row, job)

    monkeypatch.setattr(office.service, "_taken", late)
    assert office.put("one").status_code == 202
    assert office.service.events._stories == {}
    assert [name for name, _ in watched(office, "one")][:2] == ["queued", "started"]
    assert office.service.events._stories == {}


def test_an_answer_leaves_at_once(desk: Office) -> None:
    """Head and body of an answer are two writes: with Nagle's algorithm the second would wait for the
    client's acknowledgement, 40 ms on Linux, every time."""
    times = []
    for number in range(40):
        began = time.perf_counter()
        desk.put(f"job-{number}")
        times.append(time.perf_counter() - began)
    assert min(times[-10:]) < 0.03


def test_a_job_cancelled_twice_ends_once(desk: Office) -> None:
    """The second cancel of a waiting job is no second end: not in the log, not in the numbers."""
    desk.put("one")
    for _ in range(3):
        assert desk.client.post("/v1/jobs/one/cancel").json()["state"] == "cancelled"
    assert [line["event"] for line in desk.lines].count("job_ended") == 1
    line = 'aicp_worker_jobs_ended_total{state="cancelled",type="sdxl_image_fast"} 1.0'
    assert line in desk.client.get("/metrics").text.splitlines()
    assert desk.service._cancelled == set()


def test_a_users_next_job_starts_when_one_ended(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a user's limit holds jobs back, the end of one starts another at once, not at the next look."""
    from ai_content_pipeline.worker import service
    from ai_content_pipeline.worker.rows import Bounds

    monkeypatch.setattr(service, "_LOOK", 3600.0)
    office = open_office(bounds=Bounds(running_per_user=1), processes=2)
    for number in range(6):
        office.put(f"job-{number}")
    for number in range(6):
        assert office.end(f"job-{number}", seconds=30)["state"] == "completed"


def test_files_are_handed_out_by_their_name_alone(office: Office) -> None:
    """The media and thumbnails of a job; no other name, nor any path."""
    office.put("one")
    office.end("one")
    media = office.client.get("/v1/jobs/one/assets/0.png")
    assert media.headers["content-type"] == "image/png"
    assert media.content == (office.workspace / "workspace-temp/user-1/one/0.png").read_bytes()
    thumb = office.client.get("/v1/jobs/one/assets/0.thumb.webp")
    assert thumb.headers["content-type"] == "image/webp"
    assert office.client.get("/v1/jobs/one/assets/1.png").status_code == 404
    for name in ("..%2f0.png", "%2e%2e", "queue.sqlite3", "../../x"):
        assert office.client.get(f"/v1/jobs/one/assets/{name}").status_code in (404, 405, 422)


def test_a_backlog_is_bounded(open_office: Open) -> None:
    """Above the bound, of all or of one user: 429, and when to come back; known jobs still get 200."""
    from ai_content_pipeline.worker.rows import Bounds

    office = open_office(start=False, bounds=Bounds(backlog=3, per_user=2))
    assert [office.put(f"a{n}", user_id="a").status_code for n in range(3)] == [202, 202, 429]
    assert [office.put(f"b{n}", user_id="b").status_code for n in range(2)] == [202, 429]
    refused = office.put("c0", user_id="c")
    assert refused.json()["error"]["retryable"] is True
    assert 1 <= int(refused.headers["retry-after"]) <= 300
    assert office.put("a0", user_id="a").status_code == 200


def test_health_readiness_and_numbers(office: Office) -> None:
    """/health and /ready answer probes without a token; /metrics counts what happened."""
    office.put("one")
    office.end("one")
    office.put("gone", metadata={"reference_image_url": "data:image/png;base64,AAAA"})
    office.end("gone")
    for path in ("/health", "/ready"):
        assert office.client.get(path, headers={"Authorization": ""}).status_code == 200
    said = office.client.get("/metrics").text
    for line in (
        'aicp_worker_jobs_ended_total{state="completed",type="sdxl_image_fast"} 1.0',
        'aicp_worker_failures_total{code="download"} 1.0',
        "aicp_worker_queue_depth 0.0",
        'aicp_worker_run_seconds_count{type="sdxl_image_fast"} 2.0',
        'aicp_worker_wait_seconds_count{type="sdxl_image_fast"} 2.0',
        "aicp_worker_process_starts_total 1.0",
    ):
        assert line in said.splitlines()
    assert "user-1" not in said


def test_the_schema_is_published(desk: Office) -> None:
    """/openapi.json describes both forms, with ranges and what is deprecated."""
    schema = desk.client.get("/openapi.json").json()
    models = schema["components"]["schemas"]
    assert {"Job", "ModeJob"} <= models.keys()
    assert models["Metadata"]["properties"]["reference_strength"]["deprecated"] is True
    assert models["Config"]["properties"]["num_images"]["maximum"] == 16
    assert models["Config"]["additionalProperties"] is False
    assert {"put", "get"} <= schema["paths"]["/v1/jobs/{job_id}"].keys()


def test_the_token_is_asked_for(desk: Office) -> None:
    """The fixture's client has it; one without has nothing."""
    assert desk.client.headers["authorization"] == f"Bearer {TOKEN}"
    assert desk.client.get("/v1/jobs", headers={"Authorization": ""}).status_code == 401

"""A pipeline's steps on a worker: sent once, pictures in the job, results fetched, failures tried anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.workshop import open_workshop
from ai_content_pipeline.errors import ConfigurationError, NotAccepted
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.jobs import (
    CancelAnswer,
    Failed,
    Gone,
    Handle,
    JobRequest,
    Model,
    Queued,
    Reason,
    Running,
    Task,
)
from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.project import find_project
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.worker import WorkerProvider
from tests.worker.conftest import TOKEN, Office, Open, picture
from tests.worker.test_worker_process import FAULTY

STORY = """
name: story
prompt: "A 2x2 grid of 4 panels: a cup of coffee"
steps:
  - {name: board, type: text_to_image, model: "worker:sdxl_image_high", params: {width: 256, height: 256}}
  - {name: scenes, type: split_image, model: local, params: {grid: "2x2", naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: "worker:video_fast"
    params: {num_frames: 5, width: 128, height: 128, prompts: ["one", "two", "three", "four"]}
"""


def environ(office: Office) -> dict[str, str]:
    return {"AICP_WORKER_URL": office.url, "AICP_WORKER_TOKEN": TOKEN}


def provider(office: Office, folder: Path) -> WorkerProvider:
    return WorkerProvider(
        Surroundings(environ(office), folder / "scratch", lambda sha: folder / f"{sha}.png")
    )


def ask(prompt: str = "a cup", **inputs: Any) -> JobRequest:
    task = Task.IMAGE_TO_IMAGE if inputs else Task.TEXT_TO_IMAGE
    model = Model("worker:sdxl_image_fast", "worker", "sdxl_image_fast", task, seed_field="seed")
    return JobRequest(
        model, prompt, {"width": 64, "height": 64}, {Role(name): (file,) for name, file in inputs.items()}
    )


def ended(one: WorkerProvider, handle: Handle) -> Any:
    import time

    while isinstance(status := one.poll(handle), Queued | Running):
        time.sleep(0.05)
    return status


def test_a_storyboard_is_made_on_a_worker(open_office: Open, tmp_path: Path) -> None:
    """Text to picture, split, four clips: the whole chain runs there; run again, nothing is asked."""
    office = open_office()
    (tmp_path / ".aicp").mkdir()
    path = tmp_path / "story.yaml"
    path.write_text(STORY)
    for round_ in (1, 2):
        expansion = expand(load_pipeline(path, environ={}))
        with open_workshop(find_project(tmp_path), environ(office)) as workshop:
            options = RunOptions(tmp_path, ("output", "story"), f"run-{round_}", str)
            result = run(expansion, workshop, options, lambda event: None)
        assert result.exit_code == 0, [
            item.error for step in result.steps for item in step.items if item.error
        ]
        assert [found is not None for found in result.step("clips").outputs] == [True] * 4
    jobs = office.client.get("/v1/jobs").json()["jobs"]
    assert sorted(job["type"] for job in jobs) == ["sdxl_image_high", *["video_fast"] * 4]
    assert {job["result"]["metadata"]["reference_mode"] for job in jobs} == {"none", "start"}


def test_a_picture_goes_with_the_job_and_not_into_the_journal(office: Office, tmp_path: Path) -> None:
    """What is journaled names the picture by content; what is sent holds it."""
    (tmp_path / "a.png").write_bytes(picture())
    info, sha = verify(tmp_path / "a.png"), hash_file(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / f"{sha}.png")
    one = provider(office, tmp_path)
    artifact = Artifact(sha, 1, info)
    upload = one.upload(artifact, tmp_path / f"{sha}.png")
    wire = one.wire(ask(input=artifact), {Role.INPUT: (upload,)}, 7)
    assert wire.payload["metadata"] == {"reference_image_url": f"artifact:{sha}"}
    status = ended(one, one.submit(wire, "k" * 64))
    (output,) = status.outputs
    assert output.path is not None
    assert verify(output.path).media_type == "image/png"
    (job,) = office.client.get("/v1/jobs").json()["jobs"]
    assert job["result"]["metadata"]["reference_mode"] == "single"
    one.close()


def test_the_same_key_is_the_same_job(office: Office, tmp_path: Path) -> None:
    """Asked again, by this process or a later one, it is one job; another key or content is another."""
    one, later = provider(office, tmp_path), provider(office, tmp_path)
    wire = one.wire(ask(), {}, 7)
    handles = {one.submit(wire, "k").request_id, later.submit(wire, "k").request_id}
    assert len(handles) == 1
    assert one.submit(wire, "l").request_id not in handles
    assert one.submit(one.wire(ask(), {}, 8), "k").request_id not in handles
    assert len(office.client.get("/v1/jobs").json()["jobs"]) == 3
    one.close()
    later.close()


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("cuda asserts", Reason.TEMPORARY),
        ("weights are missing", Reason.CONFIGURATION),
        ("torch runs out of memory", Reason.PROVIDER),
    ],
)
def test_a_job_that_failed_is_tried_under_another_id(
    open_office: Open, tmp_path: Path, prompt: str, reason: Reason
) -> None:
    """A failure has its reason and cost nothing; the same request again is a new job, not the old failure."""
    office = open_office(command=[sys.executable, str(FAULTY), str(tmp_path / "s")], job_timeout=30.0)
    one = provider(office, tmp_path)
    wire = one.wire(ask(prompt), {}, 7)
    first = one.submit(wire, "k")
    status = ended(one, first)
    assert isinstance(status, Failed)
    assert (status.reason, status.billed.value) == (reason, "no")
    second = one.submit(wire, "k")
    assert second.request_id == f"{first.request_id}-1"
    one.close()


def test_cancel_and_unknown_jobs(open_office: Open, tmp_path: Path) -> None:
    """A waiting job is cancelled, an unknown one is said to be unknown, and polled it is gone."""
    office = open_office(start=False)
    one = provider(office, tmp_path)
    handle = one.submit(one.wire(ask(), {}, 7), "k")
    assert isinstance(one.poll(handle), Queued)
    assert one.cancel(handle) is CancelAnswer.CANCELLED
    assert isinstance(one.poll(handle), Failed)
    stranger = Handle("nobody", handle.data)
    assert one.cancel(stranger) is CancelAnswer.UNKNOWN_JOB
    assert isinstance(one.poll(stranger), Gone)
    with pytest.raises(ConfigurationError, match="not at"):
        one.poll(Handle("a", {"base": "http://127.0.0.1:1"}))
    one.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "AICP_WORKER_URL is not set"),
        ({"AICP_WORKER_URL": "http://worker.example:8750"}, "unencrypted"),
        ({"AICP_WORKER_URL": "nonsense"}, "AICP_WORKER_URL"),
        ({"AICP_WORKER_URL": "http://127.0.0.1:1", "AICP_WORKER_TOKEN": "a b"}, "AICP_WORKER_TOKEN"),
    ],
)
def test_where_the_worker_is_must_be_said(settings: dict[str, str], said: str, tmp_path: Path) -> None:
    """No address, one that would send the token in the clear, or a token that is none: exit code 4."""
    with pytest.raises(ConfigurationError, match=said):
        WorkerProvider(Surroundings(settings, tmp_path, lambda sha: tmp_path))


def test_a_wrong_token_is_a_configuration_error(office: Office, tmp_path: Path) -> None:
    """The worker's 401 says so, and shows no token."""
    settings = {**environ(office), "AICP_WORKER_TOKEN": "canary-token-77"}
    one = WorkerProvider(Surroundings(settings, tmp_path, lambda sha: tmp_path))
    with pytest.raises(NotAccepted, match="worker refuses") as caught:
        one.submit(one.wire(ask(), {}, 7), "k")
    assert caught.value.cause.exit_code == 4
    assert "canary" not in str(caught.value)
    one.close()

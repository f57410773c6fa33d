"""Processes go on while the disk works, and a disk that fails costs a job at most (classes R6 and P10)."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.worker import maker
from ai_content_pipeline.worker.storage import LocalFolder
from tests.worker.conftest import Open
from tests.worker.test_worker_kills import until


class SlowDisk(LocalFolder):
    """Publishes nothing until it may."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(workspace)
        self.may = threading.Event()

    def publish(self, staged: Path, user_id: str, job_id: str, names: list[str]) -> None:
        assert self.may.wait(60)
        super().publish(staged, user_id, job_id, names)


class FullDisk(LocalFolder):
    """Neither takes nor gives anything back."""

    def publish(self, *where: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def remove(self, user_id: str, job_id: str) -> None:
        raise AicpError("a symbolic link leads out")


def test_the_next_job_is_made_while_the_last_is_stored(open_office: Open) -> None:
    """One process makes job after job while none can be stored yet; no more than a few are begun, and none
    has ended. When the disk goes on, all end."""
    assert maker._UNFINISHED > 2  # a sync takes longer than a small draft
    office = open_office()
    slow = office.service.storage = office.service.courier.storage = SlowDisk(office.workspace)
    for number in range(maker._UNFINISHED + 3):
        office.put(f"job-{number}")
    until(lambda: office.service.queue.counts()["running"] == maker._UNFINISHED)
    folders = office.service.scratch / "process-0"
    until(lambda: len(list(folders.glob("job-*/0.thumb.webp"))) == maker._UNFINISHED)
    assert office.tree() == []
    assert office.service.queue.counts() == {"queued": 3, "running": maker._UNFINISHED}
    slow.may.set()
    for number in range(maker._UNFINISHED + 3):
        assert office.end(f"job-{number}")["state"] == "completed"
    until(lambda: not list(folders.glob("job-*")))


def test_a_drain_waits_for_what_is_being_stored(open_office: Open) -> None:
    """SIGTERM while a finished job is on its way to the disk: it is stored, and ends as completed."""
    office = open_office()
    slow = office.service.storage = SlowDisk(office.workspace)
    office.put("one")
    folders = office.service.scratch / "process-0"
    until(lambda: list(folders.glob("job-*/0.thumb.webp")))
    threading.Timer(0.3, slow.may.set).start()
    assert office.service.drain(30.0)
    row = office.service.queue.job("one")
    assert row is not None
    assert row.state == "completed"
    assert office.tree() == ["user-1/one/0.png", "user-1/one/0.thumb.webp"]


def test_a_cancel_while_results_are_stored_comes_too_late(open_office: Open) -> None:
    """A job that is made already has one end: completed, with its files; the cancel changes nothing (W12)."""
    office = open_office()
    slow = office.service.storage = office.service.courier.storage = SlowDisk(office.workspace)
    office.put("one")
    until(lambda: list((office.service.scratch / "process-0").glob("job-*/0.thumb.webp")))
    assert office.client.post("/v1/jobs/one/cancel").json()["state"] == "running"
    slow.may.set()
    assert office.end("one")["state"] == "completed"
    assert office.client.post("/v1/jobs/one/cancel").json()["state"] == "completed"
    assert office.tree() == ["user-1/one/0.png", "user-1/one/0.thumb.webp"]
    assert [line["event"] for line in office.lines].count("job_ended") == 1


def test_a_disk_that_fails_fails_the_job_by_name(open_office: Open) -> None:
    """Results that cannot be stored, nor what an earlier try left be removed: `storage`, retryable, and the
    next job runs."""
    office = open_office()
    sound = office.service.storage
    office.service.storage = FullDisk(office.workspace)
    office.put("one")
    failed = office.end("one")
    assert (failed["state"], failed["error"]["code"]) == ("failed", "storage")
    assert failed["error"]["retryable"] is True
    office.service.storage = sound
    office.put("two")
    assert office.end("two")["state"] == "completed"


def test_a_scratch_folder_that_cannot_be_made_fails_the_job(open_office: Open) -> None:
    """No room even to begin: the job has failed by name, and is not left running."""
    office = open_office()
    office.put("warm")
    office.end("warm")
    folder = office.service.scratch / "process-0"
    shutil.rmtree(folder)
    folder.write_text("in the way")
    office.put("one")
    assert office.end("one")["error"]["code"] == "storage"
    folder.unlink()
    office.put("two")
    assert office.end("two")["state"] == "completed"


@pytest.mark.parametrize("job_id", ["one", "ONE"])
def test_a_cancel_reaches_the_process_whatever_the_ids_case(open_office: Open, job_id: str) -> None:
    """An id names its job in any case, also to be cancelled while it runs."""
    office = open_office()
    office.put("one", config={"num_images": 16, "width": 1024, "height": 1024})
    until(lambda: office.job("one")["state"] == "running")
    office.client.post(f"/v1/jobs/{job_id}/cancel")
    assert office.end("one", seconds=20)["state"] == "cancelled"
    assert office.service._cancelled == set()

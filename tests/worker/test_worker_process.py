"""Inference in a process of its own: what kills it fails one job, by name, and the worker lives on (R7)."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.worker.conftest import Office, Open
from tests.worker.test_worker_http import watched

FAULTY = Path(__file__).with_name("faulty_child.py")


@pytest.fixture
def faulty(open_office: Open, tmp_path: Path) -> Office:
    """A worker whose jobs end as their prompts say."""
    return open_office(command=[sys.executable, str(FAULTY), str(tmp_path / "scratch")], job_timeout=4.0)


@pytest.mark.parametrize(
    ("prompt", "code", "retryable"),
    [
        ("python runs out of memory", "oom", True),
        ("torch runs out of memory", "oom", True),
        ("the vendor says out of memory", "oom", True),
        ("cuda asserts", "crashed", True),
        ("the system kills", "oom", True),
        ("it aborts", "crashed", True),
        ("it exits", "crashed", True),
        ("weights are missing", "missing_weights", False),
        ("it hangs", "timeout", True),
    ],
)
def test_a_job_fails_by_name_and_the_worker_lives_on(
    faulty: Office, prompt: str, code: str, *, retryable: bool
) -> None:
    """Out of memory, a CUDA error, a dead process, a hang: that job has failed, and the next is made."""
    faulty.put("bad", prompt=prompt)
    faulty.put("good")
    failed = faulty.end("bad")
    assert (failed["state"], failed["attempts"]) == ("failed", 1)
    assert (failed["error"]["code"], failed["error"]["retryable"]) == (code, retryable)
    assert faulty.end("good")["state"] == "completed"
    assert faulty.tree() == ["user-1/good/0.png", "user-1/good/0.thumb.webp"]


def test_a_process_that_does_not_come_up(open_office: Open, tmp_path: Path) -> None:
    """Where it dies before its first job (a driver that is gone), jobs fail by name and the worker is not
    ready; when it comes up again, the worker is."""
    cure = tmp_path / "cure"
    script = f"import os, sys; os.path.exists({str(cure)!r}) or sys.exit(3); os.execv(sys.executable, "
    words = f"[sys.executable, {str(FAULTY)!r}, {str(tmp_path / 'scratch')!r}])"
    office = open_office(command=[sys.executable, "-c", script + words])
    office.put("bad")
    failed = office.end("bad")
    assert (failed["error"]["code"], failed["error"]["retryable"]) == ("crashed", True)
    assert "exit code 3" in failed["error"]["message"]
    assert office.client.get("/ready").status_code == 503
    cure.touch()
    office.put("good")
    assert office.end("good")["state"] == "completed"
    assert office.client.get("/ready").status_code == 200


def test_a_process_that_cannot_be_started(open_office: Open, tmp_path: Path) -> None:
    """Where the system refuses to start one, jobs fail by name, the worker serves on, and is not ready."""
    office = open_office(command=[str(tmp_path / "nothing")])
    for job_id in ("one", "two"):
        office.put(job_id)
        failed = office.end(job_id)
        assert (failed["error"]["code"], failed["error"]["retryable"]) == ("crashed", True)
        assert "no inference process can be started" in failed["error"]["message"]
    assert office.client.get("/ready").status_code == 503


def test_a_spoilt_process_is_replaced(faulty: Office) -> None:
    """After a CUDA error nothing in the process can be trusted: another one makes the next job."""
    (maker,) = faulty.service.makers
    before = maker._process.pid
    faulty.put("bad", prompt="cuda asserts")
    assert "device-side assert" in faulty.end("bad")["error"]["message"]
    faulty.put("good")
    faulty.end("good")
    assert maker._process.pid != before
    assert "aicp_worker_process_starts_total 2.0" in faulty.client.get("/metrics").text


def test_a_flood_of_steps_is_bounded(faulty: Office) -> None:
    """Thousands of reports of progress become a few events, and the newest is what a job shows."""
    faulty.put("one", prompt="it steps")
    names = []
    for name, _ in watched(faulty, "one"):
        names.append(name)
        if len(names) == 8:
            assert 0 < faulty.job("one")["progress"]["step"] <= 15
            faulty.client.post("/v1/jobs/one/cancel")
    assert names[-1] == "cancelled"
    assert len(names) < 150


def test_memory_of_the_gpu_is_counted(faulty: Office) -> None:
    """What a process says it holds on its card is among the numbers; where there is none, nothing is."""
    faulty.put("one")
    faulty.end("one")
    assert "aicp_worker_vram_bytes{" not in faulty.client.get("/metrics").text
    faulty.put("two", prompt="it holds memory of a GPU")
    faulty.end("two")
    lines = faulty.client.get("/metrics").text.splitlines()
    name = 'aicp_worker_vram_bytes{process="0"} '
    assert [float(line.removeprefix(name)) for line in lines if line.startswith(name)] == [7 << 30]


def test_what_a_library_prints_is_no_answer(faulty: Office) -> None:
    """Output of the process on stdout does not confuse the worker."""
    faulty.put("one", prompt="it talks")
    assert faulty.end("one")["state"] == "completed"


def test_a_cancelled_job_that_does_not_listen_is_ended(faulty: Office) -> None:
    """A job that hangs is stopped with its process, and the next runs."""
    faulty.put("stuck", prompt="it hangs")
    while faulty.job("stuck")["state"] != "running":
        time.sleep(0.02)
    faulty.client.post("/v1/jobs/stuck/cancel")
    job = faulty.end("stuck")
    assert job["state"] in ("cancelled", "failed")
    faulty.put("next")
    assert faulty.end("next")["state"] == "completed"


def test_a_child_ends_with_its_worker(open_office: Open) -> None:
    """When the worker's end of the pipe is closed, whatever way it went, the process is gone soon after."""
    office = open_office()
    office.put("one")
    office.end("one")
    process = office.service.makers[0]._process
    pid = process.pid
    assert pid is not None
    process._child.stdin.close()
    process._child.wait(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_does_not_know_the_workers_secrets(
    monkeypatch: pytest.MonkeyPatch, open_office: Open
) -> None:
    """Tokens and secrets are not in the environment of the process that opens strangers' pictures."""
    monkeypatch.setenv("AICP_WORKER_TOKEN", "canary-token")
    monkeypatch.setenv("AICP_WORKER_CALLBACK_SECRET", "canary-secret")
    office = open_office()
    while (pid := office.service.makers[0]._process.pid) is None:
        time.sleep(0.02)
    if not Path(f"/proc/{pid}/environ").exists():
        pytest.skip("no /proc here")
    seen = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"canary" not in seen

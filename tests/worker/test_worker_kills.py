"""A worker that is killed at any moment: every job ends once, with one set of files, and is told of."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ai_content_pipeline.worker.queue import Queue
from tests.worker.conftest import SECRET, SMALL, TOKEN, Receiver


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


@dataclass
class Worker:
    """A worker in a process of its own, started again as often as need be, on one workspace."""

    workspace: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> None:
        words = ["worker", "serve", "--provider", "draft", "--port", "0", "--allow-private-hosts"]
        secrets = {"AICP_WORKER_TOKEN": TOKEN, "AICP_WORKER_CALLBACK_SECRET": SECRET}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ai_content_pipeline",
                *words,
                "--workspace",
                str(self.workspace),
                *self.options,
            ],
            env={**os.environ, **secrets},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the worker did not start"

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def put(self, job_id: str, **fields: object) -> int:
        job = {
            "type": "sdxl_image_fast",
            "prompt": job_id,
            "user_id": f"u{hash(job_id) % 3}",
            "config": SMALL,
            **fields,
        }
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.put(f"{self.url}/v1/jobs/{job_id}", json=job, headers=headers, timeout=30).status_code

    def states(self) -> Counter[str]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        jobs = httpx.get(f"{self.url}/v1/jobs", headers=headers, timeout=30).json()["jobs"]
        return Counter(job["state"] for job in jobs)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path / "workspace", ("--attempts", "100"))
    yield worker
    if worker.process is not None and worker.process.poll() is None:
        worker.kill()


def test_killed_at_random_moments(worker: Worker, receiver: Receiver) -> None:
    """kill -9 again and again under waiting jobs: each is done once, its files are whole and its callback
    came, under one id. (`python -m benchmarks.worker --kills 50` is the long form.)"""
    jobs, kills = [f"job-{number}" for number in range(10)], 4
    chance = random.Random(20260517)
    worker.start()
    for job_id in jobs:
        assert worker.put(job_id, callback_url=f"{receiver.url}/x") == 202
    for _ in range(kills):
        if chance.random() < 0.75:  # else it dies while it starts
            until(lambda: httpx.get(f"{worker.url}/ready", timeout=30).status_code == 200, 60)
        time.sleep(chance.uniform(0.0, 0.4))
        worker.kill()
        worker.start()
    by_id = {one.id for one in receiver.wait(len(jobs), 60)}
    deadline = time.monotonic() + 60
    while len(by_id) < len(jobs):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        by_id = {one.id for one in receiver.deliveries}
    assert worker.states() == {"completed": len(jobs)}
    worker.kill(signal.SIGTERM)
    assert by_id == {f"msg_{job_id}" for job_id in jobs}
    for delivery in receiver.deliveries:
        (asset,) = delivery.body["assets"]
        assert (worker.workspace / asset["url"]).stat().st_size == asset["metadata"]["file_size_bytes"]
    files = [path.name for path in (worker.workspace / "workspace-temp").rglob("*") if path.is_file()]
    assert Counter(files) == {"0.png": len(jobs), "0.thumb.webp": len(jobs)}


def test_sigterm_lets_running_jobs_end(worker: Worker, receiver: Receiver) -> None:
    """SIGTERM: the running job ends and is stored, the waiting ones are there for the next start, exit 0."""
    worker.start()
    for number in range(4):
        worker.put(f"job-{number}", config={"width": 1024, "height": 1024})
    deadline = time.monotonic() + 30
    while not worker.states()["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert worker.kill(signal.SIGTERM) == 0
    queue = Queue(worker.workspace / ".aicp-worker/queue.sqlite3")
    states = Counter(job.state.value for job in queue.jobs(None, None, None, 99))
    attempts = {job.attempts for job in queue.jobs(None, None, None, 99) if job.state.value == "queued"}
    queue.close()
    assert states["running"] == 0
    assert states["completed"] >= 1
    assert states["queued"] >= 1
    assert attempts == {0}


def test_a_drain_has_its_time(worker: Worker) -> None:
    """What does not end within --drain goes back to the queue untried, and the worker ends."""
    worker.options = ("--drain", "0.1")
    worker.start()
    worker.put("long", config={"width": 4096, "height": 4096, "num_images": 16})
    while not worker.states()["running"]:
        time.sleep(0.02)
    began = time.monotonic()
    assert worker.kill(signal.SIGTERM) == 0
    assert time.monotonic() - began < 20
    queue = Queue(worker.workspace / ".aicp-worker/queue.sqlite3")
    (job,) = queue.jobs(None, None, None, 9)
    queue.close()
    assert (job.state.value, job.attempts) == ("queued", 0)


def test_one_workspace_has_one_worker(worker: Worker) -> None:
    """A second one on the same queue is refused, with exit code 4; after a kill -9 the place is free."""
    worker.start()
    words = ["worker", "serve", "--provider", "draft", "--port", "0", "--workspace", str(worker.workspace)]
    second = subprocess.run(
        [sys.executable, "-m", "ai_content_pipeline", *words],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (second.returncode, "another worker runs" in second.stderr) == (4, True)
    worker.kill()
    worker.start()

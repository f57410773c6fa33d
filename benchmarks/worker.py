"""The worker under load, and under kill -9.

``python -m benchmarks worker`` sends small picture jobs to a worker on the draft renderer and measures jobs
a second, how long a PUT takes while they are made, and memory. ``python -m benchmarks.worker --kills 50``
kills a worker at that many random moments and counts what became of its jobs.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measure import Measure

JOBS = 10_000
CLIENTS = 4
_SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
_JOB = {"type": "sdxl_image_fast", "prompt": "a cup of coffee", "config": {"width": 64, "height": 64}}


@dataclass
class Worker:
    """A worker in a process of its own, which may be killed and started again."""

    folder: Path
    options: tuple[str, ...]
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> None:
        words = ["worker", "serve", "--provider", "draft", "--port", "0", "--workspace", str(self.folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ai_content_pipeline", *words, *self.options],
            env={**os.environ, "AICP_WORKER_CALLBACK_SECRET": _SECRET},
            stdout=subprocess.PIPE,
            stderr=(self.folder / "worker.log").open("a"),
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise SystemExit((self.folder / "worker.log").read_text()[-3000:])

    def end(self, number: int) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(number)
        self.process.wait()
        self.process.stdout.close()

    def memory(self) -> float:
        """MiB that the serving process holds."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@contextmanager
def started(*options: str) -> Iterator[Worker]:
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder), options)
        worker.start()
        try:
            yield worker
        finally:
            worker.end(signal.SIGTERM)


def benchmark(jobs: int = JOBS) -> list[Measure]:
    """Send `jobs` and wait until all are done."""
    backlog = ("--backlog", "2000", "--user-backlog", "2000")
    with started("--processes", "2", "--drain", "1", *backlog) as worker:
        _send(worker, range(200))  # both processes are there, and caches are warm
        _wait(worker, 200)
        before, began, latencies = worker.memory(), time.perf_counter(), []
        with ThreadPoolExecutor(CLIENTS) as pool:
            shares = [range(200 + start, 200 + jobs, CLIENTS) for start in range(CLIENTS)]
            for times in pool.map(lambda share: _send(worker, share), shares):
                latencies += times
        _wait(worker, 200 + jobs)
        seconds, after = time.perf_counter() - began, worker.memory()
    latencies.sort()
    p99 = latencies[int(len(latencies) * 0.99)] * 1000
    p50 = latencies[len(latencies) // 2] * 1000
    return [
        Measure("worker: 64 px jobs accepted and completed a second", jobs / seconds, 50, "higher", "/s"),
        Measure("worker: PUT under load, p50", p50, 50, "lower", "ms"),
        Measure("worker: PUT under load, p99", p99, 50, "lower", "ms"),
        Measure(f"worker: memory after {jobs} jobs, grown by", after - before, 30, "lower", "MiB"),
    ]


def _send(worker: Worker, numbers: range) -> list[float]:
    """Put jobs of ten users one after the other; seconds that each answer took. 429 waits as it is told."""
    times = []
    with httpx.Client(base_url=worker.url, timeout=60) as client:
        for number in numbers:
            job = {**_JOB, "user_id": f"user-{number % 10}"}
            while True:
                began = time.perf_counter()
                answer = client.put(f"/v1/jobs/job-{number}", json=job)
                times.append(time.perf_counter() - began)
                if answer.status_code != 429:
                    break
                time.sleep(1)
            assert answer.status_code == 202, answer.text
    return times


def _wait(worker: Worker, count: int) -> None:
    done = 'aicp_worker_jobs_ended_total{state="completed",type="sdxl_image_fast"}'
    with httpx.Client(base_url=worker.url, timeout=60) as client:
        while True:
            lines = client.get("/metrics").text.splitlines()
            ended = next((float(line.split()[-1]) for line in lines if line.startswith(done)), 0)
            if ended >= count:
                return
            time.sleep(0.2)


# -- kill -9 ---------------------------------------------------------------------------------------------


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, Any]] = {}
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, address: Any) -> None:
        """A worker that was killed in the middle of a callback."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        from standardwebhooks.webhooks import Webhook

        body = self.rfile.read(int(self.headers["content-length"]))
        verified = Webhook(_SECRET).verify(
            body, {name.lower(): value for name, value in self.headers.items()}
        )
        assert isinstance(self.server, _Receiver)
        with self.server.guard:
            self.server.ids[self.headers["webhook-id"]] += 1
            self.server.bodies[verified["job_id"]] = verified
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        pass


def sweep(kills: int, seed: int = 20260517) -> int:
    """Kill a worker under 20 waiting jobs, again and again; how many laws were broken."""
    chance, receiver, broken, sent = random.Random(seed), _Receiver(), 0, 0
    url = f"http://127.0.0.1:{receiver.server_port}/x"
    options = ("--allow-private-hosts", "--attempts", "100", "--processes", "2")
    with started(*options) as worker:
        for kill in range(kills):
            with httpx.Client(base_url=worker.url, timeout=60) as client:
                until_20_wait = len(receiver.bodies) + 20
                while sent < until_20_wait:
                    job = {**_JOB, "user_id": f"user-{sent % 3}", "callback_url": url}
                    assert client.put(f"/v1/jobs/job-{sent}", json=job).status_code == 202
                    sent += 1
            time.sleep(chance.uniform(0, 1.5))
            worker.end(signal.SIGKILL)
            worker.start()
            print(f"kill {kill + 1}: {len(receiver.bodies)} of {sent} jobs told of", flush=True)
        until = time.monotonic() + 120
        while len(receiver.bodies) < sent and time.monotonic() < until:
            time.sleep(0.1)
        broken += _report("jobs without a callback", sent - len(receiver.bodies))
        broken += _report(
            "callbacks under another id", sum(one[4:] not in receiver.bodies for one in receiver.ids)
        )
        states = Counter(body["status"] for body in receiver.bodies.values())
        broken += _report("jobs that did not complete", sent - states["completed"])
        files = Counter(path.name for path in (worker.folder / "workspace-temp").rglob("*") if path.is_file())
        broken += _report("files too many or too few", abs(2 * sent - files.total()) + len(files) - 2)
        sizes = [
            (worker.folder / asset["url"]).stat().st_size != asset["metadata"]["file_size_bytes"]
            for body in receiver.bodies.values()
            for asset in body["assets"]
        ]
        broken += _report("files of another size than told", sum(sizes))
        print(f"{sent} jobs, {kills} kills, {receiver.ids.total()} deliveries")
    receiver.shutdown()
    return broken


def _report(what: str, count: int) -> int:
    print(f"{what}: {count}")
    return int(count != 0)


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 a worker at random moments")
    parser.add_argument("--kills", type=int, default=50)
    return sweep(parser.parse_args().kills)


if __name__ == "__main__":
    sys.exit(main())

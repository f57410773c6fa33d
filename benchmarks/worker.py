"""The worker under load, and under kill -9.

``python -m benchmarks worker`` sends small picture jobs to a worker on the draft renderer: as fast as they
are taken, then at a steady pace. It measures jobs a second, how long a PUT takes, processor time a job in
each process, and memory over 10,000 jobs. ``python -m benchmarks.worker --kills 50`` kills a worker at that
many random moments and counts what became of its jobs.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measure import Measure

JOBS = 10_000
CLIENTS = 4
#: PUTs a second of the steady load: above the goal for jobs, so that both are shown by one run.
PACE = 55.0
_WARM = 200
_SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
_JOB = {"type": "sdxl_image_fast", "prompt": "a cup of coffee", "config": {"width": 64, "height": 64}}
_TICKS = os.sysconf("SC_CLK_TCK")


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

    def wait_until_ready(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while client.get("/ready").status_code != 200:
                time.sleep(0.01)

    def pids(self) -> list[int]:
        """The serving process, then those that make media."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return [
            self.process.pid,
            *(int(pid) for one in tasks for pid in (one / "children").read_text().split()),
        ]


@contextmanager
def started(*options: str) -> Iterator[Worker]:
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder), options)
        worker.start()
        try:
            yield worker
        finally:
            worker.end(signal.SIGTERM)


class Client:
    """A kept connection and nothing more: what sends the load must not be the load."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")
        name, _, port = self._host.partition(":")
        self._socket = socket.create_connection((name, int(port)), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head_, _, rest = answer.partition(b"\r\n\r\n")
        lines = head_.lower().split(b"\r\n")
        size = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(rest) < size:
            rest += self._more()
        return int(lines[0].split()[1]), rest

    def _more(self) -> bytes:
        piece = self._socket.recv(1 << 16)
        assert piece, "the worker hung up"
        return piece

    def close(self) -> None:
        self._socket.close()


@dataclass
class Load:
    """What a load came to. Seconds of each PUT; of processor time and of the whole; MiB by process."""

    jobs: int
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    serving: float = 0.0
    making: float = 0.0
    sending: float = 0.0
    memory: list[tuple[float, ...]] = field(default_factory=list)

    def latency(self, share: float) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * share)] * 1000


def benchmark(jobs: int = JOBS, steady: int = 2000) -> list[Measure]:
    """Send `jobs` as fast as they are taken, then `steady` at an even pace."""
    backlog = ("--backlog", "2000", "--user-backlog", "2000")
    with started("--processes", "2", "--drain", "1", *backlog) as worker:
        _sent(worker, range(_WARM), None)  # both processes are there, and caches are warm
        _wait(worker, _WARM)
        full = measured(worker, range(_WARM, _WARM + jobs))
        even = measured(worker, range(_WARM + jobs, _WARM + jobs + steady), PACE)
    # The first tenth fills pools, caches and SQLite's pages; what grows after it grows with the jobs.
    settled = full.memory[len(full.memory) // 10 :] or full.memory
    grown = [max(0.0, after - before) for before, after in zip(settled[0], settled[-1], strict=True)]
    return [
        Measure(
            "worker: 64 px jobs accepted and completed a second", jobs / full.seconds, 50, "higher", "/s"
        ),
        Measure(f"worker: the same, {PACE:g} a second sent", steady / even.seconds, 50, "higher", "/s"),
        Measure(f"worker: PUT at {PACE:g} jobs a second, p50", even.latency(0.5), 50, "lower", "ms"),
        Measure(f"worker: PUT at {PACE:g} jobs a second, p99", even.latency(0.99), 50, "lower", "ms"),
        Measure(
            f"worker: PUT by {CLIENTS} senders without a pause, p99", full.latency(0.99), 50, "lower", "ms"
        ),
        Measure("worker: processor time a job, serving", full.serving / jobs * 1000, 10, "lower", "ms"),
        Measure("worker: processor time a job, making", full.making / jobs * 1000, 15, "lower", "ms"),
        Measure("worker: processor time a job, sending it", full.sending / jobs * 1000, 1, "lower", "ms"),
        Measure(f"worker: memory over {jobs} jobs, serving grew by", grown[0], 30, "lower", "MiB"),
        Measure(f"worker: memory over {jobs} jobs, making grew by", max(grown[1:]), 30, "lower", "MiB"),
    ]


def measured(worker: Worker, numbers: range, pace: float | None = None) -> Load:
    """Send these jobs, and wait until all are done."""
    load, ended = Load(len(numbers)), threading.Event()
    pids = worker.pids()
    watcher = threading.Thread(target=_watch, args=(pids, load.memory, ended))
    before, own, began = [_processor(pid) for pid in pids], sum(os.times()[:2]), time.perf_counter()
    watcher.start()
    load.latencies = _sent(worker, numbers, pace)
    _wait(worker, numbers.stop)
    load.seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    used = [_processor(pid) - was for pid, was in zip(pids, before, strict=True)]
    load.serving, load.making, load.sending = used[0], sum(used[1:]), sum(os.times()[:2]) - own
    return load


def _watch(pids: Sequence[int], memory: list[tuple[float, ...]], ended: threading.Event) -> None:
    while True:
        memory.append(tuple(_resident(pid) for pid in pids))
        if ended.wait(0.5):
            return


def _resident(pid: int) -> float:
    """MiB that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def _sent(worker: Worker, numbers: range, pace: float | None) -> list[float]:
    """Seconds that each PUT took; at a pace, from the moment when it was due."""
    began, times = time.perf_counter(), []
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = [numbers[start::CLIENTS] for start in range(CLIENTS)]
        for some in pool.map(lambda share: _send(worker, share, numbers.start, pace, began), shares):
            times += some
    return times


def _send(worker: Worker, share: range, first: int, pace: float | None, began: float) -> list[float]:
    """Put jobs of ten users one after the other. 429 waits, and is not counted: it is no job."""
    times, client = [], Client(worker.url)
    for number in share:
        body = json.dumps({**_JOB, "user_id": f"user-{number % 10}"}).encode()
        due = time.perf_counter()
        if pace is not None:
            due = began + (number - first) / pace
            time.sleep(max(0.0, due - time.perf_counter()))
        while (status := client.ask("PUT", f"/v1/jobs/job-{number}", body)[0]) == 429:
            time.sleep(0.5)
            due = time.perf_counter()
        times.append(time.perf_counter() - due)
        assert status == 202, status
    client.close()
    return times


def _wait(worker: Worker, count: int) -> None:
    done = b'aicp_worker_jobs_ended_total{state="completed",type="sdxl_image_fast"}'
    client = Client(worker.url)
    while True:
        lines = client.ask("GET", "/metrics")[1].splitlines()
        ended = next((float(line.split()[-1]) for line in lines if line.startswith(done)), 0)
        if ended >= count:
            break
        time.sleep(0.1)
    client.close()


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
            if chance.random() < 0.8:  # the others die while they start
                worker.wait_until_ready()
            time.sleep(chance.uniform(0, 0.6))
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

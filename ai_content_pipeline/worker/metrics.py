"""Numbers for Prometheus. Labels are few and ours: job types, states and codes, never users or ids."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """One registry a service: two in one process do not meet."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.waiting = Gauge("aicp_worker_queue_depth", "Jobs that wait.", registry=registry)
        self.running = Gauge("aicp_worker_jobs_running", "Jobs that run.", registry=registry)
        self.accepted = Counter("aicp_worker_jobs_accepted", "Jobs taken in.", ("type",), registry=registry)
        self.ended = Counter(
            "aicp_worker_jobs_ended", "Jobs that ended.", ("type", "state"), registry=registry
        )
        self.failures = Counter("aicp_worker_failures", "Jobs that failed.", ("code",), registry=registry)
        self.refused = Counter("aicp_worker_refused", "Jobs for which was no room.", registry=registry)
        self.wait = Histogram(
            "aicp_worker_wait_seconds",
            "From acceptance to start.",
            ("type",),
            registry=registry,
            buckets=_SECONDS,
        )
        self.run = Histogram(
            "aicp_worker_run_seconds", "From start to end.", ("type",), registry=registry, buckets=_SECONDS
        )
        self.callbacks = Counter(
            "aicp_worker_callbacks", "Tries to deliver.", ("outcome",), registry=registry
        )
        self.vram = Gauge(
            "aicp_worker_vram_bytes", "GPU memory that each process holds.", ("process",), registry=registry
        )
        self.restarts = Counter(
            "aicp_worker_process_starts", "Inference processes started.", registry=registry
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)

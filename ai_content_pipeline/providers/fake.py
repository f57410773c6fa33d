"""A provider for tests, ours and our users': scripted, instant or slow, and it counts every charge.

It passes the same contract tests as the real ones. Its world (`FakeVendor`) outlives any client, as a
vendor's does, so a test may throw the provider away and come back with a new one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Literal

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import AicpError, NotAccepted, OutcomeUnknown
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Handle,
    JobRequest,
    JobStatus,
    Json,
    Output,
    Reason,
    Running,
    Sighting,
    Sightings,
    Succeeded,
    Upload,
    WireRequest,
)

Draw = Callable[[WireRequest, Path], Path]


@dataclass(frozen=True, slots=True)
class Act:
    """What the vendor does with one request."""

    seconds: float = 0.0
    end: Literal["done", "failed", "rejected"] = "done"
    billed: Billed = Billed.NO  # of a failed or rejected job
    answer: Literal["accepted", "lost", "refused", "busy"] = "accepted"  # to the submit


@dataclass
class FakeJob:
    number: int
    wire: WireRequest
    act: Act
    started: float
    created: datetime
    cancelled: bool = False


@dataclass
class FakeVendor:
    """The far side: jobs, charges and uploads. `script` decides what happens to each request."""

    draw: Draw
    script: Callable[[WireRequest], Act] = field(default=lambda wire: Act())
    listing: Literal["all", "none"] = "all"
    jobs: list[FakeJob] = field(default_factory=list)
    submits: int = 0
    uploads: list[str] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def charges(self) -> list[FakeJob]:
        """Every job that was, or will be, billed."""
        return [job for job in self.jobs if job.act.end == "done" or job.act.billed is Billed.YES]


class FakeProvider:
    """A client of `vendor`. Results are drawn into `scratch`."""

    def __init__(
        self, vendor: FakeVendor, scratch: Path, *, name: str = "fake", repeatable: bool = False
    ) -> None:
        self.vendor = vendor
        self.name = name
        self.repeatable = repeatable
        self._scratch = scratch

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        with self.vendor.lock:
            self.vendor.uploads.append(artifact.sha256)
        return Upload(f"fake://{artifact.sha256}")

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        payload: dict[str, Json] = {"prompt": request.prompt, "seed": seed, "outputs": request.outputs}
        payload |= {role.value: [upload.url for upload in files] for role, files in uploads.items()}
        return WireRequest(request.model.endpoint, {**payload, **request.params})

    def submit(self, wire: WireRequest, key: str) -> Handle:
        vendor = self.vendor
        act = vendor.script(wire)
        with vendor.lock:
            vendor.submits += 1
            if act.answer == "refused":
                raise NotAccepted(AicpError("the fake vendor refuses this request"))
            if act.answer == "busy":
                raise NotAccepted(AicpError("the fake vendor is busy"), temporary=True)
            job = FakeJob(len(vendor.jobs), wire, act, monotonic(), datetime.now(UTC))
            vendor.jobs.append(job)
            vendor.running += 1
            vendor.most_running = max(vendor.most_running, vendor.running)
        if act.answer == "lost":
            raise OutcomeUnknown("the fake vendor dropped the connection")
        return Handle(str(job.number))

    def poll(self, handle: Handle) -> JobStatus:
        job = self.vendor.jobs[int(handle.request_id)]
        elapsed = monotonic() - job.started
        if elapsed < job.act.seconds and not job.cancelled:
            return Running(elapsed / job.act.seconds)
        with self.vendor.lock:
            self.vendor.running = max(0, self.vendor.running - 1)
        if job.cancelled:
            return Failed(Reason.CANCELLED, "cancelled", Billed.NO)
        if job.act.end == "failed":
            return Failed(Reason.PROVIDER, "the fake vendor failed this job", job.act.billed)
        if job.act.end == "rejected":
            return Failed(Reason.CONTENT, "the fake vendor rejects this content", job.act.billed)
        count = job.wire.payload.get("outputs")
        assert isinstance(count, int)
        return Succeeded(tuple(self._draw(job, index) for index in range(count)))

    def cancel(self, handle: Handle) -> CancelAnswer:
        self.vendor.jobs[int(handle.request_id)].cancelled = True
        return CancelAnswer.CANCELLED

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        if self.vendor.listing == "none":
            return Sightings()
        with self.vendor.lock:
            jobs = [job for job in self.vendor.jobs if job.wire == wire and job.created >= since]
        return Sightings(tuple(Sighting(Handle(str(job.number)), job.created) for job in jobs), True)

    def _draw(self, job: FakeJob, index: int) -> Output:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return Output(path=self.vendor.draw(job.wire, self._scratch / f"fake-{job.number}-{index}"))

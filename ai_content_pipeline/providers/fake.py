"""A provider for tests, ours and our users': scripted, instant or slow, and it counts every charge.

It passes the same contract tests as the real ones. Its world (`FakeVendor`) outlives any client, as a
vendor's does, so a test may throw the provider away and come back with a new one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import AicpError, NotAccepted, OutcomeUnknown, ProviderUnavailable
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Gone,
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

_URL = "fake://"


def sketch(wire: WireRequest, path: Path) -> Path:
    """A small real file, other for every request: a clip where the endpoint speaks of video, else a PNG."""
    from PIL import Image

    from ai_content_pipeline.media import images, video

    cells = hashlib.sha384(repr(wire).encode()).digest()
    picture = Image.frombytes("RGB", (4, 4), cells).resize((96, 96), Image.Resampling.NEAREST)
    if "video" in wire.endpoint:
        video.encode_video([picture] * 5, path, fps=5)
    else:
        images.save_png(picture, path)
    return path


@dataclass(frozen=True, slots=True)
class Act:
    """What the vendor does with one request.

    `answer` is what the submit sees: "lost" was accepted and "dropped" was not, and neither says so.
    """

    seconds: float = 0.0
    end: Literal["done", "failed", "rejected", "invalid", "temporary", "gone"] = "done"
    billed: Billed = Billed.NO  # of a job that did not end well
    answer: Literal["accepted", "lost", "dropped", "refused", "busy"] = "accepted"
    retry_after: float | None = None  # of a busy answer
    outputs: int | None = None  # None: as many as were asked for
    cost: Decimal | None = None
    units: Decimal | None = None


@dataclass
class FakeJob:
    number: int
    key: str
    wire: WireRequest
    act: Act
    created: datetime
    free: bool  # of a repeatable provider
    cancelled: bool = False
    ended: bool = False

    @property
    def charged(self) -> bool:
        """Whether it was, or will be, billed."""
        done = self.act.end == "done" or self.act.billed is Billed.YES
        return done and not self.free and not self.cancelled


@dataclass
class FakeVendor:
    """The far side: jobs, charges, uploads and files. `script` decides what happens to each request.

    `listing`: "all" shows every job `lag` seconds after it was made, and its silence is a proof;
    "ended" shows a job `lag` seconds after its end, and proves nothing; "none" shows nothing.
    """

    draw: Draw = sketch
    script: Callable[[WireRequest], Act] = field(default=lambda wire: Act())
    listing: Literal["all", "ended", "none"] = "all"
    lag: float = 0.0
    links: bool = False  # results are URLs for `download`, instead of files in the provider's folder
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    jobs: list[FakeJob] = field(default_factory=list)
    submits: int = 0
    polls: int = 0
    uploads: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)  # URLs whose files are no longer there
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def charges(self) -> list[FakeJob]:
        return [job for job in self.jobs if job.charged]

    def download(self, url: str, path: Path) -> None:
        """As the money door's `Download`."""
        if url in self.deleted:
            raise FileNotFoundError(url)
        number = int(url.removeprefix(_URL).split("/")[0])
        self.draw(self.jobs[number].wire, path)


class FakeProvider:
    """A client of `vendor`. Results are drawn into `scratch`, or wait at the vendor (`FakeVendor.links`)."""

    def __init__(
        self, vendor: FakeVendor, scratch: Path, *, name: str = "fake", repeatable: bool = False
    ) -> None:
        self.vendor = vendor
        self.name = name
        self.repeatable = repeatable
        self.soonest = 0.0
        self._scratch = scratch

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        with self.vendor.lock:
            self.vendor.uploads.append(artifact.sha256)
        return Upload(f"{_URL}{artifact.sha256}")

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
                raise NotAccepted(
                    ProviderUnavailable("the fake vendor is busy"),
                    temporary=True,
                    retry_after=act.retry_after,
                )
            if act.answer == "dropped":
                raise OutcomeUnknown("the fake vendor dropped the connection")
            job = FakeJob(len(vendor.jobs), key, wire, act, vendor.now(), self.repeatable)
            vendor.jobs.append(job)
            vendor.running += 1
            vendor.most_running = max(vendor.most_running, vendor.running)
        if act.answer == "lost":
            raise OutcomeUnknown("the fake vendor dropped the connection")
        return Handle(str(job.number))

    def poll(self, handle: Handle) -> JobStatus:
        job = self._job(handle)
        if job is None:
            return Gone("the fake vendor does not know this job")
        age = (self.vendor.now() - job.created).total_seconds()
        with self.vendor.lock:
            self.vendor.polls += 1
            if age < job.act.seconds and not job.cancelled:
                return Running(age / job.act.seconds)
            if not job.ended:
                job.ended = True
                self.vendor.running -= 1
        return self._end(job)

    def cancel(self, handle: Handle) -> CancelAnswer:
        job = self._job(handle)
        if job is None:
            return CancelAnswer.UNKNOWN_JOB
        with self.vendor.lock:
            if job.ended:
                return CancelAnswer.TOO_LATE
            job.cancelled = True
        return CancelAnswer.CANCELLED

    def close(self) -> None:
        """There is nothing to give back."""

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        vendor, now = self.vendor, self.vendor.now()
        if vendor.listing == "none":
            return Sightings()
        with vendor.lock:
            jobs = [job for job in vendor.jobs if job.wire == wire and job.created >= since]
        if vendor.listing == "ended":
            seen = [
                job for job in jobs if (now - job.created).total_seconds() >= job.act.seconds + vendor.lag
            ]
        else:
            seen = [job for job in jobs if (now - job.created).total_seconds() >= vendor.lag]
        matches = tuple(Sighting(Handle(str(job.number)), job.created) for job in seen)
        return Sightings(matches, exhaustive=vendor.listing == "all")

    def _job(self, handle: Handle) -> FakeJob | None:
        number = handle.request_id
        known = number.isdecimal() and int(number) < len(self.vendor.jobs)
        return self.vendor.jobs[int(number)] if known else None

    def _end(self, job: FakeJob) -> JobStatus:
        act = job.act
        if job.cancelled:
            return Failed(Reason.CANCELLED, "cancelled", Billed.NO)
        match act.end:
            case "failed":
                return Failed(Reason.PROVIDER, "the fake vendor failed this job", act.billed)
            case "rejected":
                return Failed(Reason.CONTENT, "the fake vendor rejects this content", act.billed)
            case "invalid":
                return Failed(Reason.INVALID, "the fake vendor cannot read this request", act.billed)
            case "temporary":
                return Failed(Reason.TEMPORARY, "the fake vendor had a hiccup", act.billed)
            case "gone":
                return Gone("the fake vendor no longer knows this job")
            case "done":
                asked = job.wire.payload.get("outputs")
                assert isinstance(asked, int)
                count = asked if act.outputs is None else act.outputs
                outputs = tuple(self._output(job, index) for index in range(count))
                return Succeeded(outputs, units=act.units, cost=act.cost)

    def _output(self, job: FakeJob, index: int) -> Output:
        if self.vendor.links:
            return Output(url=f"{_URL}{job.number}/{index}")
        path = self._scratch / f"fake-{job.number}-{index}"
        try:
            return Output(path=self.vendor.draw(job.wire, path))
        except FileNotFoundError:
            self._scratch.mkdir(parents=True, exist_ok=True)
            return Output(path=self.vendor.draw(job.wire, path))

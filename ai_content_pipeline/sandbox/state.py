"""What the sandbox remembers: jobs, charges, uploads, leaks. Only the server's event loop touches it."""

from __future__ import annotations

import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from math import inf
from typing import Literal

from pydantic import Field

from ai_content_pipeline.artifacts import Kind

from .actions import Frozen, Vendor
from .faults import Faults, Script
from .media import Media
from .prices import Price
from .throttle import Throttle


class Settings(Frozen):
    """How a sandbox behaves. Times in seconds, sizes in pixels on the longest edge.

    A drawn clip costs some 60 ms of one core, a plain one of 64 pixels and 1 fps some 4 ms: load tests
    take the latter, so that they measure the client.
    """

    fal_key: str = Field(default="sandbox-id:sandbox-secret", repr=False)
    replicate_token: str = Field(default="r8_sandbox", repr=False)
    image_seconds: float = Field(default=0.2, ge=0)
    video_seconds: float = Field(default=0.5, ge=0)
    queue_share: float = Field(default=0.25, ge=0, le=1)  # of a job's time, before it runs
    look: Literal["draft", "plain"] = "draft"  # plain: one colour, for load tests
    image_px: int = Field(default=1024, ge=16, le=4096)
    video_px: int = Field(default=256, ge=16, le=1920)
    video_fps: int = Field(default=5, ge=1, le=60)
    page_size: int = Field(default=100, ge=1)  # of Replicate's listing
    replicate_keeps: float = 3600.0  # a prediction's data, after it ended
    script: Script = Script()

    def job_seconds(self, kind: Kind) -> float:
        return self.video_seconds if kind is Kind.VIDEO else self.image_seconds


class Clock:
    """Unix time in seconds, from `source`; `advance` moves it for tests of expiry."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0.0

    def now(self) -> float:
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Phase(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class End(StrEnum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job fails. `kind` picks the vendor's words; `field` and `url` name the input."""

    kind: Literal["policy", "model", "upload", "input"]
    message: str
    code: int = 422
    billed: bool = False
    field: str = ""
    url: str = ""
    value: object = None
    type: str = ""


@dataclass(frozen=True, slots=True)
class Quirks:
    """How a job misbehaves towards who polls it."""

    failure: Failure | None = None
    error_body: bool = False  # the failure arrives as a 200
    backwards: bool = False
    unknown: str = ""
    unknown_polls: int = 0
    gone: Literal["result", "files"] | None = None
    outputs: int | None = None
    output_url: str = ""
    twice: bool = False
    flagged: bool = False  # as unsafe, where the vendor says so


@dataclass(frozen=True, slots=True)
class Stop:
    """A job that is ended from outside at the time `at`."""

    at: float
    end: End
    billed: bool


@dataclass(slots=True)
class Job:
    """One accepted request. Times are Unix seconds of the sandbox's clock; `skew` is the vendor's error."""

    id: str
    vendor: Vendor
    endpoint: str
    payload: Mapping[str, object]
    created: float
    skew: float
    queue: float
    run: float
    quirks: Quirks
    media: tuple[Media, ...]
    price: Price
    stop: Stop | None = None
    keeps: float = inf  # seconds for which its files outlive it
    version: str = ""  # Replicate's
    hidden: bool = False  # cancelled and forgotten
    polls: int = 0
    polls_after_end: int = 0

    @property
    def started(self) -> float:
        return self.created + self.queue

    @property
    def ended(self) -> float:
        """When it ends or ended; infinite for a job that is stuck."""
        own = self.created + self.queue + self.run
        return min(own, self.stop.at) if self.stop else own

    def phase(self, now: float) -> Phase:
        if now >= self.ended:
            return Phase.ENDED
        return Phase.RUNNING if now >= self.started else Phase.QUEUED

    @property
    def end(self) -> End:
        """How it ends, as decided so far."""
        if self.stop and self.stop.at <= self.ended:
            return self.stop.end
        return End.FAILED if self.quirks.failure else End.SUCCEEDED

    @property
    def billed(self) -> bool:
        if self.end in (End.CANCELED, End.ABORTED):
            return self.stop is not None and self.stop.billed
        return self.quirks.failure.billed if self.quirks.failure else True

    @property
    def outputs(self) -> tuple[Media, ...]:
        """What the result lists."""
        return self.media if self.quirks.outputs is None else self.media[: self.quirks.outputs]


@dataclass(frozen=True, slots=True)
class Charge:
    """One job that ended. `usd` is 0 where it was not billed; `time` in Unix seconds."""

    job: str
    vendor: Vendor
    endpoint: str
    usd: Decimal
    units: Decimal
    billed: bool
    time: float


@dataclass(frozen=True, slots=True)
class Leak:
    """A credential that arrived at a file host. Only its scheme is kept, never the credential."""

    method: str
    path: str
    scheme: str


@dataclass(slots=True)
class Upload:
    """A file a client stored. `data` is None until its bytes came."""

    id: str
    vendor: Vendor
    path: str
    name: str
    content_type: str
    created: float
    expires: float = inf
    data: bytes | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    parts: dict[int, bytes] = field(default_factory=dict)


class State:
    """Everything the sandbox remembers."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.faults = Faults(settings.script)
        self.prepare: Callable[[Media], object] = lambda media: None  # told what will be asked for
        self.tokens: dict[str, float] = {}  # CDN tokens and when they expire; clients keep theirs
        self.reset()

    def reset(self) -> None:
        """Forget what clients did; the script starts anew."""
        self.faults = Faults(self.faults.script)
        self.jobs: dict[str, Job] = {}
        self.uploads: dict[str, Upload] = {}  # by path
        self.leaks: list[Leak] = []
        self.throttle = Throttle()
        self.counts: Counter[tuple[str, str]] = Counter()  # requests by vendor and route

    def vendor_now(self, vendor: Vendor) -> float:
        """The time on the vendor's clock."""
        return self.clock.now() + self.faults.skew(vendor)

    def add(self, job: Job) -> Job:
        self.jobs[job.id] = job
        return job

    def job(self, vendor: Vendor, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job and job.vendor == vendor and not job.hidden else None

    def store(self, upload: Upload) -> Upload:
        self.uploads[upload.path] = upload
        return upload

    def uploaded(self, path: str) -> Upload | None:
        """The stored file at `path`, unless it is missing, incomplete or expired."""
        upload = self.uploads.get(path)
        alive = upload and upload.data is not None and self.clock.now() < upload.expires
        return upload if alive else None

    def charges(self) -> list[Charge]:
        """A row for every job that has ended by now, in the order they ended."""
        now = self.clock.now()
        ended = sorted((job for job in self.jobs.values() if job.ended <= now), key=lambda job: job.ended)
        return [_charge(job) for job in ended]


def _charge(job: Job) -> Charge:
    usd = job.price.usd if job.billed else Decimal(0)
    return Charge(job.id, job.vendor, job.endpoint, usd, job.price.units, job.billed, job.ended)


def new_id(vendor: Vendor) -> str:
    """A job id as the vendor writes it: a UUID at fal, 26 letters and digits at Replicate."""
    if vendor == "fal":
        return str(uuid.uuid4())
    return "".join(secrets.choice("abcdefghjkmnpqrstvwxyz0123456789") for _ in range(26))

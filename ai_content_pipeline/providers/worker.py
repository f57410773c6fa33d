"""A worker of one's own (`aicp worker serve`). docs/providers/worker.md says what is sent.

A job's id is made of the request's key and content, and the worker takes the same job under the same id
once: the provider is `repeatable`. A job that ended badly keeps its id, so another try has the next one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import httpx

from ai_content_pipeline.artifacts import SUFFIXES, Artifact, Kind, Role
from ai_content_pipeline.errors import ConfigurationError, NotAccepted, ProviderUnavailable, UsageError
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
    Queued,
    Reason,
    Running,
    Sightings,
    Succeeded,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.access import base_of, key_of
from ai_content_pipeline.providers.answers import object_of, says_404, text
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.transport import Patience, VendorTransport

_SCHEME = "artifact:"
_ASK = httpx.Timeout(30.0)
_TRIES = 20
_IN_METADATA = frozenset(("denoise_strength", "exact_copy_mode", "reference_strength"))
_ON_TOP = frozenset(("priority",))
_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
_FILE = re.compile(r"[0-9]{1,4}\.(png|mp4)")
_BAD = ("failed", "cancelled")
_REASONS = {
    "validation": Reason.INVALID,
    "download": Reason.INVALID,
    "missing_weights": Reason.CONFIGURATION,
    "content_rejected": Reason.CONTENT,
    "cancelled": Reason.CANCELLED,
    "crashed": Reason.TEMPORARY,
    "attempts_exhausted": Reason.TEMPORARY,
}


class WorkerProvider:
    """Thread-safe. `patience` is for tests."""

    name = "worker"
    repeatable = True
    soonest = 0.0

    def __init__(self, surroundings: Surroundings, patience: Patience | None = None) -> None:
        environ = surroundings.environ
        base = base_of(environ, "AICP_WORKER_URL")
        if base is None:
            raise ConfigurationError(
                "worker: models need a worker, and AICP_WORKER_URL is not set",
                hint="start one with `aicp worker serve` and set AICP_WORKER_URL=http://127.0.0.1:8750",
            )
        has_token = bool(environ.get("AICP_WORKER_TOKEN", "").strip())
        token = key_of(environ, "AICP_WORKER_TOKEN", "worker") if has_token else ""
        self._base = base
        self._user = environ.get("AICP_WORKER_USER", "").strip() or "aicp"
        self._scratch = surroundings.scratch
        self._locate = surroundings.locate
        self._http = VendorTransport("worker", token, (), base, patience, heard=surroundings.heard)
        self._api = httpx.Client(
            base_url=base,
            transport=self._http,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_ASK,
            follow_redirects=False,
        )

    def close(self) -> None:
        self._http.close()

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        """Nothing yet: the picture goes with the job that needs it, and not into the journal."""
        return Upload(f"{_SCHEME}{artifact.sha256}")

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        config: dict[str, Json] = {}
        metadata: dict[str, Json] = {}
        job: dict[str, Json] = {
            "type": request.model.endpoint,
            "prompt": request.prompt or "",
            "user_id": self._user,
            "config": config,
            "metadata": metadata,
        }
        for name, value in request.params.items():
            (metadata if name in _IN_METADATA else job if name in _ON_TOP else config)[name] = value
        if seed is not None:
            config["seed"] = seed
        for role, files in uploads.items():
            if len(files) > 1:
                raise UsageError(f"a worker takes one {role.value} file, and there are {len(files)}")
            for file in files:
                place, field = _place(role, request.makes)
                (metadata if place == "metadata" else config)[field] = file.url
        return WireRequest(request.model.endpoint, job)

    def submit(self, wire: WireRequest, key: str) -> Handle:
        payload = self._with_pictures(dict(wire.payload))
        content = hashlib.sha256(f"{key}{wire.payload!r}".encode("utf-8", "surrogatepass")).hexdigest()
        for number in range(_TRIES):
            job_id = f"{key[:24]}-{content[:24]}" + (f"-{number}" if number else "")
            if text(self._put(job_id, payload), "state") not in _BAD:
                return Handle(job_id, {"base": self._base})
        raise NotAccepted(ConfigurationError(f"the worker has failed at this {_TRIES} times"))

    def _put(self, job_id: str, payload: dict[str, Json]) -> dict[str, Json]:
        return self._http.submit(lambda: self._api.put(f"/v1/jobs/{job_id}", json=payload))

    def _with_pictures(self, job: dict[str, Json]) -> dict[str, Json]:
        return {name: self._embedded(value) for name, value in job.items()}

    def _embedded(self, value: Json) -> Json:
        if isinstance(value, dict):
            return self._with_pictures(value)
        if not (isinstance(value, str) and value.startswith(_SCHEME)):
            return value
        path = self._locate(value.removeprefix(_SCHEME))
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return f"data:{_TYPES[path.suffix]};base64,{data}"

    # -- how it goes -----------------------------------------------------------------------------------

    def poll(self, handle: Handle) -> JobStatus:
        """The answer to a finished job comes with its files, in the scratch folder."""
        path = self._path(handle)
        response = self._api.get(path)
        if says_404(response):
            return Gone("the worker does not know the job")
        job = object_of(self._http.checked(response))
        state = text(job, "state")
        if state == "queued":
            return Queued()
        if state == "running":
            return Running(_share(job.get("progress")))
        if state == "completed":
            return self._succeeded(path, handle, job)
        if state in _BAD:
            return self._failed(job)
        raise ProviderUnavailable("the worker's answer cannot be read")

    def _succeeded(self, path: str, handle: Handle, job: Mapping[str, Json]) -> Succeeded | Gone:
        result = job.get("result")
        assets = result.get("assets") if isinstance(result, dict) else None
        names = [_name_of(asset) for asset in assets] if isinstance(assets, list) else []
        self._scratch.mkdir(parents=True, exist_ok=True)
        outputs = []
        for name in names:
            response = self._api.get(f"{path}/assets/{name}")
            if says_404(response):
                return Gone("the worker no longer has the files")
            file = self._scratch / f"worker-{handle.request_id}-{name}"
            file.write_bytes(self._http.checked(response).content)
            outputs.append(Output(path=file))
        said = job.get("warnings")
        notes = (
            [self._http.words(note) for note in said if isinstance(note, str)]
            if isinstance(said, list)
            else []
        )
        return Succeeded(tuple(outputs), notes=tuple(notes))

    def _failed(self, job: Mapping[str, Json]) -> Failed:
        error = job.get("error")
        fault = error if isinstance(error, dict) else {}
        code = text(fault, "code")
        reason = _REASONS.get(code, Reason.PROVIDER)
        if code == "download" and fault.get("retryable") is True:
            reason = Reason.TEMPORARY
        said = self._http.words(text(fault, "message")) or "it failed without a word"
        return Failed(reason, f"{self._http.words(code)}: {said}" if code else said, Billed.NO)

    def cancel(self, handle: Handle) -> CancelAnswer:
        response = self._api.post(f"{self._path(handle)}/cancel")
        if says_404(response):
            return CancelAnswer.UNKNOWN_JOB
        state = text(object_of(self._http.checked(response)), "state")
        if state == "cancelled":
            return CancelAnswer.CANCELLED
        return CancelAnswer.REQUESTED if state in ("queued", "running") else CancelAnswer.TOO_LATE

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        return Sightings()

    def _path(self, handle: Handle) -> str:
        base = text(handle.data, "base")
        if base and base != self._base:
            raise ConfigurationError(
                f"job {handle.request_id} is at {base}, not at {self._base}",
                hint="collect it with the AICP_WORKER_URL that it was made with",
            )
        return f"/v1/jobs/{handle.request_id}"


def _place(role: Role, makes: Kind) -> tuple[str, str]:
    """Where a job names a file of that role."""
    if makes is Kind.IMAGE and role in (Role.INPUT, Role.REFERENCE):
        return "metadata", "reference_image_url"
    if makes is Kind.VIDEO:
        if role is Role.START:
            return "metadata", "start_reference_url"
        if role is Role.END:
            return "metadata", "end_reference_url"
        if role in (Role.INPUT, Role.REFERENCE):
            return "config", "image"
    raise UsageError(f"a worker takes no {role.value} file for a {makes.value}")


def _name_of(asset: Json) -> str:
    """The file of an asset, by its name alone: wherever the worker says that it lies."""
    url = text(asset, "url") if isinstance(asset, dict) else ""
    name = url.partition("?")[0].rpartition("/")[2]
    if not _FILE.fullmatch(name):
        raise ProviderUnavailable("the worker's answer names no file")
    return name


def _share(progress: Json) -> float | None:
    if not isinstance(progress, dict):
        return None
    step, steps = progress.get("step"), progress.get("steps")
    if isinstance(step, int) and isinstance(steps, int) and 0 < step <= steps:
        return step / steps
    return None

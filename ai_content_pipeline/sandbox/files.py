"""The file hosts: fal's CDN and Replicate's delivery. They need no credentials, and note any that come."""

from __future__ import annotations

import re
from functools import partial

from .actions import Vendor
from .faults import Call
from .media import Media
from .messages import Request, Response
from .models import prompt_of
from .routing import Actions, Routed
from .state import End, Job, Leak, State

_OUTPUT = re.compile(r"^/(?:files/b|delivery)/(?P<job>[A-Za-z0-9-]+)/out-(?P<index>\d{1,2})\.(?:png|mp4)$")


def output_url(request: Request, job: Job, index: int) -> str:
    """Where a client finds an output."""
    if job.quirks.output_url:
        return job.quirks.output_url
    folder = "files/b" if job.vendor == "fal" else "delivery"
    return f"{request.base}/{folder}/{job.id}/out-{index}{job.outputs[index].suffix}"


def find_output(state: State, path: str) -> tuple[Job, Media] | None:
    """The job and the file behind an output's path, while it is there."""
    match = _OUTPUT.match(path)
    job = state.jobs.get(match["job"]) if match else None
    if match is None or job is None or job.end is not End.SUCCEEDED or job.quirks.gone:
        return None
    now, index = state.clock.now(), int(match["index"])
    alive = job.ended <= now < job.ended + job.keeps
    return (job, job.outputs[index]) if alive and index < len(job.outputs) else None


def recognise(request: Request, state: State) -> Routed | None:
    """A download from one of the file hosts."""
    if request.method not in ("GET", "HEAD"):
        return None
    if not request.path.startswith(("/files/b/", "/delivery/")):
        return None
    vendor: Vendor = "fal" if request.path.startswith("/files") else "replicate"
    match = _OUTPUT.match(request.path)
    job = state.jobs.get(match["job"]) if match else None
    call = Call(
        vendor,
        "download",
        job.endpoint if job else "",
        prompt_of(job.payload) if job else "",
    )
    return Routed(call, partial(_download, state))


def _download(state: State, request: Request, actions: Actions) -> Response:
    note_leak(state, request)
    output = find_output(state, request.path)
    if output:
        return Response(content_type=output[1].content_type, media=output[1])
    upload = state.uploaded(request.path)
    if upload and upload.vendor == "fal":
        return Response(body=upload.data or b"", content_type=upload.content_type)
    return Response(404, b"Not Found", "text/plain")


def note_leak(state: State, request: Request) -> None:
    """Remember that a credential came to a host that must not get one."""
    credential = request.headers.get("authorization")
    if credential is not None:
        scheme = credential.split(" ", 1)[0] if " " in credential else ""
        state.leaks.append(Leak(request.method, request.path, scheme))

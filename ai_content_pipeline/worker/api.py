"""The worker over HTTP."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import Body, FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from ai_content_pipeline import __version__
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.worker.answers import job_view
from ai_content_pipeline.worker.events import QUEUED, Event, is_end
from ai_content_pipeline.worker.gate import Gate
from ai_content_pipeline.worker.refusals import Draining, NotFound, Problem, answer_errors
from ai_content_pipeline.worker.rows import Row, State
from ai_content_pipeline.worker.schema import AnyJob, Identifier
from ai_content_pipeline.worker.service import Service
from ai_content_pipeline.worker.storage import key

_QUIET = 15.0  # seconds after which a watcher is sent a sign of life
_ASSET = r"^[0-9]{1,4}\.(png|mp4|thumb\.webp)$"
_TYPES = {".png": "image/png", ".mp4": "video/mp4", ".webp": "image/webp"}

JobId = Annotated[Identifier, Path(description="the job's id")]
OfUser = Annotated[Identifier | None, Query(description="show it only if it is this user's")]


def make_app(service: Service) -> FastAPI:
    app = FastAPI(
        title="aicp worker",
        version=__version__,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        responses={status: {"model": Problem} for status in (401, 403, 404, 408, 413, 415, 421)},
    )
    app.state.service = service
    answer_errors(app, service)
    _jobs(app, service)
    _reading(app, service)
    _operations(app, service)
    return app


def guarded(app: FastAPI, service: Service) -> Gate:
    """The app behind its gate: what a server is given."""
    settings = service.settings
    named = (settings.host, *settings.allowed_hosts)
    hosts = frozenset(host.lower() for host in named if host not in ("0.0.0.0", "::"))  # noqa: S104  left out
    return Gate(cast(Any, app), settings.access, hosts, settings.body_limit)


def _jobs(app: FastAPI, service: Service) -> None:
    full: dict[int | str, dict[str, Any]] = {
        409: {"model": Problem},
        429: {"model": Problem},
        503: {"model": Problem},
    }

    @app.put("/v1/jobs/{job_id}", status_code=202, responses={200: {"description": "It was known."}, **full})
    def put_job(job_id: JobId, body: Annotated[AnyJob, Body()], request: Request) -> JSONResponse:
        """Take a job in. The same again is the same job; another one under its id is refused."""
        return _accepted(service, body, job_id, request)

    @app.post("/v1/jobs", status_code=202, responses={200: {"description": "It was known."}, **full})
    def post_job(body: Annotated[AnyJob, Body()], request: Request) -> JSONResponse:
        """The same, with the id in the body, or one that is made up."""
        return _accepted(service, body, body.id or f"job-{secrets.token_hex(12)}", request)

    @app.post("/v1/jobs/{job_id}/cancel")
    def cancel_job(job_id: JobId, request: Request, user_id: OfUser = None) -> JSONResponse:
        """Stop a job: one that waits at once, one that runs at its next step."""
        _seen(service, job_id, request, user_id)
        row = service.cancel(job_id)
        return JSONResponse(_view(service, row))


def _reading(app: FastAPI, service: Service) -> None:
    @app.get("/v1/jobs")
    def list_jobs(
        request: Request,
        state: State | None = None,
        user_id: OfUser = None,
        before: Annotated[
            int | None, Query(ge=0, le=2**62, description="a sequence number: the page after it")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> JSONResponse:
        """Jobs, the newest first."""
        own: str | None = request.state.user
        if own is not None and user_id not in (None, own):
            return JSONResponse({"jobs": []})
        rows = service.queue.jobs(state, own or user_id, before, limit)
        return JSONResponse({"jobs": [_view(service, row) for row in rows]})

    @app.get("/v1/jobs/{job_id}")
    def get_job(job_id: JobId, request: Request, user_id: OfUser = None) -> JSONResponse:
        return JSONResponse(_view(service, _seen(service, job_id, request, user_id)))

    @app.get("/v1/jobs/{job_id}/assets/{name}", response_class=FileResponse)
    def get_asset(
        job_id: JobId, name: Annotated[str, Path(pattern=_ASSET)], request: Request, user_id: OfUser = None
    ) -> Response:
        """A file of a job that is done."""
        row = _seen(service, job_id, request, user_id)
        known = {str(asset[part]) for asset in row.assets for part in ("file", "thumbnail")}
        path = service.storage.path(key(row.user_id, row.id, name)) if name in known else None
        if path is None or not path.is_file():
            raise NotFound
        return FileResponse(path, media_type=_TYPES[path.suffix])

    @app.get("/v1/jobs/{job_id}/events", response_class=StreamingResponse)
    async def watch_job(job_id: JobId, request: Request, user_id: OfUser = None) -> StreamingResponse:
        """What happens to a job, as server-sent events, until it has ended."""
        await run_in_threadpool(_seen, service, job_id, request, user_id)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_told(service, job_id), media_type="text/event-stream", headers=headers)


def _operations(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/ready", responses={503: {"description": "It is starting, or about to end."}})
    def ready() -> JSONResponse:
        """Jobs are taken, and there is a process to make them."""
        up = service.ready
        return JSONResponse({"ready": up}, 200 if up else 503)

    @app.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Numbers for Prometheus."""
        counts = service.queue.counts()
        service.metrics.waiting.set(counts[State.QUEUED])
        service.metrics.running.set(counts[State.RUNNING])
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _accepted(service: Service, body: AnyJob, job_id: str, request: Request) -> JSONResponse:
    if service.draining.is_set():
        raise Draining
    row, new = service.accept(body, job_id, request.state.user)
    return JSONResponse(_view(service, row), 202 if new else 200)


def _view(service: Service, row: Row | None) -> dict[str, Json]:
    assert row is not None
    view = job_view(row, service.storage)
    step = service.events.last_step(row.id) if row.state is State.RUNNING else None
    view["progress"] = {"step": step["step"], "steps": step["steps"]} if step else None
    return view


def _seen(service: Service, job_id: str, request: Request, user_id: str | None) -> Row:
    """The job, if the caller may see it."""
    row = service.queue.job(job_id)
    if row is None or any(user not in (None, row.user_id) for user in (request.state.user, user_id)):
        raise NotFound
    return row


async def _told(service: Service, job_id: str) -> AsyncIterator[str]:
    watcher = service.events.watch(job_id)
    try:
        row = await run_in_threadpool(service.queue.job, job_id)
        if row is not None and row.state.ended:  # before anybody could tell us
            for event in _past(row):
                yield _line(event)
            return
        while True:
            events = await watcher.next(_QUIET)
            for event in events:
                yield _line(event)
                if is_end(event):
                    return
            if not events:
                yield ": still here\n\n"
    finally:
        service.events.leave(job_id, watcher)


def _past(row: Row) -> list[Event]:
    events = [QUEUED]
    if row.started_at is not None:
        events.append({"event": "started", "attempt": row.attempts})
    if row.state is State.COMPLETED:
        events.append({"event": "uploaded", "assets": len(row.assets)})
    return [*events, {"event": row.state.value, "error": row.fault.json() if row.fault else None}]


def _line(event: Event) -> str:
    name = "done" if event["event"] == State.COMPLETED.value else event["event"]
    data = {field: value for field, value in event.items() if field != "event"}
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"

"""fal's request listing: the only way to find a request whose answer was lost.

It shows finished requests alone, newest end first, with their input where the client asks for it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import partial

from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.messages import Request, Response
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import Job, State
from ai_content_pipeline.sandbox.times import iso, parsed

from .answers import answer, error, keyed
from .queue import result_of

PATH = "/v1/models/requests/by-endpoint"
_DAY = 86_400.0


def recognise(request: Request, state: State) -> Routed | None:
    """A request for the listing of an endpoint."""
    if request.path != PATH or request.method != "GET":
        return None
    return Routed(
        Call("fal", "list", request.query.get("endpoint_id", "")),
        partial(keyed, state, partial(_list, state)),
    )


def _list(state: State, request: Request, _: Actions) -> Response:
    """Finished requests, newest end first. A window of a day unless `start` says otherwise."""
    query, now = request.query, state.vendor_now("fal")
    endpoints = [one for one in query.get("endpoint_id", "").split(",") if one]
    if not endpoints:
        fault = {"loc": ["query", "endpoint_id"], "msg": "Field required", "type": "missing"}
        return error(request, 422, [fault])
    try:
        limit = min(max(int(query.get("limit", "50")), 1), 100)
        page = int(base64.b64decode(query["cursor"])) if "cursor" in query else 1
        window = parsed(query.get("start")) or now - _DAY, parsed(query.get("end")) or now
    except ValueError as problem:
        return error(request, 422, [{"loc": ["query"], "msg": str(problem), "type": "value_error"}])
    jobs = [job for job in _finished(state, *window) if job.endpoint in endpoints]
    rows = [row for job in jobs for row in _rows(job, request) if _wanted(row, query)]
    some = rows[(page - 1) * limit : page * limit]
    more = page * limit < len(rows)
    cursor = base64.b64encode(str(page + 1).encode()).decode() if more else None
    return answer(request, {"items": some, "next_cursor": cursor, "has_more": more})


def _finished(state: State, start: float, end: float) -> Iterator[Job]:
    now = state.clock.now()
    ended = [
        job for job in state.jobs.values() if job.vendor == "fal" and not job.hidden and job.ended <= now
    ]
    for job in sorted(ended, key=lambda job: job.ended, reverse=True):
        if start <= job.ended + job.skew <= end:
            yield job


def _rows(job: Job, request: Request) -> list[dict[str, object]]:
    status, output = result_of(job, request)
    row: dict[str, object] = {
        "request_id": job.id,
        "endpoint_id": job.endpoint,
        "sent_at": iso(job.created + job.skew),
        "started_at": iso(min(job.started, job.ended) + job.skew),
        "ended_at": iso(job.ended + job.skew),
        "status_code": status,
        "duration": round(job.ended - job.created, 3),
    }
    if "payloads" in request.query.get("expand", ""):
        row |= {"json_input": job.payload, "json_output": output}
    return [row, row] if job.quirks.twice else [row]


def _wanted(row: dict[str, object], query: Mapping[str, str]) -> bool:
    code, status = row["status_code"], query.get("status")
    assert isinstance(code, int)
    kind = "success" if code < 400 else "user_error" if code < 500 else "error"
    return status in (None, kind) and query.get("request_id") in (None, row["request_id"])

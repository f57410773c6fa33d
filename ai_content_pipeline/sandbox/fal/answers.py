"""What all of fal's answers have in common: the request id, the error body, the key."""

from __future__ import annotations

import uuid

from ai_content_pipeline.sandbox.messages import Reply, Request, Response, json_response
from ai_content_pipeline.sandbox.routing import Actions, Serve
from ai_content_pipeline.sandbox.state import Job, State


def error(request: Request, code: int, detail: object = None, **fields: object) -> Response:
    """fal's error body. `detail` defaults to what fal says with this code."""
    text = _DETAILS.get(code, "Something went wrong") if detail is None else detail
    return answer(request, {"detail": text, **fields}, code)


_DETAILS = {
    401: "Authentication is required to access this application",
    402: "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
    403: "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
    404: "Request not found",
    429: "Too many requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def answer(
    request: Request, value: object, status: int = 200, job: Job | None = None, **headers: str
) -> Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return json_response(value, status, {"x-fal-request-id": job.id if job else str(uuid.uuid4()), **named})


def refused(state: State, request: Request) -> Response | None:
    """The 401 for a missing or wrong key."""
    credential = request.headers.get("authorization")
    if credential == f"Key {state.settings.fal_key}":
        return None
    return error(request, 401, "No user found for Key ID and Secret" if credential else None)


def keyed(state: State, serve: Serve, request: Request, actions: Actions) -> Reply:
    return refused(state, request) or serve(request, actions)

"""What all of Replicate's answers have in common: the problem document and the token."""

from __future__ import annotations

from ai_content_pipeline.sandbox.messages import Reply, Request, Response, json_response
from ai_content_pipeline.sandbox.routing import Actions, Serve
from ai_content_pipeline.sandbox.state import State

_TITLES = {
    401: ("Unauthenticated", "You did not pass a valid authentication token"),
    402: ("Insufficient credit", "You have insufficient credit to run this model."),
    403: ("Forbidden", "You do not have permission to perform this action."),
    404: ("Not Found", "The requested resource could not be found."),
    422: ("Input validation failed", "- input: invalid\n"),
    429: ("Request was throttled", "Request was throttled. Your rate limit resets in ~30s."),
    500: ("Internal Server Error", "An unexpected error occurred."),
    503: ("Service Unavailable", "The service is temporarily unavailable."),
    504: ("Gateway Timeout", "The server took too long to answer."),
}


def problem(code: int, detail: str = "", **fields: object) -> Response:
    """Replicate's error body: a problem document. `detail` defaults to what goes with the code."""
    title, usual = _TITLES.get(code, ("Error", "Something went wrong."))
    return json_response({"title": title, "detail": detail or usual, "status": code, **fields}, code)


def refused(state: State, request: Request) -> Response | None:
    """The 401 for a missing or wrong token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    good = scheme in ("Bearer", "Token") and token == state.settings.replicate_token
    return None if good else problem(401)


def keyed(state: State, serve: Serve, request: Request, actions: Actions) -> Reply:
    return refused(state, request) or serve(request, actions)

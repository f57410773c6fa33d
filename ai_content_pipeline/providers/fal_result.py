"""How a request of fal's ended. COMPLETED says that it did; the result says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import httpx

from ai_content_pipeline.jobs import Billed, Failed, Json, Output, Reason, Running, Succeeded
from ai_content_pipeline.providers.answers import (
    error_kinds,
    explained,
    is_policy,
    number,
    object_of,
    result_urls,
    text,
)

#: With these a gateway speaks, not the model.
_NO_VERDICT = frozenset({401, 402, 403, 408, 409, 425, 429})
#: Headers that only an answer about the model's failure has.
_MARKS = ("x-fal-retryable", "x-fal-needs-retry", "x-fal-error-type")


def result_of(
    response: httpx.Response, status: Mapping[str, Json], words: Callable[[str], str]
) -> Succeeded | Failed | Running | None:
    """The end that `response` (of the result) and `status` (of the queue) tell; None when they tell none.

    A paid result must not be lost to a gateway: its pages are no JSON, and a server error is the job's
    end only when the status or the answer itself says that the model failed.
    """
    body = object_of(response)
    if response.is_success and body:
        urls = result_urls(body)
        if urls or not explained(body):
            return Succeeded(tuple(map(Output, urls)), units=_units(response), notes=_notes(body))
    if response.status_code == 400 and "in progress" in response.text:
        return Running()
    if not _is_end(response, body, status):
        return None
    said = explained(body) or text(status, "error") or "it failed without a word"
    return Failed(_reason(response, body, status), words(said), _billed(response))


def _is_end(response: httpx.Response, body: dict[str, Json], status: Mapping[str, Json]) -> bool:
    if response.is_success:
        return bool(body)
    if status.get("error"):
        return response.status_code not in _NO_VERDICT
    if 400 <= response.status_code < 500:
        return bool(body) and response.status_code not in _NO_VERDICT
    return bool(error_kinds(body)) or any(mark in response.headers for mark in _MARKS)


def _reason(response: httpx.Response, body: dict[str, Json], status: Mapping[str, Json]) -> Reason:
    code, kinds = response.status_code, (*error_kinds(body), text(status, "error_type"))
    if is_policy(body):
        return Reason.CONTENT
    if code == 499 or "request_cancelled" in kinds:
        return Reason.CANCELLED
    if 400 <= code < 500:
        return Reason.INVALID
    again = response.headers.get("x-fal-retryable") or response.headers.get("x-fal-needs-retry")
    if code >= 500 and (again in ("true", "1") or (again is None and code in (503, 504))):
        return Reason.TEMPORARY
    return Reason.PROVIDER


def _billed(response: httpx.Response) -> Billed:
    """fal never bills a 5xx; a 4xx may be billed when a GPU had worked, and only the units tell."""
    units = _units(response)
    if units is not None:
        return Billed.YES if units else Billed.NO
    return Billed.NO if response.status_code >= 500 else Billed.UNKNOWN


def _units(response: httpx.Response) -> Decimal | None:
    return number(response.headers.get("x-fal-billable-units"))


def _notes(body: Mapping[str, Json]) -> tuple[str, ...]:
    flags = body.get("has_nsfw_concepts")
    flagged = [str(n) for n, flag in enumerate(flags, 1) if flag is True] if isinstance(flags, list) else []
    return (f"fal flagged output {', '.join(flagged)}; it may have been blacked out",) if flagged else ()

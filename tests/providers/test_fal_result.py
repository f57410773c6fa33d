"""COMPLETED is not success, and a gateway's error is not the job's end."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from ai_content_pipeline.jobs import Billed, Failed, Json, Reason, Running, Succeeded
from ai_content_pipeline.providers.fal_result import result_of

OUTPUT: Json = {"images": [{"url": "https://v3.fal.media/a.png"}]}
POLICY: Json = {"detail": [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]}
INPUT: Json = {"detail": [{"loc": ["body", "duration"], "msg": "one of 5, 10", "type": "literal_error"}]}
PLAIN: Json = {"detail": "Internal Server Error"}
RUNNER: Json = {"detail": "runner died", "error_type": "runner_disconnected"}


def end(
    code: int, body: Json, status: dict[str, Json] | None = None, **headers: str
) -> Succeeded | Failed | Running | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return result_of(httpx.Response(code, json=body, headers=named), status or {}, str)


def test_success_keeps_the_billed_units() -> None:
    """They are the actual cost; one that is no number is unknown, not zero."""
    done = end(200, OUTPUT, x_fal_billable_units="3.008")
    assert isinstance(done, Succeeded)
    assert done.outputs[0].url == "https://v3.fal.media/a.png"
    assert done.units == Decimal("3.008")
    for strange in ("NaN", "-1", "many", ""):
        again = end(200, OUTPUT, x_fal_billable_units=strange)
        assert isinstance(again, Succeeded)
        assert again.units is None


def test_success_without_a_file_is_told_as_it_is() -> None:
    """An empty list is the caller's to judge: it was paid."""
    assert end(200, {"images": [], "description": ""}) == Succeeded(())


def test_flagged_outputs_are_noted() -> None:
    """A black picture is explained before anyone wonders."""
    done = end(200, {"images": [{"url": "https://a"}] * 2, "has_nsfw_concepts": [False, True]})
    assert isinstance(done, Succeeded)
    assert done.notes == ("fal flagged output 2; it may have been blacked out",)


@pytest.mark.parametrize(
    ("code", "body", "headers", "reason", "billed"),
    [
        (422, POLICY, {}, Reason.CONTENT, Billed.UNKNOWN),
        (422, POLICY, {"x_fal_billable_units": "0"}, Reason.CONTENT, Billed.NO),
        (422, POLICY, {"x_fal_billable_units": "1"}, Reason.CONTENT, Billed.YES),
        (422, INPUT, {}, Reason.INVALID, Billed.UNKNOWN),
        (400, {"detail": "bad"}, {}, Reason.INVALID, Billed.UNKNOWN),
        (499, {"detail": "Request was cancelled"}, {}, Reason.CANCELLED, Billed.UNKNOWN),
        (500, RUNNER, {}, Reason.PROVIDER, Billed.NO),
        (503, RUNNER, {}, Reason.TEMPORARY, Billed.NO),
        (504, {"detail": "late", "error_type": "request_timeout"}, {}, Reason.TEMPORARY, Billed.NO),
        (500, PLAIN, {"x_fal_retryable": "true"}, Reason.TEMPORARY, Billed.NO),
        (503, PLAIN, {"x_fal_retryable": "false"}, Reason.PROVIDER, Billed.NO),
        (500, PLAIN, {"x_fal_needs_retry": "1"}, Reason.TEMPORARY, Billed.NO),
        (500, PLAIN, {"x_fal_error_type": "x"}, Reason.PROVIDER, Billed.NO),
        (200, {"detail": [{"msg": "The model returned no output."}]}, {}, Reason.PROVIDER, Billed.UNKNOWN),
        (200, POLICY, {"x_fal_billable_units": "1"}, Reason.CONTENT, Billed.YES),
        (200, {"error": "no"}, {}, Reason.PROVIDER, Billed.UNKNOWN),
    ],
)
def test_how_a_failure_is_read(
    code: int, body: Json, headers: dict[str, str], reason: Reason, billed: Billed
) -> None:
    """A reason that decides what happens next, and whether it was billed as far as fal says."""
    failed = end(code, body, **headers)
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.billed) == (reason, billed)
    assert failed.message


@pytest.mark.parametrize("code", [302, 401, 402, 403, 408, 409, 425, 429, 500, 502, 503, 504])
def test_trouble_on_the_way_ends_no_job(code: int) -> None:
    """An error that does not speak of the model may be a gateway's: the paid result is asked for again."""
    assert end(code, PLAIN) is None


@pytest.mark.parametrize("code", [200, 302, 400, 404, 413, 422, 429, 500, 502])
def test_a_page_of_html_ends_no_job(code: int) -> None:
    """Whatever its status: fal speaks JSON."""
    assert result_of(httpx.Response(code, text="<html>nginx</html>"), {}, str) is None


def test_half_an_answer_ends_no_job() -> None:
    """200 with HTML, nothing or half a JSON."""
    for content in (b"", b"<html>", b'{"images": [{"url": "https://a', b"null", b"[]"):
        assert result_of(httpx.Response(200, content=content), {}, str) is None


def test_what_the_status_says_counts() -> None:
    """With an error in the COMPLETED status, a plain 500 is the job's end, in the status's words."""
    failed = end(500, {}, {"status": "COMPLETED", "error": "CUDA out of memory"})
    assert failed == Failed(Reason.PROVIDER, "CUDA out of memory", Billed.NO)
    cancelled = end(400, {}, {"error": "x", "error_type": "request_cancelled"})
    assert isinstance(cancelled, Failed)
    assert cancelled.reason is Reason.CANCELLED


def test_a_result_that_is_not_ready_is_waited_for() -> None:
    """COMPLETED from one server and "in progress" from another."""
    assert end(400, {"detail": "Request is still in progress"}) == Running()

"""fal's queue, as the official client and the documentation know them.

One base address stands for every fal host. ``queue.fal.run`` is the base itself; the synchronous
``fal.run`` is ``<base>/fal.run``, because the two take the same path.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import partial

from ai_content_pipeline.sandbox import actions as act
from ai_content_pipeline.sandbox.accept import accept
from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.files import output_url
from ai_content_pipeline.sandbox.messages import Deferred, Malformed, Reply, Request, Response
from ai_content_pipeline.sandbox.models import prompt_of
from ai_content_pipeline.sandbox.progress import progress_lines, reported
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import End, Failure, Job, Phase, State, Stop
from ai_content_pipeline.sandbox.times import iso

from .answers import answer, error, keyed

RUN_PREFIX = "/fal.run/"
_JOB = re.compile(
    r"^/(?P<app>(?:(?:workflows|comfy)/)?[^/]+/[^/]+)(?P<rest>(?:/[^/]+)*)"
    r"/requests/(?P<id>[^/]+)(?P<verb>/status|/cancel)?$"
)
_ENDPOINT = re.compile(r"^/(?!v1/|api/|files/|storage/|delivery/)(?P<id>[\w.-]+(?:/[\w.-]+)+)$")
_DAY = 86_400.0


def recognise(request: Request, state: State) -> Routed | None:
    """A request to the queue or to the synchronous host."""
    match = _JOB.match(request.path)
    if match:
        return _recognise_job(request, state, match)
    if request.method != "POST":
        return None
    if request.path.startswith(RUN_PREFIX):
        return _recognise_submit(request, state, request.path.removeprefix("/fal.run"), _run)
    return _recognise_submit(request, state, request.path, _submit)


def _recognise_submit(
    request: Request, state: State, path: str, serve: Callable[[State, Job, Request], Reply]
) -> Routed | None:
    match = _ENDPOINT.match(path)
    if match is None:
        return None
    try:
        prompt = prompt_of(request.json) if request.body else ""
    except Malformed:
        prompt = ""
    call = Call("fal", "submit", match["id"], prompt)
    return Routed(call, partial(keyed, state, partial(_accepted, state, match["id"], serve)))


def _recognise_job(request: Request, state: State, match: re.Match[str]) -> Routed:
    known = _JOB_ROUTES.get((request.method, match["verb"]))
    if known is None or match["rest"]:  # a sub-path belongs to the submission only
        return Routed(Call("fal", "status"), lambda request, _: error(request, 405, "Method Not Allowed"))
    route, serve = known
    job = state.job("fal", match["id"])
    if job is None or _app(job.endpoint) != match["app"]:
        return Routed(Call("fal", route), partial(keyed, state, partial(_unknown, route)))
    call = Call("fal", route, job.endpoint, prompt_of(job.payload))
    return Routed(call, partial(keyed, state, partial(serve, state, job)))


def _unknown(route: act.Route, request: Request, _: Actions) -> Response:
    return answer(request, {"status": "NOT_FOUND"}, 404) if route == "cancel" else error(request, 404)


def _app(endpoint: str) -> str:
    """The endpoint without its sub-path: what the job's own addresses are built from."""
    parts = endpoint.split("/")
    return "/".join(parts[: 3 if parts[0] in ("workflows", "comfy") else 2])


# ---- submit, status, result, cancel -----------------------------------------------------------------


def _accepted(
    state: State,
    endpoint: str,
    serve: Callable[[State, Job, Request], Reply],
    request: Request,
    actions: Actions,
) -> Reply:
    try:
        payload = request.json
    except Malformed as problem:
        return error(request, 422, [{"loc": ["body"], "msg": str(problem), "type": "json_invalid"}])
    keeps = lifecycle_seconds(request)
    job = accept(state, "fal", endpoint, payload, actions, host=request.host, keeps=keeps)
    return serve(state, job, request)


def _submit(_state: State, job: Job, request: Request) -> Reply:
    body = {"status": "IN_QUEUE", **_links(request, job), "logs": None, "metrics": {}, "queue_position": 0}
    return answer(request, body, job=job)


def _run(state: State, job: Job, request: Request) -> Reply:
    """The synchronous host: the connection is held until the job ends."""
    return Deferred(min(job.ended - state.clock.now(), _DAY), partial(_result_body, job, request))


def lifecycle_seconds(request: Request) -> float:
    """For how long the client wants its files kept: for ever unless a header says otherwise."""
    for name in ("x-fal-object-lifecycle-preference", "x-fal-object-lifecycle"):
        try:
            wish = json.loads(request.headers.get(name, "{}"))
        except ValueError:
            continue
        seconds = wish.get("expiration_duration_seconds") if isinstance(wish, dict) else None
        if isinstance(seconds, int | float) and seconds > 0:
            return float(seconds)
    return math.inf


def _links(request: Request, job: Job) -> dict[str, object]:
    url = f"{request.base}/{_app(job.endpoint)}/requests/{job.id}"
    urls = {"response_url": url, "status_url": f"{url}/status", "cancel_url": f"{url}/cancel"}
    return {"request_id": job.id, **urls}


def _status(state: State, job: Job, request: Request, _: Actions) -> Response:
    now = state.clock.now()
    phase = reported(job, now)
    body: dict[str, object] = {"status": _WORDS[phase], **_links(request, job)}
    if phase is Phase.QUEUED:
        body["queue_position"] = _position(job, now)
    else:
        wanted = request.query.get("logs", "").lower() in ("true", "1")
        body["logs"] = _logs(job, now) if wanted else None
    if phase is Phase.ENDED:
        body["metrics"] = {"inference_time": round(job.run, 3) if math.isfinite(job.run) else None}
        body |= _ended_badly(job)
    if job.polls <= job.quirks.unknown_polls:
        body["status"] = job.quirks.unknown
    return answer(request, body, 200 if phase is Phase.ENDED else 202, job)


_WORDS = {Phase.QUEUED: "IN_QUEUE", Phase.RUNNING: "IN_PROGRESS", Phase.ENDED: "COMPLETED"}


def _position(job: Job, now: float) -> int:
    """A queue of three, served evenly."""
    if not math.isfinite(job.queue) or job.queue <= 0:
        return 0
    return max(0, math.ceil(3 * (job.started - now) / job.queue) - 1)


def _logs(job: Job, now: float) -> list[dict[str, object]]:
    seen = progress_lines(job, now)
    at = iso(min(job.started, job.ended) + job.skew)
    return [{"message": line, "level": "INFO", "source": "USER", "timestamp": at} for line in seen]


def _ended_badly(job: Job) -> dict[str, object]:
    """What a COMPLETED status says of a failure; a refused input shows in the result alone."""
    failure = job.quirks.failure
    if job.end in (End.CANCELED, End.ABORTED):
        return {"error": "Request was cancelled", "error_type": "request_cancelled"}
    if failure and failure.kind == "model" and not job.quirks.error_body:
        return {"error": failure.message, "error_type": "runner_server_error"}
    return {}


def _result(state: State, job: Job, request: Request, _: Actions) -> Response:
    if job.phase(state.clock.now()) is not Phase.ENDED:
        return error(request, 400, "Request is still in progress")
    return _result_body(job, request)


def _result_body(job: Job, request: Request) -> Response:
    status, body = result_of(job, request)
    headers = {} if status != 200 else {"x_fal_billable_units": str(job.price.units if job.billed else 0)}
    if job.quirks.failure and not job.quirks.error_body:
        headers["x_fal_retryable"] = "true" if status >= 500 else "false"
    return answer(request, body, status, job, **headers)


def result_of(job: Job, request: Request) -> tuple[int, dict[str, object]]:
    """The status and body of an ended job's result."""
    failure = job.quirks.failure
    if job.end is not End.SUCCEEDED and failure is None:
        return 499, {"detail": "Request was cancelled", "error_type": "request_cancelled"}
    if failure:
        return 200 if job.quirks.error_body else failure.code, _failure_body(job, failure)
    if job.quirks.gone == "result":
        return 404, {"detail": "Request not found"}
    files = [_file(request, job, index) for index in range(len(job.outputs))]
    if job.media[0].seconds:
        return 200, {"video": files[0] if files else None}
    flags = {"has_nsfw_concepts": [True] * len(files)} if job.quirks.flagged else {}
    return 200, {"images": files, "description": "", **flags}


def _file(request: Request, job: Job, index: int) -> dict[str, object]:
    media, url = job.outputs[index], output_url(request, job, index)
    about: dict[str, object] = {
        "url": url,
        "content_type": media.content_type,
        "file_name": url.split("/")[-1],
    }
    return about if media.seconds else about | {"width": media.width, "height": media.height}


def _failure_body(job: Job, failure: Failure) -> dict[str, object]:
    if failure.kind == "model" and not job.quirks.error_body:
        return {"detail": failure.message, "error_type": "runner_server_error"}
    types = {
        "policy": "content_policy_violation",
        "upload": "file_download_error",
        "model": "no_media_generated",
    }
    kind = failure.type or types[failure.kind]
    value = prompt_of(job.payload) if failure.kind == "policy" else failure.value
    fault: dict[str, object] = {
        "loc": ["body", failure.field or "prompt"],
        "msg": failure.message,
        "type": kind,
        "url": f"https://docs.fal.ai/errors#{kind}",
        "ctx": {},
        "input": value,
    }
    return {"detail": [fault]}


def _cancel(state: State, job: Job, request: Request, actions: Actions) -> Response:
    now = state.clock.now()
    wanted = next((action.answer for action in actions if isinstance(action, act.Cancel)), None)
    if wanted == "not_found":
        return answer(request, {"status": "NOT_FOUND"}, 404, job)
    if wanted == "too_late" or job.phase(now) is Phase.ENDED:
        return answer(request, {"status": "ALREADY_COMPLETED"}, 400, job)
    if wanted != "ignored":
        job.stop = Stop(now, End.CANCELED, billed=False)
        job.hidden = wanted == "forgotten"
    return answer(request, {"status": "CANCELLATION_REQUESTED"}, 202, job)


_JOB_ROUTES: Mapping[
    tuple[str, str | None], tuple[act.Route, Callable[[State, Job, Request, Actions], Reply]]
] = {
    ("GET", "/status"): ("status", _status),
    ("GET", None): ("result", _result),
    ("PUT", "/cancel"): ("cancel", _cancel),
}

"""Replicate's predictions and models, as the official client and the documentation know them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import urlencode

from ai_content_pipeline.sandbox import actions as act
from ai_content_pipeline.sandbox.accept import accept
from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.files import output_url
from ai_content_pipeline.sandbox.messages import Deferred, Malformed, Reply, Request, Response, json_response
from ai_content_pipeline.sandbox.models import BadInput, bad_inputs, outputs_listed, prompt_of
from ai_content_pipeline.sandbox.progress import progress_lines, reported
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import End, Job, Phase, State, Stop
from ai_content_pipeline.sandbox.times import iso, parsed

from .answers import keyed, problem
from .models import OFFICIAL, model_of_version, version_of

_CREATE = re.compile(r"^/v1/(?:models|deployments)/(?P<model>[^/]+/[^/]+)/predictions$")
_PREDICTION = re.compile(r"^/v1/predictions/(?P<id>[^/]+)(?P<verb>/cancel)?$")
_PREFER = re.compile(r"^wait(?:=(?P<seconds>\d+))?$")
_DURATION = re.compile(r"^(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?$")
_MOST_WAIT = 60.0
_MARGIN = 0.001  # a sleep may end a little before the clock gets there


def recognise(request: Request, state: State) -> Routed | None:
    """A request about predictions."""
    if request.path == "/v1/predictions" and request.method == "GET":
        return Routed(Call("replicate", "list"), partial(keyed, state, partial(_list, state)))
    if request.path == "/v1/account" and request.method == "GET":
        return Routed(Call("replicate", "model"), partial(keyed, state, _account))
    created = _CREATE.match(request.path)
    if request.method == "POST" and (created or request.path == "/v1/predictions"):
        return _recognise_create(request, state, created["model"] if created else "")
    match = _PREDICTION.match(request.path)
    return _recognise_prediction(request, state, match) if match else None


def _recognise_create(request: Request, state: State, model: str) -> Routed:
    try:
        body: Mapping[str, object] = request.json if request.body else {}
    except Malformed:
        body = {}
    inputs = body.get("input")
    model = model or model_of_version(str(body.get("version", "")))
    prompt = prompt_of(inputs) if isinstance(inputs, Mapping) else ""
    serve = partial(keyed, state, partial(_create, state, model))
    return Routed(Call("replicate", "submit", model, prompt), serve)


def _recognise_prediction(request: Request, state: State, match: re.Match[str]) -> Routed | None:
    job = state.job("replicate", match["id"])
    ended = job is not None and job.phase(state.clock.now()) is Phase.ENDED
    asked: act.Route = "cancel" if match["verb"] else "result" if ended else "status"
    if request.method != ("POST" if asked == "cancel" else "GET"):
        return None
    if job is None:
        return Routed(Call("replicate", asked), partial(keyed, state, _unknown))
    call = Call("replicate", asked, job.endpoint, prompt_of(job.payload))
    serve = _cancel if asked == "cancel" else _get
    return Routed(call, partial(keyed, state, partial(serve, state, job)))


def _unknown(_request: Request, _: Actions) -> Response:
    return problem(404)


def _account(request: Request, _: Actions) -> Response:
    return json_response({"type": "user", "username": "sandbox", "name": "Sandbox", "github_url": None})


# ---- create -----------------------------------------------------------------------------------------


def _create(state: State, model: str, request: Request, actions: Actions) -> Reply:
    try:
        body = request.json
    except Malformed as error:
        return problem(400, f"Invalid JSON: {error}")
    inputs = body.get("input")
    if not isinstance(inputs, Mapping):
        return _invalid([BadInput("input")])
    if not model:
        return problem(422, "The specified version does not exist")
    bad = list(bad_inputs(model, inputs))
    if bad:
        return _invalid(bad)
    keeps = state.settings.replicate_keeps
    deadline = _seconds(request.headers.get("cancel-after", ""))
    job = accept(
        state, "replicate", model, inputs, actions, host=request.host, deadline=deadline, keeps=keeps
    )
    job.version = _version(model, str(body.get("version", "")))
    return _created(state, job, request)


def _created(state: State, job: Job, request: Request) -> Reply:
    prefer = _PREFER.match(request.headers.get("prefer", ""))
    if prefer is None:
        return _answer(state, job, request, 201)
    longest = min(max(float(prefer["seconds"] or _MOST_WAIT), 1.0), _MOST_WAIT)
    seconds = min(longest, job.ended - state.clock.now() + _MARGIN)
    return Deferred(seconds, partial(_waited, state, job, request))


def _waited(state: State, job: Job, request: Request) -> Response:
    """201 with the result, or 202 with what there is when the waiting was not long enough."""
    return _answer(state, job, request, 201 if job.phase(state.clock.now()) is Phase.ENDED else 202)


def _invalid(bad: list[BadInput]) -> Response:
    lines, fields = [], []
    for one in bad:
        missing = not one.allowed
        field = "input" if missing else f"input.{one.field}"
        text = f"{one.field} is required" if missing else one.message
        lines.append(f"- {field}: {text}\n")
        kind = "required" if missing else "enum"
        fields.append({"type": kind, "field": field, "description": text})
    return problem(422, "".join(lines), invalid_fields=fields)


def _version(model: str, asked: str) -> str:
    """What the prediction calls its version: official models keep theirs to themselves."""
    if asked:
        return asked.rpartition(":")[2] if ":" in asked else version_of(model) if "/" in asked else asked
    return "hidden" if model in OFFICIAL else version_of(model)


def _seconds(text: str) -> float | None:
    """``10m``, ``1h30m``, ``15s`` or ``15``; None for anything else."""
    match = _DURATION.match(text) if text else None
    if match is None:
        return None
    return 3600 * float(match["h"] or 0) + 60 * float(match["m"] or 0) + float(match["s"] or 0)


# ---- get and cancel ---------------------------------------------------------------------------------


def _answer(state: State, job: Job, request: Request, status: int = 200) -> Response:
    body = prediction(job, request, job.phase(state.clock.now()), state.clock.now())
    return json_response(body, status, {"ratelimit-remaining": "599", "ratelimit-reset": "1"})


def _get(state: State, job: Job, request: Request, _: Actions) -> Response:
    now = state.clock.now()
    body = prediction(job, request, reported(job, now), now)
    if job.polls <= job.quirks.unknown_polls:
        body["status"] = job.quirks.unknown
    return json_response(body, headers={"ratelimit-remaining": "2999", "ratelimit-reset": "1"})


def prediction(job: Job, request: Request, phase: Phase, now: float) -> dict[str, object]:
    """The prediction as the vendor shows it in `phase`, at the sandbox's time `now`."""
    ended, url = phase is Phase.ENDED, f"{request.base}/v1/predictions/{job.id}"
    removed = ended and (now >= job.ended + job.keeps or job.quirks.gone == "result")
    ran = job.ended - job.started if ended else 0.0
    return {
        "id": job.id,
        "model": job.endpoint,
        "version": job.version,
        "input": {} if removed else job.payload,
        "logs": "" if removed else "\n".join(progress_lines(job, now)),
        "output": _output(job, request) if ended and not removed else None,
        "data_removed": removed,
        "error": _error(job) if ended else None,
        "source": "api",
        "status": _word(job, phase),
        "created_at": iso(job.created + job.skew),
        "started_at": iso(job.started + job.skew) if phase is not Phase.QUEUED and ran >= 0 else None,
        "completed_at": iso(job.ended + job.skew) if ended else None,
        "metrics": {"predict_time": ran, "total_time": job.ended - job.created} if ended and ran > 0 else {},
        "urls": {
            "get": url,
            "cancel": f"{url}/cancel",
            "stream": f"{url}/stream",
            "web": f"{request.base}/p/{job.id}",
        },
    }


def _word(job: Job, phase: Phase) -> str:
    return {Phase.QUEUED: "starting", Phase.RUNNING: "processing", Phase.ENDED: job.end.value}[phase]


def _output(job: Job, request: Request) -> object:
    """One address, or a list of them, as the model has it."""
    if job.end is not End.SUCCEEDED:
        return None
    urls = [output_url(request, job, index) for index in range(len(job.outputs))]
    return urls if outputs_listed(job.endpoint) else (urls[0] if urls else None)


def _error(job: Job) -> str | None:
    failure = job.quirks.failure
    if failure is None or job.end is not End.FAILED:
        return None
    if failure.kind == "policy":
        return "The input or output was flagged as sensitive. Please try again with different inputs. (E005)"
    if failure.kind == "upload":
        return f"404 Client Error: Not Found for url: {failure.url}"
    return failure.message


def _cancel(state: State, job: Job, request: Request, actions: Actions) -> Response:
    """A prediction that has ended stays as it is."""
    now = state.clock.now()
    answer = next((action.answer for action in actions if isinstance(action, act.Cancel)), None)
    if answer == "not_found":
        return problem(404)
    if answer in (None, "forgotten") and job.phase(now) is not Phase.ENDED:
        job.stop = Stop(now, End.CANCELED, billed=job.phase(now) is Phase.RUNNING)
    job.hidden = answer == "forgotten"
    return _answer(state, job, request)


# ---- the listing ------------------------------------------------------------------------------------


def _list(state: State, request: Request, _: Actions) -> Response:
    """Every prediction, newest first, a page at a time; `next` is an absolute address."""
    query, now = request.query, state.clock.now()
    try:
        after, before = parsed(query.get("created_after")), parsed(query.get("created_before"))
    except ValueError as error:
        return problem(400, str(error))
    jobs = list(_created_between(state, after or -math.inf, before or math.inf))
    ids = [job.id for job in jobs]
    start = ids.index(query["cursor"]) + 1 if query.get("cursor") in ids else 0
    page = jobs[start : start + state.settings.page_size]
    more = start + len(page) < len(jobs)
    following = {**query, "cursor": page[-1].id} if more else {}
    return json_response(
        {
            "previous": None,
            "next": f"{request.base}/v1/predictions?{urlencode(following)}" if more else None,
            "results": [prediction(job, request, job.phase(now), now) for job in page],
        }
    )


def _created_between(state: State, after: float, before: float) -> Iterator[Job]:
    for job in reversed(state.jobs.values()):
        if job.vendor == "replicate" and not job.hidden and after <= job.created + job.skew < before:
            yield from (job, job) if job.quirks.twice else (job,)

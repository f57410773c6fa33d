"""What a test or a command may ask the sandbox itself, under ``/_sandbox/``."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite

from pydantic import ValidationError

from .faults import Faults, Script
from .messages import JSON_TYPE, Malformed, Request, Response, json_response
from .models import prompt_of
from .state import Charge, Job, Phase, State

PREFIX = "/_sandbox/"


def answer(state: State, request: Request) -> Response:
    """``charges jobs leaks counts`` are read; ``script reset advance`` are posted as JSON."""
    name = request.path.removeprefix(PREFIX) if request.path.startswith(PREFIX) else ""
    if request.method == "GET" and name in ("charges", "jobs", "leaks", "counts"):
        return json_response(_read(state, name))
    if request.method != "POST" or name not in ("script", "reset", "advance"):
        return json_response({"detail": "Not Found"}, 404)
    if (
        request.headers.get("content-type") != JSON_TYPE
    ):  # what a web page can post without asking is not JSON
        return json_response({"detail": "Unsupported Media Type"}, 415)
    try:
        _change(state, name, request)
    except (Malformed, ValidationError, TypeError, ValueError) as error:
        return json_response({"detail": str(error)}, 422)
    return json_response({})


def _read(state: State, name: str) -> object:
    match name:
        case "charges":
            return [charge_row(charge) for charge in state.charges()]
        case "jobs":
            return [_job_row(state, job) for job in state.jobs.values()]
        case "leaks":
            return [asdict(leak) for leak in state.leaks]
    return {f"{vendor}.{route}": count for (vendor, route), count in state.counts.items()}


def _change(state: State, name: str, request: Request) -> None:
    match name:
        case "script":
            state.faults = Faults(Script.model_validate_json(request.body))
        case "reset":
            state.reset()
        case "advance":
            state.clock.advance(float(str(request.json.get("seconds"))))


def charge_row(charge: Charge) -> dict[str, object]:
    return {**asdict(charge), "usd": str(charge.usd), "units": str(charge.units)}


def _job_row(state: State, job: Job) -> dict[str, object]:
    phase = job.phase(state.clock.now())
    return {
        "id": job.id,
        "vendor": job.vendor,
        "endpoint": job.endpoint,
        "prompt": prompt_of(job.payload),
        "payload": job.payload,
        "status": job.end.value if phase is Phase.ENDED else phase.value,
        "created": job.created,
        "ended": job.ended if isfinite(job.ended) else None,
        "polls": job.polls,
    }

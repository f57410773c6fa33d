"""What is answered to requests that get no for an answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.report.texts import clean
from ai_content_pipeline.worker.assignment import Refused
from ai_content_pipeline.worker.rows import Conflict, Full
from ai_content_pipeline.worker.schema import FORMS
from ai_content_pipeline.worker.service import Service


class ErrorBody(BaseModel):
    code: str
    message: str
    retryable: bool


class Problem(BaseModel):
    error: ErrorBody


class NotFound(Exception):
    """No such job, or another user's: whoever asks cannot tell which."""


class Draining(Exception):
    """The worker is about to end."""


def answer_errors(app: FastAPI, service: Service) -> None:
    """Have the app answer our errors, and what FastAPI finds wrong with a request."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not sent back: it may be huge, or no JSON at all (NaN, half a surrogate pair).
        detail = [
            {"loc": _path(problem["loc"]), "msg": clean(problem["msg"])[:300], "type": problem["type"]}
            for problem in error.errors()[:20]
        ]
        return _invalid(detail)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return _invalid([{"loc": ["body", *error.path], "msg": clean(error.message), "type": "refused"}])

    @app.exception_handler(NotFound)
    async def missing(request: Request, error: NotFound) -> JSONResponse:
        return _problem(404, "not_found", "no such job")

    @app.exception_handler(Conflict)
    async def conflict(request: Request, error: Conflict) -> JSONResponse:
        return _problem(409, error.code, error.message)

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> JSONResponse:
        return _problem(429, error.code, error.message, after=service.pause_of())

    @app.exception_handler(Draining)
    async def draining(request: Request, error: Draining) -> JSONResponse:
        return _problem(503, "draining", "the worker is about to end", after=5)

    @app.exception_handler(JournalError)
    async def stuck(request: Request, error: JournalError) -> JSONResponse:
        service.log("queue_stuck", message=error.message)
        return _problem(503, "storage", "the queue cannot be written now", after=5)


def _path(loc: tuple[int | str, ...]) -> list[int | str]:
    """Where in the request, without the word for the form that was taken."""
    kept = (part for index, part in enumerate(loc) if not (index == 1 and part in FORMS))
    return [clean(part)[:100] if isinstance(part, str) else part for part in kept]


def _invalid(detail: list[dict[str, Any]]) -> JSONResponse:
    first = detail[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    error = {"code": "validation", "message": f"{where}: {first['msg']}", "retryable": False}
    return JSONResponse({"error": error, "detail": detail}, 422)


def _problem(status: int, code: str, message: str, after: int | None = None) -> JSONResponse:
    error = {"code": code, "message": message, "retryable": after is not None}
    headers = None if after is None else {"Retry-After": str(after)}
    return JSONResponse({"error": error}, status, headers=headers)

"""One job without a server: the same way through queue, process and callback, in a queue of its own."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.worker.answers import callback_body
from ai_content_pipeline.worker.assignment import Refused
from ai_content_pipeline.worker.logs import Log
from ai_content_pipeline.worker.outbox import Outbox
from ai_content_pipeline.worker.schema import FORMS, AnyJob
from ai_content_pipeline.worker.service import Service
from ai_content_pipeline.worker.settings import Settings

_LOOK = 0.05
_LONGEST = 256 << 20


def read_job(path: Path) -> AnyJob:
    """A job's file.

    Raises:
        InvalidPipeline: it is no job; every problem with its path.
    """
    from pydantic import TypeAdapter, ValidationError

    name = str(path)
    try:
        if path.stat().st_size > _LONGEST:
            raise InvalidPipeline([Problem("too large for a job", file=name)])
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidPipeline([Problem(f"cannot be read: {error.strerror}", file=name)]) from error
    adapter: TypeAdapter[AnyJob] = TypeAdapter(AnyJob)
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        raise InvalidPipeline(
            Problem(f"{_path(problem['loc'])}{problem['msg']}", file=name) for problem in error.errors()[:20]
        ) from error


def _path(loc: tuple[int | str, ...]) -> str:
    words = [str(part) for index, part in enumerate(loc) if not (index == 0 and part in FORMS)]
    return f"{'.'.join(words)}: " if words else ""


def run_job(form: AnyJob, path: Path, settings: Settings, log: Log) -> tuple[dict[str, Json], str | None]:
    """Run it; its callback's body, and why the callback could not be delivered (None where it was, or there
    is none).

    Raises:
        InvalidPipeline: the job makes no sense.
    """
    with tempfile.TemporaryDirectory(prefix="aicp-worker-") as folder:
        service = Service(replace(settings, own_state=Path(folder), processes=1), log)
        try:
            service.start()
            row, _ = service.accept(form, form.id or "job", None)
            waiting = threading.Event()
            while not row.state.ended:
                waiting.wait(_LOOK)
                row = service.queue.job(row.id) or row
            return callback_body(row, service.storage), _delivered(service)
        except Refused as error:
            message = f"{'.'.join(error.path)}: {error.message}"
            raise InvalidPipeline([Problem(message, file=str(path))]) from error
        finally:
            service.close()


def _delivered(service: Service) -> str | None:
    """Wait for the first try of the callback."""
    outbox, waiting = Outbox(service.queue), threading.Event()
    while True:
        left = outbox.undelivered()
        if not left:
            return None
        if left[0].tries:
            return left[0].message
        waiting.wait(_LOOK)

"""Structured logs: a JSON object a line on stderr, with ids and numbers; prompts and URLs stay out."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from ai_content_pipeline.jobs import Json
from ai_content_pipeline.report.texts import clean

_LONGEST = 500
_ONE_AT_A_TIME = threading.Lock()

Log = Callable[..., None]


def logger(stream: TextIO | None = None, *, prompts: bool = False) -> Log:
    """``log("job_ended", job_id=…)`` writes a line. A field `prompt` is left out unless `prompts`."""

    def log(event: str, **fields: Json) -> None:
        line: dict[str, Json] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        for name, value in fields.items():
            if name == "prompt" and not prompts:
                continue
            line[name] = clean(value)[:_LONGEST] if isinstance(value, str) else value
        with _ONE_AT_A_TIME:
            print_to = stream or sys.stderr
            print_to.write(json.dumps(line) + "\n")
            print_to.flush()

    return log


def silent(event: str, **fields: Json) -> None:
    """A log that nobody keeps."""

"""What programs read: one envelope a command (`--json`), one line an event (`--json-stream`)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from ai_content_pipeline.errors import AicpError, InvalidPipeline, Problem
from ai_content_pipeline.report.texts import encodable, source_url, unsigned

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from ai_content_pipeline.engine.events import Event
    from ai_content_pipeline.engine.results import ItemError, ItemResult, RunResult

SCHEMA = "aicp/envelope/1"

Object = dict[str, object]

_NOT_ASCII = re.compile(r"[^ -~]+")
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def envelope(
    *,
    command: str,
    ok: bool,
    data: object = None,
    error: AicpError | None = None,
    run_id: str | None = None,
    cost: Mapping[str, str | None] | None = None,
) -> Object:
    """The one object that a command prints. `cost` is in dollars, as decimal strings."""
    return {
        "schema": SCHEMA,
        "ok": ok,
        "command": command,
        "run_id": run_id,
        "data": data,
        "error": None if error is None else _error(error),
        "cost": cost,
    }


def dumps(value: object) -> str:
    """One line of strict JSON in ASCII: safe in any encoding, on a terminal, in the log of a workflow.

    Amounts, paths and times become strings; a number that JSON cannot hold becomes null.
    """
    try:
        text = _json(value)
    except ValueError:
        text = _json(_finite(value))
    text = _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], encodable(text))
    return text.replace("##[", "##\\u005b")


def event_line(event: Event, seq: int) -> str:
    """One event of a run as one line: ``{"seq": 3, "event": "item_ended", …}``."""
    name = _HUMP.sub("_", type(event).__name__).lower()
    return dumps({"seq": seq, "event": name, **_event(event)})


def _event(event: Event) -> Object:
    from ai_content_pipeline.engine import events

    match event:
        case events.ItemEnded(result, spent):
            return {**_item(result), "spent_usd": spent}
        case events.RunEnded(result):
            return _run(result)
        case events.RunStarted(steps=steps):
            return {**_fields(event), "steps": [_fields(step) for step in steps]}
    return _fields(event)


def _fields(noun: DataclassInstance) -> Object:
    """The fields of one of the house's nouns, under their own names."""
    values = {field.name: getattr(noun, field.name) for field in fields(noun)}
    if values.get("message"):
        values["message"] = unsigned(values["message"])
    return values


def _item(item: ItemResult) -> Object:
    artifact = item.artifact
    return {
        "step": item.step,
        "index": item.index,
        "address": item.address,
        "kind": item.kind,
        "state": item.state,
        "file": item.file,
        "sha256": None if artifact is None else artifact.sha256,
        "model": item.model,
        "prompt": item.prompt,
        "params": None if item.params is None else dict(item.params),
        "seed": item.seed,
        "take": item.take,
        "source_urls": [url for url in map(source_url, item.source_urls) if url is not None],
        "score": None if item.likeness is None else item.likeness.score,
        "cost_usd": item.cost,
        "cost_reported": item.reported,
        "seconds": round(item.seconds, 3),
        "notes": [unsigned(note) for note in item.notes],
        "error": None if item.error is None else _item_error(item.error),
    }


def _item_error(error: ItemError) -> Object:
    return {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": unsigned(error.message),
        "hint": error.hint,
        "retry_with": error.retry_with,
    }


def _run(result: RunResult) -> Object:
    """A run without its items: each had its own line, and the envelope has the whole report."""
    states = [item.state for item in result.items]
    return {
        "run_id": result.run_id,
        "exit_code": result.exit_code,
        "items": {state.value: states.count(state) for state in dict.fromkeys(states)},
        "output_dir": result.output_dir,
        "seconds": round(result.seconds, 3),
        "spent_usd": result.spent,
        "not_spent_usd": result.not_spent.usd,
        "cap_usd": result.cap,
        "collected": result.collected,
        "notes": [unsigned(note) for note in result.notes],
        "resume_with": result.resume_with,
    }


def _error(error: AicpError) -> Object:
    """What went wrong, and the place of the first problem where there is one."""
    problems = error.problems if isinstance(error, InvalidPipeline) else ()
    first = problems[0] if problems else Problem("")
    return {
        "code": error.code,
        "message": unsigned(error.message),
        "file": first.file,
        "line": first.line,
        "column": first.column,
        "hint": error.hint or first.hint,
        "retry_with": error.retry_with,
        "problems": [_fields(problem) for problem in problems],
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_other)


def _other(value: object) -> object:
    """What JSON has no form for. Amounts as people read them: never ``1E+1``."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else str(value)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value

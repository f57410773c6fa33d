"""What is told of a job: the callback's body as the owner's document has it, and the job as HTTP shows it."""

from __future__ import annotations

from datetime import datetime

from ai_content_pipeline.jobs import Json
from ai_content_pipeline.worker.rows import Row
from ai_content_pipeline.worker.storage import Storage, key


def callback_body(row: Row, storage: Storage) -> dict[str, Json]:
    """``job_id, status, assets, metadata`` of a job that has ended; ``error`` where it did not end well."""
    body: dict[str, Json] = {
        "job_id": row.id,
        "status": row.state.value,
        "assets": [_asset(row, asset, storage) for asset in row.assets],
        "metadata": {
            "generation_time": round(row.seconds or 0.0, 3),
            "job_type": row.type,
            "reference_mode": row.mode,
            "attempts": row.attempts,
            "warnings": list(row.warnings),
        },
    }
    if row.fault is not None:
        body["error"] = row.fault.json()
    return body


def _asset(row: Row, asset: dict[str, Json], storage: Storage) -> Json:
    return {
        "type": asset["type"],
        "url": storage.url(key(row.user_id, row.id, str(asset["file"]))),
        "thumbnail_url": storage.url(key(row.user_id, row.id, str(asset["thumbnail"]))),
        "metadata": asset["metadata"],
    }


def job_view(row: Row, storage: Storage) -> dict[str, Json]:
    """A job for whoever may see it; URLs in what it asked for are redacted, pictures in it left out."""
    return {
        "id": row.id,
        "user_id": row.user_id,
        "type": row.type,
        "state": row.state.value,
        "priority": row.priority,
        "attempts": row.attempts,
        "sequence": row.sequence,
        "created_at": _time(row.created_at),
        "started_at": _time(row.started_at),
        "ended_at": _time(row.ended_at),
        "warnings": list(row.warnings),
        "error": row.fault.json() if row.fault else None,
        "result": callback_body(row, storage) if row.state.ended else None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")

"""Jobs to and from the journal's columns."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.generation.store import Job, State
from ai_content_pipeline.jobs import Billed, Handle, Reason, WireRequest

JOB_COLUMNS = (
    "key, lineage, take, provider, endpoint, state, description, wire, outputs, run, address, owner,"
    " request_id, handle, urls, artifacts, units, reserved, cost, billed, reason, message, notes,"
    " intent_at, submitted_at, ended_at, expires"
)


def micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def moment(micro: int | None) -> datetime | None:
    return None if micro is None else datetime.fromtimestamp(micro / 1_000_000, UTC)


def dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def dump_artifacts(artifacts: Sequence[Artifact]) -> str:
    return dump([_artifact_row(artifact) for artifact in artifacts])


def load_artifacts(text: str) -> tuple[Artifact, ...]:
    return tuple(_artifact(row) for row in json.loads(text))


def _artifact_row(artifact: Artifact) -> list[Any]:
    info = artifact.info
    return [
        artifact.sha256,
        artifact.size,
        info.kind.value,
        info.media_type,
        info.width,
        info.height,
        info.seconds,
        info.fps,
    ]


def _artifact(row: list[Any]) -> Artifact:
    sha256, size, kind, media_type, width, height, seconds, fps = row
    return Artifact(sha256, size, MediaInfo(Kind(kind), media_type, width, height, seconds, fps))


def dump_wire(wire: WireRequest) -> str:
    return dump({"endpoint": wire.endpoint, "payload": dict(wire.payload)})


def job(row: sqlite3.Row | tuple[Any, ...]) -> Job:
    (
        key, lineage, take, provider, endpoint, state, description, wire, outputs, run, address, owner,
        request_id, handle, urls, artifacts, units, reserved, cost, billed, reason, message, notes,
        intent_at, submitted_at, ended_at, expires,
    ) = row  # fmt: skip
    return Job(
        key=key,
        lineage=lineage,
        take=take,
        provider=provider,
        endpoint=endpoint,
        state=State(state),
        description=json.loads(description),
        wire=WireRequest(**json.loads(wire)),
        outputs=outputs,
        run=run,
        address=address,
        owner=owner,
        handle=None if request_id is None else Handle(request_id, json.loads(handle)),
        urls=tuple(json.loads(urls)),
        artifacts=load_artifacts(artifacts),
        units=None if units is None else Decimal(units),
        reserved=reserved,
        cost=cost,
        billed=Billed(billed),
        reason=None if reason is None else Reason(reason),
        message=message,
        notes=tuple(json.loads(notes)),
        intent_at=moment(intent_at),
        submitted_at=moment(submitted_at),
        ended_at=moment(ended_at),
        expires=moment(expires),
    )

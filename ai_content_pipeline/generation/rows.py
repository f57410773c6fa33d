"""Jobs to and from the journal's columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.generation.store import Claim, Ending, Job, State
from ai_content_pipeline.jobs import Billed, Handle, Reason, WireRequest

JOB_COLUMNS = (
    "key", "lineage", "take", "provider", "endpoint", "state", "description", "wire", "outputs", "run",
    "address", "owner", "request_id", "handle", "urls", "artifacts", "units", "unit_price", "reserved",
    "cost", "billed", "reason", "message", "notes", "intent_at", "submitted_at", "ended_at", "expires",
)  # fmt: skip

#: What a job has in the columns that its claim does not give (`schema` says the same).
UNCLAIMED: dict[str, str | int | None] = dict.fromkeys(JOB_COLUMNS) | {
    "urls": "[]", "artifacts": "[]", "billed": Billed.UNKNOWN.value, "notes": "[]",
}  # fmt: skip

#: Characters of a vendor's message that are kept.
_MESSAGE = 2000


def micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def moment(micro: int | None) -> datetime | None:
    return None if micro is None else datetime.fromtimestamp(micro / 1_000_000, UTC)


#: What most rows say again and again as a job goes from state to state. Nobody changes what it returns.
_loads = lru_cache(maxsize=256)(json.loads)

#: JSON in ASCII: what vendors send may hold half of a surrogate pair, which SQLite would refuse.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def dump(value: Any) -> str:
    return _encode(value) if value else "{}" if isinstance(value, dict) else "[]"


def text(value: str) -> str:
    """A vendor's words as SQLite can store them: bounded, and without lone surrogates."""
    return value[:_MESSAGE].encode("utf-8", "backslashreplace").decode()


def dump_artifacts(artifacts: Sequence[Artifact | None]) -> str:
    return dump([artifact and _artifact_row(artifact) for artifact in artifacts])


def load_artifacts(stored: str) -> tuple[Artifact, ...]:
    return tuple(_artifact(row) for row in json.loads(stored))


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


def intent(claim: Claim, now: int) -> dict[str, str | int | None]:
    """The columns of a job at its claim; all others have their defaults."""
    return {
        "key": claim.key, "lineage": claim.lineage, "take": claim.take, "provider": claim.provider,
        "endpoint": claim.endpoint, "state": State.INTENT.value, "description": dump(dict(claim.description)),
        "wire": dump({"endpoint": claim.wire.endpoint, "payload": dict(claim.wire.payload)}),
        "outputs": claim.outputs, "run": claim.run, "address": claim.address, "owner": claim.owner,
        "unit_price": None if claim.unit_price is None else str(claim.unit_price),
        "reserved": claim.reserve, "intent_at": now,
    }  # fmt: skip


def accepted(handle: Handle, now: datetime) -> dict[str, str | int | None]:
    """The columns of a job that the vendor has taken."""
    return {
        "request_id": text(handle.request_id), "handle": dump(dict(handle.data)), "submitted_at": micros(now),
    }  # fmt: skip


def ended(ending: Ending) -> dict[str, str | int | None]:
    """The columns of a job that the vendor says has ended well."""
    known = {} if ending.accepted is None else accepted(ending.accepted.handle, ending.accepted.at)
    return known | {
        "urls": dump(ending.urls),
        "notes": dump(ending.notes),
        "units": None if ending.units is None else str(ending.units),
        "cost": ending.cost,
        "billed": Billed.YES.value,
        "expires": None if ending.expires is None else micros(ending.expires),
    }


def job(row: Iterable[Any]) -> Job:
    """A job from its `JOB_COLUMNS`. Empty lists are not parsed: most jobs have several."""
    (
        key, lineage, take, provider, endpoint, state, description, wire, outputs, run, address, owner,
        request_id, handle, urls, artifacts, units, unit_price, reserved, cost, billed, reason, message,
        notes, intent_at, submitted_at, ended_at, expires,
    ) = row  # fmt: skip
    return Job(
        key=key,
        lineage=lineage,
        take=take,
        provider=provider,
        endpoint=endpoint,
        state=State(state),
        description=_loads(description),
        wire=WireRequest(**_loads(wire)),
        outputs=outputs,
        run=run,
        address=address,
        owner=owner,
        handle=None if request_id is None else Handle(request_id, json.loads(handle)),
        urls=() if urls == "[]" else tuple(json.loads(urls)),
        artifacts=() if artifacts == "[]" else tuple(row and _artifact(row) for row in json.loads(artifacts)),
        units=None if units is None else Decimal(units),
        unit_price=None if unit_price is None else Decimal(unit_price),
        reserved=reserved,
        cost=cost,
        billed=Billed(billed),
        reason=None if reason is None else Reason(reason),
        message=message,
        notes=() if notes == "[]" else tuple(json.loads(notes)),
        intent_at=moment(intent_at),
        submitted_at=moment(submitted_at),
        ended_at=moment(ended_at),
        expires=moment(expires),
    )

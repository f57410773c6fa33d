"""``report.json``: everything that is known of a run, for programs. docs/reports.md describes its fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.results import (
    ItemError,
    ItemResult,
    ItemState,
    Likeness,
    RunResult,
    StepResult,
)
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.report.links import relative
from ai_content_pipeline.report.texts import HIDDEN, encodable, source_url, unsigned

SCHEMA = "aicp/report/1"

Object = dict[str, Json]


def build(result: RunResult, folder: Path) -> Object:
    """The document. Files are named relative to `folder`, amounts are decimal strings."""
    return {
        "schema": SCHEMA,
        "run": result.run_id,
        "pipeline": result.pipeline,
        "file": result.file.name,
        "draft": result.draft,
        "started": result.started.isoformat(),
        "seconds": _number(result.seconds),
        "exit_code": result.exit_code,
        "cost": _cost(result),
        "steps": [_step(step, folder) for step in result.steps],
        "collected": list(result.collected),
        "notes": [unsigned(note) for note in result.notes],
        "resume_with": result.resume_with,
    }


def dumps(document: Object) -> str:
    """Strict JSON, indented. What is not seen when it is printed stays escaped."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    return HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1], encodable(text)) + "\n"


def _step(step: StepResult, folder: Path) -> Object:
    good = [item for item in step.items if item.state.good]
    return {
        "name": step.name,
        "type": step.type,
        "model": step.model,
        "parallel": step.parallel,
        "max_workers": step.max_workers,
        "total_images": len(step.items),
        "images_generated": sum(item.kind is Kind.IMAGE for item in good),
        "videos_generated": sum(item.kind is Kind.VIDEO for item in good),
        "items": [_item(item, folder) for item in step.items],
    }


def _item(item: ItemResult, folder: Path) -> Object:
    return {
        "address": item.address,
        "index": item.index,
        "label": item.label,
        "kind": item.kind.value,
        "state": item.state.value,
        "cached": item.state is ItemState.CACHED,
        "prompt": item.prompt,
        "seed": item.seed,
        "take": item.take,
        "params": None if item.params is None else _json(item.params),
        "model": item.model,
        "inputs": list(item.inputs),
        "file": relative(item.file, folder),
        **_artifact(item),
        "source_urls": [url for url in map(source_url, item.source_urls) if url is not None],
        "started": _number(item.started),
        "seconds": _number(item.seconds),
        "consistency": None if item.likeness is None else _likeness(item, item.likeness),
        "cost_usd": _amount(item.cost),
        "cost_reported": item.reported,
        "error": None if item.error is None else _error(item.error),
        "notes": [unsigned(note) for note in item.notes],
    }


def _artifact(item: ItemResult) -> Object:
    names = ("sha256", "bytes", "media_type", "width", "height", "duration_seconds", "fps")
    if item.artifact is None:
        return dict.fromkeys(names)
    info = item.artifact.info
    measured: tuple[Json, ...] = (
        item.artifact.sha256,
        item.artifact.size,
        info.media_type,
        info.width,
        info.height,
        _number(info.seconds),
        _number(info.fps),
    )
    return dict(zip(names, measured, strict=True))


def _likeness(item: ItemResult, found: Likeness) -> Object:
    return {
        "metric": found.metric,
        "score": found.score,
        "min_score": found.min_score,
        "accepted": item.accepted,
        "references": [
            {"name": one.reference, "score": one.score, "sha256": list(one.pictures)} for one in found.scores
        ],
    }


def _error(error: ItemError) -> Object:
    return {
        "code": error.code,
        "message": unsigned(error.message),
        "hint": None if error.hint is None else unsigned(error.hint),
        "retry_with": error.retry_with,
    }


# -- money -------------------------------------------------------------------------------------------


def _cost(result: RunResult) -> Object:
    return {
        "spent_usd": _amount(result.spent),
        "spent_second_hand": result.spent_estimate.second_hand,
        "not_spent_usd": _amount(result.not_spent.usd),
        "cap_usd": _amount(result.cap),
        **_estimate(result.items),
        "by_model": [_model(name, items) for name, items in _by_model(result.items).items()],
    }


def _model(name: str, items: list[ItemResult]) -> Object:
    return {
        "model": name,
        "items": len(items),
        "made": sum(item.state is ItemState.DONE for item in items),
        "cached": sum(item.state is ItemState.CACHED for item in items),
        "spent_usd": _amount(sum((item.cost for item in items if item.cost is not None), Decimal(0))),
        "spent_unknown": sum(item.cost is None for item in items),
        **_estimate(items),
    }


def _estimate(items: Iterable[ItemResult]) -> Object:
    estimate: CostEstimate = total(item.estimate for item in items)
    return {
        "estimated_usd": _amount(estimate.usd),
        "estimate_second_hand": estimate.second_hand,
        "unpriced": list(estimate.unpriced),
    }


def _by_model(items: Iterable[ItemResult]) -> dict[str, list[ItemResult]]:
    models: dict[str, list[ItemResult]] = {}
    for item in items:
        if item.model is not None:
            models.setdefault(item.model, []).append(item)
    return models


# -- values that JSON cannot say ---------------------------------------------------------------------


def _amount(usd: Decimal | None) -> str | None:
    return format(usd, "f") if usd is not None and usd.is_finite() else None


def _number(value: float | None) -> float | None:
    """Milliseconds are as much as anybody needs; infinity and NaN are unknown."""
    return round(value, 3) if value is not None and math.isfinite(value) else None


def _json(value: Json | Mapping[str, Json]) -> Json:
    """A parameter, without signatures in its URLs and without NaN."""
    if isinstance(value, str):
        return unsigned(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_json(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _json(entry) for key, entry in value.items()}
    return value

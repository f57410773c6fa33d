"""What scenes were to show, each with its picture and the scores of what was compared with it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from ai_content_pipeline.engine.results import RunResult, Score
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.report.texts import name

_SIDE = 192  # pixels of a picture's longest side
_PICTURES = 24  # of a page, all in all: each is a few kB of it
_SCENES = 200  # that are listed below one reference


@dataclass(frozen=True, slots=True)
class Kept:
    """A reference, the first of its pictures as a ``data:`` address, and what scored how. `left` counts
    scenes that are in report.json alone."""

    name: str
    picture: str | None
    width: int
    height: int
    metric: str
    scores: tuple[tuple[str, str, bool], ...]  # address, score, and whether it is low
    left: int


@dataclass
class _Found:
    score: Score
    metric: str
    lines: list[tuple[str, str, bool]] = field(default_factory=list)


def kept(result: RunResult) -> tuple[Kept, ...]:
    """Every reference that something was compared with, in the order in which it comes."""
    found: dict[tuple[object, ...], _Found] = {}
    for item in result.items:
        likeness = item.likeness
        for one in likeness.scores if likeness else ():
            assert likeness is not None
            here = found.setdefault(
                (one.reference, one.pictures, likeness.metric), _Found(one, likeness.metric)
            )
            low = one.score < likeness.min_score
            here.lines.append((name(item.address), f"{one.score:.2f}", low))
    return tuple(_kept(one, shown=number < _PICTURES) for number, one in enumerate(found.values()))


def _kept(found: _Found, *, shown: bool) -> Kept:
    picture, width, height = _picture(found.score.files) if shown else (None, 0, 0)
    lines = tuple(found.lines[:_SCENES])
    return Kept(
        name(found.score.reference),
        picture,
        width,
        height,
        found.metric,
        lines,
        len(found.lines) - len(lines),
    )


def _picture(files: Iterable[Path]) -> tuple[str | None, int, int]:
    """The first file, small; nothing where it cannot be read any more."""
    from ai_content_pipeline.media.images import open_image

    path = next(iter(files), None)
    if path is None:
        return None, 0, 0
    try:
        picture = open_image(path, at_least=(_SIDE, _SIDE))
    except (BadMedia, OSError):
        return None, 0, 0
    picture.thumbnail((_SIDE, _SIDE))
    stream = BytesIO()
    picture.save(stream, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}", *picture.size

"""How well the metrics of `consistency:` tell a subject from others, on drawn pictures (`subjects`)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

from PIL import Image, ImageEnhance

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.references.metrics import METRICS, Metric, metric, require
from benchmarks.measure import Measure
from benchmarks.subjects import scene

_SUBJECTS = 24
_SCENES = 3  # of each subject, beside the picture that is its reference
_LEAST = 0.5  # the default of `min_score`


def benchmark() -> list[Measure]:
    return [
        measure for name in METRICS if _usable(name) for measure in _measures(name, metric(name, os.environ))
    ]


def _usable(name: str) -> bool:
    """Whether the packages and weights of a metric are here."""
    try:
        require(name, os.environ)
    except ConfigurationError:
        return False
    return True


def _measures(name: str, found: Metric) -> Iterator[Measure]:
    same, other = separation(found, _SUBJECTS, _SCENES)
    changed = [found.alike(found.look(one), found.look(two)) for one, two in changes(_SUBJECTS)]
    started = time.perf_counter()
    for place in range(_SUBJECTS):
        found.look(scene(0, f"timed {place}", (1280, 720)))
    seconds = time.perf_counter() - started
    yield Measure(
        f"{name}: same subject above another, area under the curve", auc(same, other), 0.95, "higher", ""
    )
    yield Measure(f"{name}: the same subject elsewhere, median score", _median(same), _LEAST, "higher", "")
    yield Measure(f"{name}: another subject, median score", _median(other), _LEAST, unit="")
    yield Measure(
        f"{name}: cropped, resized, darker, lighter: lowest score", min(changed), _LEAST, "higher", ""
    )
    yield Measure(f"{name}: looking at a 720p picture", seconds * 1000 / _SUBJECTS, 100, unit="ms")


def separation(found: Metric, subjects: int, scenes: int) -> tuple[list[float], list[float]]:
    """Scores of each subject's scenes against its own reference, and against another's."""
    references = [found.look(scene(one, "reference")) for one in range(subjects)]
    same, other = [], []
    for one in range(subjects):
        for number in range(scenes):
            look = found.look(scene(one, f"{one} {number}"))
            same.append(found.alike(references[one], look))
            other.append(found.alike(references[(one + 1 + number) % subjects], look))
    return same, other


def changes(subjects: int) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Each subject's picture, and the same one cropped, resized, darker and lighter."""
    for one in range(subjects):
        picture = scene(one, "reference")
        width, height = picture.size
        inner = (width * 0.1, height * 0.1, width * 0.9, height * 0.9)
        yield picture, picture.crop(tuple(round(side) for side in inner))  # type: ignore[arg-type]
        yield picture, picture.resize((width // 2, height // 2))
        yield picture, picture.resize((800, 450))
        yield picture, ImageEnhance.Brightness(picture).enhance(0.75)
        yield picture, ImageEnhance.Brightness(picture).enhance(1.25)


def auc(same: Sequence[float], other: Sequence[float]) -> float:
    """How often a score of `same` is above one of `other`; a draw counts half."""
    wins = sum((one > two) + 0.5 * (one == two) for one in same for two in other)
    return wins / (len(same) * len(other))


def _median(scores: Sequence[float]) -> float:
    return sorted(scores)[len(scores) // 2]

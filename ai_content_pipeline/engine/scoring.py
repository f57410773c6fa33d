"""Results compared with their references, each pair once: what a score was is remembered in the project."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Artifact, Kind
from ai_content_pipeline.engine.results import Likeness, Score
from ai_content_pipeline.references import metrics
from ai_content_pipeline.references.metrics import Look, Metric
from ai_content_pipeline.steps.strategy import Consistency

if TYPE_CHECKING:
    from PIL.Image import Image

#: The folder of remembered scores, below the project's `.aicp`.
SCORES = "scores"
#: Pictures of a clip that are looked at, spread evenly over it.
_FRAMES = 5
#: Pixels of the longest side that a picture is decoded to at least.
_EDGE = 512
_PLACES = 4  # of a score, so that it is the same read back


@dataclass(frozen=True, slots=True)
class Shown:
    """What a result is to show: a name, and pictures that exist."""

    name: str
    pictures: tuple[Artifact, ...]

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(picture.sha256 for picture in self.pictures)


@dataclass(frozen=True, slots=True)
class ScoreBook:
    """Every score that was ever found in this project, in `folder`. It can be lost: scores are free."""

    folder: Path

    def known(self, rule: Consistency, shown: Sequence[Shown], made: Artifact) -> Likeness | None:
        """What `made` scored by the rule's metric, if that was found out before. Nothing is decoded."""
        scores = []
        for one in shown:
            score = self.score(rule.metric, one, made)
            if score is None:
                return None
            scores.append(Score(one.name, score, one.contents))
        return Likeness(rule.metric, rule.min_score, tuple(scores))

    def score(self, metric: str, shown: Shown, made: Artifact) -> float | None:
        try:
            with self._path(metric, shown, made).open(encoding="ascii") as file:
                found = float(file.read(16))
        except (OSError, ValueError):
            return None
        return found if 0 <= found <= 1 else None

    def keep(self, metric: str, shown: Shown, made: Artifact, score: float) -> None:
        """Remember a score; where that fails it is found again."""
        path = self._path(metric, shown, made)
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            part.write_text(f"{score:.{_PLACES}f}", encoding="ascii")
            part.replace(path)

    def _path(self, metric: str, shown: Shown, made: Artifact) -> Path:
        said = (metric, metrics.VERSIONS[metric], made.sha256, *sorted(shown.contents))
        return self.folder / hashlib.sha256(repr(said).encode()).hexdigest()[:40]


@dataclass
class Judge:
    """Compares results with references. `path` finds a stored file; `environ` says where the models lie that
    a metric may need. Thread-safe."""

    book: ScoreBook
    path: Callable[[Artifact], Path]
    environ: Mapping[str, str]
    _metrics: dict[str, Metric] = field(default_factory=dict)
    _looks: dict[tuple[str, str], Look] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def likeness(self, rule: Consistency, shown: Sequence[Shown], made: Artifact) -> Likeness:
        """How alike `made` is to everything in `shown`.

        Raises:
            BadMedia: a file cannot be looked at.
            ConfigurationError: the metric cannot be used here.
        """
        known = self.book.known(rule, shown, made)
        return self._placed(known or self._found(rule, shown, made), shown)

    def _placed(self, likeness: Likeness, shown: Sequence[Shown]) -> Likeness:
        """With the places of the references' files, so that a report can show them."""
        places = (tuple(map(self.path, one.pictures)) for one in shown)
        scores = zip(likeness.scores, places, strict=True)
        return replace(likeness, scores=tuple(replace(score, files=files) for score, files in scores))

    def _found(self, rule: Consistency, shown: Sequence[Shown], made: Artifact) -> Likeness:
        metric = self._metric(rule.metric)
        seen = [metric.look(picture) for picture in self._pictures(made)]
        scores = []
        for one in shown:
            references = [self._look(rule.metric, metric, picture) for picture in one.pictures]
            score = round(metrics.score(metric, references, seen), _PLACES)
            self.book.keep(rule.metric, one, made, score)
            scores.append(Score(one.name, score, one.contents))
        return Likeness(rule.metric, rule.min_score, tuple(scores))

    def _metric(self, name: str) -> Metric:
        with self._lock:
            if name not in self._metrics:
                self._metrics[name] = metrics.metric(name, self.environ)
            return self._metrics[name]

    def _look(self, name: str, metric: Metric, reference: Artifact) -> Look:
        """A reference is looked at once, for all items of all steps."""
        key = name, reference.sha256
        with self._lock:
            known = self._looks.get(key)
        if known is None:
            known = metric.look(self._pictures(reference)[0])
            with self._lock:
                self._looks[key] = known
        return known

    def _pictures(self, artifact: Artifact) -> list[Image]:
        path = self.path(artifact)
        if artifact.kind is Kind.VIDEO:
            from ai_content_pipeline.media.sampling import sampled

            return sampled(path, _FRAMES)
        from ai_content_pipeline.media import images

        return [images.open_image(path, at_least=(_EDGE, _EDGE))]

"""The user's own pictures and clips: found, probed and hashed once, before anything is paid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.steps.protocol import Input

_LABEL_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_DIGITS = re.compile(r"([0-9]+)")


@dataclass
class OwnFiles:
    """Files named in one pipeline, relative to `folder`. `paths` maps what was read to where it lies."""

    folder: Path
    paths: dict[str, Path] = field(default_factory=dict)
    _read: dict[Path, Input] = field(default_factory=dict)

    def read(self, name: str) -> Input:
        """Probe and hash a file.

        Raises:
            LookupError: it is not there, or no picture or video.
        """
        return self._input(self.folder / name, name)

    def glob(self, patterns: Sequence[str]) -> list[Input]:
        """The files that match, pattern by pattern, each pattern's in natural order (2 before 10).

        Raises:
            LookupError: a pattern matches nothing, or a match is no picture or video.
        """
        found: list[Input] = []
        for pattern in patterns:
            matches = [path for path in self._matches(pattern) if path.is_file()]
            if not matches:
                raise LookupError(f"no file matches {pattern!r} in {self.folder}")
            found += [self._input(path, path.name) for path in sorted(matches, key=_natural)]
        return found

    def _matches(self, pattern: str) -> list[Path]:
        if not any(mark in pattern for mark in "*?["):
            return [self.folder / pattern]
        anchor = Path(pattern).anchor
        try:
            if anchor:
                return list(Path(anchor).glob(pattern[len(anchor) :]))
            return list(self.folder.glob(pattern))
        except ValueError as error:
            raise LookupError(f"{pattern!r} is no file pattern: {error}") from error

    def _input(self, path: Path, name: str) -> Input:
        from ai_content_pipeline.generation.artifact_store import hash_file
        from ai_content_pipeline.media.probe import probe

        if path in self._read:
            return self._read[path]
        try:
            info = probe(path)
            artifact = Artifact(hash_file(path), path.stat().st_size, info)
        except BadMedia as error:
            raise LookupError(error.message) from error
        except OSError as error:
            raise LookupError(f"{name} cannot be read: {error.strerror or error}") from error
        self.paths[artifact.sha256] = path
        label = _LABEL_UNSAFE.sub("_", path.stem).strip("_")[:64] or "file"
        self._read[path] = Input(artifact, label)
        return self._read[path]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that counts digits as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part.casefold()) for part in _DIGITS.split(path.name)]

"""The user's own pictures and clips: found, probed and hashed once, before anything is paid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.steps.fields import reserved
from ai_content_pipeline.steps.protocol import MAX_ITEMS, MAX_LABEL, Input

_LABEL_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_NEAR = 0.8  # how alike the name of the file that was meant is, of 1
_GUESSES = 20  # missing files that are looked for: a file may name thousands
_DIGITS = re.compile(r"([0-9]+)")


@dataclass
class OwnFiles:
    """Files named in one pipeline, relative to `folder`. `paths` maps what was read to where it lies."""

    folder: Path
    paths: dict[str, Path] = field(default_factory=dict)
    _read: dict[Path, Input] = field(default_factory=dict)
    _missed: int = 0

    def read(self, name: str) -> Input:
        """Probe and hash a file.

        Raises:
            LookupError: it is not there, or no picture or video.
        """
        return self._input(self.folder / name, name)

    def glob(self, pattern: str) -> list[Input]:
        """The files that match, in natural order (2 before 10).

        Raises:
            LookupError: it matches nothing, too much, or something that is no picture or video.
        """
        if not any(mark in pattern for mark in "*?["):
            return [self.read(pattern)]
        try:
            matches = sorted(islice(self._matches(pattern), MAX_ITEMS + 1), key=_natural)
        except (ValueError, NotImplementedError, OSError) as error:
            raise LookupError(f"{pattern!r} is no file pattern: {error}") from error
        if not matches:
            raise LookupError(f"no file matches {pattern!r}; {_relative_to(self.folder)}")
        if len(matches) > MAX_ITEMS:
            raise LookupError(f"{pattern!r} matches more than {MAX_ITEMS:,} files; narrow it down")
        return [self._input(path, path.name) for path in matches]

    def _matches(self, pattern: str) -> Iterator[Path]:
        anchor = Path(pattern).anchor
        found = Path(anchor).glob(pattern[len(anchor) :]) if anchor else self.folder.glob(pattern)
        return (path for path in found if path.is_file())

    def _input(self, path: Path, name: str) -> Input:
        from ai_content_pipeline.generation.artifact_store import hash_file
        from ai_content_pipeline.media.probe import probe

        if path in self._read:
            return self._read[path]
        try:
            if not path.is_file():
                self._missed += 1
                raise LookupError(_absent(path, name, self.folder, guess=self._missed <= _GUESSES))
            artifact = Artifact(hash_file(path), path.stat().st_size, probe(path))
        except BadMedia as error:
            raise LookupError("; ".join(filter(None, (error.message, error.hint)))) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or str(error)
            raise LookupError(f"{name[:80]} cannot be read ({reason})") from error
        self.paths[artifact.sha256] = path
        self._read[path] = Input(artifact, _label(path))
        return self._read[path]


def _absent(path: Path, name: str, folder: Path, *, guess: bool) -> str:
    if path.is_dir():
        return f'{name} is a folder; for all its files write {{files: ["{name.rstrip("/")}/*"]}}'
    if path.exists():
        return f"{name} is not a regular file; copy it into one"
    near = _nearest(path) if guess else None
    hint = f"did you mean {Path(name).with_name(near)}?" if near else _relative_to(folder)
    return f"there is no file {name[:200]}; {hint}"


def _nearest(path: Path) -> str | None:
    """The file beside `path` that was probably meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(path.name[:100], _names(path.parent), n=1, cutoff=_NEAR)), None)


def _names(folder: Path) -> list[str]:
    try:
        return [file.name for file in islice(folder.iterdir(), 1000) if file.is_file()]
    except OSError:
        return []


def _relative_to(folder: Path) -> str:
    where = "" if str(folder) == "." else f" ({folder})"
    return f"paths are relative to the pipeline's own folder{where}"


def _label(path: Path) -> str:
    """The file's name without its suffix, as a name that is safe everywhere."""
    label = _LABEL_UNSAFE.sub("_", path.stem).strip("_")[:MAX_LABEL] or "file"
    return f"{label}_1" if reserved(label) else label


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that counts digits as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part.casefold()) for part in _DIGITS.split(path.name)]

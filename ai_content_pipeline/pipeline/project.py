"""Where a pipeline file lives: its project, the project's memory, and the folder its output goes to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ai_content_pipeline.steps.fields import reserved

STATE_FOLDER = ".aicp"
_MARKERS = (STATE_FOLDER, "pyproject.toml", ".git")
_UNSAFE = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .]$')
_OURS = frozenset((STATE_FOLDER, ".git"))
_FORGOTTEN = (
    "{0}/journal.sqlite3 is gone, while results of earlier runs lie in {0}/artifacts: nobody knows any more"
    " what was paid for, so what was made before may be paid for again, and no cap counts it; if there is a"
    " backup of the journal, put it back first"
)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a memory (`.aicp`)."""

    root: Path
    memory: str = STATE_FOLDER

    @property
    def state(self) -> Path:
        return self.root / self.memory

    def seen_from(self, environ: Mapping[str, str]) -> Project:
        """The project as a run in this environment sees it.

        Plain http is accepted for this machine only, so it means a sandbox. Such a run has a memory of its
        own: what a stand-in made is never taken for the real thing, nor does its listing say anything about
        the real vendor's.
        """
        from ai_content_pipeline.providers.registry import VENDOR_URLS  # checking a file needs no provider

        if any(environ.get(name, "").strip().lower().startswith("http://") for name in VENDOR_URLS):
            return replace(self, memory=f"{STATE_FOLDER}/sandbox")
        return self

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite3"

    @property
    def forgotten(self) -> str | None:
        """What to say where results of earlier runs lie, and no journal tells which of them were paid."""
        if self.journal.exists():
            return None
        try:
            results = any((self.state / "artifacts").iterdir())
        except OSError:
            return None
        return _FORGOTTEN.format(self.memory) if results else None

    def relative(self, path: Path) -> str:
        """`path` as the journal names it: relative to the project where it lies inside."""
        resolved = Path(os.path.realpath(path))
        inside = resolved.is_relative_to(self.root)
        return (resolved.relative_to(self.root) if inside else resolved).as_posix()


def find_project(start: Path) -> Project:
    """The nearest folder upwards from the file or folder `start` that is a project, else its own folder."""
    folder = Path(os.path.realpath(start))  # as `resolve`, which does not end well where links go in a circle
    folder = folder if folder.is_dir() else folder.parent
    for candidate in (folder, *folder.parents):
        if any((candidate / marker).exists() for marker in _MARKERS):
            return Project(candidate)
    return Project(folder)


def check_output_dir(text: str) -> str:
    """An ``output_dir`` that stays inside the project on every system.

    Raises:
        ValueError: it does not, or is no folder name.
    """
    if len(text) > 200:
        raise ValueError("output_dir is longer than 200 characters; shorten it")
    if text.startswith(("/", "~")) or ":" in text or "\\" in text:
        raise ValueError(
            f"output_dir {text!r} is not relative to the project; write folders with '/' between them,"
            " as in output/story (--output-dir on the command line may lie anywhere)"
        )
    parts = PurePosixPath(text).parts
    if not parts:
        raise ValueError("output_dir must be a folder below the project; write output/story")
    for part in parts:
        if part == "..":
            raise ValueError(f"output_dir {text!r} leaves the project; remove '..'")
        if part.casefold() in _OURS:
            raise ValueError(f"output_dir {text!r} lies in {part}, which is not for results; choose another")
        if _UNSAFE.search(part) or reserved(part) or len(part.encode()) > 255:
            raise ValueError(
                f"output_dir {text!r}: {part!r} is no folder name on every system; choose another"
            )
    return text

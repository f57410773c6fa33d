"""The output folder: copies of results under the names people expect, and nothing of theirs ever lost.

A file that the user edited or put there is never overwritten; ours goes beside it as ``name.new.ext``.
Writing never follows a symbolic link out of the folder.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ai_content_pipeline.engine.safe_folder import SafeFolder
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.generation.store import Delivered, Store


@dataclass
class Delivery:
    """Writes into the folder `parts` below `root` and remembers what it wrote, for one pipeline."""

    store: Store
    root: Path
    parts: Sequence[str]
    pipeline: str  # its name in the journal
    notes: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder = self.root.joinpath(*self.parts)
        self._known = self.store.delivered(self._name, self.pipeline)
        self._lock = threading.Lock()

    @property
    def _name(self) -> str:
        return str(self.folder)

    def place(self, source: Path, sha256: str, relative: str) -> Path:
        """Copy `source` to `relative` (forward slashes) unless it is there already; where it lies now.

        Raises:
            AicpError: the folder is not a folder, or leads outside.
        """
        target = self._target(relative, sha256)
        if self._unchanged(target) and self._known[target].sha256 == sha256:
            self.kept.add(target)
            return self.folder / target
        path = self.folder / target
        self._copy(source, path)
        stat = path.stat()
        record = Delivered(target, sha256, stat.st_size, stat.st_mtime_ns)
        with self._lock:
            self._known[target] = record
            self.kept.add(target)
        self.store.deliver(self._name, self.pipeline, [record])
        return path

    def prune(self) -> None:
        """Remove what an earlier run of this pipeline wrote, this one did not, and nobody touched."""
        for target in sorted(set(self._known) - self.kept):
            if self._unchanged(target):
                (self.folder / target).unlink()
                self._remove_empty((self.folder / target).parent)
            self.store.undeliver(self._name, target)

    # -- inside ----------------------------------------------------------------------------------

    def _target(self, relative: str, sha256: str) -> str:
        """`relative`, or the name beside it where the user's own file stands there."""
        candidate = relative
        stem, dot, suffix = relative.rpartition(".")
        number = 1
        while self._users(candidate, sha256):
            candidate = f"{stem}.new{'' if number == 1 else number}{dot}{suffix}"
            number += 1
        if candidate != relative:
            note = f"{relative} was changed by you and is left alone; the new file is {candidate}"
            with self._lock:
                if note not in self.notes:
                    self.notes.append(note)
        return candidate

    def _users(self, target: str, sha256: str) -> bool:
        """Whether a file stands there that is not ours: not written by us, or changed since."""
        path = self.folder / target
        if path.is_symlink():
            return True
        return path.exists() and not self._unchanged(target) and hash_file(path) != sha256

    def _unchanged(self, target: str) -> bool:
        """Whether the file is exactly what we wrote there."""
        known = self._known.get(target)
        if known is None:
            return False
        try:
            stat = (self.folder / target).lstat()
        except OSError:
            return False
        if (stat.st_size, stat.st_mtime_ns) == (known.size, known.mtime_ns):
            return True
        path = self.folder / target
        return not path.is_symlink() and path.is_file() and hash_file(path) == known.sha256

    def _copy(self, source: Path, path: Path) -> None:
        """A copy (a reflink where the file system has them), complete or not there at all."""
        below = path.parent.relative_to(self.folder).parts
        with SafeFolder(self.root, (*self.parts, *below)) as folder:
            temporary = f".{secrets.token_hex(6)}.part"
            try:
                with folder.create(temporary) as out, source.open("rb") as data:
                    if not _reflinked(data.fileno(), out.fileno()):
                        shutil.copyfileobj(data, out, 1 << 20)
                folder.rename(temporary, path.name)
            except BaseException:
                folder.discard(temporary)
                raise

    def _remove_empty(self, folder: Path) -> None:
        if folder != self.folder and not any(folder.iterdir()):
            folder.rmdir()


def _reflinked(source: int, target: int) -> bool:
    """Let the file system share the blocks until one side changes (Btrfs, XFS, …)."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    try:
        fcntl.ioctl(target, 0x40049409, source)  # FICLONE
    except OSError:
        return False
    return True

"""Every result ever made, by content, below `.aicp/`: written once, checked when used, never thrown away."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from ai_content_pipeline.artifacts import SUFFIXES, Artifact, MediaInfo

_CHUNK = 1 << 20


class ArtifactStore:
    """Files of one project. `root` is its `.aicp` folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._artifacts = str(root / "artifacts")
        self._quarantine = root / "quarantine"
        self.scratch = root / "tmp"
        self._synced: set[str] = set()  # by this process
        self._numbers = count()

    def put(self, path: Path, info: MediaInfo) -> Artifact:
        """Move the finished file `path` (on the same file system) into the store."""
        with path.open("rb", 0) as file:
            artifact = Artifact(*_measured(file.fileno()), info)
            if not (there := self.intact(artifact)):
                os.fsync(file.fileno())
        if there:
            path.unlink()
        else:
            _stamp(path, artifact.sha256)
            _move(path, self._path(artifact.sha256, artifact.suffix))
        self._sync_folder(artifact)
        return artifact

    def _sync_folder(self, artifact: Artifact) -> None:
        """Make its name durable: a neighbour that has just put it there may not have come so far."""
        if artifact.sha256 not in self._synced:
            _sync(self.path(artifact).parent)
            self._synced.add(artifact.sha256)

    def add(self, path: Path, info: MediaInfo) -> Artifact:
        """Copy a file of the user's into the store."""
        with path.open("rb", 0) as file:
            known = Artifact(*_measured(file.fileno()), info)
        if self.intact(known):
            return known
        with self.temporary() as copy:
            shutil.copyfile(path, copy)
            return self.put(copy, info)

    def path(self, artifact: Artifact) -> Path:
        return Path(self._path(artifact.sha256, artifact.suffix))

    def locate(self, sha256: str) -> Path:
        """The stored file with that content.

        Raises:
            FileNotFoundError: there is none.
        """
        for suffix in SUFFIXES.values():
            if (path := Path(self._path(sha256, suffix))).exists():
                return path
        raise FileNotFoundError(sha256)

    def intact(self, artifact: Artifact) -> bool:
        """Whether the stored file is there, readable and what its name says.

        A file that kept the time stamp it got when it was stored was not written to since; any other
        is hashed.
        """
        path = self._path(artifact.sha256, artifact.suffix)
        try:
            stat = os.stat(path)  # noqa: PTH116  see `_path`
            if stat.st_size != artifact.size:
                return False
            if stat.st_mtime_ns == _stamp_of(artifact.sha256):
                return True
            if hash_file(path) != artifact.sha256:
                return False
            _stamp(path, artifact.sha256)
        except OSError:
            return False
        return True

    def quarantine(self, path: Path, name: str) -> Path:
        """Keep a paid file that could not be used, under a name of our own."""
        target = self._quarantine / f"{Path(name).name}-{hash_file(path)[:12]}"
        _sync(path)
        _move(path, str(target))
        _sync(target.parent)
        return target

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A name for one file on its way, on the same file system as the store; what is left there goes.

        Not a folder for each: file systems take their time over names that were just given back.
        """
        if not self.scratch.is_dir():
            self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / f"{os.getpid()}-{next(self._numbers)}"
        try:
            yield path
        finally:
            with suppress(OSError):
                path.unlink()

    def workspace(self) -> tempfile.TemporaryDirectory[str]:
        """A folder for files on their way, on the same file system as the store."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=self.scratch, prefix="work-", ignore_cleanup_errors=True)

    def _path(self, sha256: str, suffix: str) -> str:
        """As text: this is asked several times an item, and a `Path` costs ten times as much."""
        return f"{self._artifacts}{os.sep}{sha256[:2]}{os.sep}{sha256}{suffix}"


def hash_file(path: Path | str) -> str:
    with open(path, "rb", 0) as file:  # noqa: PTH123  see `ArtifactStore._path`
        return _measured(file.fileno())[0]


def _measured(descriptor: int) -> tuple[str, int]:
    """The sha256 of an open file, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    while chunk := os.read(descriptor, _CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _stamp_of(sha256: str) -> int:
    """A modification time that only we give: a moment of 2001 plus the hash's first bytes, in ns."""
    return (1_000_000_000 + int(sha256[:6], 16)) * 1_000_000_000


def _stamp(path: Path | str, sha256: str) -> None:
    os.utime(path, ns=(_stamp_of(sha256), _stamp_of(sha256)))


def _move(path: Path, target: str) -> None:
    """Rename `path` to `target`, making the folder (durably) if it is the first there."""
    try:
        os.replace(path, target)  # noqa: PTH105  see `ArtifactStore._path`
    except FileNotFoundError:
        _make_folder(Path(target).parent)
        path.replace(target)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(path: Path | str) -> None:
    """Flush a file or folder to the disk (folders cannot be opened on Windows, and need it less)."""
    if os.name == "nt" and Path(path).is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Every result ever made, by content, below `.aicp/`: written once, checked when used, never thrown away."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from ai_content_pipeline.artifacts import SUFFIXES, Artifact, MediaInfo

_CHUNK = 1 << 20


class ArtifactStore:
    """Files of one project. `root` is its `.aicp` folder."""

    def __init__(self, root: Path) -> None:
        self._artifacts = root / "artifacts"
        self._quarantine = root / "quarantine"
        self.scratch = root / "tmp"

    def put(self, path: Path, info: MediaInfo) -> Artifact:
        """Move the finished file `path` (on the same file system) into the store."""
        artifact = Artifact(hash_file(path), path.stat().st_size, info)
        target = self.path(artifact)
        if self.intact(artifact):
            path.unlink()
        else:
            _sync(path)
            _stamp(path, artifact.sha256)
            _move(path, target)
        _sync(target.parent)  # also where a neighbour has just put it there, and may not have come so far
        return artifact

    def add(self, path: Path, info: MediaInfo) -> Artifact:
        """Copy a file of the user's into the store."""
        known = Artifact(hash_file(path), path.stat().st_size, info)
        if self.intact(known):
            return known
        with self.workspace() as folder:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            return self.put(copy, info)

    def path(self, artifact: Artifact) -> Path:
        return self._path(artifact.sha256, artifact.suffix)

    def locate(self, sha256: str) -> Path:
        """The stored file with that content.

        Raises:
            FileNotFoundError: there is none.
        """
        for suffix in SUFFIXES.values():
            if (path := self._path(sha256, suffix)).exists():
                return path
        raise FileNotFoundError(sha256)

    def intact(self, artifact: Artifact) -> bool:
        """Whether the stored file is there, readable and what its name says.

        A file that kept the time stamp it got when it was stored was not written to since; any other
        is hashed.
        """
        path = self.path(artifact)
        try:
            stat = path.stat()
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
        target = self._quarantine / f"{name}-{hash_file(path)[:12]}"
        _sync(path)
        _move(path, target)
        _sync(target.parent)
        return target

    def workspace(self) -> tempfile.TemporaryDirectory[str]:
        """A folder for files on their way, on the same file system as the store."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=self.scratch, prefix="work-", ignore_cleanup_errors=True)

    def _path(self, sha256: str, suffix: str) -> Path:
        return self._artifacts / sha256[:2] / f"{sha256}{suffix}"


def hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _stamp_of(sha256: str) -> int:
    """A modification time that only we give: a moment of 2001 plus the hash's first bytes, in ns."""
    return (1_000_000_000 + int(sha256[:6], 16)) * 1_000_000_000


def _stamp(path: Path, sha256: str) -> None:
    os.utime(path, ns=(_stamp_of(sha256), _stamp_of(sha256)))


def _move(path: Path, target: Path) -> None:
    """Rename `path` to `target`, making the folder (durably) if it is the first there."""
    try:
        path.replace(target)
    except FileNotFoundError:
        _make_folder(target.parent)
        path.replace(target)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk (folders cannot be opened on Windows, and need it less)."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

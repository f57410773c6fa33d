"""A folder to write into that no symbolic link leads out of, not even one swapped in meanwhile."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ai_content_pipeline.errors import AicpError

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd
_CHUNK = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NO_FOLDER = (errno.ELOOP, errno.ENOTDIR, errno.EEXIST, errno.EMLINK)


class SafeFolder:
    """The folder `parts` below `root`, made if need be. Every part is opened itself, never through a link;
    names are those of files directly in it. `root` itself may be a link: whoever names it may.

    Where the system cannot open files relative to a folder (Windows), paths are checked instead.

    Raises:
        AicpError: a part is a symbolic link, no folder, or no plain name.
        OSError: it cannot be made or opened; FileNotFoundError with `make=False` where it is not there.
    """

    def __init__(self, root: Path, parts: Sequence[str], *, make: bool = True) -> None:
        self._path = root.joinpath(*parts)
        self._descriptor: int | None = None
        if any(part in ("", ".", "..") or "/" in part or os.sep in part for part in parts):
            raise _leads_out(self._path)  # a journal may be crafted, too
        if _BY_DESCRIPTOR:
            self._descriptor = _descend(root, parts, make=make)
        else:
            _checked(root, parts, make=make)

    def __enter__(self) -> SafeFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = -1

    def in_place(self) -> bool:
        """Whether its path still leads to the folder that was opened."""
        if self._descriptor is None:
            return False  # nothing is kept open, so all is checked again
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False

    def names(self) -> list[str]:
        return os.listdir(self._path if self._descriptor is None else self._descriptor)  # noqa: PTH208  by descriptor

    def stat(self, name: str) -> os.stat_result | None:
        """Of the name itself, never of what a link points to; None where there is nothing."""
        try:
            return os.stat(self._name(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def sha256(self, name: str) -> str:
        """Of a regular file."""
        digest = hashlib.sha256()
        with os.fdopen(os.open(self._name(name), _READ, dir_fd=self._descriptor), "rb", 0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "no regular file", name)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def create(self, name: str) -> BinaryIO:
        """A new file; FileExistsError if there is one."""
        return os.fdopen(os.open(self._name(name), _NEW, 0o644, dir_fd=self._descriptor), "wb", 1 << 16)

    def stamp(self, name: str, nanoseconds: int) -> None:
        """Say that a file was last changed at that time."""
        follow = os.utime not in os.supports_follow_symlinks
        times = (nanoseconds, nanoseconds)
        os.utime(self._name(name), ns=times, dir_fd=self._descriptor, follow_symlinks=follow)

    def rename(self, old: str, new: str) -> None:
        """Atomically put `old` in the place of `new` (of a link: of the link itself)."""
        os.replace(self._name(old), self._name(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def discard(self, name: str) -> None:
        """Remove a file, or a link itself, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name(name), dir_fd=self._descriptor)

    def discard_empty(self, name: str) -> None:
        """Remove the folder `name` if nothing is in it."""
        with contextlib.suppress(OSError):
            os.rmdir(self._name(name), dir_fd=self._descriptor)

    def _name(self, name: str) -> str:
        return name if self._descriptor is not None else str(self._path / name)


def _descend(root: Path, parts: Sequence[str], *, make: bool) -> int:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        if not make:
            raise
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for index, part in enumerate(parts):
        try:
            below = _below(descriptor, part, make=make)
        except OSError as error:
            if error.errno in _NO_FOLDER:
                raise _leads_out(root.joinpath(*parts[: index + 1])) from error
            error.filename = str(root.joinpath(*parts[: index + 1]))
            raise
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _below(descriptor: int, part: str, *, make: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(part, flags, dir_fd=descriptor)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, 0o755, dir_fd=descriptor)
    return os.open(part, flags, dir_fd=descriptor)


def _checked(root: Path, parts: Sequence[str], *, make: bool) -> None:
    """The same by paths, for systems without descriptors of folders: a link swapped in later is not seen."""
    folder = root
    if make:
        root.mkdir(parents=True, exist_ok=True)
    for part in parts:
        folder = folder / part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise _leads_out(folder)
        if make:
            folder.mkdir(exist_ok=True)
        if not folder.resolve().is_relative_to(root.resolve()):  # a junction, say
            raise _leads_out(folder)
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))


def _leads_out(path: Path) -> AicpError:
    return AicpError(
        f"{path} is a symbolic link or no folder, so nothing is written there",
        hint="remove it, or choose another place with --output-dir",
    )

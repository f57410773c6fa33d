"""Which processes are alive: each holds a file lock for as long as it lives, and the system drops it.

A job's owner is such a lock's name. A process that was killed leaves the file but not the lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import sys
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{16}")


class Owners:
    """The lock files of one project, and this process's own among them.

    Raises:
        OSError: the folder cannot be written, or file locks do not work there (some network shares).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.me = secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True)
        self._held = os.open(self._path(self.me), os.O_RDWR | os.O_CREAT, 0o600)
        _lock(self._held, shared=False)
        if not self._is_locked(self.me):
            os.close(self._held)
            raise OSError(errno.ENOLCK, "file locks do not work there")

    def alive(self, owner: str) -> bool:
        """Whether the process that calls itself `owner` still runs (it may be this one)."""
        if owner == self.me:
            return True
        if not _NAME.fullmatch(owner):  # a journal may be crafted: this is no file name of ours
            return False
        try:
            if self._is_locked(owner):
                return True
        except FileNotFoundError:
            return False
        with contextlib.suppress(OSError):
            self._path(owner).unlink()
        return False

    def _is_locked(self, owner: str) -> bool:
        """Asked with a shared lock, so that those who ask at the same time do not take each other for it."""
        descriptor = os.open(self._path(owner), os.O_RDWR)
        try:
            return not _lock(descriptor, shared=True)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._path(self.me).unlink()
        os.close(self._held)

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

"""Where results go. The local folder is the first member; what another needs is this protocol."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ai_content_pipeline.engine.safe_folder import SafeFolder

ROOT = "workspace-temp"


class Storage(Protocol):
    """Keys are ``workspace-temp/{user_id}/{job_id}/{name}``; ids and names are checked before."""

    def publish(self, staged: Path, user_id: str, job_id: str, names: list[str]) -> None:
        """Put the files `names` of the folder `staged` where results are, durably; instead of any of an
        earlier try. May be repeated.

        Raises:
            OSError, AicpError: they cannot be written; the job has not ended then.
        """
        ...

    def url(self, key: str) -> str:
        """Where whoever gets the callback finds a file. Asked when it is told and never stored, because it
        may be signed."""
        ...

    def path(self, key: str) -> Path | None:
        """The file on this disk; None where it lies elsewhere."""
        ...

    def remove(self, user_id: str, job_id: str) -> None:
        """Take away what an earlier try may have left."""
        ...


def key(user_id: str, job_id: str, name: str) -> str:
    return f"{ROOT}/{user_id}/{job_id}/{name}"


class LocalFolder:
    """Results below `workspace`. No symbolic link leads out of it."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def publish(self, staged: Path, user_id: str, job_id: str, names: list[str]) -> None:
        with SafeFolder(self._workspace, (ROOT, user_id, job_id)) as folder:
            for name in names:
                part = f".{name}.part"
                folder.discard(part)
                with folder.create(part) as file, (staged / name).open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                folder.rename(part, name)
            for stale in set(folder.names()) - set(names):
                folder.discard(stale)
        for place in (self._workspace / ROOT / user_id / job_id, self._workspace / ROOT / user_id):
            _sync(place)  # the names, too

    def url(self, key: str) -> str:
        return key

    def path(self, key: str) -> Path | None:
        return self._workspace / key

    def remove(self, user_id: str, job_id: str) -> None:
        with suppress(FileNotFoundError):
            with SafeFolder(self._workspace, (ROOT, user_id, job_id), make=False) as folder:
                for name in folder.names():
                    folder.discard(name)
            with SafeFolder(self._workspace, (ROOT, user_id), make=False) as folder:
                folder.discard_empty(job_id)


def _sync(folder: Path) -> None:
    """Flush a folder to the disk, where folders can be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

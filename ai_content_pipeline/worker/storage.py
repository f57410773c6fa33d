"""Where results go. The local folder is the first member; what another needs is this protocol."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ai_content_pipeline.engine.safe_folder import SafeFolder

ROOT = "workspace-temp"
_BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd


class Storage(Protocol):
    """Keys are ``workspace-temp/{user_id}/{job_id}/{name}``; ids and names are checked before."""

    def publish(self, staged: Path, user_id: str, job_id: str, names: list[str]) -> None:
        """Put the files `names` of the folder `staged` where results are, durably, instead of any of an
        earlier try; what becomes of the folder is the storage's business.

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
        """The staged folder itself takes its place, so that all files are there at once and none is written
        twice; where it lies on another disk, or folders cannot be opened, they are copied."""
        self.remove(user_id, job_id)
        if not _BY_DESCRIPTOR:
            self._copy(staged, user_id, job_id, names)
            return
        for name in set(os.listdir(staged)) - set(names):  # noqa: PTH208  references, which stay here
            (staged / name).unlink()
        for path in (*(staged / name for name in names), staged):
            with _opened(path) as descriptor:
                os.fsync(descriptor)
        with SafeFolder(self._workspace, (ROOT, user_id)), self._home(user_id) as home:
            try:
                os.rename(staged, job_id, dst_dir_fd=home)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy(staged, user_id, job_id, names)
            os.fsync(home)

    def _copy(self, staged: Path, user_id: str, job_id: str, names: list[str]) -> None:
        with SafeFolder(self._workspace, (ROOT, user_id, job_id)) as folder:
            for name in names:
                part = f".{name}.part"
                folder.discard(part)
                with folder.create(part) as file, (staged / name).open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                folder.rename(part, name)

    @contextmanager
    def _home(self, user_id: str) -> Iterator[int]:
        """A user's folder, opened; not through a link, also not one swapped in meanwhile."""
        with (
            _opened(self._workspace, links=True) as workspace,
            _opened(ROOT, workspace) as root,
            _opened(user_id, root) as home,
        ):
            yield home

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


@contextmanager
def _opened(path: Path | str, folder: int | None = None, *, links: bool = False) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | (0 if links else os.O_NOFOLLOW), dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

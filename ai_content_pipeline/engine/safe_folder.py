"""Writing below a folder without following a symbolic link out of it, not even one swapped in meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ai_content_pipeline.errors import AicpError

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd


class SafeFolder:
    """The folder `parts` below `root`, made if need be. Every part is opened itself, never through a link.

    Where the system cannot open files relative to a folder (Windows), paths are checked instead.
    """

    def __init__(self, root: Path, parts: Sequence[str]) -> None:
        self._path = root.joinpath(*parts)
        self._descriptor: int | None = None
        root.mkdir(parents=True, exist_ok=True)
        if _BY_DESCRIPTOR:
            self._descriptor = _descend(root, parts)
        else:
            self._path.mkdir(parents=True, exist_ok=True)
            if not self._path.resolve().is_relative_to(root.resolve()):
                raise _leads_out(self._path)

    def __enter__(self) -> SafeFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def create(self, name: str) -> BinaryIO:
        """A new file; FileExistsError if there is one."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self._name(name), flags, 0o644, dir_fd=self._descriptor), "wb")

    def rename(self, old: str, new: str) -> None:
        """Atomically put `old` in the place of `new` (of a link: of the link itself)."""
        os.replace(self._name(old), self._name(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def discard(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name(name), dir_fd=self._descriptor)

    def _name(self, name: str) -> str:
        return name if self._descriptor is not None else str(self._path / name)


def _descend(root: Path, parts: Sequence[str]) -> int:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for index, part in enumerate(parts):
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=descriptor)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
        except OSError as error:
            raise _leads_out(root.joinpath(*parts[: index + 1])) from error
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _leads_out(path: Path) -> AicpError:
    return AicpError(
        f"{path} is a symbolic link or no folder, so nothing is written there",
        hint="remove it, or choose another place with --output-dir",
    )

"""A text file that is complete or not there, whatever happens while it is written."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ai_content_pipeline.errors import AicpError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def put(path: Path, text: str) -> None:
    """Put `text` (UTF-8) in the place of `path`; of a symbolic link, in the place of the link itself.

    Raises:
        AicpError: the folder is missing, full or read-only.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        descriptor = os.open(temporary, _NEW, 0o644)
        try:
            _fill(descriptor, text.encode())
            temporary.replace(path)
        except BaseException:  # ^C as well; it goes on after the clearing up
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AicpError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="the run itself is safe; make room or fix the permissions, and run the same command again",
        ) from error


def _fill(descriptor: int, data: bytes) -> None:
    """Write, and wait until the disk has it: a name must never stand for an empty file."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

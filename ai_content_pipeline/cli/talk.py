"""stderr as far as it can be reached."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TextIO


class Talk(io.TextIOBase):
    """A stream whose listener may leave. A closed terminal must not end a run that has been paid for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a field where io has a property
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

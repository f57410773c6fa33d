"""Files as a report names them: relative to its own folder, never anywhere else."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def relative(file: Path | None, folder: Path) -> str | None:
    """`file` below `folder`, with forward slashes; None where there is none, or it lies elsewhere."""
    if file is None:
        return None
    path, base = os.path.abspath(file), os.path.abspath(folder)  # noqa: PTH100 - follows no link
    begins = os.path.join(os.path.normcase(base), "")  # noqa: PTH118 - as text: a `Path` takes ten times as long
    return Path(path[len(begins) :]).as_posix() if os.path.normcase(path).startswith(begins) else None


def url(path: str) -> str:
    """A relative path as a relative URL. No character of it can begin a scheme, a host or a query."""
    return quote(os.fsencode(path), safe="/")

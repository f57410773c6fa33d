"""What a run leaves to read: ``report.json`` for programs, ``report.html`` for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_content_pipeline.engine.results import RunResult
    from ai_content_pipeline.report.document import Object

__all__ = ["write"]


def write(result: RunResult, folder: Path, document: Object | None = None) -> tuple[Path, Path]:
    """Write both files into `folder`, each complete or not at all; (``report.json``, ``report.html``).
    `document` is what ``report.json`` says, where it was built already.

    Links in them lead to files below `folder`. The folder must exist: whoever made it has decided that
    output may go there. A symbolic link in a report's place is replaced, not followed.

    Raises:
        AicpError: the folder cannot be written.
    """
    from ai_content_pipeline.report import page
    from ai_content_pipeline.report.atomic import put
    from ai_content_pipeline.report.document import build, dumps

    data, text = folder / "report.json", folder / "report.html"
    put(data, dumps(document or build(result, folder)))
    put(text, page.render(result, folder))
    return data, text

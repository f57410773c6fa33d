"""What is better done while a run waits for its first job than before or after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Kind

if TYPE_CHECKING:
    from ai_content_pipeline.pipeline.expansion import Expansion

# ruff: noqa: F401  importing is all that is wanted


def warm(expansion: Expansion) -> None:
    """Import what downloads, looks at, works on and reports the results of `expansion`."""
    from PIL import Image

    from ai_content_pipeline.cli import summary
    from ai_content_pipeline.media import download, images, probe, tiles
    from ai_content_pipeline.report import atomic, page

    page.template()
    Image.preinit()  # its formats; else when the first picture is saved
    if any(item.makes.kind is Kind.VIDEO for item in expansion.items):
        from ai_content_pipeline.media import video

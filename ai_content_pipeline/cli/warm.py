"""What the end of a run needs, imported while its first job is waited for instead of after its last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Kind

if TYPE_CHECKING:
    from ai_content_pipeline.pipeline.expansion import Expansion

# ruff: noqa: F401  importing is all that is wanted


def warm(expansion: Expansion) -> None:
    """Import what downloads, looks at, works on and reports the results of `expansion`."""
    from ai_content_pipeline.media import download, images, probe
    from ai_content_pipeline.report import page

    page.template()
    if any(item.makes.kind is Kind.VIDEO for item in expansion.items):
        from ai_content_pipeline.media import video

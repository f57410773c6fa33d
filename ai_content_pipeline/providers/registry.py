"""Every provider there is. A vendor's SDK is imported when its provider is made, not before."""

from __future__ import annotations

from collections.abc import Callable

from ai_content_pipeline.providers.protocol import Provider, Surroundings


def _draft(surroundings: Surroundings) -> Provider:
    from ai_content_pipeline.providers.draft import DraftProvider

    return DraftProvider(surroundings)


PROVIDERS: dict[str, Callable[[Surroundings], Provider]] = {
    "draft": _draft,
}

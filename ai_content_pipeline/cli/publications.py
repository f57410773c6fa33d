"""Vendors' schemas for a command: kept ones, and fetched ones, which are kept for times without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.catalog import Catalogue
from ai_content_pipeline.errors import AicpError, ConfigurationError, ProviderUnavailable
from ai_content_pipeline.pipeline.project import Project

if TYPE_CHECKING:
    from ai_content_pipeline.catalog.live import LiveSchema


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Publications:
    """What vendors publish, by provider and endpoint.

    `online`: ask the vendor for what is not kept. `keep`: write its answer into the project's memory.
    `tell` hears why one could not be had.
    """

    project: Project
    environ: Mapping[str, str]
    tell: Callable[[str], None]
    online: bool = True
    keep: bool = False
    now: Callable[[], datetime] = _now
    _known: dict[tuple[str, str], LiveSchema | None] = field(default_factory=dict)

    def __call__(self, provider: str, endpoint: str) -> LiveSchema | None:
        """The kept schema, else the vendor's; None where neither can be had."""
        if provider not in ("fal", "replicate"):
            return None
        place = provider, endpoint
        if place not in self._known:
            self._known[place] = self.kept(*place) or (self._had(*place) if self.online else None)
        return self._known[place]

    def kept(self, provider: str, endpoint: str) -> LiveSchema | None:
        from ai_content_pipeline.catalog import kept

        return kept.read(self.project.state, provider, endpoint)

    def fresh(self, provider: str, endpoint: str) -> LiveSchema | None:
        """The vendor's schema as it is now, which is then kept; None: it has no such model.

        Raises:
            ConfigurationError: a key is missing or refused.
            ProviderUnavailable: the vendor cannot be reached, or shows nothing that can be read.
        """
        from ai_content_pipeline.catalog import kept
        from ai_content_pipeline.catalog.live import LivePrice
        from ai_content_pipeline.catalog.openapi import UnreadableSchema
        from ai_content_pipeline.providers.published import fetch

        answer = fetch(provider, endpoint, self.environ)
        if answer is None:
            return None
        price = None if answer.usd is None else LivePrice(answer.usd, answer.unit)
        try:
            schema = kept.schema_of(provider, endpoint, answer.document, self.now(), price)
        except UnreadableSchema as error:
            raise ProviderUnavailable(f"{provider}'s schema of {endpoint} cannot be read: {error}") from error
        if self.keep:
            self._keep(
                kept.file_of(self.project.state, provider, endpoint), kept.text(schema, answer.document)
            )
        return schema

    def _had(self, provider: str, endpoint: str) -> LiveSchema | None:
        try:
            schema = self.fresh(provider, endpoint)
        except (ConfigurationError, ProviderUnavailable) as error:
            self.tell(f"the schema of {provider}:{endpoint} cannot be had: {error.message}")
            return None
        if schema is None:
            self.tell(f"{provider} publishes no model called {endpoint}")
        return schema

    def _keep(self, path: Path, text: str) -> None:
        from ai_content_pipeline.report.atomic import put

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, text)
        except (OSError, AicpError) as error:
            self.tell(f"the vendor's schema could not be kept: {error}")


def catalogue_of(project: Project, publications: Publications) -> Catalogue:
    """The cards that this project sees. Raises InvalidPipeline for a wrong overlay."""
    return Catalogue.of(project.root, publications)

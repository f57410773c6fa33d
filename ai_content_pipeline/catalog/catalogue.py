"""The cards that a project sees: the catalogue's, its own over them, and what vendors publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.catalog import files
from ai_content_pipeline.catalog.cards import Card
from ai_content_pipeline.errors import InvalidPipeline

if TYPE_CHECKING:
    from ai_content_pipeline.catalog.live import LiveSchema
    from ai_content_pipeline.catalog.overlay import Overlay

#: The file in a project's folder that holds its own cards.
OVERLAY = "aicp.models.toml"

#: A vendor's schema of an endpoint without a card, by provider and endpoint; None where it cannot be had.
Publish = Callable[[str, str], "LiveSchema | None"]


def unpublished(provider: str, endpoint: str) -> LiveSchema | None:
    """Nothing is known of endpoints without a card."""
    return None


class Catalogue:
    """Reads a card when it is asked for, and each once."""

    def __init__(self, own: Overlay | None = None, published: Publish = unpublished) -> None:
        self.own = own
        self.published = published
        self._cards: dict[str, Card] = {}

    @classmethod
    def of(cls, folder: Path, published: Publish = unpublished) -> Catalogue:
        """The catalogue with the overlay in a project's folder.

        Raises:
            InvalidPipeline: the overlay is wrong.
        """
        path = folder / OVERLAY
        if not path.exists():
            return cls(None, published)
        from ai_content_pipeline.catalog import overlay  # most projects have none

        return cls(overlay.read(path, (*files.keys(), *_local_names())), published)

    def __contains__(self, key: str) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> tuple[str, ...]:
        """Every key, in order. Reads no card."""
        own = self.own.tables if self.own else {}
        return tuple(sorted({*files.keys(), *own}))

    def load(self, key: str) -> Card:
        """The card of `key`, or of ``diffusers:key``.

        Raises:
            KeyError: no such card.
            InvalidPipeline: the project's own entry makes no sense of it.
        """
        if self.own is None or key not in self.own.tables:
            return _local(key) or files.load(key)
        if key not in self._cards:
            self._cards[key] = _card(key, self.own)
        return self._cards[key]

    def key_at(self, provider: str, endpoint: str) -> str | None:
        """The key of the card that stands for an endpoint; the project's own come first."""
        own = self.own.tables if self.own else {}
        for key, table in own.items():
            if "endpoint" in table or "provider" in table:
                card = self.load(key)
                if card.provider == provider and endpoint in (card.endpoint, card.endpoint.partition(":")[0]):
                    return key
        built_in = files.key_at(provider, endpoint)
        return None if built_in is not None and "endpoint" in own.get(built_in, {}) else built_in


def _local(key: str) -> Card | None:
    """The card of a model that runs on this machine."""
    from ai_content_pipeline.catalog import local

    provider, colon, endpoint = key.partition(":")
    return local.load(endpoint) if colon and provider == local.PROVIDER else None


def _local_table(key: str) -> files.Table | None:
    from ai_content_pipeline.catalog import local

    provider, colon, endpoint = key.partition(":")
    return local.table(endpoint) if colon and provider == local.PROVIDER else None


def _local_names() -> tuple[str, ...]:
    from ai_content_pipeline.catalog import local

    return tuple(f"{local.PROVIDER}:{key}" for key in local.keys())  # noqa: SIM118 - a module is no dict


def _card(key: str, own: Overlay) -> Card:
    from ai_content_pipeline.catalog.soundness import unsound

    try:
        table = own.over(key, _local_table(key) or files.table(key))
    except KeyError:
        table = own.over(key, None)
    typeless = [name for name, entry in table.get("parameters", {}).items() if "type" not in entry]
    nameless = [name for name, entry in table.get("roles", {}).items() if "name" not in entry]
    trails = [("parameters", name) for name in typeless] + [("roles", name) for name in nameless]
    if trails:
        wanted = {"parameters": "'type', as in type = \"string\"", "roles": "'name', the vendor's field"}
        raise InvalidPipeline(
            own.problem((key, *trail), f"{trail[1]!r} needs a {wanted[trail[0]]}") for trail in trails
        )
    card = files.card(key, table)
    found = [own.problem((key, *one.trail), one.message, one.hint) for one in unsound(card)]
    if found:
        raise InvalidPipeline(found)
    return card


#: What is in the box.
BUILT_IN = Catalogue()

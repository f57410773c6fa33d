"""``clip``: what a picture shows, by the vision tower of a local model (diffusers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ai_content_pipeline.providers.local import vision
from ai_content_pipeline.providers.local.machine import Machine
from ai_content_pipeline.references.metrics import opaque

if TYPE_CHECKING:
    from PIL.Image import Image


class Clip:
    """Raises ConfigurationError where the tower cannot be loaded."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._tower = vision.VisionTower(vision.find(environ), Machine.here(environ))

    def look(self, picture: Image) -> tuple[float, ...]:
        """The picture's embedding, of length 1."""
        return self._tower.vector(opaque(picture))

    def alike(self, reference: tuple[float, ...], picture: tuple[float, ...]) -> float:
        """The cosine between two embeddings, as it is; what is opposite has nothing in common."""
        cosine = sum(one * other for one, other in zip(reference, picture, strict=True))
        return min(1.0, max(0.0, cosine))

"""A declared reference: the pictures of one subject or style, and how it is put into words."""

from __future__ import annotations

from dataclasses import dataclass

from ai_content_pipeline.artifacts import Source


@dataclass(frozen=True, slots=True)
class Reference:
    """`strength` from 0 to 1 says how strongly the pictures are to count, where a model can be told."""

    name: str
    pictures: tuple[Source, ...]
    description: str | None = None
    strength: float | None = None

    @property
    def words(self) -> str:
        """What stands in a prompt in place of its name: its description, else the name itself."""
        return self.description or self.name.replace("_", " ").replace("-", " ")

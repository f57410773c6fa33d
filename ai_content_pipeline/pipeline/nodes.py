"""The values of a YAML document, each with its line and column, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline import scalars
from ai_content_pipeline.pipeline.lines import Position, problem

Value = scalars.Scalar | list["Value"] | dict[str, "Value"]

#: The tags that scalars may carry, by their short names (`!!int`).
SCALAR_TAGS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None)}


@dataclass(slots=True, eq=False)
class ScalarNode:
    """`plain`: written without quotes, so that `text` decides the type. `tag`: its short core tag."""

    place: Position
    text: str
    plain: bool
    tag: str | None = None

    def value(self) -> scalars.Scalar:
        """Raises ValueError with the reason."""
        if self.tag == "str" or not (self.plain or self.tag):
            return self.text
        value = scalars.read(self.text)
        if self.tag == "float" and type(value) is int:
            value = float(value)
        if self.tag and type(value) is not SCALAR_TAGS[self.tag]:
            raise ValueError(f"this is not what its tag !!{self.tag} says")
        return value


@dataclass(slots=True, eq=False)
class SequenceNode:
    place: Position
    items: list[Node]


@dataclass(slots=True, eq=False)
class MappingNode:
    place: Position
    entries: dict[str, Entry]


class Entry(NamedTuple):
    """A value under a key, with the place of the key."""

    place: Position
    node: Node


#: An alias is the very node it names, so its place is where it was written out.
Node = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed document. `root` is None when there is none or it could not be read to its end;
    `templates` are the scalars in values that hold a '$'."""

    root: Node | None
    templates: list[ScalarNode]
    problems: list[Problem]


def value(node: Node, problems: list[Problem]) -> Value:
    """What a node stands for; numbers that are none go to `problems`."""
    if isinstance(node, SequenceNode):
        return [value(item, problems) for item in node.items]
    if isinstance(node, MappingNode):
        return {key: value(entry.node, problems) for key, entry in node.entries.items()}
    try:
        return node.value()
    except ValueError as error:
        problems.append(problem(node.place, str(error), "put it in quotes if it is text"))
        return None

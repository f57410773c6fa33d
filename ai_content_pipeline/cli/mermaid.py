"""A pipeline as a Mermaid flowchart: steps with their models and counts, and what flows between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from ai_content_pipeline.artifacts import Artifact, Frame, Pending, Role, Source
from ai_content_pipeline.cli.text import one_line
from ai_content_pipeline.pipeline.expansion import ExpandedStep, Expansion
from ai_content_pipeline.steps.protocol import Item

#: Where the user's own files come from.
OWN_FILES = "files"

#: Everything else would be markup to Mermaid, or to the HTML that it makes.
_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:_-]")
_LABEL = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A step; or (no `type`) the user's own files. `count` is how many items or files it has."""

    name: str
    type: str | None
    models: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Files of one step (None: the user's own) that another takes in a role; `frame` where it is a still of
    a clip. `count` is how many."""

    source: str | None
    target: str
    role: Role
    frame: Frame | None
    count: int


def nodes(expansion: Expansion) -> list[Node]:
    own = [Node(OWN_FILES, None, (), len(expansion.files))] if expansion.files else []
    return own + [
        Node(step.name, step.fields.type, tuple(step.setting.cards), len(step.items))
        for step in expansion.steps
    ]


def edges(expansion: Expansion) -> list[Edge]:
    """Each kind of input once, in the order in which the steps take them."""
    found: dict[tuple[str | None, str, Role, Frame | None], int] = {}
    for step in expansion.steps:
        for role, source in chain.from_iterable(_inputs(step, item) for item in step.items):
            frame = source.frame if isinstance(source, Pending) else None
            place = (_maker(source), step.name, role, frame)
            found[place] = found.get(place, 0) + 1
    return [Edge(*place, count) for place, count in found.items()]


def flowchart(expansion: Expansion) -> str:
    """The text of the diagram. Names are escaped; what a node is called in the text is not its name."""
    drawn, arrows = nodes(expansion), edges(expansion)
    ids: Mapping[str | None, str] = {
        (node.name if node.type else None): f"s{number}" if node.type else "own"
        for number, node in enumerate(drawn)
    }
    lines = ["flowchart LR"]
    for node in drawn:
        words = [node.name, *([node.type] if node.type else []), *node.models, _counted(node)]
        label = "<br/>".join(map(_escaped, words))
        left, right = ('["', '"]') if node.type else ('[/"', '"/]')
        lines.append(f"    {ids[node.name if node.type else None]}{left}{label}{right}")
    for edge in arrows:
        label = edge.role.value + (f", {edge.frame.value}" if edge.frame else "")
        lines.append(f'    {ids[edge.source]} -->|"{_escaped(label)}"| {ids[edge.target]}')
    return "\n".join(lines) + "\n"


def _inputs(step: ExpandedStep, item: Item) -> Iterator[tuple[Role, Source]]:
    """What an item takes; the user's own clip in its slot counts as its input."""
    if item.given is not None:
        yield next(iter(step.verbs.takes), Role.INPUT), item.given
    for role, sources in item.inputs.items():
        for source in sources:
            yield role, source


def _maker(source: Source) -> str | None:
    return None if isinstance(source, Artifact) else source.address.partition("/")[0]


def _counted(node: Node) -> str:
    noun = "item" if node.type else "file"
    return f"{node.count:,} {noun}{'' if node.count == 1 else 's'}"


def _escaped(text: str) -> str:
    """Mermaid's own way to write any character: ``#`` its number ``;``."""
    return _UNSAFE.sub(lambda match: f"#{ord(match[0])};", one_line(text, _LABEL))

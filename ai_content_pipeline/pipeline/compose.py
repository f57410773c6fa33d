"""A YAML document as a tree of nodes, built straight from the parser's events.

Depth, aliases, tags and duplicate keys are judged before anything is made of them, and no library
decides what a value means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any, NoReturn

import yaml
from yaml import events

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline import scalars, syntax
from ai_content_pipeline.pipeline.lines import Lines, Position, place, problem
from ai_content_pipeline.pipeline.nodes import (
    SCALAR_TAGS,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    Tree,
)

MAX_DEPTH = 64
MAX_ALIASES = 100
MAX_ALIASED_VALUES = 10_000

#: libyaml, where it is installed: about 20 times as fast as the pure parser.
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", None)

#: Where libyaml accepts what the pure parser refuses or places differently: tabs, tags, question marks,
#: a comment glued to a block header. Such texts go to the pure one, so that both installations agree.
_DISPUTED = re.compile(r"[\t!?]|[|>][-+0-9]*#")

_CORE_TAGS = "tag:yaml.org,2002:"


def compose(lines: Lines) -> Tree:
    """The tree of a text without unprintable characters, and what is wrong with it."""
    if FAST_LOADER is not None and not _DISPUTED.search(lines.text):
        try:
            return _Builder(FAST_LOADER(lines.text).get_event).tree()
        except (_Refused, yaml.YAMLError, ValueError):
            pass  # told below, in the words of the pure parser
    loader = yaml.SafeLoader(lines.text)
    builder = _Builder(loader.get_event)
    try:
        return builder.tree()
    except _Refused:
        pass
    except yaml.MarkedYAMLError as error:
        builder.add_unless_known(syntax.explain(error, lines, builder.last))
    except (ValueError, OverflowError):  # the pure parser on "\U00110000" and on %YAML 999…
        at = place(loader.get_mark())
        builder.add_unless_known(
            Problem("a number that YAML cannot hold", "remove it", None, at.line, at.column)
        )
    return Tree(None, [], builder.problems)


class _Refused(Exception):
    """Reading on would be harmful or pointless; the problem is noted."""


class _Builder:
    """Builds the tree of one document; recursion is bounded by `MAX_DEPTH`."""

    def __init__(self, next_event: Callable[[], events.Event | None]) -> None:
        self._next_event = next_event
        self.problems: list[Problem] = []
        self.last = Position(1, 1)
        self._templates: list[ScalarNode] = []
        self._anchors: dict[str, Node | None] = {}  # None while the named value is still being read
        self._aliases = 0
        self._room = MAX_ALIASED_VALUES

    def tree(self) -> Tree:
        self._take()
        if isinstance(self._take(), events.StreamEndEvent):
            return Tree(None, [], [])
        root = self._node(self._take(), depth=0, key=Position(1, 1))
        self._take()
        after = self._take()
        if not isinstance(after, events.StreamEndEvent):
            self._refuse(
                place(after.start_mark), "a second document begins here", "keep one pipeline per file"
            )
        return Tree(root, self._templates, self.problems)

    def add_unless_known(self, found: Problem) -> None:
        """Adds a syntax error, unless its line has a problem already: it is the same mistake."""
        if all(known.line != found.line for known in self.problems):
            self.problems.append(found)

    def _take(self) -> events.Event:
        event = self._next_event()
        assert event is not None, "the parser ends with StreamEndEvent"
        return event

    def _note(self, at: Position, message: str, hint: str) -> None:
        self.problems.append(problem(at, message, hint))

    def _refuse(self, at: Position, message: str, hint: str) -> NoReturn:
        self._note(at, message, hint)
        raise _Refused

    def _node(self, event: events.Event, depth: int, key: Position | None = None) -> Node:
        """`depth`: collections around it. `key`: where a value that is not there would have stood."""
        if isinstance(event, events.AliasEvent):
            return self._alias(event, depth)
        if isinstance(event, events.ScalarEvent):
            at = key if key and not (event.value or event.style) else place(event.start_mark)
            node: Node = self._scalar(event, at)
        else:
            assert isinstance(event, events.CollectionStartEvent)
            at = place(event.start_mark)
            if depth == MAX_DEPTH:
                self._refuse(at, f"nested too deep (more than {MAX_DEPTH} levels)", "flatten it")
            if event.anchor:
                self._anchors[event.anchor] = None
            node = self._collection(event, at, depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = node
        self.last = at
        return node

    def _scalar(self, event: events.ScalarEvent, at: Position) -> ScalarNode:
        tag = self._core_tag(event.tag, at, SCALAR_TAGS)
        text: str = event.value
        self._check_text(event, at)
        node = ScalarNode(at, text, not event.style, tag)
        if "$" in text:
            self._templates.append(node)
        return node

    def _collection(self, event: events.CollectionStartEvent, at: Position, depth: int) -> Node:
        if isinstance(event, events.MappingStartEvent):
            self._core_tag(event.tag, at, ("map",))
            return MappingNode(at, self._entries(depth))
        self._core_tag(event.tag, at, ("seq",))
        items: list[Node] = []
        while not isinstance(event_or_end := self._take(), events.SequenceEndEvent):
            items.append(self._node(event_or_end, depth))
        return SequenceNode(at, items)

    def _entries(self, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._take(), events.MappingEndEvent):
            at = place(event.start_mark)
            key = self._key(event, at, depth)
            node = self._node(self._take(), depth, key=at)
            if key is None:
                continue
            if key in entries:
                first = entries[key].place.line
                hint = "write a space after '-'" if key.startswith("-") else "remove one"
                self._note(at, f"duplicate key {key[:60]!r} (first on line {first})", hint)
            else:
                entries[key] = Entry(at, node)
        return entries

    def _key(self, event: events.Event, at: Position, depth: int) -> str | None:
        """The text of a key as written; None when it is no key."""
        if not isinstance(event, events.ScalarEvent):
            self._note(at, "a key must be plain text", "text with { } [ ] or * needs quotes")
            if not isinstance(event, events.AliasEvent):
                self._node(event, depth)
            return None
        self._core_tag(event.tag, at, SCALAR_TAGS)
        self._check_text(event, at)
        text: str = event.value
        if not event.style and text == "<<":
            self._note(at, "merge keys ('<<') are not allowed", "write the keys out")
            return None
        if not event.style and text in scalars.NULLS:
            self._note(at, "a key is missing before ':'", "write it; 'null' or '~' as a key needs quotes")
            return None
        return text

    def _core_tag(self, tag: str | None, at: Position, allowed: Container[str]) -> str | None:
        if tag is None:
            return None
        short = tag.removeprefix(_CORE_TAGS)
        if short != tag and short in allowed:
            return short
        self.problems.append(syntax.tag_problem(at, tag))
        return None

    def _check_text(self, event: events.ScalarEvent, at: Position) -> None:
        """Only double quotes have escapes, and only escapes can smuggle in what a file may not hold."""
        if event.style == '"' and (found := scalars.UNPRINTABLE.search(event.value)):
            code = ord(found.group())
            self._note(
                at, f"an escape for the character U+{code:04X}", "leave it out, or write the text itself"
            )

    def _alias(self, event: events.AliasEvent, depth: int) -> Node:
        at, name = place(event.start_mark), event.anchor or ""
        self.last = at
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(at, f"more than {MAX_ALIASES} aliases", "write the values out")
        if name not in self._anchors:
            self._note(at, f"nothing is called '&{name[:60]}'", "text that begins with '*' needs quotes")
            return ScalarNode(at, "", plain=False)
        node = self._anchors[name]
        if node is None:
            self._refuse(
                at, f"the alias '*{name[:60]}' stands inside the value it names", "write the value out"
            )
        size, height = _extent(node, self._room)
        self._room -= size
        if self._room < 0:
            limit = f"{MAX_ALIASED_VALUES:,}"
            self._refuse(at, f"the aliases stand for more than {limit} values", "write the values out")
        if depth + height > MAX_DEPTH:
            self._refuse(at, f"nested too deep (more than {MAX_DEPTH} levels)", "flatten it")
        return node


def _extent(node: Node, room: int) -> tuple[int, int]:
    """How many values a node stands for, and how many levels; counts only a little further than `room`."""
    size = height = 0
    waiting = [(node, 0)]
    while waiting and size <= room:
        current, depth = waiting.pop()
        size += 1
        if isinstance(current, ScalarNode):
            continue
        height = max(height, depth + 1)
        children = (
            current.items if isinstance(current, SequenceNode) else [e.node for e in current.entries.values()]
        )
        if len(children) > room:
            return size + len(children), height
        waiting.extend((child, depth + 1) for child in children)
    return size, height

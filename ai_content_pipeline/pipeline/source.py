"""A pipeline file as data that remembers where each value stands.

`load` reads YAML with YAML 1.2 scalars and our own construction (see `compose`), replaces declared `${NAME}`
variables (see `variables`), and refuses what is ambiguous or hostile, with every problem found at once.
"""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import pathlib
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ai_content_pipeline.errors import InvalidPipeline, Problem
from ai_content_pipeline.pipeline import nodes, variables
from ai_content_pipeline.pipeline.compose import compose
from ai_content_pipeline.pipeline.lines import Lines, Position, problem
from ai_content_pipeline.pipeline.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, Tree, Value
from ai_content_pipeline.pipeline.scalars import UNPRINTABLE, Scalar

__all__ = [
    "Path",
    "Position",
    "Scalar",
    "SourceFile",
    "Value",
    "closest",
    "in_order",
    "load",
    "loads",
    "unknown_key",
]

#: The way to a value, from the top level: ("steps", 2, "params", "grid").
Path = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_LINES = 100_000

_MAX_PROBLEMS = 100  # nobody reads on, and a hostile file has half a million
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_SAVE_AS_UTF8 = "save it as UTF-8"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The data of a pipeline file. `path` is as the user named it.

    `overridden` maps values that came from elsewhere (``--set``) to the words that problems begin with;
    `layered` those that came of ``defaults:`` or a profile to its words. `root` is what `data` was made of.
    """

    path: pathlib.Path
    data: dict[str, Value]
    root: Node = field(repr=False, compare=False)
    overridden: Mapping[Path, str] = field(default_factory=dict, repr=False, compare=False)
    layered: Mapping[Path, str] = field(default_factory=dict, repr=False, compare=False)

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where a value stands, or its key; of its nearest ancestor when the file has no such value.

        A value left out after its key is where the key is; an aliased one where it is written out.
        """
        at, node = self._trail(path)[-1]
        return at if key else node.place

    def node(self, path: Path) -> Node | None:
        """What stands in the file at `path`, if anything does."""
        trail = self._trail(path)
        return trail[-1].node if len(trail) == len(path) + 1 else None

    def raw(self, path: Path) -> str | None:
        """What the type of a plain scalar was read from ("1.10", "010"; the text of its variable);
        None for everything else."""
        node = self.node(path)
        return node.text if isinstance(node, ScalarNode) and node.plain else None

    def problem(self, path: Path, message: str, hint: str | None = None, *, key: bool = False) -> Problem:
        if origin := _nearest(self.overridden, path):
            return Problem(message, hint, origin)
        return _in_file(self.path, problem(self.position(path, key=key), message, hint))

    def origin(self, path: Path) -> str:
        """Where a value comes from: "film.yaml:9", "profile fast, film.yaml:4", "--set seed=8"; "default"
        for one that nobody wrote."""
        if words := _nearest(self.overridden, path):
            return words
        if (node := self.node(path)) is None:
            return "default"
        where = f"{self.path.name}:{node.place.line}"
        return f"{words}, {where}" if (words := _nearest(self.layered, path)) else where

    def _trail(self, path: Path) -> list[Entry]:
        """The values on the way to `path` with the places of their keys, the top level first."""
        trail = [Entry(self.root.place, self.root)]
        for part in path:
            node = trail[-1].node
            if isinstance(node, MappingNode) and isinstance(part, str) and part in node.entries:
                trail.append(node.entries[part])
            elif isinstance(node, SequenceNode) and isinstance(part, int) and 0 <= part < len(node.items):
                trail.append(Entry(node.items[part].place, node.items[part]))
            else:
                break
        return trail


def load(path: pathlib.Path, *, environ: Mapping[str, str]) -> SourceFile:
    """Reads a pipeline file. Raises `InvalidPipeline` with every problem that can be found in one go."""
    return _read(_content(path), path, environ)


def loads(
    text: str | bytes, *, name: str = "<text>", environ: Mapping[str, str] = MappingProxyType({})
) -> SourceFile:
    """As `load`, for a text; `name` stands for the file in messages."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return _read(content, pathlib.Path(name), environ)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if one is near enough."""
    from difflib import get_close_matches

    words = {_form(each): each for each in known}
    found = get_close_matches(_form(word[:64]), words, n=1)
    return words[found[0]] if found else None


def unknown_key(word: str, known: Iterable[str]) -> str:
    """What to say to someone who wrote `word` where only `known` keys are allowed."""
    keys = list(known)
    if meant := closest(word, keys):
        return f"did you mean {meant!r}?"
    return f"known keys: {', '.join(keys)}" if keys else "no keys are known here"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """All problems once each (an alias repeats those of its value), in the order of the file."""
    once = sorted(set(problems), key=lambda each: (each.line or 0, each.column or 0, each.message))
    if (more := len(once) - _MAX_PROBLEMS) > 0:
        file = once[0].file
        once[_MAX_PROBLEMS:] = [Problem(f"and {more:,} more problems", "mend these first", file)]
    return once


def _nearest(words: Mapping[Path, str], path: Path) -> str | None:
    """What is said of a value, or of the nearest one that holds it."""
    return next((words[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in words), None)


def _form(word: str) -> str:
    return word.casefold().replace("-", "_")


def _content(path: pathlib.Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _invalid(path, [Problem("this is a folder", "name a YAML file in it")])
        if not stat.S_ISREG(status.st_mode):
            raise _invalid(path, [Problem("this is not a regular file", "copy its text into one")])
        if status.st_size > MAX_BYTES:
            raise _invalid(path, [_too_big()])
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _invalid(path, [Problem("there is no such file", "check the name and the folder")]) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise _invalid(path, [Problem(f"this file cannot be read ({reason})")]) from error


def _read(content: bytes, path: pathlib.Path, environ: Mapping[str, str]) -> SourceFile:
    text, problems = _decode(content)
    if problems:
        raise _invalid(path, problems)
    lines = Lines(text)
    tree = compose(lines)
    if tree.root is None:
        raise _invalid(path, tree.problems or [_empty()])
    problems = [*tree.problems, *_replace_variables(tree, tree.root, lines, environ)]
    data = nodes.value(tree.root, problems)
    if isinstance(data, dict) and not problems:
        return SourceFile(path, data, tree.root)
    if data is None and not problems:
        problems.append(_empty())
    elif not isinstance(data, dict):
        hint = "write 'name: …' and 'steps:', with the list of steps below it"
        problems.append(problem(tree.root.place, "the top level is not made of 'key: value' lines", hint))
    raise _invalid(path, problems)


def _decode(content: bytes) -> tuple[str, list[Problem]]:
    """The text of a file, or why it is none."""
    if len(content) > MAX_BYTES:
        return "", [_too_big()]
    if content.startswith(_WIDE_MARKS):
        return "", [problem(Position(1, 1), "this file is UTF-16 or UTF-32", _SAVE_AS_UTF8)]
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode().removeprefix("\ufeff")
        at = Lines(readable).position(len(readable))
        return "", [problem(at, f"the byte 0x{content[error.start]:02x} is not UTF-8", _SAVE_AS_UTF8)]
    if text.count("\n") > MAX_LINES:
        return "", [Problem(f"this file has more than {MAX_LINES:,} lines", "split it")]
    return text, _unprintable(text)


def _unprintable(text: str) -> list[Problem]:
    lines = Lines(text)
    return [
        problem(
            lines.position(found.start()),
            f"the character U+{ord(found.group()):04X} is not allowed",
            "is this UTF-16? save it as UTF-8" if found.group() == "\0" else "remove it",
        )
        for found in itertools.islice(UNPRINTABLE.finditer(text), _MAX_PROBLEMS)
    ]


def _replace_variables(tree: Tree, root: Node, lines: Lines, environ: Mapping[str, str]) -> list[Problem]:
    entry = root.entries.get("env") if isinstance(root, MappingNode) else None
    declared, problems = variables.declarations(entry.node if entry else None)
    known = variables.Variables(declared, environ)
    for node in tree.templates:
        problems += known.replace_in(node, lines)
    return problems


def _too_big() -> Problem:
    return Problem(f"this file is larger than {MAX_BYTES >> 20} MiB", "split it")


def _empty() -> Problem:
    hint = "write 'name: …' and 'steps:', with the list of steps below it"
    return problem(Position(1, 1), "this file is empty", hint)


def _in_file(path: pathlib.Path, found: Problem) -> Problem:
    return dataclasses.replace(found, file=str(path))


def _invalid(path: pathlib.Path, problems: Iterable[Problem]) -> InvalidPipeline:
    return InvalidPipeline(_in_file(path, each) for each in in_order(problems))

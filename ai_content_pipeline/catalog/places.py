"""Where the keys of a TOML text stand, which its parser does not tell.

The text has been parsed before: what is read here is sound TOML.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

#: The way to a value, from the top: table names, then keys and the numbers of list entries.
Trail = tuple[str | int, ...]

_KEY_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+|\'\'\'.*?\'\'\'+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}\n#]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


class Place(NamedTuple):
    """Counted from 1; columns in characters."""

    line: int
    column: int


class Header(NamedTuple):
    """A ``[table]`` line: the table's trail, and where in the text the line begins."""

    trail: tuple[str, ...]
    start: int


@lru_cache(maxsize=1)
def places(text: str) -> Mapping[Trail, Place]:
    """The first place of every key, table and list entry, by its trail."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: dict[Trail, Place] = {}
    for trail, at in _Reader(text).read():
        line = bisect_right(starts, at)
        found.setdefault(trail, Place(line, at - starts[line - 1] + 1))
    return found


def headers(text: str) -> tuple[Header, ...]:
    """Every table header, in the order of the text."""
    reader = _Reader(text)
    for _ in reader.read():
        pass
    return tuple(reader.headers)


class _Reader:
    """Walks over a text once; `at` is where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.headers: list[Header] = []

    def read(self) -> Iterator[tuple[Trail, int]]:
        table: tuple[str, ...] = ()
        while not self._ended():
            start = self.at
            if self.text[start] != "[":
                yield from self._pair(table)
                continue
            self.at += 2 if self.text.startswith("[[", start) else 1
            self._blanks()
            key = self.at
            table = self._key()
            self.headers.append(Header(table, start))
            yield from ((table[:depth], key) for depth in range(1, len(table) + 1))
            self.at += 2 if self.text.startswith("]]", self.at) else 1

    def _ended(self) -> bool:
        self._blanks()
        return self.at >= len(self.text)

    def _blanks(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _key(self) -> tuple[str, ...]:
        parts = []
        while match := _KEY_PART.match(self.text, self.at):
            word = match[0]
            parts.append(next(iter(tomllib.loads(f"{word} = 0"))) if word[0] in "\"'" else word)
            self.at = match.end()
            self._blanks()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
            self._blanks()
        return tuple(parts)

    def _pair(self, table: Trail) -> Iterator[tuple[Trail, int]]:
        start, key = self.at, self._key()
        for depth in range(1, len(key) + 1):
            yield (*table, *key[:depth]), start
        self.at += 1  # the equals sign
        self._blanks()
        yield from self._value((*table, *key))

    def _value(self, trail: Trail) -> Iterator[tuple[Trail, int]]:
        opening = self.text[self.at]
        if opening == "[":
            yield from self._entries(trail, "]")
        elif opening == "{":
            yield from self._entries(trail, "}")
        else:
            match = (_STRING if opening in "\"'" else _PLAIN).match(self.text, self.at)
            self.at = match.end() if match else len(self.text)

    def _entries(self, trail: Trail, closing: str) -> Iterator[tuple[Trail, int]]:
        self.at += 1
        number = 0
        while not self._ended() and self.text[self.at] != closing:
            if closing == "}":
                yield from self._pair(trail)
            else:
                yield (*trail, number), self.at
                yield from self._value((*trail, number))
            number += 1
            self._blanks()
            self.at += self.text.startswith(",", self.at)
        self.at += 1

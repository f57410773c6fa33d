"""Lines and columns of a text, counted from 1 as editors do."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ai_content_pipeline.errors import Problem

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; `line` and `column` (in characters) count from 1."""

    line: int
    column: int


class Mark(Protocol):
    """A place as the YAML parsers give it; `line` and `column` count from 0."""

    line: int
    column: int


def problem(at: Position, message: str, hint: str | None = None) -> Problem:
    """A problem at a place of a file whose name is added later."""
    return Problem(message, hint, None, at.line, at.column)


def place(mark: Mark | None) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


class Lines:
    """A text that knows where its lines begin. A place past the end of a line has the character ''."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_BREAK.finditer(self.text))]

    def position(self, index: int) -> Position:
        line = bisect.bisect_right(self._starts, index)
        return Position(line, index - self._starts[line - 1] + 1)

    def index(self, place: Position) -> int:
        return self._starts[place.line - 1] + place.column - 1

    def line(self, number: int) -> str:
        """The text of a line without its line break; '' when there is no such line."""
        if not 1 <= number <= len(self._starts):
            return ""
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end].rstrip("\r\n")

    def indentation(self, number: int) -> str:
        line = self.line(number)
        return line[: len(line) - len(line.lstrip(" \t"))]

    def before(self, place: Position) -> str:
        """What stands on the same line to the left of a place."""
        return self.line(place.line)[: place.column - 1]

    def character(self, place: Position) -> str:
        return self.line(place.line)[place.column - 1 : place.column]

"""Text as a terminal, a log or a pipe gets it: harmless, measured in columns, sayable in its encoding."""

from __future__ import annotations

import re

from ai_content_pipeline.report.texts import clean, unsigned

__all__ = [
    "Line",
    "Span",
    "cells",
    "clean",
    "one_line",
    "padded",
    "plain",
    "reported",
    "sayable",
    "unsigned",
    "workflow_safe",
]

#: A piece of a line and how it looks: "", or words of "bold dim red green yellow cyan".
Span = tuple[str, str]
Line = tuple[Span, ...]

_GAPS = re.compile(r"\s+")
_COMMAND = re.compile(r"^(\s*):(?=:)")
#: What the house itself writes and an old encoding may lack, in characters of the same width.
_ASCII = str.maketrans({"…": "~", "━": "#", "─": "-", "–": "-", "’": "'", "“": '"', "”": '"'})


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def one_line(text: str, width: int | None = None) -> str:
    """Clean text without line ends or runs of blanks, cut to `width` columns."""
    line = _GAPS.sub(" ", clean(text)).strip()
    if width is None or cells(line) <= width:
        return line
    kept = room = 0
    while (room := room + cells(line[kept])) < width:
        kept += 1
    return line[:kept].rstrip() + "…" if width > 0 else ""


def reported(text: str, width: int | None = None) -> str:
    """What somebody else said, on one line; of URLs only what fetches nothing."""
    return one_line(unsigned(clean(text)), width)


def cells(text: str) -> int:
    """The columns that clean text takes on a terminal: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def padded(text: str, width: int, align: str = "l") -> str:
    """Text filled with blanks to `width` columns, at its left (``r``) or its right (``l``)."""
    blanks = " " * (width - cells(text))
    return blanks + text if align == "r" else text + blanks


def sayable(text: str, encoding: str) -> str:
    """`text` as far as `encoding` has its characters; others become their ASCII kin, or ``?``."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return text


def workflow_safe(line: str) -> str:
    """A line that is no command to GitHub Actions: no ``::name::`` at its start, no ``##[name]`` in it."""
    return _COMMAND.sub(r"\1: ", line).replace("##[", "## [")

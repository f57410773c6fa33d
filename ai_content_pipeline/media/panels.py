"""Read a prompt that asks for a sheet of panels: how many, and what each of them shows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ai_content_pipeline.media.tiles import MAX_SIDE, Grid

_READ = 20_000  # characters of a prompt that are looked at
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=2
    )
}
_SHEET = r"(?:grid|panels?|storyboard|contact sheet|comic|collage|sheet|layout|frames?|scenes?)"
_ROWS_BY_COLUMNS = re.compile(
    rf"(?<![\d.])(\d{{1,2}}) ?(?:[x×]|by) ?(\d{{1,2}})(?![\d.])[\w -]{{0,24}}?\b{_SHEET}\b"
    rf"|\b{_SHEET}\b[\w -]{{0,12}}?[( ](\d{{1,2}}) ?(?:[x×]|by) ?(\d{{1,2}})(?![\d.])",
    re.IGNORECASE,
)
_NUMBER = rf"(\d{{1,3}}|{'|'.join(_NUMBERS)})"
_COUNT = re.compile(
    rf"\b{_NUMBER}[ -](?:[\w-]+ ){{0,2}}?panels?\b"
    rf"|\b(?:grid|storyboard|sheet|collage) (?:of|with) {_NUMBER}\b",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"(?<!\w)([^\W\d_]{2,20}) ?#?(\d{1,3}) ?[:：.)–—-] ?")
_NUMBERED = re.compile(r"(?:^|(?<=\s))()(\d{1,3})[.):] (?=\S)", re.MULTILINE)
_STYLE = re.compile(
    r"\b(?:overall )?(?:style|look|mood|lighting|colou?rs?|palette|camera) ?[:：]", re.IGNORECASE
)
_KNOWN_LABELS = {"panel", "scene", "frame", "shot"}


@dataclass(frozen=True, slots=True)
class Board:
    """A sheet. `texts` and `labels` go row by row; `shared` is what the prompt says about all of them."""

    grid: Grid
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    shared: str

    @property
    def captions(self) -> tuple[str, ...]:
        return tuple(titled(*pair) for pair in zip(self.labels, self.texts, strict=True))


def titled(label: str, text: str) -> str:
    """ "Panel 1: Coffee shop"."""
    return ": ".join(part for part in (label, text) if part)


def read_board(prompt: str, grid: Grid | None = None) -> Board | None:
    """The sheet a prompt asks for, or that `grid` does; None for a single picture.

    Panels the prompt does not describe show what it says about all of them.
    """
    prompt = prompt[:_READ]
    listed = _listed(prompt, _LABELLED)
    asked = grid or _asked_grid(prompt)
    if asked is None and not (listed and _means_panels(prompt, listed[0].label)):
        return None
    listed = listed or _listed(prompt, _NUMBERED)
    asked = asked or grid_of(len(listed))
    count = asked.rows * asked.cols
    if asked.rows > MAX_SIDE or asked.cols > MAX_SIDE:
        return None
    shared = _shared(prompt, listed)
    word = listed[0].label if listed and listed[0].label else "Panel"
    texts = [item.text for item in listed[:count]]
    texts += [_tidy(shared)] * (count - len(texts))
    labels = tuple(f"{word} {number}" for number in range(1, count + 1))
    return Board(asked, labels, tuple(texts), shared)


def grid_of(count: int) -> Grid:
    """The squarest grid of exactly `count` panels, wider than high."""
    rows = max(side for side in range(1, math.isqrt(count) + 1) if count % side == 0)
    return Grid(rows, count // rows)


def _asked_grid(prompt: str) -> Grid | None:
    if found := _ROWS_BY_COLUMNS.search(prompt):
        rows, columns = (int(number) for number in found.groups() if number)
        return Grid(rows, columns) if rows * columns > 1 else None
    if found := _COUNT.search(prompt):
        number = (found[1] or found[2]).lower()
        count = _NUMBERS.get(number) or int(number)
        return grid_of(count) if count > 1 else None
    return None


@dataclass(frozen=True, slots=True)
class _Listed:
    label: str
    text: str
    start: int
    end: int


def _listed(prompt: str, marker: re.Pattern[str]) -> list[_Listed]:
    """The parts marked "Word 1:", "Word 2:", …, of one word and without a gap; at least two."""
    series: dict[str, list[re.Match[str]]] = {}
    for mark in marker.finditer(prompt):
        so_far = series.setdefault(mark[1].lower(), [])
        if int(mark[2]) == len(so_far) + 1:
            so_far.append(mark)
    marks = max(series.values(), key=len, default=[])
    if len(marks) < 2:
        return []
    ends = [mark.start() for mark in marks[1:]] + [_end_of_list(prompt, marks[-1].end())]
    return [
        _Listed(mark[1].capitalize(), _tidy(prompt[mark.end() : end]), mark.start(), end)
        for mark, end in zip(marks, ends, strict=True)
    ]


def _end_of_list(prompt: str, start: int) -> int:
    """Where the last panel's text ends: at its line's end or at a "Style:"."""
    newline = prompt.find("\n", start)
    end = len(prompt) if newline < 0 else newline
    style = _STYLE.search(prompt, start, end)
    return style.start() if style else end


def _means_panels(prompt: str, label: str) -> bool:
    return label.lower() in _KNOWN_LABELS or re.search(rf"\b{_SHEET}\b", prompt, re.IGNORECASE) is not None


def _shared(prompt: str, listed: list[_Listed]) -> str:
    if not listed:
        return prompt
    return " ".join((prompt[: listed[0].start] + " " + prompt[listed[-1].end :]).split())


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(" ,;:.-–—")

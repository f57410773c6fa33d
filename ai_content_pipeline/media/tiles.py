"""A grid picture and its tiles: where to cut, with and without separator lines between the panels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from PIL import Image

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.colour import flatten
from ai_content_pipeline.media.strips import Strip, distance, flat_strips

MAX_SIDE = 16

#: Left, upper, right, lower in pixels; right and lower are the first ones outside.
Box = tuple[int, int, int, int]
_Span = tuple[int, int]

_THICKEST = 8  # per cent of the picture
_SMALLEST_TILE = 16
_SAME_PAINT = 24  # levels of 255 between a border and its witness


@dataclass(frozen=True, slots=True)
class Grid:
    rows: int
    cols: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.cols}"


def parse_grid(text: str) -> Grid:
    """``"2x3"`` is two rows of three. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,4})[xX]([0-9]{1,4})", text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a grid; write rows x columns, for example 2x2 or 3x4")
    grid = Grid(int(match[1]), int(match[2]))
    if not (1 <= grid.rows <= MAX_SIDE and 1 <= grid.cols <= MAX_SIDE):
        raise ValueError(f"the grid {grid} is out of range; rows and columns go from 1 to {MAX_SIDE}")
    return grid


def tile_boxes(width: int, height: int, grid: Grid, gutter: int = 0) -> tuple[Box, ...]:
    """The tiles of a picture, row by row. Sizes and `gutter` in pixels.

    Without a gutter the tiles cover the picture exactly once, and their widths (and heights) differ by
    at most one pixel. A gutter is dropped between neighbours, never at the rim.

    Raises BadMedia where a tile would have no pixel, ValueError for a negative gutter.
    """
    if gutter < 0:
        raise ValueError(f"gutter: {gutter} is negative")
    columns, rows = _cut(width, grid.cols, gutter), _cut(height, grid.rows, gutter)
    if any(end <= start for start, end in (*columns, *rows)):
        between = f" with {gutter} pixels between the tiles" if gutter else ""
        raise BadMedia(f"a {width}x{height} picture is too small for a {grid} grid{between}")
    return _boxes(columns, rows)


def split(image: Image.Image, boxes: Iterable[Box]) -> list[Image.Image]:
    """The tiles, as pictures of their own."""
    return [image.crop(box) for box in boxes]


def find_separators(image: Image.Image, grid: Grid) -> tuple[Box, ...]:
    """The tiles of a picture with flat separator lines and borders of any colour trimmed off.

    A line is a separator when it has one colour from edge to edge, is at most 8 % of the picture thick,
    lies across or close to where the grid would be cut, and ends abruptly on both sides, so that
    a picture which merely fades to black keeps its pixels. A border needs a witness: the opposite
    border, or a separator of its colour. Where there is no separator the cut is that of `tile_boxes`,
    which also says when BadMedia is raised.
    """
    width, height = image.size
    nominal = tile_boxes(width, height, grid)
    flat = flatten(image)
    across = _Rim.of(flat, _limit(width, grid.cols))
    down = _Rim.of(_turned(flat), _limit(height, grid.rows))
    # Only inside the border do the separators have one colour from edge to edge.
    inside = flat.crop((across.start, down.start, across.end, down.end))
    columns = _separators(inside, across, grid.cols)
    rows = _separators(_turned(inside), down, grid.rows)
    witnesses = [strip for strip in (*columns, *rows) if strip]
    boxes = _boxes(_between(across, columns, witnesses), _between(down, rows, witnesses))
    sound = all(left < right and top < bottom for left, top, right, bottom in boxes)
    return boxes if sound else nominal


def _cut(length: int, parts: int, gutter: int) -> list[_Span]:
    usable = length - gutter * (parts - 1)
    edges = [part * usable // parts for part in range(parts + 1)]
    return [(start + part * gutter, end + part * gutter) for part, (start, end) in enumerate(pairwise(edges))]


def _boxes(columns: Sequence[_Span], rows: Sequence[_Span]) -> tuple[Box, ...]:
    return tuple((left, top, right, bottom) for (top, bottom), (left, right) in product(rows, columns))


# What follows speaks of columns and counts them from the left; for rows the picture is turned.


def _turned(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.TRANSPOSE)


@dataclass(frozen=True, slots=True)
class _Rim:
    """The possible borders of a picture of `length` columns."""

    length: int
    first: Strip | None
    last: Strip | None

    @classmethod
    def of(cls, image: Image.Image, limit: int) -> _Rim:
        strips = flat_strips(image, limit)
        first = next((strip for strip in strips if strip.start == 0), None)
        last = next((strip for strip in strips if strip.end == image.width), None)
        return cls(image.width, first, last)

    @property
    def start(self) -> int:
        return self.first.end if self.first else 0

    @property
    def end(self) -> int:
        return self.last.start if self.last else self.length


def _limit(length: int, parts: int) -> int:
    """How thick a separator may be; 0 (there is none) where tiles are too small to tell."""
    tile = length // parts
    return 0 if tile < _SMALLEST_TILE else min(length * _THICKEST // 100, tile // 3)


def _separators(inside: Image.Image, rim: _Rim, parts: int) -> list[Strip | None]:
    """The separator at each inner line of the grid; positions count from the edge of the whole picture."""
    strips = [
        Strip(strip.start + rim.start, strip.end + rim.start, strip.colour)
        for strip in flat_strips(inside, _limit(rim.length, parts))
        if strip.start > 0 and strip.end < inside.width
    ]
    found: list[Strip | None] = []
    for part in range(1, parts):
        cuts = (part * rim.length // parts, rim.start + part * inside.width // parts)
        near = [strip for strip in strips if any(_sits_on(strip, cut, rim.length, parts) for cut in cuts)]
        found.append(min(near, key=lambda strip: abs(strip.start + strip.end - 2 * cuts[1]), default=None))
    return found


def _sits_on(strip: Strip, cut: int, length: int, parts: int) -> bool:
    """Across the cut or close to it. One that exactly touches it is the dark side of a panel."""
    thickness = strip.end - strip.start
    off = abs(strip.start + strip.end - 2 * cut) / 2 - thickness / 2
    if off > min(length / 40, length / parts / 12):
        return False
    hairline = thickness <= max(3, length // 200)
    return hairline or min(abs(cut - strip.start), abs(cut - strip.end)) >= max(1, thickness // 16)


def _between(rim: _Rim, separators: Sequence[Strip | None], witnesses: Sequence[Strip]) -> list[_Span]:
    """What is left of the columns between borders and separators."""
    starts, ends = [0], []
    for part, strip in enumerate(separators, start=1):
        cut = part * rim.length // (len(separators) + 1)
        ends.append(strip.start if strip else cut)
        starts.append(strip.end if strip else cut)
    ends.append(rim.length)
    if rim.first and _witnessed(rim.first, (*witnesses, rim.last)):
        starts[0] = rim.first.end
    if rim.last and _witnessed(rim.last, (*witnesses, rim.first)):
        ends[-1] = rim.last.start
    return list(zip(starts, ends, strict=True))


def _witnessed(border: Strip, witnesses: Iterable[Strip | None]) -> bool:
    return any(strip and distance(strip.colour, border.colour) <= _SAME_PAINT for strip in witnesses)

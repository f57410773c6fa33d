"""Where a grid picture is cut: numbers only, so that planning needs no picture library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from ai_content_pipeline.errors import BadMedia

MAX_SIDE = 16

#: Left, upper, right, lower in pixels; right and lower are the first ones outside.
Box = tuple[int, int, int, int]
Span = tuple[int, int]


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
    return boxes(columns, rows)


def boxes(columns: Sequence[Span], rows: Sequence[Span]) -> tuple[Box, ...]:
    """Where the columns and the rows cross, row by row."""
    return tuple((left, top, right, bottom) for (top, bottom), (left, right) in product(rows, columns))


def _cut(length: int, parts: int, gutter: int) -> list[Span]:
    usable = length - gutter * (parts - 1)
    edges = [part * usable // parts for part in range(parts + 1)]
    return [(start + part * gutter, end + part * gutter) for part, (start, end) in enumerate(pairwise(edges))]

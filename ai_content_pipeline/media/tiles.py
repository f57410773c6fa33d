"""A grid picture and its tiles: where to cut, with and without separator lines between the panels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from ai_content_pipeline.media.colour import flatten
from ai_content_pipeline.media.grid import MAX_SIDE, Box, Grid, Span, parse_grid, tile_boxes
from ai_content_pipeline.media.grid import boxes as grid_boxes
from ai_content_pipeline.media.strips import Strip, distance, flat_strips

__all__ = ["MAX_SIDE", "Box", "Grid", "find_separators", "parse_grid", "split", "tile_boxes"]

_THICKEST = 8  # per cent of the picture
_SMALLEST_TILE = 16
_SAME_PAINT = 24  # levels of 255 between a border and its witness


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
    tile_boxes(width, height, grid)
    flat = flatten(image)
    across = _Rim.of(flat, _limit(width, grid.cols))
    down = _Rim.of(_turned(flat), _limit(height, grid.rows))
    # Only inside the border do the separators have one colour from edge to edge.
    inside = flat.crop((across.start, down.start, across.end, down.end))
    columns = _separators(inside, across, grid.cols)
    rows = _separators(_turned(inside), down, grid.rows)
    witnesses = [strip for strip in (*columns, *rows) if strip]
    return grid_boxes(_between(across, columns, witnesses), _between(down, rows, witnesses))


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
    reach = rim.length / parts * 2 / 5  # under half a tile, or two separators might leave nothing between
    found: list[Strip | None] = []
    for part in range(1, parts):
        # Panels divide what the border leaves, so the separators move with it.
        cut, shifted = part * rim.length // parts, rim.start + part * inside.width // parts
        near = [
            strip
            for strip in strips
            if cut - reach <= strip.start and strip.end <= cut + reach
            if _sits_on(strip, cut, rim.length, parts) or _sits_on(strip, shifted, rim.length, parts)
        ]
        found.append(min(near, key=lambda strip: abs(strip.start + strip.end - 2 * shifted), default=None))
    return found


def _sits_on(strip: Strip, cut: int, length: int, parts: int) -> bool:
    """Across the cut or close to it. One that exactly touches it is the dark side of a panel."""
    thickness = strip.end - strip.start
    off = abs(strip.start + strip.end - 2 * cut) / 2 - thickness / 2
    if off > min(length / 40, length / parts / 12):
        return False
    hairline = thickness <= max(3, length // 200)
    return hairline or min(abs(cut - strip.start), abs(cut - strip.end)) >= max(1, thickness // 16)


def _between(rim: _Rim, separators: Sequence[Strip | None], witnesses: Sequence[Strip]) -> list[Span]:
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

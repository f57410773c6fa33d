"""Flat strips in a picture: full-height runs of columns that have one colour and end abruptly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from PIL import Image, ImageChops

Colour = tuple[int, int, int]

_ROWS = 1000  # enough to judge a column by
_FEWEST_ROWS = 16  # fewer have one colour by chance
# Levels of 255; each leaves room for the noise of an ordinary JPEG.
_NOISE = 10  # mean deviation inside one column
_SAME = 12  # between the columns of one strip
_CLEAR = 24  # between a strip and what lies beside it


@dataclass(frozen=True, slots=True)
class Strip:
    """Columns of one colour, from `start` up to but not including `end`."""

    start: int
    end: int
    colour: Colour


def flat_strips(image: Image.Image, limit: int) -> list[Strip]:
    """Every strip of at most `limit` columns in an RGB picture, from left to right.

    Both its sides end abruptly, or at the picture's edge; up to two columns (more in large pictures) of
    blurred edge count as strip. A picture of very few rows has none.
    """
    if limit < 1 or image.height < _FEWEST_ROWS:
        return []
    # Every n-th row, not their mean: that would wipe out the texture that tells content from paint.
    sample = image.resize((image.width, min(image.height, _ROWS)), Image.Resampling.NEAREST)
    found = (_sharp(sample, strip) for strip in _runs(sample) if strip.end - strip.start <= limit)
    return [strip for strip in found if strip]


def distance(one: Colour, other: Colour) -> int:
    """How far two colours are apart, 0 to 255, in their most telling channel."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _runs(sample: Image.Image) -> list[Strip]:
    """Neighbouring columns that are flat and of one colour, however many."""
    mean = sample.resize((sample.width, 1), Image.Resampling.BOX)
    spread = ImageChops.difference(sample, mean.resize(sample.size, Image.Resampling.NEAREST))
    noise = _pixels(spread.resize(mean.size, Image.Resampling.BOX))
    runs: list[Strip] = []
    for position, (colour, deviation) in enumerate(zip(_pixels(mean), noise, strict=True)):
        if max(deviation) > _NOISE:
            continue
        last = runs[-1] if runs else None
        if last and last.end == position and distance(last.colour, colour) <= _SAME:
            runs[-1] = Strip(last.start, position + 1, last.colour)
        else:
            runs.append(Strip(position, position + 1, colour))
    return runs


def _sharp(sample: Image.Image, strip: Strip) -> Strip | None:
    """The strip with its blurred edges; None where what lies beside it has much the same colour."""
    reach = max(2, sample.width // 512) + 1
    before = _blurred(sample, strip, range(strip.start - 1, strip.start - 1 - reach, -1))
    after = _blurred(sample, strip, range(strip.end, strip.end + reach))
    if before is None or after is None:
        return None
    return Strip(strip.start - before, strip.end + after, strip.colour)


def _blurred(sample: Image.Image, strip: Strip, outwards: range) -> int | None:
    """How many of the columns next to a strip are more strip than content; None if it has no clear end."""
    if outwards[0] in (-1, sample.width):
        return 0
    if not 0 <= outwards[-1] < sample.width:
        return None
    contrasts = [_contrast(sample, column, strip.colour) for column in outwards]
    content, edge = contrasts[-1], _contrast(sample, outwards[0] - outwards.step, strip.colour)
    if content < max(_CLEAR, 3 * edge):  # a gradient goes on as it began
        return None
    return sum(1 for _ in takewhile(lambda contrast: contrast < content / 2, contrasts))


def _contrast(sample: Image.Image, column: int, colour: Colour) -> int:
    """How far a column is from a colour on average, 0 to 255, in its most telling channel."""
    line = sample.crop((column, 0, column + 1, sample.height))
    difference = ImageChops.difference(line, Image.new("RGB", line.size, colour))
    return max(_pixels(difference.resize((1, 1), Image.Resampling.BOX))[0])


def _pixels(line: Image.Image) -> list[Colour]:
    data = line.tobytes()
    return list(zip(data[::3], data[1::3], data[2::3], strict=True))

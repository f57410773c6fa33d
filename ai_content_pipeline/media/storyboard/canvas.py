"""A surface for flat, layered pictures, in units that fit every size.

The height is 1 and the width `aspect`; y grows downwards. Drawing happens at twice the size and is
reduced at the end, which smooths the edges that Pillow leaves jagged.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)

_SMOOTH_UP_TO = 4_000_000  # pixels; larger pictures are drawn at their own size


def mix(a: Color, b: Color, share: float) -> Color:
    """`a` with `share` (0 to 1) of `b`."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return (red, green, blue)


class Canvas:
    def __init__(self, width: int, height: int) -> None:
        self._scale = 2 if width * height <= _SMOOTH_UP_TO else 1
        self.image = Image.new("RGB", (width * self._scale, height * self._scale))
        self.aspect = width / height
        self._unit = height * self._scale
        self._draw = ImageDraw.Draw(self.image)

    def finished(self) -> Image.Image:
        """The picture at the size that was asked for."""
        return self.image.reduce(self._scale)

    # Shapes

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        self._draw.polygon([self._at(*point) for point in points], fill=color)

    def box(
        self, left: float, top: float, right: float, bottom: float, color: Color, radius: float = 0.0
    ) -> None:
        if right > left and bottom > top:
            corners = [*self._at(left, top), *self._at(right, bottom)]
            self._draw.rounded_rectangle(corners, radius * self._unit, fill=color)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color) -> None:
        self._draw.ellipse([*self._at(x - rx, y - ry), *self._at(x + rx, y + ry)], fill=color)

    def disc(self, x: float, y: float, radius: float, color: Color) -> None:
        self.ellipse(x, y, radius, radius, color)

    def stroke(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A line with round joints and ends."""
        pixels = max(1, round(width * self._unit))
        self._draw.line([self._at(*point) for point in points], fill=color, width=pixels, joint="curve")
        if pixels > 2:
            radius = (pixels - 1) / 2 / self._unit  # Pillow's ellipses include both ends
            for x, y in points:
                self.disc(x, y, radius, color)

    # Light

    def gradient(
        self,
        colors: Sequence[Color],
        top: float = 0.0,
        bottom: float = 1.0,
        left: float = 0.0,
        right: float | None = None,
    ) -> None:
        """Fill a box, by default of the full width, with evenly spaced colours from top to bottom."""
        strip = Image.new("RGB", (1, len(colors)))
        strip.putdata(list(colors))
        x0, y0 = round(left * self._unit), round(top * self._unit)
        x1 = self.image.width if right is None else round(right * self._unit)
        size = (max(1, x1 - x0), max(1, round(bottom * self._unit) - y0))
        # The first and last colour stand at the edges, not half a step inside.
        box = (0.0, 0.5, 1.0, len(colors) - 0.5)
        self.image.paste(strip.resize(size, Image.Resampling.BILINEAR, box=box), (x0, y0))

    def glow(
        self, x: float, y: float, radius: float, color: Color, strength: float = 1.0, flat: float = 1.0
    ) -> None:
        """Light around a point, `strength` (0 to 1) in the middle; `flat` squeezes it vertically."""
        size = (max(2, round(2 * radius * self._unit)), max(2, round(2 * radius * flat * self._unit)))
        left, top = round(x * self._unit) - size[0] // 2, round(y * self._unit) - size[1] // 2
        under = self.image.crop((left, top, left + size[0], top + size[1]))
        lit = ImageChops.screen(under, Image.new("RGB", size, color))
        mask = _radial(strength).resize(size, Image.Resampling.BILINEAR)
        self.image.paste(lit, (left, top), mask)

    def veil(self, color: Color, strength: float) -> None:
        """A transparent wash over everything so far."""
        self.image.paste(Image.blend(self.image, Image.new("RGB", self.image.size, color), strength))

    def mist(self, y: float, height: float, color: Color, strength: float) -> None:
        """A band of haze around `y` that fades out above and below."""
        size = (self.image.width, max(2, round(height * self._unit)))
        bell = [round(255 * strength * math.sin(math.pi * value / 255) ** 2) for value in range(256)]
        mask = Image.linear_gradient("L").point(bell).resize(size, Image.Resampling.BILINEAR)
        top = round((y - height / 2) * self._unit)
        self.image.paste(color, (0, top, size[0], top + size[1]), mask)

    def vignette(self, strength: float = 0.45) -> None:
        dark = [round(255 * strength * max(0.0, value / 255 - 0.42) / 0.58) for value in range(256)]
        mask = Image.radial_gradient("L").point(dark)
        self.image.paste((6, 7, 14), (0, 0), mask.resize(self.image.size, Image.Resampling.BILINEAR))

    def _at(self, x: float, y: float) -> Point:
        return (x * self._unit, y * self._unit)


@lru_cache(maxsize=64)
def _radial(strength: float) -> Image.Image:
    """Nobody changes what it returns: a drawing asks for the same few again and again."""
    edge = 255 / math.sqrt(2)  # Pillow's gradient reaches 255 in the corners
    fade = [round(255 * strength * max(0.0, 1 - value / edge) ** 1.6) for value in range(256)]
    return Image.radial_gradient("L").point(fade)


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws a thing in its own units: its foot at 0,0, its height 1, y up, x towards where it looks."""

    canvas: Canvas
    x: float
    y: float
    size: float
    facing: int = 1

    def limb(self, points: Sequence[Point], width: float, color: Color) -> None:
        self.canvas.stroke([self.at(*point) for point in points], width * self.size, color)

    def shape(self, points: Sequence[Point], color: Color) -> None:
        self.canvas.polygon([self.at(*point) for point in points], color)

    def oval(self, x: float, y: float, rx: float, ry: float, color: Color) -> None:
        self.canvas.ellipse(*self.at(x, y), rx * self.size, ry * self.size, color)

    def block(self, half: float, bottom: float, top: float, color: Color, radius: float = 0.0) -> None:
        """A box around the middle line."""
        left, upper = self.at(-half * self.facing, top)
        right, lower = self.at(half * self.facing, bottom)
        self.canvas.box(left, upper, right, lower, color, radius * self.size)

    def moved(self, x: float, y: float) -> Pen:
        return replace(self, x=self.x + x * self.size, y=self.y - y * self.size)

    def at(self, x: float, y: float) -> Point:
        """The canvas's coordinates of a point."""
        return (self.x + x * self.facing * self.size, self.y - y * self.size)


def ridge(rng: random.Random, aspect: float, y: float, swing: float, waves: float = 1.4) -> list[Point]:
    """A hilly line around `y` from edge to edge, closed along the bottom: a polygon."""
    terms = [(rng.uniform(0.4, 1.0) / n, rng.uniform(0, math.tau), n) for n in (1, 2, 3, 5)]
    total = sum(amplitude for amplitude, _, _ in terms)
    points = []
    for step in range(65):
        x = step / 64
        height = sum(a * math.sin(phase + waves * n * x * math.pi) for a, phase, n in terms) / total
        points.append((x * aspect, y + swing * height))
    return [*points, (aspect, 1.02), (0.0, 1.02)]

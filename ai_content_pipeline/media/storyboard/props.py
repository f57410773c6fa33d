"""Things that stand in pictures. A pen's size is the thing's height, its place the thing's foot."""

from __future__ import annotations

import math
import random

from ai_content_pipeline.media.storyboard.canvas import BLACK, WHITE, Canvas, Color, Pen, mix


def tree(pen: Pen, leaf: Color, trunk: Color, rng: random.Random) -> None:
    pen.limb([(0, 0), (0.02, 0.55)], 0.07, trunk)
    pen.limb([(0, 0.35), (-0.14, 0.55)], 0.03, trunk)
    blobs = [(rng.uniform(-0.26, 0.26), rng.uniform(0.5, 0.86), rng.uniform(0.15, 0.22)) for _ in range(9)]
    for tone, lift in ((mix(leaf, BLACK, 0.22), 0.0), (leaf, 0.045), (mix(leaf, (255, 240, 190), 0.16), 0.1)):
        for x, y, radius in blobs:
            size = radius * (1 - lift * 4)
            pen.oval(x + lift * 0.5, y + lift, size, size, tone)


def pine(pen: Pen, color: Color) -> None:
    pen.block(0.02, 0, 0.14, mix(color, BLACK, 0.15))
    for bottom, top, half in ((0.1, 0.52, 0.21), (0.33, 0.76, 0.16), (0.56, 1.0, 0.105)):
        pen.shape([(-half, bottom), (half, bottom), (0, top)], color)


def cloud(pen: Pen, color: Color, rng: random.Random) -> None:
    """A pen's size is the cloud's width."""
    for _ in range(7):
        x = rng.uniform(-0.4, 0.4)
        radius = rng.uniform(0.1, 0.19) * (1.1 - abs(x))
        pen.oval(x, radius * 0.5, radius, radius, color)
    pen.block(0.46, -0.06, 0.06, color, 0.06)


def stars(canvas: Canvas, below: float, count: int, rng: random.Random) -> None:
    for _ in range(count):
        x, y = rng.uniform(0, canvas.aspect), below * rng.random() ** 1.2
        radius = rng.choice((0.0016, 0.0022, 0.0022, 0.0034))
        canvas.disc(x, y, radius, mix((255, 250, 232), (120, 140, 200), rng.uniform(0, 0.6)))


def tower(
    canvas: Canvas, left: float, right: float, top: float, color: Color, lit: Color, rng: random.Random
) -> None:
    """A building down to the bottom edge, some of its windows lit."""
    canvas.box(left, top, right, 1.02, color)
    if rng.random() < 0.4:
        middle = (left + right) / 2
        canvas.stroke([(middle, top), (middle, top - 0.05)], 0.004, color)
    columns = max(2, round((right - left) / 0.034))
    step = (right - left) / (columns + 0.4)
    dim = mix(color, lit, 0.13)
    for row in range(math.ceil((1.0 - top) / 0.045)):
        for column in range(columns):
            x, y = left + step * (column + 0.4), top + 0.02 + row * 0.045
            tone = mix(color, lit, rng.uniform(0.55, 1.0)) if rng.random() < 0.3 else dim
            canvas.box(x, y, x + step * 0.58, y + 0.024, tone)


def skyline(canvas: Canvas, top: float, swing: float, color: Color, lit: Color, rng: random.Random) -> None:
    x = -rng.uniform(0, 0.06)
    while x < canvas.aspect:
        width = rng.uniform(0.08, 0.17)
        tower(canvas, x, x + width, top + rng.uniform(-swing, swing), color, lit, rng)
        x += width + rng.choice((0.0, 0.0, 0.012))


def street_lamp(pen: Pen, metal: Color, light: Color, on: float) -> None:
    """`on` from 0 (day) to 1."""
    pen.limb([(0, 0), (0, 1)], 0.022, metal)
    pen.block(0.05, 1, 1.12, mix(metal, light, on), 0.02)
    pen.shape([(-0.07, 1.12), (0.07, 1.12), (0, 1.19)], metal)
    pen.canvas.glow(*pen.at(0, 1.05), pen.size * 0.6, light, 0.75 * on)


def pendant(pen: Pen, shade: Color, light: Color) -> None:
    """A hanging lamp; the pen stands at the middle of the rim."""
    pen.canvas.stroke([(pen.x, 0), pen.at(0, 1)], pen.size * 0.05, mix(shade, BLACK, 0.4))
    pen.shape([(-0.3, 1), (0.3, 1), (1, 0), (-1, 0)], shade)
    pen.oval(0, 0, 1, 0.16, mix(light, WHITE, 0.4))
    pen.canvas.glow(*pen.at(0, -0.2), pen.size * 6, light, 0.5)


def cup(pen: Pen, color: Color) -> None:
    pen.oval(0, 0, 0.95, 0.2, mix(color, BLACK, 0.2))
    pen.limb([(0.45, 0.7), (0.8, 0.5), (0.4, 0.25)], 0.14, color)
    pen.block(0.55, 0, 0.95, color, 0.22)
    pen.oval(0, 0.92, 0.55, 0.15, mix(color, (60, 30, 20), 0.75))


def steam(pen: Pen, color: Color) -> None:
    for start in (-0.1, 0.1):
        curl = [(start + 0.07 * math.sin(start * 9 + step * 0.3), step / 24) for step in range(25)]
        pen.limb(curl, 0.03, color)


def plant(pen: Pen, leaf: Color, pot: Color) -> None:
    for angle in (-1.15, -0.75, -0.35, 0.05, 0.4, 0.8, 1.2):
        tip = (0.75 * math.sin(angle), 0.45 + 0.7 * math.cos(angle))
        bend = 0.22 * math.sin(angle)
        tone = mix(leaf, (255, 255, 200), 0.12 * abs(angle))
        pen.shape([(-0.04, 0.4), (bend, 0.75), tip, (bend + 0.1, 0.65)], tone)
    pen.shape([(-0.3, 0.45), (0.3, 0.45), (0.22, 0), (-0.22, 0)], pot)


def sailboat(pen: Pen, hull: Color, sail: Color) -> None:
    pen.shape([(-0.38, 0.1), (0.4, 0.1), (0.26, -0.1), (-0.26, -0.1)], hull)
    pen.shape([(0, 0.14), (0, 1), (0.36, 0.14)], sail)
    pen.shape([(-0.04, 0.14), (-0.04, 0.86), (-0.3, 0.14)], mix(sail, hull, 0.18))


def bench(pen: Pen, wood: Color, metal: Color) -> None:
    for bottom, tone in ((0.75, wood), (0.5, wood), (0.13, mix(wood, WHITE, 0.1))):
        pen.block(1.1, bottom, bottom + 0.17, tone, 0.04)
    for x in (-0.9, 0.9):
        pen.limb([(x, 0.95), (x, -0.15)], 0.08, metal)


def birds(pen: Pen, color: Color) -> None:
    for x, y, size in ((0, 0, 0.5), (0.9, 0.4, 0.36), (1.5, -0.2, 0.3)):
        pen.limb([(x - size, y + 0.3 * size), (x, y), (x + size, y + 0.34 * size)], 0.05, color)


def cat_or_dog(pen: Pen, color: Color, *, dog: bool) -> None:
    """Sitting."""
    light, dark = mix(color, WHITE, 0.12), mix(color, BLACK, 0.25)
    pen.limb([(-0.25, 0.07), (-0.5, 0.08), (-0.58, 0.34 if dog else 0.26)], 0.09, dark)
    pen.oval(-0.1, 0.24, 0.27, 0.26, color)
    pen.shape([(-0.3, 0.3), (0.02, 0.72), (0.24, 0.66), (0.2, 0.02), (-0.1, 0.02)], color)
    pen.limb([(0.13, 0.5), (0.16, 0.05)], 0.11, light)
    pen.limb([(0.03, 0.45), (0.05, 0.05)], 0.11, dark)
    pen.oval(0.16, 0.8, 0.19, 0.17, color)
    pen.oval(0.31, 0.76, 0.1 if dog else 0.07, 0.07, light)
    pen.oval(0.39 if dog else 0.37, 0.78, 0.025, 0.022, BLACK)
    if dog:
        pen.limb([(0.04, 0.9), (-0.03, 0.7)], 0.11, dark)
    else:
        pen.shape([(0.0, 0.88), (0.02, 1.08), (0.14, 0.95)], dark)
        pen.shape([(0.17, 0.95), (0.27, 1.08), (0.31, 0.88)], dark)
    pen.oval(0.21, 0.83, 0.02, 0.025, (20, 16, 16))

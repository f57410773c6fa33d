"""Places among buildings, and the one far from all of them."""

from __future__ import annotations

import math

from ai_content_pipeline.media.storyboard import props
from ai_content_pipeline.media.storyboard.canvas import BLACK, WHITE, Color, Pen, mix
from ai_content_pipeline.media.storyboard.sky import draw_sky
from ai_content_pipeline.media.storyboard.stage import Stage


def street(stage: Stage) -> None:
    canvas, palette, rng, width = stage.canvas, stage.palette, stage.rng, stage.width
    draw_sky(stage, 0.66)
    dark = stage.scene.time in {"night", "golden"}
    lit = palette.light if dark else mix(palette.sky[1], WHITE, 0.5)
    for depth, top in ((0.62, 0.36), (0.4, 0.46)):
        wall = palette.far(mix(palette.wall, palette.dark, 0.5), depth)
        props.skyline(canvas, top, 0.08, wall, lit, rng)
    canvas.mist(0.66, 0.3, palette.haze, 0.55)
    for left, right, top in ((0.0, 0.17, 0.04), (0.17, 0.29, 0.22), (0.73, 0.85, 0.18), (0.85, 1.0, 0.0)):
        wall = mix(mix(palette.wall, palette.dark, rng.uniform(0.5, 0.66)), palette.haze, 0.1)
        props.tower(canvas, width * left, width * right, top, wall, lit, rng)
    for share in (0.02, 0.86):
        _shop(stage, width * share, width * (share + 0.13), lit)
    _road(stage)
    for share in (0.3, 0.7):
        props.street_lamp(stage.pen(share, 0.77, 0.4), palette.dark, palette.light, 1.0 if dark else 0.1)
    if dark or stage.scene.weather == "rain":
        for _ in range(26):  # light on the ground
            spot = (rng.uniform(0, width), rng.uniform(0.78, 0.98), rng.uniform(0.05, 0.16))
            canvas.glow(*spot, rng.choice((palette.light, palette.accent)), 0.22, 0.16)
    stage.walkers(0.5, 0.91, 0.42)


def _shop(stage: Stage, left: float, right: float, lit: Color) -> None:
    canvas, y = stage.canvas, 0.62
    canvas.box(left, y, right, 0.75, mix(stage.palette.dark, lit, 0.75))
    canvas.glow((left + right) / 2, y + 0.08, 0.3, lit, 0.4)
    for step in range(6):
        x0, x1 = left + (right - left) * step / 6, left + (right - left) * (step + 1) / 6
        stripe = [(x0, y - 0.03), (x1, y - 0.03), (x1 + 0.006, y + 0.03), (x0 - 0.006, y + 0.03)]
        canvas.polygon(stripe, stage.palette.accent if step % 2 else WHITE)


def _road(stage: Stage) -> None:
    canvas, palette, middle = stage.canvas, stage.palette, stage.width * 0.5
    road = mix(palette.dark, palette.haze, 0.22)
    pavement = mix(mix(road, palette.wall, 0.3), palette.ground, 0.35)
    canvas.box(0, 0.74, stage.width, 1.02, pavement)
    canvas.polygon(
        [(middle - 0.06, 0.74), (middle + 0.06, 0.74), (middle + 0.62, 1.02), (middle - 0.62, 1.02)], road
    )
    for step in range(4):
        top, half = 0.765 + 0.05 * step * (1 + step * 0.25), 0.003 + step * 0.003
        bottom = top + 0.02 + step * 0.01
        dash = [(-half, top), (half, top), (half * 1.4 + 0.002, bottom), (-half * 1.4 - 0.002, bottom)]
        canvas.polygon([(middle + x, y) for x, y in dash], mix(road, WHITE, 0.45))


def rooftop(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    draw_sky(stage, 0.7)
    if stage.scene.time == "night":
        for step in range(9):  # the Milky Way
            canvas.glow(stage.width * (0.05 + step * 0.075), 0.44 - step * 0.045, 0.24, (150, 140, 210), 0.16)
    for depth, top, swing in ((0.55, 0.52, 0.05), (0.25, 0.6, 0.06)):
        wall = palette.far(mix(palette.dark, palette.wall, 0.2), depth)
        props.skyline(canvas, top, swing, wall, palette.light, rng)
        canvas.mist(0.7, 0.22, palette.haze, 0.4)
    floor = mix(palette.dark, palette.wood, 0.55)
    canvas.box(0, 0.72, stage.width, 0.76, mix(floor, palette.haze, 0.3))
    canvas.box(0, 0.735, stage.width, 1.02, mix(floor, palette.dark, 0.35))
    canvas.gradient([mix(floor, palette.dark, 0.2), mix(floor, palette.light, 0.12)], 0.83, 1.0)
    _string_lights(stage)
    props.plant(stage.pen(0.1, 0.88, 0.2), palette.leaf, mix(palette.accent, palette.dark, 0.45))
    stage.sitters(0.47, 0.88, 0.34, mix(palette.accent, palette.dark, 0.3))


def _string_lights(stage: Stage) -> None:
    canvas, palette = stage.canvas, stage.palette
    for start, end in ((-0.05, 0.54), (0.54, 1.05)):
        wire = [
            (stage.width * (start + (end - start) * step / 12), 0.15 + 0.09 * math.sin(math.pi * step / 12))
            for step in range(13)
        ]
        canvas.stroke(wire, 0.003, palette.dark)
        for x, drop in wire[1:-1:2]:
            canvas.glow(x, drop + 0.016, 0.08, palette.light, 0.75)
            canvas.disc(x, drop + 0.016, 0.009, mix(palette.light, WHITE, 0.5))


def space(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    canvas.gradient([(6, 8, 22), (18, 16, 48), (30, 18, 52)])
    for _ in range(9):
        spot = (rng.uniform(0, stage.width), rng.uniform(0, 0.8), rng.uniform(0.3, 0.6))
        canvas.glow(*spot, rng.choice(((70, 60, 160), (150, 60, 140), (40, 110, 160))), 0.4, 0.6)
    props.stars(canvas, 1.0, round(190 * stage.width), rng)
    planet = stage.pen(0.68, 0.36, 0.24)
    canvas.glow(planet.x, planet.y, planet.size * 2, palette.accent, 0.5)
    _planet(planet, mix(palette.accent, (150, 90, 80), 0.4))
    stage.hill(0.82, 0.03, (44, 40, 62))
    stage.hill(0.9, 0.02, (28, 26, 44))
    stage.walkers(0.36, 0.91, 0.4)


def _planet(pen: Pen, surface: Color) -> None:
    ring = mix(surface, WHITE, 0.55)
    _half_ring(pen, ring, 1)
    pen.oval(0, 0, 1, 1, surface)
    for y, tone in ((0.36, mix(surface, WHITE, 0.16)), (-0.34, mix(surface, BLACK, 0.16))):
        pen.block(math.sqrt(1 - y * y) * 0.95, y, y + 0.14, tone, 0.07)
    _half_ring(pen, ring, -1)


def _half_ring(pen: Pen, color: Color, side: int) -> None:
    """The half of a planet's ring behind it (side 1) or before it (-1)."""
    for radius, width in ((1.8, 0.06), (2.02, 0.025)):
        angles = [math.pi * step / 24 for step in range(25)]
        across = [radius * math.cos(angle) for angle in angles]
        points = [
            (x, side * 0.17 * radius * math.sin(angle) + 0.18 * x)
            for x, angle in zip(across, angles, strict=True)
        ]
        pen.limb(points, width, color)

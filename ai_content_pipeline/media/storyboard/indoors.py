"""Places with walls."""

from __future__ import annotations

from ai_content_pipeline.media.storyboard import props
from ai_content_pipeline.media.storyboard.canvas import BLACK, WHITE, Color, Pen, mix
from ai_content_pipeline.media.storyboard.stage import Stage

Box = tuple[float, float, float, float]  # left, top, right, bottom


def cafe(stage: Stage) -> None:
    canvas, palette, width = stage.canvas, stage.palette, stage.width
    _wall(stage, mix(palette.wall, (88, 54, 48), 0.55), 0.72)
    _window(stage, (width * 0.17, 0.1, width * 0.83, 0.55), 4)
    props.plant(stage.pen(0.09, 0.76, 0.3), palette.leaf, mix(palette.accent, palette.dark, 0.3))
    _menu(stage, width * 0.88, width * 0.98)
    stage.behind(0.785, min(0.33, width * 0.22), 0.86, ((0.2, 0.47), (0.2, 0.47)))
    table, half = mix(palette.wood, palette.light, 0.12), min(0.56, width * 0.4)
    canvas.box(width / 2 - half, 0.785, width / 2 + half, 1.02, mix(table, palette.dark, 0.62))
    canvas.ellipse(width / 2, 0.797, half, 0.06, mix(table, palette.dark, 0.4))
    canvas.ellipse(width / 2, 0.785, half, 0.06, table)
    for side, color in ((-0.11, (240, 232, 220)), (0.11, palette.accent)):
        props.cup(Pen(canvas, width / 2 + side, 0.795, 0.062), color)
        vapour = mix(palette.light, palette.sky[1], 0.3)
        props.steam(Pen(canvas, width / 2 + side, 0.72, 0.15), vapour)
    for share in (0.3, 0.7):
        shade = mix(palette.accent, palette.dark, 0.35)
        props.pendant(stage.pen(share, 0.16, 0.055), shade, palette.light)
    stage.pet(0.2, 0.97, 0.2)


def kitchen(stage: Stage) -> None:
    canvas, palette, width = stage.canvas, stage.palette, stage.width
    _wall(stage, mix(palette.wall, palette.light, 0.18), 0.8)
    _tiles(stage, mix(palette.wall, WHITE, 0.35))
    _window(stage, (width * 0.38, 0.1, width * 0.62, 0.44), 2)
    for left, right in ((0.05, 0.31), (0.69, 0.95)):
        _shelves(stage, width * left, width * right)
    _pot(stage.pen(0.82, 0.76, 0.1), mix(palette.dark, palette.haze, 0.25), mix(palette.wall, WHITE, 0.5))
    stage.behind(0.755, min(0.22, width * 0.2), 0.84, ((0.17, 0.46), (0.16, 0.5)))
    canvas.box(0, 0.755, width, 0.8, mix(mix(palette.wood, palette.light, 0.25), WHITE, 0.12))
    canvas.box(0, 0.795, width, 1.02, mix(palette.wood, palette.dark, 0.35))
    for step in range(5):
        left, right = width * step / 5 + 0.012, width * (step + 1) / 5 - 0.012
        canvas.box(left, 0.82, right, 1.0, mix(palette.wood, palette.dark, 0.22), 0.012)
    _groceries(stage)
    props.plant(stage.pen(0.08, 0.76, 0.16), palette.leaf, (226, 214, 196))
    for share in (0.34, 0.66):
        props.pendant(stage.pen(share, 0.15, 0.06), palette.accent, palette.light)
    stage.pet(0.24, 0.76, 0.16)


def room(stage: Stage) -> None:
    canvas, palette, width = stage.canvas, stage.palette, stage.width
    _wall(stage, mix(palette.wall, palette.sky[1], 0.25), 0.74)
    _window(stage, (width * 0.1, 0.12, width * 0.38, 0.54), 2)
    for share in (0.05, 0.385):
        curtain = mix(palette.accent, palette.wall, 0.45)
        canvas.box(width * share, 0.07, width * (share + 0.05), 0.74, curtain, 0.012)
    _picture(stage, (width * 0.56 - 0.07, 0.14, width * 0.56 + 0.07, 0.36))
    _picture(stage, (width * 0.7 - 0.1, 0.18, width * 0.7 + 0.1, 0.34))
    canvas.ellipse(width * 0.55, 0.88, width * 0.4, 0.07, mix(palette.accent, palette.dark, 0.4))
    _floor_lamp(stage, stage.pen(0.92, 0.86, 0.56))
    _sofa(stage.pen(0.63, 0.86, min(0.36, width * 0.26)), mix(palette.leaf, palette.sky[0], 0.5))
    props.plant(stage.pen(0.07, 0.84, 0.3), palette.leaf, (224, 208, 190))
    stage.walkers(0.38, 0.93, 0.56)


def _wall(stage: Stage, color: Color, floor: float) -> None:
    light = mix(color, stage.palette.light, 0.15)
    stage.canvas.gradient([mix(color, BLACK, 0.3), color, light], 0, floor)
    boards = mix(stage.palette.wood, stage.palette.dark, 0.45)
    stage.canvas.box(0, floor, stage.width, 1.02, boards)


def _window(stage: Stage, box: Box, panes: int) -> None:
    """A window on a town out of focus."""
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    left, top, right, bottom = box
    height = bottom - top
    frame = mix(palette.wood, palette.dark, 0.35)
    canvas.box(left - 0.02, top - 0.02, right + 0.02, bottom + 0.02, frame)
    canvas.gradient(palette.sky, top, bottom, left, right)
    x, house = left, palette.far(mix(palette.wall, palette.dark, 0.4), 0.5)
    while x < right:
        end = x + rng.uniform(0.07, 0.14)
        canvas.box(x, bottom - height * rng.uniform(0.25, 0.6), min(right, end), bottom, house)
        x = end
    for _ in range(16):
        spot = (rng.uniform(left + 0.04, right - 0.04), bottom - rng.uniform(0.04, height * 0.6))
        canvas.glow(*spot, rng.uniform(0.03, 0.07), rng.choice((palette.light, palette.accent, WHITE)), 0.7)
    for pane in range(1, panes):
        middle = left + (right - left) * pane / panes
        canvas.box(middle - 0.008, top, middle + 0.008, bottom, frame)
    canvas.box(left, top + height * 0.28 - 0.006, right, top + height * 0.28 + 0.006, frame)
    canvas.box(left - 0.04, bottom, right + 0.04, bottom + 0.03, mix(frame, WHITE, 0.12))


def _menu(stage: Stage, left: float, right: float) -> None:
    stage.canvas.box(left, 0.16, right, 0.46, (44, 40, 42), 0.01)
    for row in range(5):
        end = right - 0.02 - (right - left) * stage.rng.uniform(0, 0.4)
        stage.canvas.box(left + 0.02, 0.2 + row * 0.05, end, 0.212 + row * 0.05, (206, 196, 180), 0.004)


def _tiles(stage: Stage, color: Color) -> None:
    for row in range(5):
        for column in range(round(stage.width / 0.075) + 1):
            x, y = (column - 0.5 * (row % 2)) * 0.075, 0.54 + row * 0.045
            tone = mix(color, stage.palette.wall, stage.rng.uniform(0.0, 0.3))
            stage.canvas.box(x + 0.003, y, x + 0.072, y + 0.042, tone, 0.004)


def _shelves(stage: Stage, left: float, right: float) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    colors = (palette.accent, palette.leaf, (232, 222, 206), (176, 132, 92), palette.sky[1])
    for level in (0.28, 0.47):
        canvas.box(left, level, right, level + 0.018, palette.wood)
        x = left + 0.03
        while x < right - 0.05:
            size = rng.uniform(0.035, 0.055)
            jar = mix(rng.choice(colors), palette.wall, 0.2)
            canvas.box(x, level - size * rng.uniform(1.2, 2.4), x + size, level, jar, size * 0.22)
            x += size + rng.uniform(0.014, 0.045)


def _pot(pen: Pen, metal: Color, vapour: Color) -> None:
    pen.block(0.7, 0, 0.95, metal, 0.16)
    pen.block(0.85, 0.88, 1.05, mix(metal, WHITE, 0.12), 0.08)
    pen.limb([(0.8, 0.7), (1.5, 0.8)], 0.14, mix(metal, BLACK, 0.4))
    props.steam(Pen(pen.canvas, *pen.at(0, 1.2), 0.2), vapour)


def _groceries(stage: Stage) -> None:
    palette = stage.palette
    pen = stage.pen(0.5, 0.756, 0.1)
    pen.block(1.2, 0, 0.14, mix(palette.wood, WHITE, 0.35), 0.06)
    for x, radius, color in (
        (-0.8, 0.22, (214, 66, 52)),
        (-0.4, 0.19, (226, 96, 58)),
        (0.5, 0.18, (112, 156, 74)),
    ):
        pen.oval(x, 0.14 + radius, radius, radius, color)
        pen.oval(x - radius * 0.3, 0.14 + radius * 1.3, radius * 0.3, radius * 0.3, mix(color, WHITE, 0.45))
    pen.shape([(2, 0.66), (3.6, 0.66), (3.2, 0), (2.4, 0)], mix(palette.sky[1], WHITE, 0.35))
    pen.oval(2.8, 0.66, 0.8, 0.14, (236, 226, 206))


def _picture(stage: Stage, box: Box) -> None:
    canvas, palette = stage.canvas, stage.palette
    left, top, right, bottom = box
    canvas.box(*box, mix(palette.wood, palette.dark, 0.3))
    left, top, right, bottom = left + 0.012, top + 0.012, right - 0.012, bottom - 0.012
    canvas.box(left, top, right, bottom, mix(palette.sky[2], WHITE, 0.3))
    canvas.disc(
        left + (right - left) * 0.63, top + (bottom - top) * 0.36, (right - left) * 0.15, palette.accent
    )
    canvas.box(left, top + (bottom - top) * 0.62, right, bottom, palette.leaf)


def _floor_lamp(stage: Stage, pen: Pen) -> None:
    palette = stage.palette
    pen.limb([(0, 0), (0, 0.82)], 0.018, palette.dark)
    pen.oval(0, 0, 0.11, 0.02, palette.dark)
    shade = mix(palette.light, palette.accent, 0.25)
    pen.shape([(-0.08, 1), (0.08, 1), (0.15, 0.79), (-0.15, 0.79)], shade)
    stage.canvas.glow(*pen.at(0, 0.86), 0.5, palette.light, 0.65)


def _sofa(pen: Pen, color: Color) -> None:
    """The pen's size is half the sofa's width."""
    cushion = mix(color, WHITE, 0.1)
    pen.block(1, 0.17, 0.83, mix(color, BLACK, 0.25), 0.14)
    for side in (-1, 1):
        pen.moved(side * 0.45, 0).block(0.44, 0.11, 0.42, cushion, 0.07)
        pen.moved(side * 0.98, 0).block(0.12, 0, 0.55, color, 0.08)
    pen.block(1, 0, 0.19, color, 0.06)

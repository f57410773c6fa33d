"""Places under the open sky."""

from __future__ import annotations

from ai_content_pipeline.media.storyboard import props
from ai_content_pipeline.media.storyboard.canvas import BLACK, WHITE, Color, Pen, mix
from ai_content_pipeline.media.storyboard.sky import draw_sky
from ai_content_pipeline.media.storyboard.stage import Stage


def hills(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    draw_sky(stage, 0.56)
    for depth, y in ((0.72, 0.5), (0.5, 0.56), (0.28, 0.64)):
        stage.hill(y, 0.06, palette.far(palette.leaf, depth))
    canvas.mist(0.62, 0.2, palette.haze, 0.5)
    stage.hill(0.74, 0.035, mix(palette.ground, palette.leaf, 0.4))
    for share in (0.12, 0.22, 0.88):
        pen = stage.pen(share + rng.uniform(-0.03, 0.03), 0.76, rng.uniform(0.16, 0.26))
        props.tree(pen, palette.leaf, palette.dark, rng)
    stage.hill(0.86, 0.02, mix(palette.ground, palette.dark, 0.25))
    stage.walkers(0.5, 0.9, 0.42)


def park(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    light = draw_sky(stage, 0.58)
    autumn = stage.scene.weather == "leaves" or stage.scene.time == "golden"
    leaf = mix(palette.leaf, (214, 110, 48), 0.6) if autumn else palette.leaf
    for depth, y, height in ((0.66, 0.6, 0.24), (0.4, 0.64, 0.34)):
        far_leaf, far_wood = palette.far(leaf, depth), palette.far(palette.wood, depth)
        for step in range(round(stage.width * 7)):
            pen = Pen(canvas, (step + rng.uniform(0.1, 0.9)) / 7, y, height * rng.uniform(0.8, 1.2))
            props.tree(pen, far_leaf, far_wood, rng)
    canvas.mist(0.6, 0.24, palette.light, 0.42)
    stage.hill(0.64, 0.012, mix(palette.ground, leaf, 0.35))
    _path(stage, light * 0.3 + stage.width * 0.35)
    for share, height in ((0.06, 0.78), (0.95, 0.86)):
        props.tree(stage.pen(share, 0.86, height), mix(leaf, palette.dark, 0.12), palette.dark, rng)
    on = 0.2 if stage.scene.time == "day" else 1.0
    props.street_lamp(stage.pen(0.76, 0.74, 0.36), palette.dark, palette.light, on)
    props.bench(stage.pen(0.2, 0.79, 0.095), palette.wood, palette.dark)
    stage.walkers(0.47, 0.9, 0.48)


def _path(stage: Stage, far: float) -> None:
    """From the horizon at `far` towards us, wider and wider."""
    middle = stage.width * 0.48
    left = [(far, 0.645), (middle - 0.1, 0.76), (middle - 0.42, 1.02)]
    right = [(middle + 0.46, 1.02), (middle + 0.19, 0.76), (far + 0.035, 0.645)]
    stage.canvas.polygon([*left, *right], mix(stage.palette.ground, stage.palette.light, 0.42))


def forest(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    light = draw_sky(stage, 0.7)
    canvas.veil(palette.far(palette.leaf, 0.45), 0.45)
    canvas.glow(light, 0.42, 0.8, palette.light, 0.7)
    for depth, y, height, count in ((0.7, 0.68, 0.5, 9), (0.48, 0.72, 0.66, 6), (0.24, 0.77, 0.86, 4)):
        stage.hill(y - 0.012, 0.012, palette.far(palette.ground, depth))
        color = palette.far(mix(palette.leaf, palette.dark, 0.2), depth)
        for step in range(round(stage.width * count) + 1):
            x = (step + rng.uniform(0.1, 0.9)) / count
            props.pine(Pen(canvas, x, y, height * rng.uniform(0.75, 1.1)), color)
        canvas.mist(y - 0.04, 0.3, mix(palette.haze, palette.light, 0.4), 0.38)
    stage.hill(0.8, 0.018, mix(palette.ground, palette.dark, 0.35))
    stage.walkers(0.5, 0.9, 0.42)
    bark = mix(palette.dark, palette.wood, 0.2)
    for share, lean in ((0.03, 1), (0.97, -1)):
        trunk = stage.pen(share, 1.02, 1.04, lean)
        trunk.limb([(0, 0), (0.02, 1)], 0.1, bark)
        trunk.limb([(0.01, 0.6), (0.17, 0.77)], 0.022, bark)


def beach(stage: Stage) -> None:
    palette, rng = stage.palette, stage.rng
    light = draw_sky(stage, 0.52)
    deep = mix(palette.sky[0], (24, 84, 108), 0.5)
    _sea(stage, deep, light)
    if rng.random() < 0.6:
        sail = mix(WHITE, palette.haze, 0.2)
        props.sailboat(stage.pen(rng.uniform(0.15, 0.4), 0.532, 0.14), palette.dark, sail)
    sand = mix(mix((226, 196, 150), palette.ground, 0.25), palette.dark, stage.gloom)
    for y, color in ((0.775, mix(WHITE, deep, 0.25)), (0.79, mix(sand, palette.dark, 0.22)), (0.81, sand)):
        stage.hill(y, 0.014, color, 2.2)
    stage.walkers(0.42, 0.91, 0.44)


def _sea(stage: Stage, deep: Color, light: float) -> None:
    """Water with the sun's or moon's path on it."""
    palette, rng = stage.palette, stage.rng
    colors = [mix(palette.sky[2], deep, 0.45), deep, mix(deep, palette.sky[1], 0.4)]
    stage.canvas.gradient(colors, 0.52, 0.82)
    for step in range(34):
        depth = (step / 34) ** 1.6
        y = 0.528 + depth * 0.25
        half = (0.02 + 0.12 * depth) * rng.uniform(0.3, 1.0)
        x = light + rng.uniform(-0.05, 0.05) * (0.5 + 2 * depth)
        tone = mix(palette.light, deep, 0.25 + 0.3 * rng.random())
        stage.canvas.stroke([(x - half, y), (x + half, y)], 0.003 + 0.004 * depth, tone)


def mountain(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    draw_sky(stage, 0.62)
    for depth, base, height, count in ((0.62, 0.62, 0.34, 4), (0.36, 0.66, 0.44, 3)):
        rock = palette.far((82, 88, 108), depth)
        snow = mix((248, 250, 255), palette.haze, depth * 0.7)
        for step in range(count):
            pen = stage.pen((step + rng.uniform(0.2, 0.8)) / count, base, height * rng.uniform(0.7, 1.1))
            _peak(pen, rock, snow)
        canvas.mist(base, 0.2, palette.haze, 0.6)
    stage.hill(0.7, 0.03, palette.far(mix(palette.ground, palette.leaf, 0.3), 0.25))
    for step in range(round(stage.width * 9)):
        pen = Pen(canvas, (step + rng.random()) / 9, 0.76, rng.uniform(0.08, 0.17))
        props.pine(pen, palette.far(mix(palette.leaf, palette.dark, 0.3), 0.15))
    stage.hill(0.79, 0.02, mix(palette.ground, palette.dark, 0.2))
    stage.walkers(0.45, 0.9, 0.36)


def _peak(pen: Pen, rock: Color, snow: Color) -> None:
    pen.shape([(-1.05, -0.05), (0, 1), (1.05, -0.05)], rock)
    pen.shape([(0, 1), (1.05, -0.05), (0.21, -0.05), (0.06, 0.5)], mix(rock, BLACK, 0.16))
    hem = [(-0.357, 0.66), (-0.147, 0.74), (-0.03, 0.6), (0.095, 0.72), (0.357, 0.66)]
    pen.shape([(0, 1), *hem], snow)
    pen.shape([(0, 1), *hem[-2:]], mix(snow, rock, 0.3))


def desert(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    light = draw_sky(stage, 0.6)
    canvas.glow(light, 0.5, 0.8, palette.light, 0.5)
    night = 0.55 if stage.scene.time == "night" else 0.0
    sand = mix(mix((222, 160, 96), palette.ground, 0.2), palette.dark, night)
    for step in range(3):
        mesa = stage.pen((step + rng.uniform(0.2, 0.8)) / 3, 0.6, rng.uniform(0.1, 0.2))
        rock = palette.far(mix(sand, (150, 70, 50), 0.5), 0.5)
        mesa.shape([(-1.5, -0.3), (-1.2, 1), (1.2, 1), (1.55, -0.3)], rock)
    for depth, y, swing in ((0.45, 0.6, 0.03), (0.26, 0.67, 0.05), (0.1, 0.76, 0.05), (0.0, 0.87, 0.03)):
        state = rng.getstate()
        stage.hill(y - 0.006, swing, palette.far(mix(sand, palette.light, 0.5), depth), 1.2)
        rng.setstate(state)  # the same line again: a lit crest above the dune
        stage.hill(y, swing, palette.far(mix(sand, palette.dark, 0.12 + 0.18 * (0.45 - depth)), depth), 1.2)
    stage.walkers(0.45, 0.9, 0.36)

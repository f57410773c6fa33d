"""The sky of the hour: gradient, sun or moon, clouds or stars."""

from __future__ import annotations

from ai_content_pipeline.media.storyboard import props
from ai_content_pipeline.media.storyboard.canvas import WHITE, Color, Pen, mix
from ai_content_pipeline.media.storyboard.stage import Stage

_MOON = (244, 240, 222)
_CRATERS = ((-0.32, 0.16, 0.21), (0.29, -0.32, 0.16), (0.32, 0.4, 0.11))


def draw_sky(stage: Stage, horizon: float) -> float:
    """Sky down to `horizon`, haze below; returns where the light stands (x)."""
    canvas, palette = stage.canvas, stage.palette
    canvas.gradient(palette.sky, 0, horizon)
    canvas.box(0, horizon, stage.width, 1.02, palette.haze)
    x = stage.width * stage.rng.uniform(0.58, 0.78)
    match stage.scene.time:
        case "night":
            props.stars(canvas, horizon, round(120 * stage.width), stage.rng)
            canvas.glow(x, 0.2, 0.5, (150, 170, 230), 0.5)
            _moon(Pen(canvas, x, 0.2, 0.062))
        case "golden" | "dawn" as time:
            y = horizon - (0.1 if time == "golden" else 0.16)
            canvas.glow(x, y, 0.9, palette.light, 0.75, 0.8)
            canvas.disc(x, y, 0.075, mix(palette.light, WHITE, 0.45))
            _clouds(stage, mix(palette.sky[2], palette.sky[1], 0.5), horizon)
        case _:
            canvas.glow(x, 0.16, 0.7, palette.light, 0.65)
            canvas.disc(x, 0.16, 0.06, (255, 253, 240))
            _clouds(stage, mix(mix(palette.sky[2], WHITE, 0.6), palette.sky[1], 0.25), horizon)
    return x


def _moon(pen: Pen) -> None:
    pen.oval(0, 0, 1, 1, _MOON)
    for x, y, radius in _CRATERS:
        pen.oval(x, y, radius, radius, mix(_MOON, (120, 110, 100), 0.18))


def _clouds(stage: Stage, color: Color, horizon: float) -> None:
    rng = stage.rng
    for _ in range(max(2, round(stage.width * 2))):
        x, y = rng.uniform(0, stage.width), rng.uniform(0.08, horizon * 0.62)
        props.cloud(Pen(stage.canvas, x, y, rng.uniform(0.14, 0.34)), color, rng)

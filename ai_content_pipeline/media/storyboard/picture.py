"""Puts a frame together: place, weather, light, mood; or changes them in a picture that is there."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageChops

from ai_content_pipeline.media.storyboard import indoors, nature, town
from ai_content_pipeline.media.storyboard.canvas import WHITE, Canvas, Color, mix
from ai_content_pipeline.media.storyboard.palette import grade, palette_for, snowed_on, tint
from ai_content_pipeline.media.storyboard.people import Person
from ai_content_pipeline.media.storyboard.scene import Scene
from ai_content_pipeline.media.storyboard.stage import Stage

_PLACES: dict[str, Callable[[Stage], None]] = {
    "rooftop": town.rooftop,
    "cafe": indoors.cafe,
    "kitchen": indoors.kitchen,
    "street": town.street,
    "beach": nature.beach,
    "mountain": nature.mountain,
    "desert": nature.desert,
    "forest": nature.forest,
    "space": town.space,
    "room": indoors.room,
    "park": nature.park,
    "hills": nature.hills,
}

#: The light of an hour, as it falls on what was painted by day.
_LIGHTS: dict[str, Color] = {
    "night": (74, 88, 150),
    "golden": (255, 204, 148),
    "dawn": (236, 216, 226),
    "day": WHITE,
}
_VERSION_TINT = 0.07  # how far two versions of one edit differ


def paint(
    scene: Scene,
    size: tuple[int, int],
    rng: random.Random,
    people: tuple[Person, Person],
    references: Sequence[Image.Image] = (),
) -> Image.Image:
    """The picture of a scene, RGB, `size` pixels; `rng` decides everything the scene leaves open."""
    canvas = Canvas(*size)
    palette = palette_for(scene.time, rng)
    if scene.weather == "snow":
        palette = snowed_on(palette)
    stage = Stage(canvas, scene, palette, rng, people)
    _PLACES[scene.place](stage)
    if not scene.indoors:
        _weather(stage)
    canvas.vignette()
    image = canvas.finished()
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return grade(image, scene.grade, references)


def repaint(
    image: Image.Image,
    scene: Scene,
    rng: random.Random,
    people: tuple[Person, Person],
    references: Sequence[Image.Image] = (),
) -> Image.Image:
    """An RGB picture in the scene's hour, weather and mood; `rng` gives each version a tint of its own."""
    light = Image.new("RGB", image.size, _LIGHTS[scene.time or "day"])
    changed = ImageChops.multiply(image, light)
    if scene.weather:
        canvas = Canvas(*image.size)
        canvas.image.paste(changed.resize(canvas.image.size, Image.Resampling.BICUBIC))
        _weather(Stage(canvas, scene, palette_for(scene.time or "day", rng), rng, people))
        changed = canvas.finished()
    version = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    return grade(tint(changed, version, _VERSION_TINT), scene.grade, references)


def _weather(stage: Stage) -> None:
    canvas, palette, rng = stage.canvas, stage.palette, stage.rng
    spots = [
        (rng.uniform(0, stage.width), rng.uniform(0, 1), rng.random()) for _ in range(round(70 * stage.width))
    ]
    match stage.scene.weather:
        case "rain":
            canvas.veil(mix(palette.sky[1], (58, 68, 88), 0.75), 0.42)
            for x, y, near in spots:
                length = 0.03 + 0.05 * near
                canvas.stroke(
                    [(x, y), (x - length * 0.25, y + length)],
                    0.0022,
                    mix(palette.haze, WHITE, 0.45),
                )
        case "snow":
            for x, y, near in spots:
                canvas.disc(x, y, 0.003 + 0.007 * near * near, (250, 252, 255))
        case "leaves":
            for x, y, near in spots[::3]:
                size = 0.008 + 0.012 * near
                color = rng.choice(((214, 106, 44), (232, 156, 58), (176, 70, 42)))
                canvas.polygon(
                    [(x - size, y), (x, y - size * 0.6), (x + size, y + size * 0.3), (x, y + size * 0.5)],
                    color,
                )
        case "mist":
            for y in (0.5, 0.66, 0.8):
                canvas.mist(y, 0.34, mix(palette.haze, WHITE, 0.3), 0.5)

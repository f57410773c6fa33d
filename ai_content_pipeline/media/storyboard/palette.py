"""Colours of a frame: the hour decides, the seed varies, a grade or a reference picture tints."""

from __future__ import annotations

import colorsys
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from ai_content_pipeline.media.storyboard.canvas import Color, mix


@dataclass(frozen=True, slots=True)
class Palette:
    sky: tuple[Color, Color, Color]  # top, middle, horizon
    light: Color  # sun, moon or lamps
    haze: Color  # what distance fades into
    ground: Color
    leaf: Color
    wall: Color
    wood: Color
    dark: Color  # outlines and foreground silhouettes
    accent: Color

    def far(self, color: Color, distance: float) -> Color:
        """`color` seen through `distance` (0 near, 1 at the horizon) of air."""
        return mix(color, self.haze, distance)


_HOURS = {
    "day": Palette(
        sky=((70, 134, 190), (134, 188, 218), (226, 237, 228)), light=(255, 246, 218), haze=(196, 220, 222),
        ground=(112, 146, 92), leaf=(64, 118, 82), wall=(222, 206, 182), wood=(148, 100, 68),
        dark=(36, 48, 54), accent=(236, 122, 82),
    ),
    "golden": Palette(
        sky=((66, 74, 122), (206, 124, 112), (255, 206, 140)), light=(255, 214, 142), haze=(240, 172, 124),
        ground=(124, 92, 66), leaf=(134, 92, 54), wall=(186, 126, 92), wood=(122, 70, 48),
        dark=(48, 32, 44), accent=(244, 152, 84),
    ),
    "dawn": Palette(
        sky=((112, 142, 190), (214, 180, 200), (255, 224, 200)), light=(255, 236, 208), haze=(232, 206, 206),
        ground=(126, 138, 118), leaf=(88, 122, 108), wall=(224, 206, 202), wood=(156, 116, 96),
        dark=(58, 58, 78), accent=(238, 140, 132),
    ),
    "night": Palette(
        sky=((10, 15, 40), (28, 40, 84), (74, 82, 128)), light=(255, 226, 172), haze=(66, 78, 122),
        ground=(34, 46, 62), leaf=(28, 50, 58), wall=(78, 68, 88), wood=(84, 58, 58),
        dark=(14, 16, 32), accent=(255, 190, 108),
    ),
}  # fmt: skip

_GRADES: dict[str, Color] = {
    "neon": (214, 52, 190),
    "vintage": (206, 158, 92),
    "cold": (92, 134, 190),
    "pastel": (255, 226, 232),
    "warm": (255, 168, 84),
}


def palette_for(time: str, rng: random.Random) -> Palette:
    """The hour's colours, turned a little by the seed so that no two prompts look alike."""
    base = _HOURS[time]
    turn, depth = rng.uniform(-0.022, 0.022), rng.uniform(0.92, 1.1)

    def vary(color: Color) -> Color:
        hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in color))
        red, green, blue = colorsys.hls_to_rgb((hue + turn) % 1, light, min(1.0, saturation * depth))
        return (round(red * 255), round(green * 255), round(blue * 255))

    top, middle, horizon = (vary(color) for color in base.sky)
    return Palette(
        (top, middle, horizon), base.light, vary(base.haze), vary(base.ground), vary(base.leaf),
        vary(base.wall), vary(base.wood), base.dark, vary(base.accent),
    )  # fmt: skip


def snowed_on(palette: Palette) -> Palette:
    white = mix((240, 244, 252), palette.sky[1], 0.25)
    return replace(palette, ground=mix(palette.ground, white, 0.75), leaf=mix(palette.leaf, white, 0.35))


def grade(image: Image.Image, name: str, references: Sequence[Image.Image] = ()) -> Image.Image:
    """Tint a finished picture by its mood, and towards the colours of its reference pictures."""
    if name == "noir":
        image = tint(image.convert("L").convert("RGB"), (120, 128, 140), 0.12)
    elif name:
        image = tint(image, _GRADES[name], 0.2 if name == "neon" else 0.1)
    for reference in references:
        image = tint(image, _average(reference), 0.26 / len(references))
    return image


def tint(image: Image.Image, color: Color, strength: float) -> Image.Image:
    """The picture behind a pane of that colour."""
    return Image.blend(image, Image.new("RGB", image.size, color), strength)


def _average(image: Image.Image) -> Color:
    red, green, blue = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).tobytes()
    return (red, green, blue)

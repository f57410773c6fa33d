"""Subjects drawn into scenes: people in coats of their own colours, each time somewhere else."""

from __future__ import annotations

import colorsys
import random

from PIL import Image, ImageDraw

_SKINS = ((241, 194, 158), (198, 134, 90), (110, 70, 45))


def scene(subject: int, place: str, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """The same `subject` looks the same in every `place`, and every place has walls and things of its own."""
    where = random.Random(f"place {place}")
    picture = Image.new("RGB", size, _muted(where))
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0, height * 0.6, width, height), fill=_muted(where))
    for _ in range(5):
        left, top = where.uniform(0, width), where.uniform(0, height * 0.6)
        draw.rectangle(
            (left, top, left + where.uniform(20, 80), top + where.uniform(20, 80)), fill=_muted(where)
        )
    tall = height * 0.9 * where.uniform(0.75, 1)
    _person(draw, subject, where.uniform(0.3, 0.7) * width, height * 0.05, tall)
    return picture


def _person(draw: ImageDraw.ImageDraw, subject: int, middle: float, top: float, tall: float) -> None:
    who = random.Random(f"subject {subject}")
    coat, trousers, hair, stripe = (tuple(who.randrange(20, 236) for _ in range(3)) for _ in range(4))
    striped, skin = who.random() < 0.5, who.choice(_SKINS)
    draw.rectangle(
        (middle - tall * 0.2, top + tall * 0.25, middle + tall * 0.2, top + tall * 0.65), fill=coat
    )
    for number in range(4 if striped else 0):
        line = top + tall * (0.28 + 0.1 * number)
        draw.rectangle((middle - tall * 0.2, line, middle + tall * 0.2, line + tall * 0.03), fill=stripe)
    legs = (middle - tall * 0.15, top + tall * 0.65, middle + tall * 0.15, top + tall)
    draw.rectangle(legs, fill=trousers)
    draw.ellipse((middle - tall * 0.12, top, middle + tall * 0.12, top + tall * 0.26), fill=skin)
    head = (middle - tall * 0.14, top - tall * 0.03, middle + tall * 0.14, top + tall * 0.26)
    draw.pieslice(head, 180, 360, fill=hair)


def _muted(where: random.Random) -> tuple[int, ...]:
    """A wall, a street, a sky: little colour."""
    hue, faint, light = where.random(), where.uniform(0.05, 0.35), where.uniform(0.4, 0.95)
    return tuple(int(255 * part) for part in colorsys.hsv_to_rgb(hue, faint, light))

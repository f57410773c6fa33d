"""Who is in the picture: simple faceless figures, the same ones in every frame of a board."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from ai_content_pipeline.media.storyboard.canvas import BLACK, Color, Pen, Point, mix

_SKINS = ((244, 206, 178), (226, 176, 138), (186, 130, 96), (136, 90, 66), (96, 62, 48))
_HAIRS = ((42, 30, 30), (84, 52, 36), (142, 88, 46), (206, 160, 92), (58, 58, 70), (156, 62, 40))
_CLOTHES = (
    (196, 70, 62), (226, 160, 64), (64, 108, 142), (86, 126, 96), (232, 218, 196), (118, 78, 118),
    (206, 118, 98), (54, 76, 104),
)  # fmt: skip
_TROUSERS = ((52, 58, 84), (74, 66, 62), (44, 48, 56), (110, 92, 78))


@dataclass(frozen=True, slots=True)
class Person:
    skin: Color
    hair: Color
    top: Color
    bottom: Color
    long_hair: bool
    coat: bool
    build: float  # height beside the others'

    def under(self, light: Color, strength: float) -> Person:
        """The same person in coloured light; at strength 1 a flat silhouette."""
        return replace(
            self,
            skin=mix(self.skin, light, strength),
            hair=mix(self.hair, light, strength),
            top=mix(self.top, light, strength),
            bottom=mix(self.bottom, light, strength),
        )


def cast(rng: random.Random) -> tuple[Person, Person]:
    """The two people a story is about; a picture of one shows the first or the second."""
    tops = rng.sample(_CLOTHES, 2)
    hairs = rng.sample(_HAIRS, 2)
    return (
        Person(rng.choice(_SKINS), hairs[0], tops[0], rng.choice(_TROUSERS), True, rng.random() < 0.7, 0.94),
        Person(rng.choice(_SKINS), hairs[1], tops[1], rng.choice(_TROUSERS), False, rng.random() < 0.3, 1.0),
    )


def standing(pen: Pen, person: Person, *, stride: float = 0.03, hand: Point = (0.13, 0.47)) -> None:
    """A whole figure; `stride` opens the legs, `hand` is where the near hand is."""
    dark = mix(person.top, (20, 20, 30), 0.22)
    legs = mix(person.bottom, (10, 10, 20), 0.25)
    pen.limb([(-0.11, 0.77), (-0.145, 0.62), (-0.09 - stride, 0.48)], 0.055, dark)
    pen.limb([(-0.025, 0.48), (-0.03 - stride * 0.4, 0.26), (-0.03 - stride, 0.03)], 0.08, legs)
    pen.limb([(-0.03 - stride, 0.02), (0.02 - stride, 0.015)], 0.035, mix(legs, BLACK, 0.4))
    pen.limb([(0.03, 0.48), (0.045 + stride * 0.7, 0.26), (0.02 + stride, 0.03)], 0.08, person.bottom)
    pen.limb([(0.02 + stride, 0.02), (0.075 + stride, 0.015)], 0.035, mix(legs, BLACK, 0.4))
    if person.long_hair:
        pen.limb([(-0.03, 0.93), (-0.045, 0.79)], 0.125, person.hair)
    pen.limb([(0.0, 0.80), (0.005, 0.87)], 0.052, mix(person.skin, (60, 20, 20), 0.18))
    hem = 0.3 if person.coat else 0.45
    flare = 0.13 if person.coat else 0.09
    pen.shape(
        [(-0.11, 0.79), (0.11, 0.79), (0.085, 0.6), (flare, hem), (-flare, hem), (-0.085, 0.6)], person.top
    )
    pen.shape([(-0.1, 0.81), (-0.03, 0.845), (0.03, 0.845), (0.1, 0.81)], person.top)
    pen.limb([(-0.085, 0.785), (0.085, 0.785)], 0.07, person.top)
    _head(pen, person)
    elbow = (0.15 + hand[0] * 0.12, (0.77 + hand[1]) / 2 - 0.03)
    pen.limb([(0.095, 0.77), elbow, hand], 0.057, mix(person.top, (255, 240, 220), 0.08))
    pen.oval(*hand, 0.03, 0.03, person.skin)


def _head(pen: Pen, person: Person) -> None:
    pen.oval(-0.012, 0.927, 0.074, 0.078, person.hair)
    pen.oval(0.016, 0.912, 0.054, 0.066, person.skin)
    pen.oval(0.072, 0.905, 0.012, 0.012, person.skin)
    ink = mix(person.skin, (40, 16, 20), 0.75)
    pen.oval(0.045, 0.922, 0.0065, 0.0085, ink)
    smile = [(0.032 + 0.005 * step, 0.879 + 0.0007 * (step - 2) ** 2) for step in range(6)]
    pen.limb(smile, 0.005, mix(person.skin, (120, 20, 30), 0.6))
    if person.long_hair:
        pen.shape(
            [(-0.06, 0.985), (0.03, 0.987), (0.046, 0.968), (0.02, 0.94), (-0.035, 0.90), (-0.07, 0.86)],
            person.hair,
        )
    else:
        pen.oval(-0.002, 0.962, 0.064, 0.038, person.hair)
        pen.oval(-0.047, 0.925, 0.036, 0.052, person.hair)


def seated_behind(pen: Pen, person: Person) -> None:
    """Someone sitting on the ground, seen from behind; `height` is the sitting height."""
    pen.oval(0, 0.06, 0.3, 0.12, mix(person.bottom, (10, 10, 20), 0.2))
    pen.shape([(-0.2, 0.66), (0.2, 0.66), (0.27, 0.05), (-0.27, 0.05)], person.top)
    pen.limb([(-0.14, 0.64), (0.14, 0.64)], 0.14, person.top)
    pen.limb([(0, 0.66), (0, 0.76)], 0.1, mix(person.skin, (60, 20, 20), 0.25))
    if person.long_hair:
        pen.limb([(0, 0.85), (0, 0.6)], 0.24, person.hair)
    pen.oval(0, 0.86, 0.135, 0.15, person.hair)


def rim_lit(
    pen: Pen, person: Person, light: Color, side: int, gloom: float = 0.0
) -> list[tuple[Pen, Person]]:
    """Two passes that leave an edge of `light` on one side (-1 left, 1 right) of a darkened figure."""
    return [
        (pen.moved(0.009 * side, 0.004), person.under(light, 0.7)),
        (pen, person.under((12, 14, 32), gloom)),
    ]

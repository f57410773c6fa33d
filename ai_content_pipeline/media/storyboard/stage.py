"""What every place is drawn with, and how people and animals take their positions in it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ai_content_pipeline.media.storyboard import props
from ai_content_pipeline.media.storyboard.canvas import BLACK, WHITE, Canvas, Color, Pen, Point, mix, ridge
from ai_content_pipeline.media.storyboard.palette import Palette
from ai_content_pipeline.media.storyboard.people import Person, rim_lit, seated_behind, standing
from ai_content_pipeline.media.storyboard.scene import Scene

_SIZES = {"wide": 0.6, "": 1.0, "close": 1.9}
_FURS = ((206, 132, 72), (120, 92, 78), (224, 208, 190), (74, 70, 82))


@dataclass(frozen=True, slots=True)
class Stage:
    canvas: Canvas
    scene: Scene
    palette: Palette
    rng: random.Random
    cast: tuple[Person, Person]

    @property
    def width(self) -> float:
        return self.canvas.aspect

    @property
    def gloom(self) -> float:
        """How dark people are: against a night sky, or with their back to a low sun."""
        if self.scene.indoors:
            return 0.06
        return {"night": 0.38, "golden": 0.2, "dawn": 0.12, "day": 0.0}[self.scene.time]

    def pen(self, share: float, y: float, size: float, facing: int = 1) -> Pen:
        """A pen at `share` of the width."""
        return Pen(self.canvas, self.width * share, y, size, facing)

    def hill(self, y: float, swing: float, color: Color, waves: float = 1.4) -> None:
        self.canvas.polygon(ridge(self.rng, self.width, y, swing, waves), color)

    def walkers(self, share: float, y: float, height: float) -> None:
        """The scene's people around `share` of the width, hand in hand where they are two."""
        height = self._size(height)
        if self.scene.shot == "close":
            y = max(y, 0.2 + height)  # the head in the picture, the feet below it
        who = self._who()
        shadow = mix(self.palette.ground, BLACK, 0.4)
        for person, side, facing in self._sides(who, 0.15):
            pen = self.pen(share, y, height * person.build, facing).moved(side, 0)
            pen.oval(0, -0.01, 0.16, 0.025, shadow)
            for each_pen, each in rim_lit(pen, person, self.palette.light, 1, self.gloom):
                standing(each_pen, each, stride=0.07, hand=(0.15, 0.44) if len(who) == 2 else (0.12, 0.46))
        self.pet(share + height * 0.55 / self.width, y + 0.01, height * 0.32)

    def sitters(self, share: float, y: float, height: float, blanket: Color) -> None:
        """The scene's people on the ground, seen from behind, close together under a blanket."""
        height = self._size(height)
        who = self._who()
        for person, side, _ in self._sides(who, 0.23):
            pen = self.pen(share, y, height * person.build).moved(side, 0)
            for each_pen, each in rim_lit(pen, person, self.palette.light, 1, self.gloom * 0.7):
                seated_behind(each_pen, each)
        if who:
            _blanket(self.pen(share, y, height), blanket, 0.58 if len(who) == 2 else 0.36)
        self.pet(share + height * 0.8 / self.width, y, height * 0.5)

    def behind(self, counter: float, reach: float, height: float, hands: tuple[Point, Point]) -> None:
        """People face to face, `reach` from the middle, whose legs a `counter` (its y) is going to hide."""
        height = self._size(height)
        who = self._who()
        for (person, _, facing), hand in zip(self._sides(who, 0), hands, strict=False):
            x = self.width / 2 - facing * (reach if len(who) == 2 else height * 0.1)
            pen = Pen(self.canvas, x, counter + 0.435 * height, height * person.build, facing)
            for each_pen, each in rim_lit(pen, person, self.palette.light, facing, self.gloom):
                standing(each_pen, each, hand=hand)

    def pet(self, share: float, y: float, height: float) -> None:
        """The scene's animal; alone it takes the middle of the stage."""
        if not self.scene.animal:
            return
        if self.scene.animal == "bird":
            props.birds(self.pen(0.3, 0.3, height), self.palette.dark)
            return
        if not self.scene.people:
            share, y, height = 0.5, min(y, 0.86), max(height * 1.9, 0.34)
        fur = mix(self.rng.choice(_FURS), self.palette.dark, self.gloom)
        props.cat_or_dog(self.pen(min(share, 0.86), y, height, -1), fur, dog=self.scene.animal == "dog")

    def _size(self, height: float) -> float:
        """A figure's height for this shot; narrow pictures shrink it so that two fit."""
        return min(height * _SIZES[self.scene.shot], self.width * 0.95)

    def _who(self) -> tuple[Person, ...]:
        if self.scene.people == 1:
            chosen = self.rng.randrange(2)
            return (self.cast[{"first": 0, "second": 1}.get(self.scene.cast, chosen)],)
        return self.cast[: self.scene.people]

    @staticmethod
    def _sides(who: tuple[Person, ...], apart: float) -> list[tuple[Person, float, int]]:
        """Each person's place beside the middle, in heights, and which way they look."""
        if len(who) == 1:
            return [(who[0], 0.0, 1)]
        return [(person, side * apart, -side) for person, side in zip(who, (-1, 1), strict=False)]


def _blanket(pen: Pen, color: Color, half: float) -> None:
    top = [(-half * 0.8, 0.5), (0, 0.45), (half * 0.8, 0.5)]
    pen.shape([*top, (half, -0.06), (-half, -0.06)], color)
    for share in (0.3, 0.62):
        x, y = half * (0.78 + share * 0.2), 0.5 - 0.56 * share
        pen.limb([(-x, y), (x, y)], 0.022, mix(color, WHITE, 0.25))

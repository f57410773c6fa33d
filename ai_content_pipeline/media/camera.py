"""Camera moves over a still picture, chosen by the words of a prompt."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ai_content_pipeline.media.captions import TITLE_SAFE


class Move(StrEnum):
    ZOOM_IN = "zoom in"
    ZOOM_OUT = "zoom out"
    PAN_LEFT = "pan left"
    PAN_RIGHT = "pan right"
    TILT_UP = "tilt up"
    TILT_DOWN = "tilt down"
    STATIC = "static"
    HAND_HELD = "hand-held"


_BETWEEN = r"\w*(?: \w+){0,3}?[- ]"  # "zooms slowly in", "push-in"
_WORDS = {
    Move.ZOOM_IN: rf"(?:zoom|push|doll(?:y|ie)){_BETWEEN}(?:in|into|forwards?|closer|towards?)"
    r"|zoom\w*|dolly|mov(?:es?|ing) (?:in|closer)|clos(?:es|ing) in",
    Move.ZOOM_OUT: rf"(?:zoom|pull|doll(?:y|ie)){_BETWEEN}(?:out|back|backwards?|away)",
    Move.PAN_LEFT: rf"(?:pan|slid|truck|track|sweep){_BETWEEN}left|(?:from )?right to left",
    Move.PAN_RIGHT: rf"(?:pan|slid|truck|track|sweep){_BETWEEN}right|(?:pan{_BETWEEN})?left to right"
    r"|pan(?:s|ning)?",
    Move.TILT_UP: rf"(?:tilt|crane|boom|pedestal){_BETWEEN}up(?:wards?)?|crane shot|camera ris(?:es|ing)",
    Move.TILT_DOWN: rf"(?:tilt|crane|boom|pedestal){_BETWEEN}down(?:wards?)?|camera (?:descends|lowers)",
    Move.STATIC: r"static|locked(?:[- ](?:off|down))?|tripod|(?:still|fixed|stationary) (?:camera|shot)"
    r"|no camera (?:movement|motion|move)|camera (?:holds|is still|stays still)",
    Move.HAND_HELD: r"hand-?held|hand held|shak(?:e|es|y|ing) ?(?:cam(?:era)?)?|camera shake",
}
_PATTERNS = {move: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for move, words in _WORDS.items()}
_GENTLE = (Move.ZOOM_IN, Move.ZOOM_OUT, Move.PAN_LEFT, Move.PAN_RIGHT)
_READ = 4_000  # characters of a prompt that are looked at

# No move cuts more from any side, so the caption of a start picture stays whole in its clip.
_CUT = 0.85 * TITLE_SAFE
#: The strongest magnification.
CLOSEST = 1 / (1 - 2 * _CUT)
_ROOM = 1 / (1 - _CUT)


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees: `scale` >= 1 magnifies; `x`, `y` from -1 (left, top) to 1 place the cut."""

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def box(self, width: float, height: float) -> tuple[float, float, float, float]:
        """The part of a picture of this size that is seen, in pixels and their parts."""
        seen_width, seen_height = width / self.scale, height / self.scale
        left = (width - seen_width) * (1 + self.x) / 2
        top = (height - seen_height) * (1 + self.y) / 2
        return (left, top, min(width, left + seen_width), min(height, top + seen_height))


def choose_move(prompt: str, rng: random.Random) -> Move:
    """The first move a prompt names; among those that begin together the longest; else a gentle one."""
    found = [
        (match.start(), match.start() - match.end(), move)
        for move, pattern in _PATTERNS.items()
        if (match := pattern.search(prompt[:_READ]))
    ]
    return min(found)[2] if found else rng.choice(_GENTLE)


def path(move: Move, seconds: float, rng: random.Random) -> Callable[[float], View]:
    """The camera's path: a view for every share (0 to 1) of the clip."""
    if move is Move.HAND_HELD:
        return _hand_held(seconds, rng)
    start, end = {
        Move.ZOOM_IN: (View(), View(CLOSEST)),
        Move.ZOOM_OUT: (View(CLOSEST), View()),
        Move.PAN_LEFT: (View(_ROOM, 1), View(_ROOM, -1)),
        Move.PAN_RIGHT: (View(_ROOM, -1), View(_ROOM, 1)),
        Move.TILT_UP: (View(_ROOM, 0, 1), View(_ROOM, 0, -1)),
        Move.TILT_DOWN: (View(_ROOM, 0, -1), View(_ROOM, 0, 1)),
        Move.STATIC: (View(), View()),
    }[move]

    def view(share: float) -> View:
        eased = ease(share)
        return View(
            start.scale * (end.scale / start.scale) ** eased,  # even to the eye
            start.x + (end.x - start.x) * eased,
            start.y + (end.y - start.y) * eased,
        )

    return view


def ease(share: float) -> float:
    """Slow, quicker, slow."""
    return share * share * (3 - 2 * share)


def _hand_held(seconds: float, rng: random.Random) -> Callable[[float], View]:
    waves = [(rng.uniform(0.3, 1.3), rng.uniform(0, math.tau), axis) for axis in (0, 1) for _ in range(3)]

    def view(share: float) -> View:
        offset = [0.0, 0.0]
        for hertz, phase, axis in waves:
            offset[axis] += math.sin(phase + math.tau * hertz * share * seconds) / 3
        return View(_ROOM, *offset)

    return view

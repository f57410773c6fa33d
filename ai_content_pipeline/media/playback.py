"""A clip played at a steady rate, picture by picture, whatever rate it was made at."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from math import ceil
from pathlib import Path

from PIL import Image

from ai_content_pipeline.media.video import Video, open_video, picture

MAX_RATE = 120
_USUAL_RATE = Fraction(24)
_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Clip:
    """What is known of a clip before it is played; sizes in pixels as displayed."""

    path: Path
    width: int
    height: int
    seconds: Fraction
    fps: Fraction
    sound: bool

    def frames(self, fps: Fraction) -> int:
        """How many pictures it has at that rate; one at least."""
        return max(1, round(self.seconds * fps))


def read_clip(path: Path) -> Clip:
    """Raises BadMedia. Where the header does not say how long it is, the clip is decoded to see."""
    with open_video(path) as video:
        info = video.info(next(video.frames(), None))
        seconds, fps = video.declared_seconds, video.fps or _USUAL_RATE
        sound = bool(video.container.streams.audio)
    if not seconds:
        with open_video(path) as video:
            seconds = max((_time(video, decoded.pts) for decoded in video.frames()), default=Fraction(0))
            seconds += 1 / fps
    fps = min(fps, Fraction(MAX_RATE)).limit_denominator(1001)
    return Clip(path, info.width, info.height, seconds, fps, sound)


def pictures(clip: Clip, fps: Fraction) -> Generator[Image.Image]:
    """Its pictures at `fps`, exactly `clip.frames(fps)`, RGB: each is the one shown in the middle of its
    time. A clip that ends early holds its last picture. Raises BadMedia."""
    count = clip.frames(fps)
    with open_video(clip.path) as video:
        shown, number = None, 0
        for decoded in video.frames():
            until = min(count, ceil(_time(video, decoded.pts) * fps - _HALF))
            if shown is not None and until > number:
                yield from repeat(picture(shown), until - number)
                number = until
            if number == count:
                return
            shown = decoded
        if shown is None:
            raise video.empty()
        yield from repeat(picture(shown), count - number)


def _time(video: Video, pts: int | None) -> Fraction:
    """Seconds after the first picture."""
    base = video.stream.time_base
    return Fraction(0) if pts is None or base is None else pts * base - video.start

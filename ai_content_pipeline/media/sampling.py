"""A few pictures of a clip, spread evenly over it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.media.video import open_video, picture

if TYPE_CHECKING:
    from PIL.Image import Image


def sampled(path: Path, count: int) -> list[Image]:
    """At most `count` pictures, RGB, as displayed: the first of each of `count` equal parts.

    Raises:
        BadMedia: not one can be decoded.
    """
    with open_video(path) as video:
        length = float(video.declared_seconds)
        found: list[Image] = []
        for frame in video.frames():
            shown = 0.0 if frame.time is None else frame.time - float(video.start)
            if shown >= length * len(found) / count:
                found.append(picture(frame))
            if len(found) == count:
                break
        if not found:
            raise video.empty()
        return found

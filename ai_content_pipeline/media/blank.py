"""Results that decode and yet show nothing: black, or the same picture from beginning to end.

Vendors black out what their safety check refuses, and may bill it all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame
    from PIL.Image import Image

_GRID = 16  # rows and columns that are looked at in a frame
_BLACK = 20  # luma of 255; black itself is 16 in most videos
_STILL = 2  # how far a still picture may drift through encoding


class Blank:
    """Told of every picture of a file, it knows whether there is anything to see."""

    def __init__(self) -> None:
        self._first: bytes | None = None
        self._frames = 0
        self._black = True
        self._still = True

    def see(self, frame: VideoFrame) -> None:
        """The next frame of a video; of its luma a few hundred places."""
        plane = frame.planes[0]
        luma, width = memoryview(plane).cast("B"), plane.width
        rows = range(0, plane.height, max(1, plane.height // _GRID))
        across = max(1, width // _GRID)
        lines = (luma[y * plane.line_size : y * plane.line_size + width] for y in rows)
        self._note(b"".join(bytes(line[::across]) for line in lines))

    def see_image(self, image: Image) -> None:
        self._frames += 1
        self._black = not any(image.convert("L").histogram()[_BLACK + 1 :])

    def _note(self, samples: bytes) -> None:
        self._frames += 1
        self._first = self._first or samples
        self._black = self._black and max(samples) <= _BLACK
        self._still = self._still and all(
            abs(now - then) <= _STILL for now, then in zip(samples, self._first, strict=False)
        )

    @property
    def remark(self) -> str | None:
        """What to tell about the file, if anything."""
        if self._frames and self._black:
            return "it is all black: the vendor may have blacked it out"
        if self._frames > 1 and self._still:
            return "nothing moves in it: every frame is the same picture"
        return None

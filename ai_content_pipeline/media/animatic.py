"""Animatics: a camera moves over a still picture, and may dissolve into a second one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from ai_content_pipeline.media.camera import CLOSEST, Move, View, choose_move, ease, path
from ai_content_pipeline.media.captions import Caption, make_caption

MAX_PIXELS = 64_000_000

_DISSOLVE_FROM = 0.4  # share of the clip that shows the start picture alone


@dataclass(frozen=True, slots=True)
class Clip:
    """The frames of an animatic, RGB, drawn one by one whenever they are iterated."""

    count: int
    move: Move
    notes: tuple[str, ...]
    _size: tuple[int, int]
    _start: Image.Image
    _end: Image.Image | None
    _caption: Caption
    _path: Callable[[float], View]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Image.Image]:
        seen, moved = None, self._start
        for index in range(self.count):
            share = index / (self.count - 1) if self.count > 1 else 0.0
            view = self._path(share)
            if view != seen:  # a camera that stands still costs nothing
                seen, moved = view, self._moved(view)
            yield self._finished(moved, share)

    def _moved(self, view: View) -> Image.Image:
        box = view.box(*self._start.size)
        return self._start.resize(self._size, Image.Resampling.BICUBIC, box=box)

    def _finished(self, moved: Image.Image, share: float) -> Image.Image:
        if self._end is not None and share > _DISSOLVE_FROM:
            moved = Image.blend(moved, self._end, ease((share - _DISSOLVE_FROM) / (1 - _DISSOLVE_FROM)))
        if self._caption.strip is None:
            return moved
        captioned = moved.copy()
        self._caption.draw_on(captioned)
        return captioned


def draw_clip(
    image: Image.Image,
    prompt: str,
    *,
    seconds: float,
    fps: float | Fraction = 24,
    width: int,
    height: int,
    seed: int,
    end: Image.Image | None = None,
    caption: bool = False,
) -> Clip:
    """Move a camera over a picture as the prompt says; exactly round(seconds * fps) frames.

    Pictures of another shape are cropped around their middle, never stretched. With `end` the clip
    dissolves into that picture, and its last frame is that picture. Raises ValueError for less than
    one frame and above MAX_PIXELS.
    """
    check_size(width, height)
    count = round(seconds * fps)
    if count < 1:
        raise ValueError(f"{seconds} s at {fps} frames a second is less than one frame")
    rng = seeded("camera", seed, prompt)
    move = choose_move(prompt, rng)
    words = make_caption((width, height), prompt, cover=True) if caption else Caption()
    return Clip(
        count,
        move,
        (words.note,) if words.note else (),
        (width, height),
        fitted(image, width, height, CLOSEST),
        fitted(end, width, height) if end is not None else None,
        words,
        path(move, seconds, rng),
    )


def check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ValueError(f"cannot draw {width}x{height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels")


def seeded(*parts: object) -> random.Random:
    """Chance that is the same for the same parts, in every process."""
    text = ":".join(map(str, parts))
    return random.Random(text.encode("utf-8", "surrogatepass"))  # noqa: S311  drawings, not secrets


def fitted(image: Image.Image, width: int, height: int, reserve: float = 1.0) -> Image.Image:
    """The largest middle part of the shape `width`:`height`, RGB.

    Exactly `width` x `height` pixels; with a `reserve` above 1 up to so many times that, where the
    picture has them, for a camera that comes closer.
    """
    seen = min(image.width / width, image.height / height)
    left = max(0.0, (image.width - width * seen) / 2)
    top = max(0.0, (image.height - height * seen) / 2)
    box = (left, top, image.width - left, image.height - top)
    scale = max(1.0, min(reserve, seen))
    size = (round(width * scale), round(height * scale))
    rgb = image.convert("RGB")
    if size == rgb.size:
        return rgb
    return rgb.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)

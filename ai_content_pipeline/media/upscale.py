"""Pictures and videos with more pixels, by resampling alone: nothing is invented."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image

from ai_content_pipeline.media.animatic import check_size
from ai_content_pipeline.media.encode import encode_video
from ai_content_pipeline.media.playback import pictures, read_clip
from ai_content_pipeline.media.sound import pieces

Size = tuple[int, int]
Watch = Callable[[Iterable[Image.Image]], Iterator[Image.Image]]


def upscale_image(image: Image.Image, size: Size) -> Image.Image:
    """The picture at `size` pixels. Raises ValueError above `animatic.MAX_PIXELS`."""
    check_size(*size)
    return image.resize(size, Image.Resampling.LANCZOS)


def upscale_video(path: Path, out: Path, size: Size, *, watch: Watch) -> None:
    """Write the video at `path` at `size` pixels, with its own rate, length and sound.

    The frames go through `watch` on their way, which may raise to stop. Raises BadMedia, and ValueError
    above `animatic.MAX_PIXELS`.
    """
    check_size(*size)
    clip = read_clip(path)
    frames = (upscale_image(image, size) for image in pictures(clip, clip.fps))
    sound = pieces(path, clip.fps, 0, clip.frames(clip.fps)) if clip.sound else None
    encode_video(watch(frames), out, fps=clip.fps, sound=sound)

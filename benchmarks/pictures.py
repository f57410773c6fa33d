"""Work on pictures: thumbnails against a plain loop, and how long a draft takes to draw."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from benchmarks.measure import Measure

_JPEGS = 24
_SECONDS = 5.0


def benchmark() -> list[Measure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jpegs = [_jpeg(folder / f"{number}.jpg", number) for number in range(_JPEGS)]
        plain = ours = float("inf")
        for _ in range(3):
            plain = min(plain, _cpu(lambda: _plain(jpegs, folder)))
            ours = min(ours, _cpu(lambda: _ours(jpegs, folder)))
        clip = _cpu(lambda: _clip(folder / "clip.mp4"))
    return [
        Measure("thumbnails of JPEGs, of a plain Pillow loop's number", plain / ours, 1.3, "higher"),
        Measure("drawing a draft clip of 5 s (1280x720), of its duration", clip / _SECONDS, 1.0),
    ]


def _cpu(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _jpeg(path: Path, seed: int) -> Path:
    """1376x768 with something to encode: a blurred field of random colours."""
    rng = random.Random(seed)
    small = Image.frombytes("RGB", (43, 24), rng.randbytes(43 * 24 * 3))
    small.resize((1376, 768), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def _plain(jpegs: list[Path], folder: Path) -> None:
    for path in jpegs:
        with Image.open(path) as image:
            image.thumbnail((256, 256))
            image.save(folder / "plain.webp", quality=85)


def _ours(jpegs: list[Path], folder: Path) -> None:
    """What the thumbnail step does with a picture that is not in memory."""
    from ai_content_pipeline.media import images, thumbnails

    for path in jpegs:
        small = thumbnails.thumbnail(images.open_image(path, at_least=(256, 256)), 256)
        thumbnails.save_thumbnail(small, folder / "ours.webp")


def _clip(path: Path) -> None:
    from ai_content_pipeline.media.draft import draw_text_clip
    from ai_content_pipeline.media.video import encode_video

    clip = draw_text_clip("a boat on the sea, slow zoom in", seconds=_SECONDS, width=1280, height=720, seed=1)
    encode_video(clip, path, fps=24)

"""What the files are that a request brings: pictures, clips, or neither."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Frame
from ai_content_pipeline.errors import BadMedia

from .quantities import Source

if TYPE_CHECKING:
    from PIL.Image import Image


def opened(data: bytes) -> Image | None:
    """The picture in `data`, not yet decoded; None when it is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None


def clip_size(data: bytes) -> Source | None:
    from ai_content_pipeline.media.video import probe_video

    try:
        with _as_file(data) as path:
            known = probe_video(path)
    except BadMedia:
        return None
    return Source(known.width, known.height, known.seconds or 0.0)


def first_frame(data: bytes) -> Image | None:
    from ai_content_pipeline.media.video import frame

    try:
        with _as_file(data) as path:
            return frame(path, Frame.FIRST)
    except BadMedia:
        return None


@contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    with TemporaryDirectory(prefix="aicp-sandbox-") as folder:
        path = Path(folder) / "clip"
        path.write_bytes(data)
        yield path

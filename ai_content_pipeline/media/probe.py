"""What a file is and how large, by its content: pictures and videos through one door."""

from __future__ import annotations

from pathlib import Path

from ai_content_pipeline.artifacts import MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.blank import Blank
from ai_content_pipeline.media.magic import first_bytes, is_video, likeness, opened, picture_type


def probe(path: Path) -> MediaInfo:
    """Type and size from the header: cheap, and no proof that the rest is sound. Raises BadMedia."""
    with opened(path) as file:
        start = first_bytes(file)
        if picture_type(start):
            from ai_content_pipeline.media.images import probe_image

            return probe_image(path, file=file)
    _check_video(path, start)
    from ai_content_pipeline.media.video import probe_video

    return probe_video(path)


def verify(path: Path, blank: Blank | None = None) -> MediaInfo:
    """The same, but everything is decoded: what passes can be used. `blank` is told of every picture.

    Raises BadMedia.
    """
    with opened(path) as file:
        start = first_bytes(file)
        if picture_type(start):
            from ai_content_pipeline.media.images import verify_image

            return verify_image(path, blank, file=file)
    _check_video(path, start)
    from ai_content_pipeline.media.video import verify_video

    return verify_video(path, blank)


def _check_video(path: Path, start: bytes) -> None:
    if not is_video(start):
        raise BadMedia(
            f"{path}: neither a picture nor a video that can be used; it looks like {likeness(start)}",
            hint="use PNG, JPEG, WEBP, MP4, MOV or WebM",
        )

"""Pictures as models take them: RGB, of exactly the right shape, by cropping and never by stretching."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import SUFFIXES, Frame
from ai_content_pipeline.catalog.sizes import fitted
from ai_content_pipeline.errors import BadMedia

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
Locate = Callable[[str], Path]

#: Both models work on blocks of this many pixels.
MULTIPLE = 16
_LEAST = 8  # pixels a side: less is no picture to go by
_WIDEST = 4.0  # longer shapes have too few pixels the other way

_VIDEOS = frozenset(suffix for media_type, suffix in SUFFIXES.items() if media_type.startswith("video/"))


def picture(locate: Locate, content: str) -> Image:
    """The stored picture (or first frame) of that content: upright, RGB, transparency over white.

    Raises:
        BadMedia: it cannot be read.
    """
    from ai_content_pipeline.media import images, video
    from ai_content_pipeline.media.colour import flatten

    path = locate(content)
    if path.suffix in _VIDEOS:
        return video.frame(path, Frame.FIRST)
    return flatten(images.open_image(path))


def size_like(image: Image, area: int) -> Size:
    """The size at which a model of `area` pixels works on `image`.

    Raises:
        BadMedia: the picture is too small, or too long for its width.
    """
    check_shape(image)
    if max(image.size) > _WIDEST * min(image.size):
        raise BadMedia(
            f"the picture is {image.width}x{image.height} pixels; shapes up to {_WIDEST:g}:1 are followed",
            hint="set width and height, and the middle of it is used, or crop it",
        )
    return fitted(area, image.size, MULTIPLE)


def check_shape(image: Image) -> None:
    """Raises BadMedia for a picture of a few pixels."""
    if min(image.size) < _LEAST:
        raise BadMedia(
            f"the picture is {image.width}x{image.height} pixels; at least {_LEAST} a side are needed",
            hint="use a larger picture",
        )


def covering(size: Size, multiple: int = MULTIPLE) -> Size:
    """The smallest size of whole blocks that covers `size`."""
    width, height = (-(-side // multiple) * multiple for side in size)
    return width, height


def cropped(image: Image, size: Size) -> Image:
    """The middle of `image` in the shape of `size`, scaled to it."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    if image.size == size:
        return image
    return ImageOps.fit(image, size, method=Pillow.Resampling.LANCZOS)


def middle(image: Image, size: Size) -> Image:
    """What is left of `image` when its edges are cut down to `size`."""
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return image if image.size == size else image.crop((left, top, left + size[0], top + size[1]))

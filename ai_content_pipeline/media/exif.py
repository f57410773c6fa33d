"""What a picture's file says beside its pixels, as far as it matters to whoever hands the file on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_FORMATS = ("PNG", "JPEG", "WEBP")
_ORIENTATION = 0x0112
_PLACE = 0x8825
_UPRIGHT = (None, 1)


@dataclass(frozen=True, slots=True)
class Marks:
    """`turned`: only the file's orientation tag makes it upright. `located`: it says where it was taken."""

    turned: bool = False
    located: bool = False


def marks(path: Path) -> Marks:
    """The marks of a picture that is known to open; none where its EXIF block cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size was checked before, and odd blocks are common
            with Image.open(path, formats=_FORMATS) as image:
                exif = image.getexif()
                orientation, located = exif.get(_ORIENTATION), _PLACE in exif
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Marks()
    return Marks(orientation not in _UPRIGHT and orientation in range(2, 9), located)

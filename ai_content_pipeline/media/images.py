"""Pictures: open whatever people and vendors send as upright sRGB, and write it.

Files are hostile. Only PNG, JPEG and WEBP are read, decided by content, each by its own decoder; the
size is checked before a pixel is decoded. Whatever is wrong with a file becomes BadMedia.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ai_content_pipeline.artifacts import Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.blank import Blank
from ai_content_pipeline.media.colour import to_srgb
from ai_content_pipeline.media.magic import first_bytes, likeness, opened, picture_type

MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 512 * 1024 * 1024  # MAX_PIXELS of 16-bit RGBA, uncompressed

# Not Image.open: it warns of size where we refuse, loads every plugin, and may choose another one.
_READERS: dict[str, type[ImageFile]] = {
    "image/png": PngImageFile,
    "image/jpeg": JpegImageFile,
    "image/webp": WebPImageFile,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = 5  # from this orientation on, width and height change places
_ORIENTATION_TAG = 0x0112
_EXIF_BYTES = 65_536  # all that JPEG has room for
#: What Pillow raises for damaged files, SyntaxError (a bad PNG) included.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, OverflowError, MemoryError)
_AGAIN = "make or download the file again"
# Warning filters belong to the whole process, so two threads must not swap them at once.
_FILTERS = threading.Lock()


def open_image(
    path: Path, *, max_pixels: int = MAX_PIXELS, at_least: tuple[int, int] | None = None
) -> Image.Image:
    """The picture (the first frame of an animated one): upright, sRGB, RGB or RGBA, no metadata.

    `at_least` (width, height of the upright picture) allows a JPEG to be decoded smaller, but not
    below that size, which is several times as fast.

    Raises BadMedia for anything but a sound PNG, JPEG or WEBP of at most `max_pixels`.
    """
    with _opened(path, max_pixels) as stored:
        if at_least:
            stored.image.draft(None, at_least[::-1] if stored.on_its_side else at_least)
        stored.image.load()
        image = to_srgb(stored.image)
        turn = _TURNS.get(stored.orientation)
    return image if turn is None else image.transpose(turn)


def probe_image(path: Path, *, file: BinaryIO | None = None, max_pixels: int = MAX_PIXELS) -> MediaInfo:
    """Type and displayed size, from the header alone; `file` is `path` where it is open already.

    Raises BadMedia as `open_image` does.
    """
    with _opened(path, max_pixels, file) as stored:
        return stored.info


def verify_image(
    path: Path,
    blank: Blank | None = None,
    *,
    file: BinaryIO | None = None,
    max_pixels: int = MAX_PIXELS,
) -> MediaInfo:
    """The same, after every pixel was decoded; `blank` is told of it. Raises BadMedia as `open_image`."""
    with _opened(path, max_pixels, file) as stored:
        stored.image.load()
        if blank is not None:
            blank.see_image(to_srgb(stored.image))
        return stored.info


def save_png(image: Image.Image, path: Path) -> None:
    """Write an sRGB PNG without metadata (no EXIF, so no place of exposure).

    Lightly compressed: three times as fast as Pillow's default for a tenth more bytes.
    """
    to_srgb(image).save(path, "PNG", compress_level=1)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A picture file whose header was read and found acceptable."""

    image: ImageFile
    media_type: str
    orientation: int

    @property
    def on_its_side(self) -> bool:
        return self.orientation >= _ON_ITS_SIDE

    @property
    def info(self) -> MediaInfo:
        width, height = self.image.size
        if self.on_its_side:
            width, height = height, width
        return MediaInfo(Kind.IMAGE, self.media_type, width, height)


@contextmanager
def _opened(path: Path, max_pixels: int, known: BinaryIO | None = None) -> Iterator[_Stored]:
    """Read the header; what Pillow says against the file, now or in the body, becomes BadMedia."""
    with opened(path) if known is None else nullcontext(known) as file:
        media_type = _accepted_type(path, file)
        try:
            with _FILTERS, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd EXIF is none of the user's concern
                image = _READERS[media_type](file)
            if image.width * image.height > max_pixels:
                raise _too_large(path, f"{image.width}x{image.height}", max_pixels)
            yield _Stored(image, media_type, _orientation(_exif(image, file)))
        except Image.DecompressionBombError as error:  # only WEBP's reader looks by itself
            raise _too_large(path, "too many", max_pixels) from error
        except _DAMAGED as error:
            name = media_type.removeprefix("image/").upper()
            raise BadMedia(f"{path}: damaged {name} ({error})", hint=_AGAIN) from error


def _accepted_type(path: Path, file: BinaryIO) -> str:
    start = first_bytes(file)
    media_type = picture_type(start)
    if media_type is None:
        raise BadMedia(
            f"{path}: not a picture that can be used; it looks like {likeness(start)}",
            hint="use PNG, JPEG or WEBP",
        )
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > MAX_FILE_BYTES:
        raise BadMedia(f"{path}: {size >> 20} MiB; at most {MAX_FILE_BYTES >> 20} MiB are accepted")
    return media_type


def _too_large(path: Path, size: str, max_pixels: int) -> BadMedia:
    return BadMedia(
        f"{path}: {size} pixels; at most {max_pixels / 1e6:g} megapixels are accepted",
        hint="make it smaller first",
    )


def _exif(image: ImageFile, file: BinaryIO) -> bytes:
    """The raw EXIF block, empty where there is none."""
    if not isinstance(image, PngImageFile):
        return bytes(image.info.get("exif", b""))
    position = file.tell()
    try:
        return _png_exif(file)
    finally:
        file.seek(position)


def _png_exif(file: BinaryIO) -> bytes:
    """A PNG may carry its EXIF behind the pixels, where Pillow finds it only by decoding them."""
    file.seek(8)
    while len(start := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", start)
        if name == b"eXIf":
            return file.read(min(length, _EXIF_BYTES))
        file.seek(length + 4, os.SEEK_CUR)
    return b""


def _orientation(exif: bytes) -> int:
    """1 to 8 as EXIF counts; 1 (upright) where the block has none or is damaged."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(order + "H6xH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return value if value in _TURNS else 1
    except struct.error:
        return 1
    return 1

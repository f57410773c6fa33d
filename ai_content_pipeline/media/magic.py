"""What a file is, judged by its first bytes. Its name and its suffix are never believed."""

from __future__ import annotations

import codecs
import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ai_content_pipeline.errors import BadMedia

HEAD_BYTES = 1024

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_SMALL = 1 << 18  # bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_EBML = b"\x1a\x45\xdf\xa3"  # WebM and Matroska
_OLD_QUICKTIME = {b"moov", b"mdat", b"wide"}  # files from before `ftyp`
#: Major brands of ISO files that hold a still or sound.
_ISO_NOT_VIDEO = {
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"crx ": "a camera raw file",
    b"M4A ": "a sound file",
    b"M4B ": "a sound file",
}
#: Only to tell people what they gave us; nothing of this is ever opened.
_REFUSED = (
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"8BPS", "a Photoshop file"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"%PDF", "a PDF file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\xd7\xcd\xc6\x9a", "a WMF drawing"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\1\0", "an icon"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"RIFF", "an AVI or WAV file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
)
#: Compared with the text in lower case, after white space and a byte order mark.
_REFUSED_TEXT = (
    (b"ffconcat", "an ffconcat list, which names other files"),
    (b"#extm3u", "an m3u8 playlist, which names other files"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML document"),
    (b"{", "JSON"),
)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file (or a link to one), open for reading.

    Raises BadMedia for anything else: missing, not readable, a folder, a pipe, a device.
    """
    try:
        file = _regular(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadMedia(f"{path}: cannot be opened ({reason})") from error
    with file:
        yield file


def _regular(path: Path) -> BinaryIO:
    """The file; a small one in memory: decoders look back and forth, and each time they ask the system."""
    # Without waiting: a pipe that nobody writes to would hang the run before anyone can look at it.
    descriptor = os.open(path, _READ)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size > _SMALL:
        return os.fdopen(descriptor, "rb")
    try:
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise BadMedia(f"{path}: not a regular file")
        return io.BytesIO(os.read(descriptor, found.st_size))
    finally:
        os.close(descriptor)


def first_bytes(file: BinaryIO) -> bytes:
    """The first bytes; the file is left at its start."""
    start = file.read(HEAD_BYTES)
    file.seek(0)
    return start


def picture_type(head: bytes) -> str | None:
    """The media type of a PNG, JPEG or WEBP; None for everything else."""
    if head.startswith(_PNG):
        return "image/png"
    if head.startswith(_JPEG):
        return "image/jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def is_video(head: bytes) -> bool:
    """Whether this may be MP4, QuickTime, WebM or Matroska."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _ISO_NOT_VIDEO
    return head[4:8] in _OLD_QUICKTIME or head.startswith(_EBML)


def likeness(head: bytes) -> str:
    """What a file looks like, in words of our own: nothing out of the file is quoted."""
    if not head:
        return "an empty file"
    if picture_type(head):
        return "a picture"
    if is_video(head):
        return "a video"
    if head[4:8] == b"ftyp":
        return _ISO_NOT_VIDEO[head[8:12]]
    known = (words for magic, words in _REFUSED if head.startswith(magic))
    return next(known, None) or _text_likeness(head) or "data of an unknown kind"


def _text_likeness(head: bytes) -> str | None:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith(b"<") and b"<svg" in text:
        return "an SVG drawing"
    known = (words for magic, words in _REFUSED_TEXT if text.startswith(magic))
    return next(known, None) or ("text" if _is_text(head) else None)


def _is_text(head: bytes) -> bool:
    try:
        # Incremental: the last character may be cut in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)

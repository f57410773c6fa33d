"""Find a font that can draw a text, whatever its script, among those of the machine.

Pillow's own font comes first, so that a text it covers looks the same on every machine; then the
system's fonts in a fixed order. A font is judged by its character map (the sfnt table ``cmap``), which
Pillow does not show and which is small enough to read here: formats 4 and 12 of the OpenType
specification, the two that fonts use for Unicode.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import BinaryIO

from PIL import ImageFont

_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}
_MAX_FILES = 5_000
_MAX_CMAP_BYTES = 4_000_000
_FAMILIES = (
    "notosans",
    "dejavusans",
    "liberationsans",
    "arial",
    "segoeui",
    "helvetica",
    "pingfang",
    "hiragino",
)
# A plain upright text face reads best; each of these words in a name moves a font back.
_LESS_PLAIN = (
    "bold", "italic", "oblique", "mono", "serif", "condensed", "light", "thin", "black", "narrow",
    "medium", "heavy", "extra", "symbol", "math", "display", "hand", "script", "unifont",
)  # fmt: skip
# These claim every character and draw boxes or nothing.
_PLACEHOLDERS = ("lastresort", "blank", "tofu", "emoji")


@dataclass(frozen=True, slots=True)
class Face:
    """A font file; `path` None is Pillow's own font."""

    path: Path | None

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at `size` pixels: a new object each time, as FreeType's are not for many threads.

        Pillow shapes with Raqm (right to left, joined scripts) where it is there, else simply.
        """
        if self.path is not None:
            return ImageFont.truetype(str(self.path), size)
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font

    def missing(self, text: str) -> set[str]:
        """The characters of `text` that this font has no glyph for."""
        coverage = _coverage(self.path)
        return {character for character in set(text) if not coverage.has(ord(character))}


def face_for(text: str) -> Face | None:
    """The first font that has a glyph for every letter, mark and digit of `text`; None without one.

    Punctuation and symbols may be missing: the caller leaves those out.
    """
    letters = "".join(sorted({c for c in text if unicodedata.category(c)[0] in "LMN"}))
    return _face_for_letters(letters)


@lru_cache(maxsize=1024)
def _face_for_letters(letters: str) -> Face | None:
    faces = (Face(path) for path in (None, *_system_fonts()))
    return next((face for face in faces if not face.missing(letters)), None)


def font_folders() -> list[Path]:
    """Where this system keeps fonts; some may not exist."""
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData/Local"))
        return [Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"), Path(local, "Microsoft/Windows/Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        home / ".local/share/fonts",
        home / ".fonts",
    ]


@cache
def _system_fonts() -> tuple[Path, ...]:
    """Font files, the plainest first; the same order whatever the file system says."""
    found = [
        Path(root, name)
        for folder in font_folders()
        for root, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in _SUFFIXES and not any(word in name.lower() for word in _PLACEHOLDERS)
    ]
    found.sort(key=_order)
    return tuple(found[:_MAX_FILES])


def _order(path: Path) -> tuple[bool, int, str, str]:
    name = path.name.lower().replace("-", "").replace(" ", "")
    return (not name.startswith(_FAMILIES), sum(word in name for word in _LESS_PLAIN), name, str(path))


@dataclass(frozen=True, slots=True)
class _Coverage:
    """Sorted, disjoint ranges of code points, both ends inside."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def has(self, code: int) -> bool:
        index = bisect_left(self.ends, code)
        return index < len(self.ends) and self.starts[index] <= code


_NOTHING = _Coverage((), ())


@cache
def _coverage(path: Path | None) -> _Coverage:
    """What a font covers; nothing for a file that is no outline font or is damaged."""
    try:
        if path is not None:
            with path.open("rb") as file:
                return _read_coverage(file)
        font = ImageFont.load_default(16)
        source = getattr(font, "path", None)
        return _read_coverage(source) if isinstance(source, io.BytesIO) else _NOTHING
    except (OSError, struct.error, IndexError):
        return _NOTHING


def _read_coverage(file: BinaryIO) -> _Coverage:
    tables = _tables(file)
    if not {"glyf", "CFF ", "CFF2"} & tables.keys() or "cmap" not in tables:
        return _NOTHING  # bitmaps (colour emoji) come in fixed sizes only
    offset, length = tables["cmap"]
    file.seek(offset)
    cmap = file.read(min(length, _MAX_CMAP_BYTES))
    codes = sorted(set(_best_subtable(cmap)))
    starts: list[int] = []
    ends: list[int] = []
    for start, end in codes:
        if ends and start <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return _Coverage(tuple(starts), tuple(ends))


def _tables(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """Offset and length of each table of the file's first font."""
    file.seek(0)
    start = 0
    if file.read(4) == b"ttcf":
        file.seek(12)
        (start,) = struct.unpack(">I", file.read(4))
    file.seek(start + 4)
    (count,) = struct.unpack(">H", file.read(2))
    file.seek(start + 12)
    records = struct.iter_unpack(">4s4xII", file.read(16 * min(count, 256)))
    return {tag.decode("latin-1"): (offset, length) for tag, offset, length in records}


def _best_subtable(cmap: bytes) -> Iterator[tuple[int, int]]:
    """Ranges of the widest Unicode subtable."""
    (count,) = struct.unpack_from(">H", cmap, 2)
    readers = {}
    for index in range(min(count, 64)):
        platform, encoding, offset = struct.unpack_from(">HHI", cmap, 4 + 8 * index)
        (kind,) = struct.unpack_from(">H", cmap, offset)
        if platform == 0 or (platform, encoding) in {(3, 1), (3, 10)}:
            readers[kind] = offset
    if 12 in readers:
        return _format_12(cmap, readers[12])
    return _format_4(cmap, readers[4]) if 4 in readers else iter(())


def _format_12(cmap: bytes, offset: int) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">I", cmap, offset + 12)
    groups = cmap[offset + 16 : offset + 16 + 12 * count]
    for start, end, glyph in struct.iter_unpack(">III", groups[: len(groups) // 12 * 12]):
        if start <= end <= sys.maxunicode:
            yield (start + (glyph == 0), end)


def _format_4(cmap: bytes, offset: int) -> Iterator[tuple[int, int]]:
    (double,) = struct.unpack_from(">H", cmap, offset + 6)
    columns = struct.Struct(f">{double // 2}H")
    ends = columns.unpack_from(cmap, offset + 14)
    starts = columns.unpack_from(cmap, offset + 16 + double)
    deltas = columns.unpack_from(cmap, offset + 16 + 2 * double)
    range_at = offset + 16 + 3 * double
    ranges = columns.unpack_from(cmap, range_at)
    last = -1
    for index, (start, end, delta, reach) in enumerate(zip(starts, ends, deltas, ranges, strict=True)):
        begin, last = max(start, last + 1), max(end, last)  # segments ascend; a damaged table's may not
        for code in range(begin, end + 1):
            glyph = code
            if reach:
                at = range_at + 2 * index + reach + 2 * (code - start)
                (glyph,) = struct.unpack_from(">H", cmap, at)
            if reach == 0 or glyph:
                glyph = (glyph + delta) & 0xFFFF
            if glyph:
                yield (code, code)

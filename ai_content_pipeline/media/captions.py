"""Captions on pictures: clean the text, break it into lines that fit, set it into a darkened strip."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ai_content_pipeline.media.fonts import Face, face_for

#: The margin beside and below the text, as a share of the size.
TITLE_SAFE = 0.1
MAX_CHARACTERS = 600

_MIN_SIZE = (160, 100)
_JOINERS = "\u200c\u200d"  # Persian and the Indic scripts spell with them
_PAPER = (250, 248, 242)
_AMBER = (255, 190, 108)
_SHADE = (10, 11, 16)


def clean(text: str) -> str:
    """One line of printable text: no control, format (bidi) or private characters, single spaces."""
    kept = []
    for character in unicodedata.normalize("NFC", text[: 4 * MAX_CHARACTERS]):
        if character.isspace():
            kept.append(" ")
        elif unicodedata.category(character)[0] != "C" or character in _JOINERS:
            kept.append(character)
    return " ".join("".join(kept).split())[:MAX_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Caption:
    """A strip (RGBA, as wide as the picture) for its bottom edge, or a note why there is none."""

    strip: Image.Image | None = None
    note: str | None = None

    def draw_on(self, image: Image.Image) -> None:
        """Set the caption into `image`, in place."""
        if self.strip is not None:
            image.paste(self.strip, (0, image.height - self.strip.height), self.strip)


def make_caption(size: tuple[int, int], text: str, *, label: str = "", cover: bool = False) -> Caption:
    """The caption for a picture of `size` pixels: `text` in one or two lines, a small `label` above.

    `cover` makes the strip dark enough to hide a caption that the picture already has.
    """
    text, label = clean(text), clean(label)
    if not text and not label:
        return Caption()
    face = face_for(text + label)
    if face is None:
        return Caption(note="no caption: no font on this machine has the letters of this prompt")
    if size[0] < _MIN_SIZE[0] or size[1] < _MIN_SIZE[1]:
        return Caption(note=f"no caption: {size[0]}x{size[1]} pixels are too few for it")
    return Caption(_Typesetter(size, face).strip(text, label.upper(), cover=cover))


class _Typesetter:
    """Sets captions for pictures of one size."""

    def __init__(self, size: tuple[int, int], face: Face) -> None:
        self.width, self.height = size
        self.face = face
        self.size = max(11, round(min(self.height * 0.05, self.width * 0.035 + 6)))
        self.margin = round(self.width * TITLE_SAFE)

    def strip(self, text: str, label: str, *, cover: bool) -> Image.Image:
        font, small = self.face.at(self.size), self.face.at(max(9, round(self.size * 0.62)))
        text, label = self._drawable(text), self._drawable(label)
        rows = self._rows(text, font, 2)
        leading = round(self.size * 1.28)
        top = round(self.size * (2.4 if label else 1.6))
        height = top + leading * len(rows) + round(self.height * TITLE_SAFE)
        strip = _shade((self.width, height), top, 240 if cover else 150)
        draw = ImageDraw.Draw(strip)
        x, anchor = (self.width - self.margin, "ra") if _is_right_to_left(text) else (self.margin, "la")
        for title in self._rows(label, small, 1):
            draw.text((x, top - round(self.size * 0.92)), title, _AMBER, small, anchor)
        for index, row in enumerate(rows):
            draw.text((x, top + index * leading), row, _PAPER, font, anchor)
        return strip

    def _rows(self, text: str, font: ImageFont.FreeTypeFont, lines: int) -> list[str]:
        """As few lines as it takes, of about the same length."""
        dots = "..." if self.face.missing("…") else "…"

        def rows(share: float) -> list[str]:
            room = (self.width - 2 * self.margin) * share
            return wrap(text, lambda row: font.getlength(row) <= room, lines, dots)

        widest = rows(1)
        even = (narrow for narrow in map(rows, (0.55, 0.65, 0.75, 0.85)) if " ".join(narrow) == text)
        return next((narrow for narrow in even if len(narrow) == len(widest)), widest)

    def _drawable(self, text: str) -> str:
        missing = self.face.missing(text)
        return " ".join("".join(c for c in text if c not in missing).split())


def wrap(text: str, fits: Callable[[str], bool], lines: int, ellipsis: str) -> list[str]:
    """Break `text` at spaces, inside a word only where it is wider than a line; the rest is cut.

    A text cut short ends in `ellipsis`.
    """
    rows: list[str] = []
    rest = text
    while rest and len(rows) < lines:
        end = _fitting(rest, fits)
        rows.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        last = rows[-1]
        while last and not fits(last + ellipsis):
            last = last[:-1]
        rows[-1] = last.rstrip(" ,.;:") + ellipsis
    return rows


def _fitting(text: str, fits: Callable[[str], bool]) -> int:
    """How many characters of `text` make the longest line that fits; at least one."""
    if fits(text):
        return len(text)
    low, high = 1, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle)
    space = text.rfind(" ", 0, low + 1)
    if space > 0:
        return space
    while low > 1 and (unicodedata.category(text[low])[0] == "M" or text[low] in _JOINERS):
        low -= 1  # an accent or a vowel sign stays with its letter
    return low


def _is_right_to_left(text: str) -> bool:
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((d for d in directions if d in {"L", "R", "AL"}), "L") != "L"


def _shade(size: tuple[int, int], text_top: int, opacity: int) -> Image.Image:
    """Transparent at the top, `opacity` of 255 from `text_top` on: 150 lets white text read on snow."""
    ramp = Image.new("L", (1, size[1]))
    ramp.putdata(
        [min(255, round(opacity * min(1, y / text_top) ** 1.3 + 50 * y / size[1])) for y in range(size[1])]
    )
    shade = Image.new("RGBA", size, (*_SHADE, 0))
    shade.putalpha(ramp.resize(size))
    return shade

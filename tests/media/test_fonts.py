from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.media import fonts
from ai_content_pipeline.media.fonts import Face, face_for

CACHES = (fonts._system_fonts, fonts._coverage, fonts._face_for_letters)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only font folder of this machine."""
    monkeypatch.setattr(fonts, "font_folders", lambda: [tmp_path])
    for cached in CACHES:
        cached.cache_clear()
    yield tmp_path
    for cached in CACHES:
        cached.cache_clear()


def sfnt(cmap: bytes, outlines: bytes = b"glyf") -> bytes:
    """A font file of two tables."""
    tables = ((b"cmap", cmap), (outlines, b""))
    offset = 12 + 16 * len(tables)
    records = b"".join(struct.pack(">4sIII", tag, 0, offset, len(data)) for tag, data in tables)
    return struct.pack(">IHHHH", 0x10000, len(tables), 0, 0, 0) + records + cmap


def format_12(*groups: tuple[int, int, int]) -> bytes:
    body = b"".join(struct.pack(">III", *group) for group in groups)
    table = struct.pack(">HHIII", 12, 0, 16 + len(body), 0, len(groups)) + body
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + table


def format_4(*segments: tuple[int, int, int, int], glyphs: tuple[int, ...] = ()) -> bytes:
    """Segments of start, end, delta and range offset; the last one must end at 0xFFFF."""
    count = len(segments)
    starts, ends, deltas, ranges = zip(*segments, strict=True)
    columns = struct.Struct(f">{count}H")
    table = struct.pack(">HHHHHHH", 4, 0, 0, count * 2, 0, 0, 0) + columns.pack(*ends) + b"\0\0"
    table += columns.pack(*starts) + columns.pack(*deltas) + columns.pack(*ranges)
    table += struct.pack(f">{len(glyphs)}H", *glyphs)
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + table


def font_of(characters: str) -> bytes:
    return sfnt(format_12(*((ord(c), ord(c), 5) for c in sorted(characters))))


def test_latin_is_drawn_with_the_font_that_every_machine_has(folder: Path) -> None:
    """Pillow's own font comes first, so plain prompts look the same everywhere."""
    text = "Panel 1: “Coffee shop” meet-cute…"
    (folder / "NotoSans-Regular.ttf").write_bytes(font_of("".join(set(text))))
    assert face_for(text) == Face(None)


def test_coverage_of_the_bundled_font_is_what_pillow_draws() -> None:
    """A character is missing exactly when Pillow would draw the box for a missing glyph."""
    font = Face(None).at(24)
    box = bytes(font.getmask("\U0010fffe"))
    characters = [chr(code) for code in range(0x21, 0x250) if chr(code).isprintable()]
    boxed = {character for character in characters if bytes(font.getmask(character)) == box}
    assert Face(None).missing("".join(characters)) == boxed
    assert "é" in boxed, "or the test says nothing"


def test_a_system_font_is_found_by_its_glyphs(folder: Path) -> None:
    """The names of the files do not matter, what they cover does."""
    (folder / "japanese.ttf").write_bytes(font_of("こんにちは"))
    (folder / "deep").mkdir()
    (folder / "deep" / "greek.otf").write_bytes(font_of("καλημέρ"))
    assert face_for("こんにちは") == Face(folder / "japanese.ttf")
    assert face_for("καλημέρα") == Face(folder / "deep" / "greek.otf")
    assert face_for("こんにちは καλημέρα") is None


@pytest.mark.parametrize("text", ["नमस्ते", "مرحبا", "日本", "🙂ß"])
def test_without_a_font_there_is_none(folder: Path, text: str) -> None:
    """No guess is made: the caller leaves the caption out."""
    assert face_for(text) is None


def test_symbols_do_not_decide(folder: Path) -> None:
    """An emoji in an English prompt costs the emoji, not the caption."""
    assert face_for("coffee ☕ time 🙂") == Face(None)
    assert Face(None).missing("coffee ☕ time 🙂") == {"☕", "🙂"}


def test_plain_text_faces_come_first_whatever_the_disk_says(folder: Path) -> None:
    """The choice is a rule: known families, then upright regular faces, then the alphabet."""
    names = ["zeta.ttf", "Alpha-BoldItalic.ttf", "Alpha.ttf", "NotoSans-Bold.ttf", "NotoSans-Regular.ttf"]
    for name in names:
        (folder / name).write_bytes(font_of("ж"))
    found = []
    for _ in range(len(names)):
        face = face_for("ж")
        assert face is not None
        assert face.path is not None
        found.append(face.path.name)
        face.path.unlink()
        for cached in CACHES:
            cached.cache_clear()
    assert found == [
        "NotoSans-Regular.ttf",
        "NotoSans-Bold.ttf",
        "Alpha.ttf",
        "zeta.ttf",
        "Alpha-BoldItalic.ttf",
    ]


def test_fonts_that_only_pretend_are_passed_over(folder: Path) -> None:
    """Placeholder fonts claim every character; bitmap fonts have no size but their own."""
    for name in ("LastResort.otf", "AdobeBlank.ttf", "NotoColorEmoji.ttf"):
        (folder / name).write_bytes(font_of("ж"))
    (folder / "bitmaps.ttf").write_bytes(sfnt(format_12((0x436, 0x436, 5)), outlines=b"CBDT"))
    assert face_for("ж") is None


def test_glyph_zero_is_no_glyph(folder: Path) -> None:
    """Both table formats can list a character and still have nothing for it."""
    segments = ((0x430, 0x432, 3, 6), (0x440, 0x441, 10, 0), (0xFFFF, 0xFFFF, 1, 0))
    (folder / "four.ttf").write_bytes(sfnt(format_4(*segments, glyphs=(7, 0, 8))))
    (folder / "twelve.ttf").write_bytes(sfnt(format_12((0x450, 0x452, 0))))
    assert Face(folder / "four.ttf").missing("абврс") == {"б"}
    assert Face(folder / "twelve.ttf").missing("ѐёђ") == {"ѐ"}


def test_collections_are_read(folder: Path) -> None:
    """The first font of a .ttc is the one Pillow opens."""
    inner = bytearray(font_of("ж"))
    for record in (0, 1):  # offsets count from the start of the file
        at = 12 + 16 * record + 8
        inner[at : at + 4] = struct.pack(">I", struct.unpack_from(">I", inner, at)[0] + 16)
    (folder / "two.ttc").write_bytes(struct.pack(">4sIII", b"ttcf", 0x10000, 1, 16) + inner)
    assert face_for("ж") == Face(folder / "two.ttc")


@given(st.binary(max_size=400), st.integers(0, 400))
def test_damaged_fonts_cover_nothing_and_harm_nothing(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    """Whatever bytes a font file holds, it is read without an error."""
    whole = sfnt(format_4((0x430, 0x432, 0, 6), (0xFFFF, 0xFFFF, 1, 0), glyphs=(7, 0, 8)))
    path = tmp_path_factory.getbasetemp() / "noise.ttf"
    for data in (noise, whole[:at], whole[:at] + noise):
        path.write_bytes(data)
        fonts._coverage.cache_clear()
        assert Face(path).missing("\U0010fffe") == {"\U0010fffe"}


def test_every_caller_gets_its_own_font_object() -> None:
    """FreeType faces are not for several threads."""
    assert Face(None).at(20) is not Face(None).at(20)

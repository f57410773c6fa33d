from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ai_content_pipeline.media import captions, fonts
from ai_content_pipeline.media.captions import MAX_CHARACTERS, TITLE_SAFE, Caption, clean, make_caption, wrap

LOVE = "Coffee cups steam, eyes meet across table, gentle smile"


def test_clean_keeps_one_line_of_visible_text() -> None:
    """Control, escape, bidi and zero-width characters have no business in a caption."""
    dirty = "\x1b[31mred\x00\x07\r\n\tcat\u202e\u2066 evil\u2069 \ufeffend\u200b\ue000"
    assert clean(dirty) == "[31mred cat evil end"


def test_clean_keeps_the_joiners_that_scripts_spell_with() -> None:
    """Persian and the Indic scripts need the zero-width (non-)joiner."""
    assert clean("می\u200cخواهم") == "می\u200cخواهم"


@given(st.text())
def test_clean_text_is_short_printable_and_stable(text: str) -> None:
    """Cleaning twice changes nothing, and no control character is left."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert len(cleaned) <= MAX_CHARACTERS
    assert not any(unicodedata.category(c)[0] == "C" and c not in "\u200c\u200d" for c in cleaned)
    assert cleaned == cleaned.strip()


@given(st.text(alphabet="ab cдкに\u0301", max_size=80), st.integers(1, 12), st.integers(1, 4))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int, lines: int) -> None:
    """Every line fits; together they are the text, or its beginning and an ellipsis."""
    text = " ".join(text.split())
    rows = wrap(text, lambda row: len(row) <= width, lines, "…")
    assert len(rows) <= lines
    assert all(len(row) <= width for row in rows)
    joined = "".join(rows).replace(" ", "")
    if joined.endswith("…"):
        assert text.replace(" ", "").startswith(joined[:-1])
    else:
        assert joined == text.replace(" ", "")


@pytest.mark.parametrize("character", ["x", "\u0958", "e\u0301"])
def test_clean_text_is_short_however_long_the_prompt(character: str) -> None:
    """What composing or decomposing makes of it counts."""
    assert len(clean(character * 50_000)) == MAX_CHARACTERS


def test_lines_break_at_spaces() -> None:
    """Words stay whole where they fit."""
    assert wrap("one two three four", lambda row: len(row) <= 9, 9, "…") == ["one two", "three", "four"]


def test_accents_stay_with_their_letters() -> None:
    """A word too wide for the line is not cut between a letter and its mark."""
    rows = wrap("ककिकिकि", lambda row: len(row) <= 4, 9, "…")
    assert rows == ["ककि", "किकि"]


def text_box(caption: Caption, threshold: int = 200) -> tuple[int, int, int, int]:
    """Where the light pixels of a strip are."""
    assert caption.strip is not None
    box = caption.strip.convert("L").point(lambda level: 255 * (level > threshold)).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("size", [(688, 384), (1280, 720), (360, 640), (640, 640), (160, 100), (1376, 500)])
def test_text_stays_inside_the_margin(size: tuple[int, int]) -> None:
    """The title-safe margin is free on every side, however long the prompt."""
    caption = make_caption(size, LOVE * 5, label="Panel 1")
    left, _, right, bottom = text_box(caption)
    assert caption.strip is not None
    assert left >= round(size[0] * TITLE_SAFE) - 1
    assert right <= size[0] - round(size[0] * TITLE_SAFE) + 1
    assert bottom <= caption.strip.height - round(size[1] * TITLE_SAFE)
    assert caption.strip.height < size[1]


def test_right_to_left_text_stands_at_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines begin where its readers begin."""
    monkeypatch.setattr(captions, "face_for", lambda text: fonts.Face(None))
    monkeypatch.setattr(fonts.Face, "missing", lambda self, text: set())
    arabic, latin = make_caption((640, 360), "سلام"), make_caption((640, 360), "peace")
    margin = round(640 * TITLE_SAFE)
    assert abs(text_box(arabic)[2] - (640 - margin)) <= 3
    assert abs(text_box(latin)[0] - margin) <= 3


def test_caption_darkens_only_the_bottom() -> None:
    """The picture above the strip is untouched; white text reads even on white."""
    image = Image.new("RGB", (640, 360), "white")
    caption = make_caption(image.size, LOVE, label="Panel 1")
    caption.draw_on(image)
    assert caption.strip is not None
    top = image.height - caption.strip.height
    assert image.crop((0, 0, 640, top)).getcolors() == [(640 * top, (255, 255, 255))]
    ground = image.getpixel((10, image.height - 60))
    assert isinstance(ground, tuple)
    assert max(ground) < 125, "contrast of white text is at least 4 to 1"


def test_no_font_no_caption_but_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes instead of letters would be worse than nothing."""
    monkeypatch.setattr(captions, "face_for", lambda text: None)
    caption = make_caption((640, 360), "नमस्ते")
    assert caption.strip is None
    assert caption.note is not None
    assert "font" in caption.note


@pytest.mark.parametrize("size", [(100, 60), (100, 400), (400, 60)])
def test_small_pictures_get_a_note_too(size: tuple[int, int]) -> None:
    """Letters of four pixels are no letters."""
    assert f"{size[0]}x{size[1]} pixels" in (make_caption(size, "a").note or "")


def test_nothing_to_say_is_no_caption() -> None:
    """An empty prompt, or one of control characters, has no strip and needs no note."""
    assert make_caption((640, 360), " \x00\u202e\n") == Caption()


def test_characters_without_a_glyph_are_left_out() -> None:
    """An emoji costs itself only."""
    with_emoji, without = (
        make_caption((640, 360), "coffee \U0001f600 time"),
        make_caption((640, 360), "coffee time"),
    )
    assert with_emoji.strip == without.strip

"""Text made harmless, measured and fitted to an encoding."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.cli.text import cells, clean, one_line, padded, reported, sayable, workflow_safe

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;cm0gLXJm\x07", ""),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("all good\rrm -rf", "all good\nrm -rf"),
        ("be\x07ll\x08\x7f", "bell"),
        ("abc\u202etxt.exe", "abctxt.exe"),
        ("a\u2066b\u2069\u200bc\ufeff", "abc"),
        ("\x9b31mnaked", "31mnaked"),
        ("[red]markup[/red] :smile:", "[red]markup[/red] :smile:"),
        ("\udcff", "\ufffd"),
    ],
)
def test_escape_codes_and_hidden_characters_go(hostile, harmless):
    """Nothing of an escape code, of a control or of a direction override is left; what is seen stays."""
    assert clean(hostile) == harmless


@given(st.text())
def test_clean_is_complete_and_stable(text):
    """Whatever comes in, nothing unseen comes out, and cleaning again changes nothing."""
    cleaned = clean(text)
    assert not _UNSEEN.search(cleaned)
    assert clean(cleaned) == cleaned


@given(st.text(), st.integers(0, 40))
def test_one_line_keeps_to_its_width(text, width):
    """One line is one line, and at most as wide as it may be."""
    line = one_line(text, width)
    assert len(line.splitlines()) <= 1
    assert cells(line) <= width


def test_wide_characters_take_two_columns_and_marks_none():
    """Columns are counted as terminals do, so that tables of any script stay aligned."""
    assert [cells(text) for text in ("abc", "恋愛", "e\u0301", "👍")] == [3, 4, 1, 2]
    assert one_line("恋愛物語", 6) == "恋愛…"
    assert padded("恋", 4) == "恋  "
    assert padded("7", 3, "r") == "  7"


@given(st.text(), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8", "cp437"]))
def test_sayable_text_can_be_written(text, encoding):
    """Clean text can be encoded after fitting, in every encoding, and the house's own dots stay readable."""
    sayable(clean(text), encoding).encode(encoding)
    assert sayable("a…", "ascii") == "a~"


@pytest.mark.parametrize(
    "line", ["::set-output name=a::b", "  ::error::x", "\t::add-mask::x", "a ##[error]b", ":::warning::"]
)
def test_no_line_is_a_workflow_command(line):
    """A line of somebody else's text is never a command to GitHub Actions, and is still readable."""
    safe = workflow_safe(line)
    assert not safe.lstrip().startswith("::")
    assert "##[" not in safe
    assert safe.replace(" ", "") == line.replace(" ", "")


def test_harmless_lines_are_left_alone():
    """What is no command is not touched."""
    assert workflow_safe("std::vector at clips::scene") == "std::vector at clips::scene"


def test_reported_text_has_no_signatures():
    """Of URLs in vendors' words only what fetches nothing is shown, also when it hides behind controls."""
    text = "see https:/\u200b/cdn.example/a.mp4?X-Sig\x00nature=secret\nnow"
    assert reported(text) == "see https://cdn.example/a.mp4 now"

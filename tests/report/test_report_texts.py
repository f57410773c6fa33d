"""What hostile text loses before anybody sees it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.report.texts import HIDDEN, clean, excerpt, one_line, source_url, unsigned

ANY = st.text(st.characters())


@given(ANY)
def test_clean_text_shows_all_that_it_has(text: str) -> None:
    """Nothing hidden is left, cleaning again changes nothing, and the rest can be encoded."""
    found = clean(text)
    assert not HIDDEN.search(found)
    assert clean(found) == found
    found.encode()


@pytest.mark.parametrize(
    ("hostile", "calm"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07here\x1b]8;;\x07", "here"),
        ("\x1b]52;c;cm0gLXJm\x1b\\x", "x"),
        ("a\x1b]never ended", "a]never ended"),
        ("abc\u202egpj.exe", "abcgpj.exe"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("ta\tb", "ta\tb"),
        ("میخواهم 👩‍👩‍👧", "میخواهم 👩‍👩‍👧"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_is_not_seen_goes_and_scripts_stay(hostile: str, calm: str) -> None:
    """Escape sequences go whole; joiners that scripts and emoji need stay."""
    assert clean(hostile) == calm


def test_a_command_is_one_line() -> None:
    """What is copied is what is seen: no line end runs the first half."""
    assert one_line("aicp redo x\nrm -rf\r\n\ty\u2029z") == "aicp redo x rm -rf y z"


@given(ANY, st.integers(8, 60))
def test_an_excerpt_is_a_beginning(text: str, limit: int) -> None:
    """Never longer than asked, and either the whole clean text or the beginning of it."""
    whole, found = clean(text).strip(), excerpt(text, limit)
    assert len(found) <= limit
    assert found == whole or whole.startswith(found.removesuffix("…"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://a.example/b.png?sig=x", "https://a.example/b.png"),
        ("https://a.example/b.png#x", "https://a.example/b.png"),
        ("https://u:p@a.example/b", "https://a.example/b"),
        ("(s3://bucket/key?token=x) and more?", "(s3://bucket/key and more?"),
        ('"https://a.example/?x", no', '"https://a.example/", no'),
        ("what? 16:9 #1 a@b", "what? 16:9 #1 a@b"),
    ],
)
def test_urls_lose_what_signs_them(text: str, left: str) -> None:
    """Query, fragment and user of any URL inside any text."""
    assert unsigned(text) == left


@given(st.text(), st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_no_query_survives_whatever_is_around_it(before: str, path: str) -> None:
    """A signature in a URL is gone from every text."""
    assert "SESAME" not in unsigned(f"{before} https://cdn.example/{path}?sig=SESAME&b=SESAME rest")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://cdn.example:8443/a%20b.png?x=1#y", "https://cdn.example:8443/a%20b.png"),
        ("http://u:p@cdn.example/a", "http://cdn.example/a"),
        ("javascript:alert(1)", None),
        ("data:image/png;base64,AAAA", None),
        ("file:///etc/passwd", None),
        ("ftp://cdn.example/a", None),
        ("https://[bad", None),
        ("https://a.example:port/", None),
        ("", None),
    ],
)
def test_a_source_is_a_web_address_without_its_signature(url: str, told: str | None) -> None:
    """Anything else is not told."""
    assert source_url(url) == told


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "a://", "a://b@", "x" * 15 + "://", "https://h/?", "\r"])
def test_no_text_takes_long(piece: str) -> None:
    """Cleaning is linear in the length: 400 kB of the worst beginnings are done at once."""
    text = piece * (400_000 // len(piece))
    begun = time.process_time()
    clean(text)
    unsigned(text)
    assert time.process_time() - begun < 2

"""Vendors' answers are read leniently and believed in nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.jobs import Json
from ai_content_pipeline.providers import answers

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
A, B = "https://v3.fal.media/a.png", "https://v3.fal.media/b.png"


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ({"images": [{"url": A, "width": 4}, {"url": B}], "seed": 3, "description": A}, (A, B)),
        ({"images": [A, B]}, (A, B)),
        ({"image": {"url": A}, "timings": {}}, (A,)),
        ({"video": {"url": A}, "thumbnail": {"url": B}}, (A,)),
        ({"videos": [{"url": B}, {"url": A}]}, (B, A)),
        ({"output": {"images": [{"url": A}]}}, (A,)),
        ({"data": [{"url": A}]}, (A,)),
        (A, (A,)),
        ([A, B], (A, B)),
        ([[A], [B]], (A, B)),
        ({"url": "file:///etc/passwd"}, ("file:///etc/passwd",)),  # the downloader says what is wrong with it
        ("data:image/png;base64,AAAA", ("data:image/png;base64,AAAA",)),
        ({"images": [], "image": {"url": A}}, (A,)),
        ({"images": [], "description": ""}, ()),
        ({"video": None}, ()),
        (["a", "list", "of words"], ()),
        ({"mask": {"url": A}}, ()),
        (None, ()),
        (5, ()),
    ],
)
def test_results_are_found_in_every_known_shape(value: Json, urls: tuple[str, ...]) -> None:
    """In the vendor's order, and nothing that is not a result."""
    assert answers.result_urls(value) == urls


@given(VALUES)
def test_no_answer_is_too_strange_to_read(value: Json) -> None:
    """Whatever JSON comes: an explanation, kinds and URLs, and never an exception."""
    assert isinstance(answers.explained(value), str)
    assert all(isinstance(url, str) for url in answers.result_urls(value))
    assert all(isinstance(kind, str) for kind in answers.error_kinds(value))
    answers.is_policy(value)
    answers.moment(value)
    answers.number(value)


def test_depth_is_no_attack() -> None:
    """An answer nested 900 deep is read as far as makes sense."""
    deep: Json = "x"
    for _ in range(900):
        deep = {"detail": [deep], "images": [deep]}
    assert answers.explained(deep) == ""
    assert answers.result_urls(deep) == ()
    response = httpx.Response(200, content=b"[" * 100_000)
    assert answers.body_of(response) is None


@given(VALUES)
def test_a_payload_equals_itself_after_the_journey(value: Json) -> None:
    """Through JSON and back it is the same payload."""
    assert answers.same(value, json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (5, 5.0, True),
        (0.1, 0.1, True),
        (1e3, 1000, True),
        (5, "5", False),
        (1, True, False),
        (True, True, True),
        (None, False, False),
        ("a", "A", False),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ({"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({}, [], False),
    ],
)
def test_what_is_the_same_payload(ours: Json, theirs: Json, equal: bool) -> None:
    """Numbers by value, everything else exactly: 5 is 5.0, but not "5"; true is not 1."""
    assert answers.same(ours, theirs) is equal
    assert answers.same(theirs, ours) is equal


def test_numbers_that_json_cannot_hold_are_no_match() -> None:
    """A listing with NaN in it is compared without an error."""
    assert not answers.same(1, json.loads("NaN"))
    assert not answers.same({"a": 1.5}, json.loads('{"a": Infinity}'))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "No such user"}, "No such user"),
        (
            {"detail": [{"loc": ["body", "image_url"], "msg": "too small", "type": "x"}]},
            "image_url: too small",
        ),
        ({"detail": [{"msg": "a"}, {"msg": "b"}]}, "a; b"),
        ({"title": "Throttled", "detail": "30 s"}, "30 s"),
        ({"title": "Throttled", "status": 429}, "Throttled"),
        ({"error": {"message": "no"}}, "no"),
        ("error", "error"),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_errors_are_explained(body: Json, said: str) -> None:
    """Both vendors' forms, problem documents and plain strings."""
    assert answers.explained(body) == said


@pytest.mark.parametrize(
    ("body", "policy"),
    [
        ({"detail": [{"msg": "no", "type": "content_policy_violation"}]}, True),
        (
            "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
            True,
        ),
        ({"detail": "NSFW content detected"}, True),
        ({"detail": "blocked by the safety filter"}, True),
        ({"detail": [{"msg": "too long", "type": "value_error", "input": "a flagged nsfw prompt"}]}, False),
        ({"detail": "case-sensitive name"}, False),
        ({"detail": "CUDA out of memory"}, False),
    ],
)
def test_content_policy_is_told_from_other_errors(body: Json, policy: bool) -> None:
    """By what the vendor says, and not by what it echoes of the prompt."""
    assert answers.is_policy(body) is policy


def test_text_of_a_vendor_is_safe_to_show() -> None:
    """One line, no control, bidi or invisible characters, no more than asked for."""
    hostile = "a\x1b[31mred\r\n\x07\u202eb\u200b c\u2028d\x00" + "x" * 10_000
    line = answers.clean(hostile, 40)
    assert line.isprintable()
    assert len(line) == 40
    assert line.startswith("a [31mred b c d")


@pytest.mark.parametrize(
    ("log", "fraction", "line"),
    [
        (" 20%|##        | 4/20\n 40%|####      | 8/20", 0.4, "40%|#### | 8/20"),
        ("loading\r 5% done\r 100%", 1.0, "100%"),
        ("step 3 of 7\n\n", None, "step 3 of 7"),
        ("", None, None),
        ("cfg 7.5\n", None, "cfg 7.5"),
        ("12.5% of 30", 0.12, "12.5% of 30"),
        ("9999%", None, "9999%"),
    ],
)
def test_progress_is_read_from_logs(log: str, fraction: float | None, line: str | None) -> None:
    """The last percentage and the last line, however a progress bar overwrites itself."""
    assert answers.progress(log) == fraction
    assert answers.last_line(log) == line


def test_numbers_and_moments_are_checked() -> None:
    """Nothing infinite, negative or of another type comes through."""
    assert answers.number("3.008") == Decimal("3.008")
    assert answers.number(2) == 2
    for wrong in ("NaN", "inf", "-1", "", "a", True, None, [], "1e999999999999"):
        assert answers.number(wrong) is None  # type: ignore[arg-type]
    assert answers.moment("2026-11-21T10:00:00.5Z") == datetime(2026, 11, 21, 10, 0, 0, 500_000, UTC)
    assert answers.moment("2026-11-21T10:00:00") == datetime(2026, 11, 21, 10, tzinfo=UTC)
    for wrong in ("yesterday", "", 5, None):
        assert answers.moment(wrong) is None


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": "0"}, None, 0),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "1000000000"}, None, 3600),
        ({"retry-after": "-5"}, None, None),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "Mon, 21 Sep 2026 14:15:30 GMT", "date": "Mon, 21 Sep 2026 14:15:00 GMT"}, None, 30),
        ({"retry-after": "Mon, 21 Sep 2026 14:00:00 GMT", "date": "Mon, 21 Sep 2026 14:15:00 GMT"}, None, 0),
        ({"retry-after": "Mon, 21 Sep 2099 14:00:00 GMT"}, None, 3600),
        ({}, {"detail": "throttled", "retry_after": 9}, 9),
        ({}, {"retry_after": "x"}, None),
        ({}, None, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], body: Json, seconds: float | None) -> None:
    """Seconds, an HTTP date by the vendor's own clock, or in the body; never absurdly long."""
    assert answers.retry_after(httpx.Response(429, headers=headers, json=body)) == seconds

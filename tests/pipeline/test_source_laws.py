"""Laws of the reader that no list of examples can show."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline import compose, scalars
from ai_content_pipeline.pipeline.source import Path, SourceFile, Value, loads

FAST = compose.FAST_LOADER
UNHURRIED = settings(deadline=None)  # the machine may be busy with other tests

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"], exclude_characters="$\ufeff"))
#: Nothing that is text in YAML 1.1 and a number in 1.2 ("0E0", "0o7"): the writer leaves such text unquoted.
SAFE_TEXT = TEXT.filter(lambda text: not text.startswith(tuple("+-.0123456789")))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | SAFE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SAFE_TEXT, inner, max_size=4),
    max_leaves=12,
)

#: Pieces that YAML documents are made of; their concatenations reach deep into both parsers.
PIECES = st.sampled_from([
    "a", "b: ", "- ", ": ", ":", "\n", "\n  ", " ", "[", "]", "{", "}", ", ", "'", '"', "#", " # c", "|\n",
    ">-\n", "|1#", "&x ", "*x", "!", "!!str ", "? ", "?", "---\n", "\n...\n", "%YAML 1.2\n", "@", "\\",
    "<<: ", "~", "1", "é", "😀", "\r\n", "\r", "\t", "\\n", "k: v\n", "env: [A]\n", "${A}", "${A:-4}", "$$",
    "${", "010", "1e999", "'c'",
])  # fmt: skip


def walk(source: SourceFile, value: Value, path: Path = ()) -> Iterator[object]:
    yield path, source.position(path), source.position(path, key=True), source.raw(path)
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from walk(source, child, (*path, key))


def outcome(text: str | bytes) -> object:
    """Everything there is to know of a text: data and places, or the problems; anything else is a failure."""
    try:
        source = loads(text, environ={"A": "x"})
    except InvalidPipeline as invalid:
        return str(invalid), [problem.message for problem in invalid.problems]
    return repr(source.data), list(walk(source, source.data))


@given(
    st.dictionaries(SAFE_TEXT.filter("env".__ne__), JSON, max_size=5),
    st.sampled_from([None, True, False]),
    st.booleans(),
)
def test_reads_back_what_was_dumped(data: dict[str, Value], flow: bool | None, wide: bool) -> None:
    """JSON-like data written by a YAML 1.1 writer is read back equal, in every style."""
    text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=wide)
    assert loads(text).data == data


@settings(UNHURRIED)
@given(st.binary(max_size=200) | st.text(max_size=200) | st.lists(PIECES, max_size=25).map("".join))
@example(b"\xef\xbb\xbf")
@example('"\\U00110000"')
@example("a: ${A}\nenv: *x")
def test_anything_else_is_an_invalid_pipeline(text: str | bytes) -> None:
    """No input whatever raises anything but InvalidPipeline."""
    assert outcome(text)


@pytest.mark.skipif(FAST is None, reason="PyYAML was built without libyaml")
@settings(UNHURRIED, max_examples=300)
@given(st.sampled_from(["", "k: ", "k:\n  ", "k: [", "k: {", "env: [A]\nk: "]), st.lists(PIECES, max_size=14))
def test_both_parsers_agree(start: str, pieces: list[str]) -> None:
    """With libyaml and without, data, places, raw texts and every word of a refusal are the same."""
    text = start + "".join(pieces)
    with mock.patch.object(compose, "FAST_LOADER", None):
        pure = outcome(text)
    assert outcome(text) == pure


@given(NUMBERS)
def test_numbers_mean_themselves(number: float) -> None:
    """Every 64-bit integer and every finite float is read as written by `repr`, type included."""
    assert (read := scalars.read(repr(number))) == number
    assert type(read) is type(number)


@given(st.text())
def test_only_out_of_range_is_an_error(text: str) -> None:
    """Any text is some scalar; the only complaint is about numbers."""
    try:
        value = scalars.read(text)
    except scalars.OutOfRange:
        return
    assert value == text or not isinstance(value, str)

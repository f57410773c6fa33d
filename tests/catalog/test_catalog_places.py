"""Where TOML keys stand: every key of every card, and the odd forms that TOML allows."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.catalog import files, places
from ai_content_pipeline.catalog.overlay_edit import _key, _value

ODD = '''# [not.a.table]
top = "[no] # comment"
[a."b.c".'d']  # comment
key = 1979-05-27T07:32:00Z
dotted . "quoted" = 3
list = [1, {q = 2, "r" = [3]}, """x
]"""]
literal = \'\'\'it's
[z]\'\'\'
[[rows]]
n = true
'''


def trails(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every way into a parsed document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*at, name)
        yield from trails(inner, (*at, name))


@pytest.mark.parametrize("key", files.keys())
def test_every_key_of_every_card_has_its_place(key: str) -> None:
    """The reader finds exactly the keys that the parser finds, each on a line that holds its name."""
    text = (files._FOLDER / f"{key}.toml").read_text(encoding="utf-8")
    found = places.places(text)
    assert set(found) == set(trails(tomllib.loads(text)))
    lines = text.splitlines()
    for trail, at in found.items():
        if isinstance(trail[-1], str):
            assert lines[at.line - 1][at.column - 1 :].startswith(trail[-1])


def test_odd_forms_are_read_as_the_parser_reads_them() -> None:
    """Quoted and dotted keys, comments, strings over several lines and lists keep their places."""
    found = places.places(ODD)
    assert found["a", "b.c", "d", "dotted", "quoted"] == (5, 1)
    assert found["a", "b.c", "d", "list", 1, "r", 0] == (6, 27)
    assert found["a", "b.c", "d", "literal"] == (8, 1)
    assert found["top",] == (2, 1)
    assert ("z",) not in found
    assert [header.trail for header in places.headers(ODD)] == [("a", "b.c", "d"), ("rows",)]


values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.\"' é", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab-_.\"'é ", max_size=5), values, max_size=3))
def test_what_is_written_is_read_back(table: dict[str, Any]) -> None:
    """Written values mean the same to TOML's own parser, and every key of them is found."""
    text = "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())
    assert tomllib.loads(text) == table
    assert set(places.places(text)) == set(trails(table))


def test_a_large_text_is_read_in_linear_time() -> None:
    """Twenty thousand keys take no time that anybody notices."""
    text = "".join(f"key_{n} = {n}\n" for n in range(20_000))
    assert places.places(text)["key_19999",] == (20_000, 1)

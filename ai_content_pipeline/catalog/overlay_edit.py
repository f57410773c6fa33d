"""Writing one card into the text of an overlay; every other character of it stays."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from ai_content_pipeline.catalog.places import headers
from ai_content_pipeline.errors import AicpError

_NESTED = ("roles", "parameters", "output", "price")


def combined(own: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A user's table with more of it: what `more` says wins, down to the fields of a parameter."""
    table = dict(own)
    for name, value in more.items():
        both = isinstance(value, Mapping) and isinstance(table.get(name), Mapping) and name != "price"
        table[name] = combined(table[name], value) if both else value
    return table


def with_card(text: str, key: str, table: Mapping[str, Any], remark: str) -> str:
    """`text` with `table` as the card of `key`, in the place of the one there, else at the end.

    Comments of that card are lost, those of all others stay. `remark` becomes a comment.

    Raises:
        AicpError: the card is written in a form that cannot be replaced.
    """
    windows = "\r\n" in text
    plain = text.replace("\r\n", "\n")
    before = tomllib.loads(plain)
    sections = list(_sections(plain, key))
    if key in before and not sections:
        raise AicpError(
            f"{key} is not written as a table of its own",
            hint=f"write [{key}] on a line, and its fields below",
        )
    written = "\n".join(_lines(key, table, remark)) + "\n"
    if sections:
        result = plain[: sections[0][0]] + written
        for (_, end), (start, _) in zip(sections, [*sections[1:], (len(plain), 0)], strict=True):
            result += plain[end:start]
    else:
        gap = "" if not plain.strip() else "\n" if plain.endswith("\n") else "\n\n"
        result = plain + gap + written
    after = tomllib.loads(result)
    others = {name: value for name, value in before.items() if name != key}
    if {name: value for name, value in after.items() if name != key} != others:
        raise AicpError(f"{key} cannot be replaced without touching the cards around it")
    return result.replace("\n", "\r\n") if windows else result


def _sections(text: str, key: str) -> Iterator[tuple[int, int]]:
    """Where the tables of a card begin and end. The comments above the next table are not its own."""
    found = headers(text)
    ends = (*(header.start for header in found), len(text))[1:]
    for header, end in zip(found, ends, strict=True):
        if header.trail[0] == key:
            lines = text[header.start : end].splitlines(keepends=True)
            while (
                len(lines) > 1 and end < len(text) and (not lines[-1].strip() or lines[-1].lstrip()[0] == "#")
            ):
                lines.pop()
            yield header.start, header.start + sum(map(len, lines))


def _lines(key: str, table: Mapping[str, Any], remark: str) -> Iterator[str]:
    yield f"[{key}]"
    yield f"# {' '.join(remark.split())}"
    for name, value in table.items():
        if name not in _NESTED or value is False:
            yield f"{_key(name)} = {_value(value)}"
    for name in _NESTED:
        if isinstance(entries := table.get(name), Mapping):
            yield f"\n[{key}.{name}]"
            yield from (f"{_key(entry)} = {_value(value)}" for entry, value in entries.items())


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case date():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)


def _text(value: str) -> str:
    """A basic string: JSON's, but for the one character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

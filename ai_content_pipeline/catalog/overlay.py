"""A project's own cards: ``aicp.models.toml``, laid over the catalogue.

A table ``[key]`` changes the catalogue's card of that key, or is a card of its own. Parameters, roles and
the output's shape are changed field by field; a price is replaced as a whole; ``false`` takes away what
a card has (a parameter, a role, a limit, the price).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_content_pipeline.catalog.catalogue import OVERLAY
from ai_content_pipeline.catalog.places import Place, Trail
from ai_content_pipeline.errors import InvalidPipeline, Problem

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED = ("draft", "local")
_MAX_BYTES = 1 << 20
_MERGED = ("parameters", "roles")


@dataclass(frozen=True, slots=True)
class Overlay:
    """The tables of one file, by key. `path` is as messages name it."""

    path: Path
    tables: Mapping[str, Mapping[str, Any]]
    text: str = field(repr=False, default="")

    def problem(self, trail: Trail, message: str, hint: str | None = None) -> Problem:
        """A problem where `trail` leads, or where its nearest ancestor stands."""
        return _problem(self.path, self.text, trail, message, hint)

    def over(self, key: str, base: Mapping[str, Any] | None) -> dict[str, Any]:
        """The table of `key`: this file's entry laid over `base`, or standing alone."""
        return laid_over(base or {"title": key, "source": OVERLAY, "prompt": "prompt"}, self.tables[key])


def read(path: Path, known: Iterable[str]) -> Overlay | None:
    """The overlay at `path`; None where there is no such file. `known` are the catalogue's keys.

    Raises:
        InvalidPipeline: it cannot be read, or something in it is no card.
    """
    import tomllib

    try:
        if not path.exists():
            return None
        if path.stat().st_size > _MAX_BYTES:
            raise InvalidPipeline([Problem("this file is larger than 1 MiB", "split it", str(path))])
        # As tomllib counts: a carriage return before a line's end belongs to the end.
        text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPipeline([_syntax(path, error)]) from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPipeline([Problem(f"this file cannot be read ({error})", None, str(path))]) from error
    found = list(_problems(path, text, tables, frozenset(known)))
    if found:
        raise InvalidPipeline(sorted(found, key=lambda one: (one.line or 0, one.column or 0)))
    return Overlay(path, tables, text)


def laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A card's table with a user's over it. Neither is changed."""
    table = dict(base)
    for name, value in own.items():
        if name in _MERGED:
            entries = dict(table.get(name, {}))
            for entry, fields in value.items():
                entries[entry] = False if fields is False else _fields(entries.get(entry) or {}, fields)
            table[name] = {entry: fields for entry, fields in entries.items() if fields is not False}
        elif name == "output":
            table[name] = {**table.get(name, {}), **value}
        elif value is False and name != "prompt_required":
            table.pop(name, None)
        else:
            table[name] = value
    return table


def _fields(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter or role: ``false`` takes a limit, a name or a default away (but is a truth's value)."""
    fields = {**base, **own}
    gone = {"minimum", "maximum", "max_items", "min_side", "mention", "tags", "strength"}
    gone |= {"default"} if fields.get("type") not in ("boolean", "any") else set()
    return {name: value for name, value in fields.items() if not (name in gone and value is False)}


def _problems(path: Path, text: str, tables: Mapping[str, Any], known: frozenset[str]) -> Iterable[Problem]:
    from ai_content_pipeline.catalog.tables import problems

    for key, table in tables.items():
        if key not in known and (not _KEY.fullmatch(key) or key in _RESERVED):
            hint = "write lower case letters, digits and '_', as in [my_model]"
            message = f"{key[:60]!r} is no key of a model" if key not in _RESERVED else f"{key!r} is taken"
            yield _problem(path, text, (key,), message, hint)
            continue
        for wrong in problems(table, new=key not in known):
            meant = wrong.hint or (_nearest_key(key, known) if wrong.trail == () else None)
            yield _problem(path, text, (key, *wrong.trail), wrong.message, meant)


def _nearest_key(key: str, known: frozenset[str]) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(key, sorted(known), n=1, cutoff=0.8)
    return f"to change a card of the catalogue, did you mean [{close[0]}]?" if close else None


def _problem(path: Path, text: str, trail: Trail, message: str, hint: str | None) -> Problem:
    from ai_content_pipeline.catalog.places import places

    found = places(text)
    nearest = (found[trail[:depth]] for depth in range(len(trail), 0, -1) if trail[:depth] in found)
    at = next(nearest, Place(1, 1))
    return Problem(message, hint, str(path), at.line, at.column)


def _syntax(path: Path, error: Exception) -> Problem:
    """tomllib ends its message with the place."""
    match = re.fullmatch(
        r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", str(error), re.DOTALL
    )
    if match is None or not match.group(2):
        return Problem(f"this is no TOML: {error}", None, str(path))
    message = match[1][:1].lower() + match[1][1:]
    return Problem(f"this is no TOML: {message}", None, str(path), int(match[2]), int(match[3]))

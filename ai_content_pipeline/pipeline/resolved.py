"""A pipeline file with everything merged into it, as YAML that says of every value where it comes from.

What is printed is a pipeline itself, and means the same: ``defaults:``, profiles, ``--set`` and variables
are worked in, the names that nobody wrote are written out, and a card's defaults are left to the card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ai_content_pipeline.pipeline import scalars
from ai_content_pipeline.pipeline.checked import Pipeline
from ai_content_pipeline.pipeline.source import Path, SourceFile, Value
from ai_content_pipeline.steps.registry import default_names

#: What is worked in, and so is not there any more.
_GONE = ("defaults", "profiles", "env")
_FIRST = ("name", "type", "model", "input", "enabled")

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_/.-]| (?=[A-Za-z0-9_/.-]))*")
#: What stays in quotes: a tab could be taken for indentation, a carriage return for the end of a line.
_ODD = re.compile("[\t\r]")
_BLOCK = re.compile(r"(?:[^ \n][^\n]*\n+)+[^ \n][^\n]*\n?")


def resolved_text(pipeline: Pipeline) -> str:
    """The resolved file. Each value's line ends with its origin: ``# film.yaml:9``,
    ``# profile fast, film.yaml:4``, ``# --set seed``, or ``# default`` for what nobody wrote."""
    source = pipeline.source
    top = {key: value for key, value in source.data.items() if key not in (*_GONE, "steps")}
    shown: dict[str, Value] = {"name": pipeline.top.name, **top, "output_dir": pipeline.top.output_dir}
    steps = source.data["steps"]
    assert isinstance(steps, list)
    names = default_names(steps)
    named = [
        {**step, "name": name} if isinstance(step, dict) else step
        for step, name in zip(steps, names, strict=True)
    ]
    shown["steps"] = [*map(_in_order, named)]
    return "".join(f"{line}\n" for line in _Writer(source).mapping(shown, (), ""))


def _in_order(step: Value) -> Value:
    """A step with the keys first that say what it is."""
    if not isinstance(step, dict):
        return step
    first = {key: step[key] for key in _FIRST if key in step}
    return {**first, **step}


class _Writer:
    """Lines of YAML, without their line breaks."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source

    def mapping(self, values: dict[str, Value], path: Path, indent: str) -> Iterator[str]:
        for key, value in values.items():
            yield from self._value(f"{indent}{_text(key)}:", value, (*path, key), f"{indent}  ")

    def _sequence(self, values: list[Value], path: Path, indent: str) -> Iterator[str]:
        for index, value in enumerate(values):
            where = (*path, index)
            if isinstance(value, dict) and value:
                first, *rest = self.mapping(value, where, f"{indent}  ")
                yield f"{indent}- {first.lstrip(' ')}"
                yield from rest
            else:
                yield from self._value(f"{indent}-", value, where, f"{indent}  ")

    def _value(self, start: str, value: Value, path: Path, indent: str) -> Iterator[str]:
        if isinstance(value, dict) and value:
            yield start
            yield from self.mapping(value, path, indent)
        elif isinstance(value, list) and value:
            yield start
            yield from self._sequence(value, path, indent)
        elif isinstance(value, str) and _BLOCK.fullmatch(value) and not _ODD.search(value):
            yield f"{start} {'|' if value.endswith(chr(10)) else '|-'}  {self._origin(path)}"
            yield from (f"{indent}{line}" if line else "" for line in _escaped(value).splitlines())
        else:
            yield f"{start} {_scalar(value)}  {self._origin(path)}"

    def _origin(self, path: Path) -> str:
        words = self._source.origin(path)
        short = words.partition("=")[0] if words.startswith("--set ") else words
        return "# " + scalars.UNPRINTABLE.sub("\ufffd", " ".join(short.split()))


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        return _text(_escaped(value))
    return json.dumps(value)


def _text(text: str) -> str:
    """Text as it stands where it is sure to stay text, else in quotes."""
    plain = _PLAIN.fullmatch(text) and scalars.read(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    """Text in which no variable will be looked for."""
    return text.replace("$", "$$") if "${" in text or "$$" in text else text

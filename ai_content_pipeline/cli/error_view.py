"""An error, shown to people: what, where in the file, what to do instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ai_content_pipeline.cli.text import Line, cells, clean, one_line, unsigned
from ai_content_pipeline.errors import AicpError, InvalidPipeline, Problem

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_MAX_BYTES = 1 << 20  # no pipeline is longer
_MAX_EXCERPTS = 20
_EXCERPT = 100  # characters of a source line, around the place


def error_lines(error: AicpError) -> Iterator[Line]:
    """Every problem of an invalid pipeline, with its source line; any other error, with the way out."""
    if not isinstance(error, InvalidPipeline):
        yield from told(error.message, error.hint, error.retry_with)
        return
    sources: dict[str, Sequence[str]] = {}
    for number, problem in enumerate(error.problems):
        yield _headline(problem)
        if number < _MAX_EXCERPTS and problem.file is not None:
            if problem.file not in sources:
                sources[problem.file] = _source(Path(problem.file))
            yield from _excerpt(problem, sources[problem.file])


def told(message: str, hint: str | None, retry_with: str | None) -> Iterator[Line]:
    first, *more = unsigned(clean(message)).split("\n")
    yield ("error: ", "bold red"), (first, "")
    for line in more:
        yield ((f"  {line}", ""),)
    yield from ways_out(hint, retry_with)


def ways_out(hint: str | None, retry_with: str | None) -> Iterator[Line]:
    if hint:
        yield ("  hint: ", "dim"), (one_line(hint), "")
    if retry_with:
        yield ("  try: ", "dim"), (one_line(retry_with), "")


def _headline(problem: Problem) -> Line:
    parts = (problem.file, problem.line, problem.column)
    where = ":".join(one_line(str(part)) for part in parts if part is not None)
    hint = f"; {one_line(problem.hint)}" if problem.hint else ""
    message = one_line(problem.message)
    return (f"{where}: " if where else "error: ", "bold"), (message, ""), (hint, "")


def _excerpt(problem: Problem, source: Sequence[str]) -> Iterator[Line]:
    """The source line, and a caret below the place."""
    line, column = problem.line or 0, problem.column or 0
    if not (1 <= line <= len(source) and 1 <= column <= len(source[line - 1]) + 1):
        return
    text = source[line - 1]
    start = max(0, column - 1 - _EXCERPT // 2)
    before, after = _flat(text[start : column - 1]), _flat(text[column - 1 : start + _EXCERPT])
    yield (f"  {line} | ", "dim"), (before + after.rstrip(), "")
    yield (f"  {' ' * len(str(line))} | ", "dim"), (" " * cells(before), ""), ("^", "bold red")


def _flat(text: str) -> str:
    return clean(text).replace("\t", " ").replace("\n", " ")


def _source(path: Path) -> Sequence[str]:
    """The lines of a file as the parser counts them; none where it cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return ()
        content = path.read_bytes()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ()
    return _LINE_BREAK.split(content.decode("utf-8-sig", "replace"))

"""The end of a run, told to people: what there is, what it cost, what failed, how to go on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ai_content_pipeline.cli.error_view import ways_out
from ai_content_pipeline.cli.progress import count, reason
from ai_content_pipeline.cli.text import Line, one_line, reported
from ai_content_pipeline.engine.results import ItemState, RunResult
from ai_content_pipeline.report.words import STATES, duration, not_spent, run_state, spent

_MANY = 20
_TONES = {"good": "bold green", "warn": "bold yellow", "bad": "bold red"}


def summary_lines(result: RunResult, page: Path, folder: Path) -> Iterator[Line]:
    """`page` is the report; paths are shown relative to `folder` where that is shorter."""
    words, tone = run_state(result.exit_code)
    counts = Counter(item.state for item in result.items)
    parts = [f"{counts[state]:,} {word}" for state, (word, _) in STATES.items() if counts[state]]
    draft = " (draft)" if result.draft else ""
    yield (f"{words}{draft}", _TONES[tone]), (f": {', '.join(parts)} in {duration(result.seconds)}", "")
    if result.collected:
        yield _row("fetched", f"{count(len(result.collected), 'result')} of earlier runs")
    yield _row("spent", spent(result))
    if (left := not_spent(result)) is not None:
        yield _row("unspent", left)
    yield _row("files", _near(result.output_dir, folder))
    yield _row("report", _near(page, folder))
    for note in (*result.notes, *_item_notes(result)):
        yield ("  note    ", "yellow"), (reported(note), "")
    failures = list(failure_lines(result))
    yield from [(), *failures] if failures else []


def _item_notes(result: RunResult) -> Iterator[str]:
    """What is to be known of results that are there: each note once, with the first item it is about."""
    about: dict[str, list[str]] = {}
    for item in result.items:
        for note in item.notes if item.state.good else ():
            about.setdefault(note, []).append(item.address)
    for note, items in islice(about.items(), _MANY):
        more = f" and {len(items) - 1:,} more" if len(items) > 1 else ""
        yield f"{items[0]}{more}: {note}"
    if len(about) > _MANY:
        yield f"and {len(about) - _MANY:,} more, all in the report"


def failure_lines(result: RunResult) -> Iterator[Line]:
    """Each failure with its reason and what redoes it; then the command that goes on."""
    failed = [item for item in result.items if item.state in (ItemState.FAILED, ItemState.IN_DOUBT)]
    for item in failed[:_MANY]:
        name, word = one_line(item.address), STATES[item.state][0]
        yield (name, "bold"), (f"  {word}: ", "red"), (reason(item), "")
        if item.error is not None:
            yield from ways_out(item.error.hint, item.error.retry_with)
    if len(failed) > _MANY:
        yield ((f"… and {len(failed) - _MANY:,} more, all in the report", ""),)
    if result.resume_with:
        yield ("to go on: ", "bold"), (one_line(result.resume_with), "")


def _row(name: str, value: str) -> Line:
    return (f"  {name:<8}", "dim"), (one_line(value), "")


def _near(path: Path, folder: Path) -> str:
    absolute = str(path)
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # another drive
        return absolute
    return min(relative, absolute, key=len)

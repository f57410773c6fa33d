"""States, amounts and times as a person says them."""

from __future__ import annotations

import math
from datetime import datetime

from ai_content_pipeline.cost import format_usd
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult
from ai_content_pipeline.report.texts import one_line

#: Exit code → what became of the run, and its tone.
_RUNS = {
    0: ("Done", "good"),
    1: ("Failed", "bad"),
    4: ("Key or configuration missing", "bad"),
    5: ("Stopped by the budget", "bad"),
    6: ("Content rejected", "bad"),
    7: ("Partly done", "warn"),
    8: ("Outcome unknown", "warn"),
    9: ("Waiting for approval", "warn"),
    75: ("Provider temporarily down", "warn"),
    130: ("Interrupted", "warn"),
}

#: Item state → the word on the page, and its tone.
STATES = {
    ItemState.DONE: ("done", "good"),
    ItemState.CACHED: ("cached", "good"),
    ItemState.GIVEN: ("your file", "good"),
    ItemState.FAILED: ("failed", "bad"),
    ItemState.IN_DOUBT: ("in doubt", "warn"),
    ItemState.SKIPPED: ("skipped", "mute"),
    ItemState.NOT_RUN: ("not run", "mute"),
}


def run_state(exit_code: int) -> tuple[str, str]:
    """(words, tone) of a run."""
    return _RUNS.get(exit_code, _RUNS[1])


def tally(result: RunResult) -> str:
    """``12 of 13 files are there, 9 of them from an earlier run; 1 failed``"""
    items = result.items
    counts = {state: sum(item.state is state for item in items) for state in ItemState}
    good = sum(item.state.good for item in items)
    there = f"All {good}" if good == len(items) and good > 1 else f"{good} of {len(items)}"
    text = f"{there} {'file is' if len(items) == 1 else 'files are'} there"
    if counts[ItemState.CACHED]:
        text += f", {counts[ItemState.CACHED]} of them from an earlier run"
    bad = [
        f"{counts[state]} {word}" for state, (word, _) in STATES.items() if not state.good and counts[state]
    ]
    return "; ".join([text, ", ".join(bad)]) if bad else text


def ended(result: RunResult) -> str:
    """``Partly done: 8 of 9 files are there; 1 failed``"""
    return f"{run_state(result.exit_code)[0]}: {tally(result)}"


def duration(seconds: float) -> str:
    """``0.4 s``, ``48 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(whole / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def moment(when: datetime) -> str:
    """``21 November 2026, 14:03 UTC``"""
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname() or ''}".strip()


def price(item: ItemResult) -> str | None:
    """What this run paid for an item; None where nothing was to be paid (local, cached, free)."""
    if item.cost is None:
        return "price unknown"
    if item.cost == 0:
        return None
    if item.reported:
        return format_usd(item.cost)
    return f"{'~' if item.rough else ''}{format_usd(item.cost)} (estimate)"


def not_spent(result: RunResult) -> str | None:
    """``$0.45, on what was not begun``; None where nothing planned was left out."""
    left = result.not_spent
    return f"{left}, on what was not begun" if left.usd or left.unpriced else None


def scores(item: ItemResult) -> str | None:
    """``color 0.93 (mia 0.93, mug 0.97), at least 0.50``"""
    found = item.likeness
    if found is None:
        return None
    each = ", ".join(f"{one_line(one.reference)} {one.score:.2f}" for one in found.scores)
    return f"{found.metric} {found.score:.2f} ({each}), at least {found.min_score:.2f}"


def spent(result: RunResult) -> str:
    """``~$2.80 of $5.00 + unknown``: ~ where a price is second-hand, + unknown where one is not known."""
    text = str(result.spent_estimate)
    unknown = " + unknown" if any(item.cost is None for item in result.items) else ""
    return f"{text}{'' if result.cap is None else f' of {format_usd(result.cap)}'}{unknown}"

"""When each item ran: one band a step, one lane a worker that was busy. Drawn as SVG by the template."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.report.texts import name
from ai_content_pipeline.report.words import STATES, duration

_LANE, _BAR, _HEAD, _FOOT = 22, 18, 26, 24  # pixels
_MOST_LANES = 16
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
_THINNEST = 0.35  # per cent of the width
_LABEL_FROM = 7.0  # per cent of the width; a narrower bar is left without its name


@dataclass(frozen=True, slots=True)
class Bar:
    """`x` and `width` in per cent of the timeline, `y` in pixels. Items of one job share a bar."""

    x: float
    width: float
    y: int
    label: str
    title: str
    tone: str


@dataclass(frozen=True, slots=True)
class Band:
    name: str
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    height: int
    bar: int  # pixels
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]  # (per cent, words)


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float
    items: tuple[ItemResult, ...]


def draw(result: RunResult) -> Timeline | None:
    """The timeline of what took time in this run; None where nothing did."""
    spans = [(step, _spans(step)) for step in result.steps]
    busy = [(step, found) for step, found in spans if found]
    whole = max((span.end for _, found in busy for span in found), default=0.0)
    if whole <= 0:
        return None
    bands, y = [], 0
    for step, found in busy:
        lanes, used = _lanes(found)
        bars = tuple(_bar(span, lane, y + _HEAD, whole) for span, lane in zip(found, lanes, strict=True))
        bands.append(Band(name(step.name), y, bars))
        y += _HEAD + used * _LANE + 6
    return Timeline(y + _FOOT, _BAR, tuple(bands), tuple(_ticks(whole)))


def _spans(step: StepResult) -> list[_Span]:
    """What ran, in order of time. Items that began at one moment with one task are one job's."""
    jobs: dict[tuple[float, tuple[str, ...], str | None], list[ItemResult]] = {}
    for item in step.items:
        if _ran(item) and item.started is not None:
            jobs.setdefault((item.started, item.inputs, item.prompt), []).append(item)
    spans = [
        _Span(start, start + max(item.seconds for item in items), tuple(items))
        for (start, _, _), items in jobs.items()
    ]
    return sorted(spans, key=lambda span: span.start)


def _ran(item: ItemResult) -> bool:
    moved = item.state in (ItemState.DONE, ItemState.FAILED, ItemState.IN_DOUBT)
    known = item.started is not None and math.isfinite(item.started) and item.started >= 0
    return moved and known and math.isfinite(item.seconds) and item.seconds >= 0


def _lanes(spans: Iterable[_Span]) -> tuple[list[int], int]:
    """Each span's lane, the first that is free; and how many lanes there are."""
    ends: list[float] = []
    lanes = []
    for span in spans:
        free = next((lane for lane, end in enumerate(ends) if end <= span.start), None)
        if free is None and len(ends) < _MOST_LANES:
            free = len(ends)
            ends.append(0.0)
        if free is None:
            free = ends.index(min(ends))
        ends[free] = span.end
        lanes.append(free)
    return lanes, len(ends)


def _bar(span: _Span, lane: int, top: int, whole: float) -> Bar:
    x = 100 * span.start / whole
    width = 100 * (span.end - span.start) / whole
    return Bar(
        round(min(x, 100 - _THINNEST), 3),
        round(max(width, _THINNEST), 3),
        top + lane * _LANE,
        _label(span.items) if width >= _LABEL_FROM else "",
        f"{_label(span.items)}: {STATES[span.items[0].state][0]} in {duration(span.end - span.start)}",
        _tone(span.items),
    )


def _label(items: Sequence[ItemResult]) -> str:
    first, last = name(items[0].label), name(items[-1].label)
    return first if len(items) == 1 else f"{first} … {last}"


def _tone(items: Sequence[ItemResult]) -> str:
    return next((STATES[item.state][1] for item in items if not item.state.good), items[0].kind.value)


def _ticks(whole: float) -> Iterable[tuple[float, str]]:
    step = next((tick for tick in _TICKS if whole / tick <= 5), whole / 5)
    for number in range(math.floor(whole / step) + 1):
        at = 100 * number * step / whole
        yield round(at, 3), duration(number * step) if number else "0"

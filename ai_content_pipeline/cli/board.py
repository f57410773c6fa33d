"""What a terminal shows while a run goes on: its state, and its lines. Knows no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from ai_content_pipeline.cli.progress import count, reason, what_now
from ai_content_pipeline.cli.text import Line, Span, cells, one_line, padded
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemResult, ItemState

_BAR = 24
_NAME = 24  # columns of a step's name, at most
_ADDRESS = 36
_RUNNING = 12  # lines of running items, at most
_BADLY = (ItemState.FAILED, ItemState.IN_DOUBT)


@dataclass(slots=True)
class _Step:
    name: str
    items: int
    good: int = 0
    reused: int = 0
    bad: int = 0
    left_out: int = 0

    @property
    def over(self) -> bool:
        return self.good + self.bad + self.left_out >= self.items

    def count(self, state: ItemState) -> None:
        self.good += state.good
        self.reused += state is ItemState.CACHED
        self.bad += state in _BADLY
        self.left_out += state in (ItemState.SKIPPED, ItemState.NOT_RUN)


@dataclass(slots=True)
class _Item:
    name: str
    since: float
    now: str = ""


class Board:
    """Takes events in constant time each; draws itself when asked. Times in seconds of one clock."""

    def __init__(self) -> None:
        self._title: Line = ()
        self._begun = 0.0
        self._steps: dict[str, _Step] = {}
        self._running: dict[str, _Item] = {}
        self._widest = 0  # columns of the longest name so far: what stands beside it does not jump
        self._spent = CostEstimate()
        self._failure = ""
        self._deadline: float | None = None
        self._over = False

    def update(self, event: events.Event, now: float) -> None:
        match event:
            case events.ItemEnded(result, spent):
                self._ended(result, spent)
            case events.ItemProgress(_, _, address):
                self._item(address, now).now = what_now(event)
            case events.ItemStarted(_, _, address):
                self._item(address, now)
            case events.RunStarted():
                self._begin(event, now)
            case events.Interrupting(_, seconds):
                self._deadline = now + seconds
            case events.RunEnded():
                self._over = True

    def _begin(self, event: events.RunStarted, now: float) -> None:
        self._begun = now
        self._steps = {step.name: _Step(one_line(step.name, _NAME), step.items) for step in event.steps}
        extra = ("  draft" if event.draft else "") + ("  going on" if event.resumed else "")
        self._title = ((one_line(event.pipeline, 60), "bold"), (extra, "dim"))

    def _item(self, address: str, now: float) -> _Item:
        if address not in self._running:
            item = self._running[address] = _Item(one_line(address, _ADDRESS), now)
            self._widest = max(self._widest, cells(item.name))
        return self._running[address]

    def _ended(self, result: ItemResult, spent: Decimal) -> None:
        self._running.pop(result.address, None)
        rough = self._spent.second_hand or bool(result.rough and result.cost)
        self._spent = CostEstimate(spent, second_hand=rough)
        if result.step in self._steps:
            self._steps[result.step].count(result.state)
        if result.state in _BADLY:
            self._failure = f"{one_line(result.address, _ADDRESS)}: {reason(result)}"

    # -- drawing -----------------------------------------------------------------------------------

    def lines(self, now: float, width: int, height: int) -> list[Line]:
        """What to show on a terminal of that many columns and lines; once the run is over, its steps."""
        if self._over:
            return [self._title, *self._step_lines(width, len(self._steps)), ()]
        running = min(_RUNNING, max(3, height - len(self._steps) - 8))
        items = list(self._item_lines(now, width, running))
        steps = self._step_lines(width, max(3, height - len(items) - 7))
        return [self._title, *steps, *([(), *items] if items else []), (), *self._footer(now, width)]

    def _step_lines(self, width: int, room: int) -> list[Line]:
        steps = list(self._steps.values())
        if len(steps) > room:  # those that go on are of more interest than those that are over
            steps = [step for step in steps if not step.over][: room - 1]
        name = max((cells(step.name) for step in steps), default=0)
        digits = max((len(str(step.items)) for step in steps), default=1)
        bar = _BAR if width >= name + _BAR + 2 * digits + 24 else 0
        lines = [self._step_line(step, name, digits, bar) for step in steps]
        more = len(self._steps) - len(steps)
        return [*lines, ((f"  … and {count(more, 'more step')}", "dim"),)] if more else lines

    def _step_line(self, step: _Step, name: int, digits: int, bar: int) -> Line:
        told: list[Span] = []
        if step.reused:
            told.append((f"  {step.reused:,} cached", "dim"))
        if step.bad:
            told.append((f"  {step.bad:,} failed", "red"))
        if step.left_out:
            told.append((f"  {step.left_out:,} left out", "yellow"))
        amount = f"{step.good:>{digits}}/{step.items}"
        return ((f"  {padded(step.name, name)}  ", ""), *_bar(step, bar), (amount, ""), *told)

    def _item_lines(self, now: float, width: int, room: int) -> Iterator[Line]:
        """A line each for those that run longest, and how many more there are."""
        shown = list(islice(self._running.values(), room))
        for item in shown:
            text = f"  {padded(item.name, self._widest)}  {clock_time(now - item.since):>6}  "
            yield (text, ""), (one_line(item.now, max(0, width - cells(text) - 1)), "cyan")
        if len(self._running) > len(shown):
            yield ((f"  … and {len(self._running) - len(shown):,} more", "dim"),)

    def _footer(self, now: float, width: int) -> Iterator[Line]:
        if self._failure:
            yield ("  last failure  ", "dim"), (one_line(self._failure, width - 17), "red")
        if self._deadline is not None:
            left = clock_time(max(0.0, self._deadline - now))
            yield ((f"  interrupted: collecting what runs, {left} left; ^C again detaches", "yellow"),)
        yield ((f"  {clock_time(now - self._begun)}   {self._spent}", "dim"),)


def _bar(step: _Step, width: int) -> Line:
    """Good, then bad, then what is still to come; never full before it is."""
    if not width:
        return ()
    items = max(1, step.items)
    good = step.good * width // items
    bad = -(-step.bad * width // items)
    rest = max(0, width - good - bad)
    return ("━" * good, "green"), ("━" * bad, "red"), ("─" * rest, "dim"), ("  ", "")


def clock_time(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``"""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

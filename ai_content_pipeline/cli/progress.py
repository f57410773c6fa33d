"""A run told in plain lines, one for an event worth a line: for logs, pipes and CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ai_content_pipeline.cli.text import one_line, reported
from ai_content_pipeline.cost import format_usd
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemResult, ItemState
from ai_content_pipeline.report.words import STATES, duration

#: Seconds between two lines about one running item.
_EVERY = 30.0
#: Steps with more items than this have their uneventful items counted, not listed.
_FEW = 20
_UNEVENTFUL = (ItemState.CACHED, ItemState.GIVEN, ItemState.SKIPPED, ItemState.NOT_RUN)


@dataclass(slots=True)
class _Waiting:
    since: float
    told: float


@dataclass(slots=True)
class _Tally:
    """The uneventful items of a big step, until they are told in one line."""

    items: int
    ended: int = 0
    states: Counter[ItemState] = field(default_factory=Counter)


class PlainLines:
    """Takes a run's events and says lines. `clock` counts seconds from any start."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float], *, verbose: bool) -> None:
        self._say = say
        self._clock = clock
        self._verbose = verbose
        self._waiting: dict[str, _Waiting] = {}
        self._tallies: dict[str, _Tally] = {}
        self._items: dict[str, int] = {}  # of each step

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.ItemEnded(result):
                self._ended(result)
            case events.ItemProgress():
                self._progress(event)
            case events.ItemStarted():
                self._started(event.address)
            case events.RunStarted():
                self._begin(event)
            case events.RunEnded():
                for step in self._tallies:
                    self._tell(step)
            case events.Collected(address):
                self._say(f"{one_line(address)}  collected, from an earlier run")
            case events.Note(message):
                self._say(reported(message))
            case events.Interrupting():
                self._say(interrupting(event))

    def _begin(self, event: events.RunStarted) -> None:
        self._tallies = {step.name: _Tally(step.items) for step in event.steps if step.items > _FEW}
        self._items = {step.name: step.items for step in event.steps}
        items = sum(self._items.values())
        how = f"{' (draft)' if event.draft else ''}{', going on' if event.resumed else ''}"
        self._say(
            f"{one_line(event.pipeline)}{how}: {count(len(event.steps), 'step')}, {count(items, 'item')}"
        )

    def _started(self, address: str) -> None:
        now = self._clock()
        self._waiting[address] = _Waiting(now, now)
        if self._verbose:
            self._say(f"{one_line(address)}  started")

    def _progress(self, event: events.ItemProgress) -> None:
        now = self._clock()
        waiting = self._waiting.setdefault(event.address, _Waiting(now, now))
        if now - waiting.told < _EVERY:
            return
        waiting.told = now
        words = (one_line(event.address), duration(now - waiting.since), what_now(event))
        self._say("  ".join(filter(None, words)))

    def _ended(self, result: ItemResult) -> None:
        self._waiting.pop(result.address, None)
        tally = self._tallies.get(result.step)
        if tally is None or self._verbose or result.state not in _UNEVENTFUL:
            self._say(ended(result, self._items.get(result.step, 1)))
        else:
            tally.states[result.state] += 1
        if tally is not None:
            tally.ended += 1
            if tally.ended == tally.items:
                self._tell(result.step)

    def _tell(self, step: str) -> None:
        states = self._tallies[step].states
        if states:
            told = ", ".join(f"{number:,} {STATES[state][0]}" for state, number in states.items())
            self._say(f"{one_line(step)}  {told}")
        states.clear()


def ended(result: ItemResult, items: int) -> str:
    """``clips/scene_2 (2 of 4)  done  12 s  $0.70``: whatever ends when, each has its place among the step's
    `items`."""
    word = STATES[result.state][0]
    name = one_line(result.address) + (f" ({result.index + 1:,} of {items:,})" if items > 1 else "")
    if not result.state.good:
        why = reason(result)
        return f"{name}  {word}: {why}" if why else f"{name}  {word}"
    words = [name, word]
    if result.state is ItemState.DONE and result.seconds >= 0.05:
        words.append(duration(result.seconds))
    return "  ".join([*words, *price(result)])


def reason(result: ItemResult) -> str:
    """Why an item has no file."""
    text = result.error.message if result.error is not None else next(iter(result.notes), "")
    return reported(text)


def price(result: ItemResult) -> tuple[str, ...]:
    """What this run paid for an item, if anything."""
    if result.cost is None:
        return ("price unknown",)
    about = "~" if result.rough else ""
    return (f"{about}{format_usd(result.cost)}",) if result.cost else ()


def what_now(event: events.ItemProgress) -> str:
    """What a vendor last said of an item: ``queue 3``, ``42 %, drawing frame 20``."""
    place = "" if event.position is None else f"queue {event.position}"
    known = event.progress is not None and 0 <= event.progress <= 1
    done = f"{event.progress:.0%}".replace("%", " %") if known else ""
    return ", ".join(filter(None, (place, done, reported(event.message or ""))))


def interrupting(event: events.Interrupting) -> str:
    """What the first ^C does, and what a second one would do."""
    if not event.running:
        return "interrupted: nothing new starts, and nothing runs at a vendor"
    return (
        f"interrupted: nothing new starts; waiting for {count(event.running, 'running item')}, "
        f"{duration(event.seconds)} at most. A second ^C detaches and leaves them to a later command"
    )


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

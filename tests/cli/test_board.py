"""The live display: what it shows, and that a real terminal gets it as it is meant."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.cli.board import Board, clock_time
from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.cli.text import cells, plain
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState


def ended(step: str, index: int, state: ItemState, error: ItemError | None = None) -> events.ItemEnded:
    return events.ItemEnded(
        ItemResult(step, index, f"scene_{index + 1}", Kind.VIDEO, state, error=error), Decimal("1.40")
    )


def board(*told: events.Event, items: int = 4, steps: int = 1) -> Board:
    made = Board()
    outlines = tuple(
        events.StepOutline("clips" if n == 0 else f"step_{n}", "t", None, items, 4) for n in range(steps)
    )
    made.update(events.RunStarted("r", "story", True, outlines), 0.0)
    for event in told:
        made.update(event, 0.0)
    return made


def drawn(made: Board, now: float = 0.0, width: int = 80, height: int = 24) -> list[str]:
    return [plain(line) for line in made.lines(now, width, height)]


def test_a_step_shows_what_became_of_its_items():
    """Name, bar, how many are there of how many, and what is cached, failed and left out."""
    refused = ItemError("content_rejected", 6, "refused", None, None)
    made = board(
        ended("clips", 0, ItemState.DONE),
        ended("clips", 1, ItemState.CACHED),
        ended("clips", 2, ItemState.FAILED, refused),
        ended("clips", 3, ItemState.SKIPPED),
    )
    title, step, *rest = drawn(made)
    assert title == "story  draft"
    assert step == f"  clips  {'━' * 18}{'─' * 6}  2/4  1 cached  1 failed  1 left out"
    assert "  last failure  clips/scene_3: refused" in rest
    assert rest[-1] == "  0:00   $1.40"


def test_an_amount_by_a_second_hand_price_is_shown_as_one():
    """With ~, as soon as one item was paid at such a price; what the vendor reported has none."""
    estimate = CostEstimate(Decimal("0.70"), second_hand=True)
    paid = ItemResult(
        "clips", 0, "scene_1", Kind.VIDEO, ItemState.DONE, estimate=estimate, cost=Decimal("0.70")
    )
    billed = board(events.ItemEnded(replace(paid, reported=True), Decimal("0.70")))
    assert drawn(billed)[-1] == "  0:00   $0.70"
    both = board(events.ItemEnded(paid, Decimal("0.70")), ended("clips", 1, ItemState.DONE))
    assert drawn(both)[-1] == "  0:00   ~$1.40"


def test_a_running_item_shows_how_long_and_what_the_vendor_said():
    """A line each, with the time since it started and the vendor's last words, until it has ended."""
    made = board(
        events.ItemStarted("clips", 0, "clips/scene_1"),
        events.ItemStarted("clips", 1, "clips/scene_2"),
        events.ItemProgress("clips", 0, "clips/scene_1", position=3),
        events.ItemProgress("clips", 1, "clips/scene_2", 0.42, None, "drawing"),
    )
    assert drawn(made, 75.0)[3:5] == [
        "  clips/scene_1    1:15  queue 3",
        "  clips/scene_2    1:15  42 %, drawing",
    ]
    made.update(ended("clips", 0, ItemState.DONE), 75.0)
    assert not any("scene_1" in line for line in drawn(made, 75.0))


def test_thousands_of_running_items_are_twelve_lines():
    """The longest running twelve, and how many more; half of a bar stays half of a bar."""
    made = board(*(events.ItemStarted("clips", n, f"clips/scene_{n}") for n in range(5000)), items=5000)
    shown = drawn(made, height=60)
    assert sum("clips/scene_" in line for line in shown) == 12
    assert "  … and 4,988 more" in shown


def test_an_interruption_counts_down():
    """After ^C: how long is left, and what another one does."""
    made = board(events.Interrupting(2, 300.0))
    assert "  interrupted: collecting what runs, 4:50 left; ^C again detaches" in drawn(made, 10.0)


def test_the_last_picture_has_every_step_and_nothing_that_runs():
    """What stays on the screen is the state of all steps, however many there are."""
    made = board(events.ItemStarted("clips", 0, "clips/scene_1"), steps=40)
    made.update(events.RunEnded(None), 1.0)  # type: ignore[arg-type]  # only its type matters here
    shown = drawn(made)
    assert [line.split()[0] for line in shown if line][1:] == ["clips", *(f"step_{n}" for n in range(1, 40))]


@given(st.integers(1, 60), st.integers(0, 60), st.integers(30, 200), st.integers(17, 80), st.booleans())
def test_the_display_fits_its_terminal(steps, running, width, height, trouble):
    """However much goes on, it is less than a screen, so that redrawing never scrolls."""
    told: list[events.Event] = [
        events.ItemStarted("clips", n, f"clips/a_long_name_of_scene_{n}") for n in range(running)
    ]
    if trouble:
        error = ItemError("c", 1, "恋" * 300)
        told += [ended("step_1", 0, ItemState.FAILED, error), events.Interrupting(1, 300.0)]
        told += [events.ItemProgress("clips", 0, "clips/scene_0", 0.5, 1, "恋" * 300)]
    shown = drawn(board(*told, steps=steps), 1.0, width, height)
    assert len(shown) < height
    assert all(cells(line) <= max(width, 68) for line in shown)


@pytest.mark.parametrize(("seconds", "text"), [(7.9, "0:07"), (750, "12:30"), (3723, "1:02:03")])
def test_times_are_clock_times(seconds, text):
    """Minutes and seconds, with hours where there are any."""
    assert clock_time(seconds) == text


# -- a real terminal -----------------------------------------------------------------------------------

_CHILD = r"""
import sys
from decimal import Decimal
from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemResult, ItemState

console = Console.standard(Showing())
with console.progress():
    step = events.StepOutline("clips", "image_to_video", "k", 2, 2)
    console.on_event(events.RunStarted("r", "[bold]story[/bold] \x1b]0;owned\x07:boom:", False, (step,)))
    console.on_event(events.Note("careful [red]now[/red]"))
    console.on_event(events.ItemStarted("clips", 0, "clips/scene_1"))
    console.on_event(events.ItemProgress("clips", 0, "clips/scene_1", message="[link=x]hm[/link]\x1b[2J"))
    sys.stdin.readline()  # until the terminal has shown it
    done = ItemResult("clips", 0, "scene_1", Kind.VIDEO, ItemState.DONE, cost=Decimal("0.70"))
    console.on_event(events.ItemEnded(done, Decimal("0.70")))
    console.on_event(events.RunEnded(None))
console.say("after")
"""


@contextmanager
def terminal(columns: int = 100) -> Iterator[tuple[int, int]]:
    """A pseudo-terminal of 30 lines: our end, and the program's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def read_until(descriptor: int, words: bytes | None) -> bytes:
    """What the terminal gets until `words` were among it, or (None) until its program has ended."""
    got, deadline = b"", time.monotonic() + 30
    while words is None or words not in got:
        assert select.select([descriptor], [], [], deadline - time.monotonic())[0], got
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # EIO: the other end is closed
            part = b""
        if not part:
            return got
        got += part
    return got


def on_a_terminal(words: str, **env: str) -> str:
    """Everything that the child writes to a terminal; it goes on when `words` were seen there."""
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "COLUMNS")}
    with terminal() as (ours, theirs):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**clean, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **env},
        )
        os.close(theirs)
        with child:
            first = read_until(ours, words.encode())
            assert child.stdin is not None
            child.stdin.write(b"\n")
            child.stdin.close()
            shown = first + read_until(ours, None)
        assert child.returncode == 0
    return shown.decode()


def test_a_terminal_gets_the_board_and_no_markup_is_interpreted():
    """On a real terminal: names, the vendor's words and notes as they are, redrawn in place, in colour."""
    shown = on_a_terminal("hm[/link]")
    for text in (
        "[bold]story[/bold] :boom:",
        "careful [red]now[/red]",
        "clips/scene_1",
        "[link=x]hm[/link]",
        "1/2",
        "  0:00   $0.00",
    ):
        assert text in shown
    assert "\x1b[32m" in shown  # green: done
    assert "\x1b[1A" in shown  # it went up to draw again
    assert not re.search(r"\d:\d\d:\d\d", shown)  # hours: a clock that was read before it was set
    assert "owned" not in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert shown.rstrip().endswith("after")
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back


def test_no_color_keeps_the_board():
    """NO_COLOR: the display without any colour."""
    shown = on_a_terminal("hm[/link]", NO_COLOR="1")
    assert "\x1b[1A" in shown
    assert not re.search(r"\x1b\[[0-9;]*[349][0-7][;m]", shown)


@pytest.mark.parametrize("env", [{"CI": "true"}, {"TERM": "dumb"}])
def test_plain_lines_even_on_a_terminal(env):
    """CI, or a terminal that can do nothing: no escape code at all."""
    shown = on_a_terminal("careful", **env)
    assert "\x1b" not in shown
    assert "clips/scene_1 (1 of 2)  done" in shown


def test_a_table_is_cut_to_its_terminal():
    """On a terminal no row is wider than it; the widest column gives way."""
    with terminal(columns=40) as (ours, theirs), os.fdopen(theirs, "w", encoding="utf-8") as stdout:
        console = Console(stdout, sys.stderr, sys.stdin, {}, Showing())
        console.table(("item", "price"), [("恋" * 60, "$0.70"), ("b" * 90, "$12.00")], align="lr")
        header, wide, long = os.read(ours, 4096).decode().splitlines()
    assert [cells(line) for line in (header, wide, long)] == [40, 40, 40]
    assert wide.endswith("…    $0.70")
    assert long.endswith("b…  $12.00")

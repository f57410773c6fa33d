"""The board on a terminal, redrawn a few times a second. The only module that imports rich."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import IO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ai_content_pipeline.cli.board import Board
from ai_content_pipeline.cli.talk import Talk
from ai_content_pipeline.cli.text import Line, sayable
from ai_content_pipeline.engine import events

_PER_SECOND = 4


class LiveBoard:
    """Takes events and keeps the terminal up to date, from the first `RunStarted` to the end of the block."""

    def __init__(self, stream: Talk, encoding: str, clock: Callable[[], float], *, colour: bool) -> None:
        self._encoding = encoding
        self._clock = clock
        self._board = Board()
        self._lock = Lock()  # rich draws in a thread of its own
        self._console = Console(
            file=cast(IO[str], stream),
            force_terminal=True,
            no_color=not colour,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=_PER_SECOND,
            redirect_stdout=False,
        )

    def __enter__(self) -> LiveBoard:
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def update(self, event: events.Event) -> None:
        with self._lock:
            self._board.update(event, self._clock())
        if isinstance(event, events.RunStarted):
            self._live.start(refresh=True)

    def above(self, line: Line) -> None:
        """A line that stays, above what changes."""
        self._console.print(self._text(line), soft_wrap=True)

    def _draw(self) -> Group:
        size = self._console.size
        with self._lock:
            lines = self._board.lines(self._clock(), size.width, size.height)
        return Group(*map(self._text, lines))

    def _text(self, line: Line) -> Text:
        """Never parsed: what looks like markup in it is shown as it is."""
        spans = [(sayable(text, self._encoding), style) for text, style in line]
        return Text.assemble(*spans, no_wrap=True, overflow="ellipsis")

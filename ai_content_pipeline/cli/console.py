"""Everything that a command shows. stdout is data, stderr is talk; nothing in it is ever interpreted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ai_content_pipeline.cli.envelope import dumps, event_line
from ai_content_pipeline.cli.talk import Talk
from ai_content_pipeline.cli.text import Line, cells, clean, one_line, padded, plain, sayable, workflow_safe
from ai_content_pipeline.errors import AicpError

if TYPE_CHECKING:
    from ai_content_pipeline.cli.live import LiveBoard
    from ai_content_pipeline.cli.options import Showing
    from ai_content_pipeline.engine.events import Event
    from ai_content_pipeline.engine.results import RunResult

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_NARROWEST = 8  # columns that a table's column keeps


class Console:
    """The one way out for text. `clock` counts seconds from any start.

    Whoever stops reading stdout ends the command (`BrokenPipeError`); a stderr that went away, such as a
    closed terminal, ends nothing: a paid run goes on without talking.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        stdin: TextIO,
        env: Mapping[str, str],
        showing: Showing,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stdout = stdout
        self._stderr = Talk(stderr)
        self._stdin = stdin
        self._showing = showing
        self._clock = clock
        self._in_actions = bool(env.get("GITHUB_ACTIONS"))
        self._in_ci = env.get("CI", "").lower() not in ("", "0", "false")
        self._lively = stderr.isatty() and not self._in_ci and env.get("TERM") not in ("dumb", "unknown")
        self._colour = self._lively and not env.get("NO_COLOR")
        self._live: LiveBoard | None = None
        self._plain: Callable[[Event], None] | None = None
        self._events = 0

    @classmethod
    def standard(cls, showing: Showing) -> Console:
        """The console of this process."""
        return cls(sys.stdout, sys.stderr, sys.stdin, os.environ, showing)

    @property
    def machine(self) -> bool:
        """Whether a program reads stdout: nothing but JSON belongs there."""
        return self._showing.json or self._showing.json_stream

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer."""
        return self._stdin.isatty() and self._stderr.isatty() and not self._in_ci and not self.machine

    @property
    def _silent(self) -> bool:
        return self._showing.quiet or self.machine

    # -- talk --------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        if not self._silent:
            self._talk(((line, ""),) for line in clean(text).split("\n"))

    def warn(self, text: str) -> None:
        if not self._silent:
            self._talk([(("warning: ", "yellow"), (one_line(text), ""))])

    def error(self, error: AicpError) -> None:
        """What went wrong, whatever else is to be silent."""
        from ai_content_pipeline.cli.error_view import error_lines

        self._talk(error_lines(error))

    def summary(self, result: RunResult, page: Path) -> None:
        """The end of a run. `page` is its report. A silent console tells the failures alone."""
        from ai_content_pipeline.cli.summary import failure_lines, summary_lines

        self._talk(failure_lines(result) if self._silent else summary_lines(result, page, Path.cwd()))

    def confirm(self, question: str) -> bool:
        """Ask; yes only when somebody is there and says so."""
        if not self.interactive:
            return False
        self._stderr.write(f"{sayable(one_line(question), self._stderr.encoding)} [y/N] ")
        self._stderr.flush()
        return self._stdin.readline().strip().lower() in ("y", "yes")

    # -- data --------------------------------------------------------------------------------------

    def data(self, text: str) -> None:
        if not self.machine:
            self._put(map(self._harmless, clean(text).removesuffix("\n").split("\n")))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> None:
        """Aligned columns; `align` has an ``l`` or an ``r`` for each. Cut to fit a terminal, else whole."""
        if self._silent:
            return
        cut = [[one_line(cell) for cell in row] for row in (columns, *rows)]
        widths = self._fitting([max(map(cells, column)) for column in zip(*cut, strict=True)])
        self._put(
            self._harmless("  ".join(map(padded, map(one_line, row, widths), widths, align)).rstrip())
            for row in cut
        )

    def finish(self, envelope: Mapping[str, object]) -> None:
        """The last thing a command shows: its envelope, where a program reads."""
        if self.machine:
            self._put([dumps(envelope)])

    # -- a run -------------------------------------------------------------------------------------

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Around a run whose events come to `on_event`: a live display on a terminal."""
        if self._silent or not self._lively:
            yield
            return
        from ai_content_pipeline.cli.live import LiveBoard

        with LiveBoard(self._stderr, self._stderr.encoding, self._clock, colour=self._colour) as self._live:
            try:
                yield
            finally:
                self._live = None

    def on_event(self, event: Event) -> None:
        """Takes the events of a run, from one thread at a time."""
        if self._showing.json_stream:
            self._events += 1
            self._put([event_line(event, self._events)])
        if self._live is not None:
            self._live.update(event)
            self._tell_above(event)
        elif not self._silent:
            self._tell(event)
        else:
            self._tell_interruption(event)

    def _tell(self, event: Event) -> None:
        if self._plain is None:
            from ai_content_pipeline.cli.progress import PlainLines

            self._plain = PlainLines(self.say, self._clock, verbose=self._showing.verbose > 0)
        self._plain(event)

    def _tell_above(self, event: Event) -> None:
        """What deserves a line that stays beside the live display."""
        from ai_content_pipeline.engine import events

        if isinstance(event, events.Note | events.Collected):
            self._tell(event)

    def _tell_interruption(self, event: Event) -> None:
        """Whoever pressed ^C must know what a second one does, also when all else is silent."""
        from ai_content_pipeline.cli.progress import interrupting
        from ai_content_pipeline.engine.events import Interrupting

        if isinstance(event, Interrupting):
            self._talk([((interrupting(event), ""),)])

    # -- out ---------------------------------------------------------------------------------------

    def _talk(self, lines: Iterable[Line]) -> None:
        if self._live is not None:
            for line in lines:
                self._live.above(line)
            return
        encoding = self._stderr.encoding
        shown = [self._painted(line) if self._colour else self._harmless(plain(line)) for line in lines]
        if shown:
            self._stderr.write(sayable("\n".join(shown) + "\n", encoding))
            self._stderr.flush()

    def _put(self, lines: Iterable[str]) -> None:
        encoding = self._stdout.encoding or "utf-8"
        self._stdout.write(sayable("".join(f"{line}\n" for line in lines), encoding))
        self._stdout.flush()

    def _harmless(self, line: str) -> str:
        return workflow_safe(line) if self._in_actions else line

    def _painted(self, line: Line) -> str:
        return "".join(
            f"\x1b[{';'.join(_CODES[word] for word in style.split())}m{text}\x1b[0m"
            if style and text
            else text
            for text, style in line
        )

    def _fitting(self, widths: list[int]) -> list[int]:
        """Column widths that a terminal has room for: the widest gives way first."""
        room = self._columns() - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
        return widths

    def _columns(self) -> int:
        if self._stdout.isatty():
            with suppress(OSError, ValueError):
                return os.get_terminal_size(self._stdout.fileno()).columns or sys.maxsize
        return sys.maxsize

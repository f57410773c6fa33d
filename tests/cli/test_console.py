"""What reaches stdout and stderr: data and talk, on pipes, for programs and for people."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.envelope import envelope
from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.errors import AicpError, BudgetRefused, InvalidPipeline, Problem

HOSTILE = "\x1b]0;owned\x07\x1b[31m::add-mask::x\r::error::y\u202e\x9b [red]z[/red]"


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Desk:
    """A console on streams in memory, and a clock that stands still until it is moved."""

    showing: Showing = field(default_factory=Showing)
    env: Mapping[str, str] = field(default_factory=dict)
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    answers: io.StringIO = field(default_factory=io.StringIO)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.console = Console(
            self.out, self.err, self.answers, self.env, self.showing, clock=lambda: self.now
        )

    @property
    def said(self) -> str:
        return self.err.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.said.splitlines()

    def tell(self, *told: events.Event) -> None:
        for event in told:
            self.console.on_event(event)


def item(step: str, number: int, state: ItemState, **fields: object) -> ItemResult:
    return ItemResult(step, number - 1, f"scene_{number}", Kind.VIDEO, state, **fields)  # type: ignore[arg-type]


def ended(step: str, number: int, state: ItemState, **fields: object) -> events.ItemEnded:
    return events.ItemEnded(item(step, number, state, **fields), Decimal("0.70"))


def started(*steps: tuple[str, int]) -> events.RunStarted:
    return events.RunStarted(
        "r", "story", False, tuple(events.StepOutline(name, "t", None, items, 4) for name, items in steps)
    )


REFUSED = ItemError(
    "content_rejected", 6, "the vendor refused it", "say it differently", "aicp redo p.yaml c/2"
)
FAILED = item("clips", 2, ItemState.FAILED, error=REFUSED)


def run_result(folder: Path, *items: ItemResult, **fields: object) -> RunResult:
    steps = (StepResult("clips", "image_to_video", "k", True, 4, items),)
    told = {
        "exit_code": 7,
        "spent": Decimal("2.1"),
        "cap": Decimal(5),
        "resume_with": "aicp run-chain p.yaml",
    }
    when = datetime(2026, 11, 21, tzinfo=UTC)
    return RunResult(
        "r", "story", folder / "p.yaml", False, folder / "output/story", when, 42.0, steps, **told | fields
    )  # type: ignore[arg-type]


# -- streams ---------------------------------------------------------------------------------------


def test_data_goes_to_stdout_and_talk_to_stderr():
    """stdout has what was asked for, and nothing that is only said about it."""
    desk = Desk()
    desk.console.data("{}\n")
    desk.console.say("done")
    desk.console.warn("old prices")
    desk.console.error(BudgetRefused("too dear", hint="raise it", retry_with="aicp x --yes"))
    assert desk.out.getvalue() == "{}\n"
    assert desk.lines == [
        "done",
        "warning: old prices",
        "error: too dear",
        "  hint: raise it",
        "  try: aicp x --yes",
    ]


def use_everything(desk: Desk, tmp_path: Path, text: str = "text") -> None:
    """Every way in which a console can show something."""
    console = desk.console
    console.data(text)
    console.say(text)
    console.warn(text)
    console.error(BudgetRefused(text, hint=text, retry_with=text))
    console.error(InvalidPipeline([Problem(text, text, text, 1, 1)]))
    console.table((text, "b"), [(text, text)], align="lr")
    error = ItemError("c", 1, text, text, text)
    with console.progress():
        desk.tell(
            replace(started((text, 3)), pipeline=text),
            events.ItemStarted(text, 0, text),
            ended(text, 1, ItemState.FAILED, error=error),
            ended(text, 2, ItemState.NOT_RUN, notes=(text,)),
            events.Collected(text),
            events.Note(text),
        )
        desk.now += 60
        desk.tell(events.ItemProgress(text, 0, text, 0.5, 1, text), events.Interrupting(1, 300.0))
    result = run_result(
        tmp_path, item("clips", 1, ItemState.FAILED, error=error), notes=(text,), resume_with=text
    )
    console.on_event(events.RunEnded(result))
    console.summary(result, tmp_path / text)
    console.finish(envelope(command="run-chain", ok=False, data=text, error=BudgetRefused(text)))


@pytest.mark.parametrize(
    "showing",
    [Showing(), Showing(verbose=1), Showing(quiet=True), Showing(json=True), Showing(json_stream=True)],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_hostile_text_is_harmless_everywhere(tmp_path, showing, terminal):
    """No way out lets somebody else's escape code, direction override or workflow command through."""
    desk = Desk(
        showing,
        {"GITHUB_ACTIONS": "true", "NO_COLOR": "1", "CI": "true"},
        err=Terminal() if terminal else io.StringIO(),
    )
    use_everything(desk, tmp_path, HOSTILE)
    shown = desk.said + desk.out.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "owned" not in desk.said
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert "[red]z[/red]" in shown


def test_json_is_one_envelope_and_nothing_else(tmp_path):
    """--json: stdout is the envelope; failures are still said on stderr, for whoever reads the log."""
    desk = Desk(Showing(json=True))
    use_everything(desk, tmp_path)
    assert json.loads(desk.out.getvalue())["error"]["message"] == "text"
    assert "error: text" in desk.said
    assert "warning" not in desk.said
    assert desk.console.machine


def test_json_stream_is_numbered_and_ends_with_the_envelope(tmp_path):
    """--json-stream: one object a line, numbered from 1 without a gap; the envelope is the last."""
    desk = Desk(Showing(json_stream=True))
    use_everything(desk, tmp_path)
    *told, last = map(json.loads, desk.out.getvalue().splitlines())
    assert [each["seq"] for each in told] == list(range(1, len(told) + 1))
    assert [told[0]["event"], told[-1]["event"]] == ["run_started", "run_ended"]
    assert last["schema"] == "aicp/envelope/1"


def test_quiet_says_errors_and_nothing_else(tmp_path):
    """--quiet: errors, failed items with their command, and what ^C does; data that was asked for."""
    desk = Desk(Showing(quiet=True))
    desk.console.data("{}")
    desk.console.say("done")
    desk.console.warn("old")
    desk.console.table(("a",), [("b",)], align="l")
    desk.tell(started(("clips", 4)), ended("clips", 1, ItemState.DONE), events.Note("careful"))
    assert (desk.out.getvalue(), desk.said) == ("{}\n", "")
    desk.tell(events.Interrupting(1, 300.0))
    desk.console.error(BudgetRefused("too dear"))
    desk.console.summary(run_result(tmp_path, FAILED), tmp_path / "report.html")
    assert [line.split(":")[0] for line in desk.lines] == [
        "interrupted",
        "error",
        "clips/scene_2  failed",
        "  hint",
        "  try",
        "to go on",
    ]


class Gone(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_left_stdout_ends_the_command():
    """`aicp … | head`: the command is told, so that it can end without a traceback."""
    desk = Desk(out=Gone())
    with pytest.raises(BrokenPipeError):
        desk.console.data("text")


def test_a_closed_terminal_ends_nothing(tmp_path):
    """A stderr that went away is no reason to abandon a run that is being paid for."""
    desk = Desk(err=Gone())
    use_everything(desk, tmp_path)
    assert desk.out.getvalue().startswith("text\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_old_encodings_lose_characters_not_the_run(tmp_path, encoding):
    """What an encoding cannot say is replaced; nothing fails, on either stream."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    use_everything(Desk(out=stream, err=stream), tmp_path, "恋愛 … ━")  # type: ignore[arg-type]
    stream.flush()
    assert b"?? " in raw.getvalue()


# -- errors ----------------------------------------------------------------------------------------


def shown(*problems: Problem) -> list[str]:
    desk = Desk()
    desk.console.error(InvalidPipeline(problems))
    return desk.lines


def test_a_problem_shows_its_line_and_a_caret(tmp_path):
    """file:line:column, what, what instead; below it the line of the file, and a caret at the column."""
    file = tmp_path / "bad.yaml"
    file.write_text("steps:\n  - type: text_to_imag\n")
    problem = Problem("unknown step type 'text_to_imag'", "did you mean 'text_to_image'?", str(file), 2, 11)
    assert shown(problem) == [
        f"{file}:2:11: unknown step type 'text_to_imag'; did you mean 'text_to_image'?",
        "  2 |   - type: text_to_imag",
        "    |           ^",
    ]


@pytest.mark.parametrize(
    ("source", "line", "column", "under"),
    [
        ("\ufeffa: b\n".encode(), 1, 4, "b"),
        (b"a: 1\r\nb: 2\rc: 3", 3, 4, "3"),
        ("恋: 愛\n".encode(), 1, 4, "愛"),
        (b"a:\t\tb", 1, 5, "b"),
        (b"a: \xff\xfez", 1, 6, "z"),
        (b"x" * 5000 + b"!" + b"x" * 5000, 1, 5001, "!"),
    ],
)
def test_the_caret_stands_below_the_place(tmp_path, source, line, column, under):
    """Also after a BOM, other line ends, wide characters, tabs, bad bytes, and within very long lines."""
    from ai_content_pipeline.cli.text import cells

    file = tmp_path / "odd.yaml"
    file.write_bytes(source)
    _, text, caret = shown(Problem("odd", None, str(file), line, column))
    place = text.index(under, text.index("|"))
    assert cells(text[:place]) == cells(caret[: caret.index("^")])
    assert "\t" not in text
    assert len(text) < 120


def test_problems_without_a_readable_place_have_no_excerpt(tmp_path):
    """A folder, a pipe, a missing file, a place outside: the message alone, and no waiting."""
    pipe, file = tmp_path / "pipe", tmp_path / "a.yaml"
    os.mkfifo(pipe)
    file.write_text("a: 1\n")
    places = [
        (pipe, 1, 1),
        (tmp_path, 1, 1),
        (tmp_path / "no\0", 1, 1),
        (file, 9, 1),
        (file, 1, 99),
        (file, 0, 0),
    ]
    assert len(shown(*(Problem("odd", None, str(path), line, column) for path, line, column in places))) == 6
    assert shown(Problem("nowhere")) == ["error: nowhere"]


def test_a_message_of_several_lines_stays_together():
    """The lines after the first are indented below it."""
    desk = Desk()
    desk.console.error(AicpError("one\ntwo"))
    assert desk.lines == ["error: one", "  two"]


# -- tables ----------------------------------------------------------------------------------------


def test_tables_are_aligned_and_whole_on_a_pipe():
    """Columns line up for any script; nothing is cut where no terminal asks for it."""
    desk = Desk()
    desk.console.table(("item", "price"), [("恋愛/scene_1", "$0.70"), ("b" * 300, "$12.00")], align="lr")
    header, wide, long = desk.out.getvalue().splitlines()
    assert header == "item".ljust(302) + " price"
    assert wide == "恋愛/scene_1" + " " * (302 - 12) + " $0.70"
    assert long == "b" * 300 + "  $12.00"


def test_hidden_characters_take_no_room_in_tables():
    """Columns are as wide as what is seen of their cells."""
    desk = Desk()
    desk.console.table(("a", "b"), [("x\x1b[31m\u202ey", "1"), ("zz", "2")], align="ll")
    assert desk.out.getvalue() == "a   b\nxy  1\nzz  2\n"


def test_a_table_without_rows_is_its_header():
    """Nothing to show is no error."""
    desk = Desk()
    desk.console.table(("a", "b"), [], align="ll")
    assert desk.out.getvalue() == "a  b\n"


# -- a run in plain lines ----------------------------------------------------------------------------


def test_a_run_in_plain_lines():
    """The golden output of a run on a pipe: a line for each thing that happened, in words, with the item's
    place among its step's, in whatever order they end."""
    desk = Desk()
    second_hand = CostEstimate(Decimal("0.7"), second_hand=True)
    with desk.console.progress():
        desk.tell(
            started(("storyboard", 1), ("clips", 5)),
            ended("storyboard", 1, ItemState.CACHED),
            events.ItemStarted("clips", 1, "clips/scene_2"),
            ended("clips", 1, ItemState.DONE, cost=Decimal("0.70"), seconds=12.34, estimate=second_hand),
            ended("clips", 2, ItemState.FAILED, error=REFUSED),
            ended("clips", 3, ItemState.IN_DOUBT, error=replace(REFUSED, message="nobody knows")),
            ended(
                "clips", 4, ItemState.SKIPPED, error=ItemError("skipped", 1, "scenes/scene_4 has no result")
            ),
            ended("clips", 5, ItemState.DONE, cost=Decimal("0.5"), reported=True, estimate=second_hand),
            events.Collected("old/scene_1"),
            events.Note("scene_1.mp4 was edited; the new one is beside it"),
        )
    assert desk.said == (
        "story: 2 steps, 6 items\n"
        "storyboard/scene_1  cached\n"
        "clips/scene_1 (1 of 5)  done  12 s  ~$0.70\n"
        "clips/scene_2 (2 of 5)  failed: the vendor refused it\n"
        "clips/scene_3 (3 of 5)  in doubt: nobody knows\n"
        "clips/scene_4 (4 of 5)  skipped: scenes/scene_4 has no result\n"
        "clips/scene_5 (5 of 5)  done  $0.50\n"
        "old/scene_1  collected, from an earlier run\n"
        "scene_1.mp4 was edited; the new one is beside it\n"
    )


def test_starts_are_told_only_when_asked():
    """-v tells when an item starts."""
    desk = Desk(Showing(verbose=1))
    desk.tell(events.ItemStarted("clips", 1, "clips/scene_2"))
    assert desk.lines == ["clips/scene_2  started"]


def test_progress_is_told_at_most_every_thirty_seconds():
    """However often a vendor is asked, an item has one line in 30 s; another item has its own."""
    desk = Desk()
    desk.tell(
        events.ItemStarted("clips", 1, "clips/scene_2"), events.ItemStarted("clips", 2, "clips/scene_3")
    )
    for second in range(1, 91):
        desk.now = float(second)
        desk.tell(events.ItemProgress("clips", 1, "clips/scene_2", position=100 - second))
    desk.tell(events.ItemProgress("clips", 2, "clips/scene_3", 0.42, None, "drawing"))
    assert desk.lines == [
        "clips/scene_2  30 s  queue 70",
        "clips/scene_2  1 min 00 s  queue 40",
        "clips/scene_2  1 min 30 s  queue 10",
        "clips/scene_3  1 min 30 s  42 %, drawing",
    ]


@pytest.mark.parametrize("progress", [float("nan"), float("inf"), -1.0, 42.0])
def test_a_progress_that_is_none_is_not_told(progress):
    """A vendor's number outside 0..1 is no percentage."""
    desk = Desk()
    desk.tell(events.ItemStarted("clips", 1, "clips/scene_2"))
    desk.now = 60.0
    desk.tell(events.ItemProgress("clips", 1, "clips/scene_2", progress))
    assert desk.lines == ["clips/scene_2  1 min 00 s"]


def test_no_word_of_a_vendor_shows_what_a_url_signs(tmp_path):
    """Logs are read by others: of URLs in errors, notes and progress only what fetches nothing is shown."""
    desk = Desk()
    signed = "see https://cdn.example/a.mp4?token=secret"
    error = replace(REFUSED, message=signed)
    desk.now = 60.0
    desk.tell(
        events.Note(signed),
        ended("clips", 1, ItemState.FAILED, error=error),
        ended("clips", 2, ItemState.NOT_RUN, notes=(signed,)),
        events.ItemStarted("clips", 2, "clips/scene_3"),
    )
    desk.now = 120.0
    desk.tell(events.ItemProgress("clips", 2, "clips/scene_3", message=signed))
    failed = item("clips", 1, ItemState.FAILED, error=error)
    desk.console.summary(run_result(tmp_path, failed, notes=(signed,)), tmp_path / "report.html")
    desk.console.error(AicpError(signed))
    assert desk.said.count("see https://cdn.example/a.mp4") == 7
    assert "secret" not in desk.said


def test_many_cached_items_are_one_line():
    """A step of 10,000 items that are there already is told in one line, when it is over or the run is."""
    desk = Desk()
    desk.tell(started(("frames", 10_000), ("clips", 10_000)))
    desk.tell(*(ended("frames", n, ItemState.CACHED) for n in range(1, 10_001)))
    assert desk.lines[1:] == ["frames  10,000 cached"]
    desk.tell(ended("clips", 1, ItemState.FAILED, error=REFUSED), ended("clips", 2, ItemState.SKIPPED))
    desk.tell(events.RunEnded(run_result(Path("/o"))))
    assert desk.lines[2:] == [
        "clips/scene_1 (1 of 10,000)  failed: the vendor refused it",
        "clips  1 skipped",
    ]


def test_an_interruption_says_what_a_second_one_does():
    """After ^C: how many items are waited for, how long, and the way to leave them."""
    desk = Desk()
    desk.tell(events.Interrupting(3, 300.0))
    assert "3 running items, 5 min 00 s at most. A second ^C detaches" in desk.said


# -- the end of a run --------------------------------------------------------------------------------


def test_the_summary_says_what_where_and_how_to_go_on(tmp_path, monkeypatch):
    """Counts, money, paths from the working folder, every failure with its command, the way on."""
    monkeypatch.chdir(tmp_path)
    desk = Desk()
    done = [item("clips", n, ItemState.DONE) for n in (1, 3)]
    result = run_result(
        tmp_path, done[0], FAILED, done[1], item("clips", 4, ItemState.CACHED), notes=("careful",)
    )
    desk.console.summary(result, result.output_dir / "report.html")
    assert desk.said == (
        "Partly done: 2 done, 1 cached, 1 failed in 42 s\n"
        "  spent   $2.10 of $5.00\n"
        "  files   output/story\n"
        "  report  output/story/report.html\n"
        "  note    careful\n"
        "\n"
        "clips/scene_2  failed: the vendor refused it\n"
        "  hint: say it differently\n"
        "  try: aicp redo p.yaml c/2\n"
        "to go on: aicp run-chain p.yaml\n"
    )


def test_a_thousand_failures_are_not_a_thousand_lines(tmp_path):
    """The first twenty, and how many more there are."""
    desk = Desk()
    desk.console.summary(run_result(tmp_path, *[FAILED] * 1000), tmp_path / "report.html")
    assert desk.said.count("clips/scene_2") == 20
    assert "… and 980 more" in desk.said


# -- questions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(answer, agreed):
    """On a terminal, y or yes agrees; anything else, or nothing, does not."""
    desk = Desk(err=Terminal(), answers=Terminal(answer))
    assert desk.console.interactive
    assert desk.console.confirm("This may cost $3. Go on?") is agreed
    assert desk.said == "This may cost $3. Go on? [y/N] "


@pytest.mark.parametrize(
    "changes",
    [
        {"err": io.StringIO()},
        {"answers": io.StringIO("y\n")},
        {"env": {"CI": "true"}},
        {"showing": Showing(json=True)},
        {"showing": Showing(json_stream=True)},
    ],
)
def test_nobody_there_is_a_no(changes):
    """In CI, on a pipe, or for a program, nobody is asked and nobody has agreed."""
    desk = Desk(**{"err": Terminal(), "answers": Terminal("y\n"), **changes})
    assert not desk.console.interactive
    assert not desk.console.confirm("Go on?")
    assert desk.said == ""


# -- start-up --------------------------------------------------------------------------------------------


def test_plain_output_imports_nothing_heavy():
    """Rich is for terminals, pydantic for pipelines: neither is loaded to print a line or to tell a run."""
    code = """
import sys
from decimal import Decimal
from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.options import Showing
early = {"decimal", "rich", "pydantic", "ai_content_pipeline.engine"} & set(sys.modules) - {"decimal"}
console = Console.standard(Showing())
console.say("hello")
from ai_content_pipeline.engine import events
with console.progress():
    console.on_event(events.RunStarted("r", "p", False, ()))
print(sorted(early), sorted({"rich", "pydantic", "httpx", "PIL"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"
    assert done.stderr == "hello\np: 0 steps, 0 items\n"

"""^C and its kin. Once: what runs is collected, nothing new starts. Twice: it is left to a later command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from ai_content_pipeline.engine import events, flow, signals
from ai_content_pipeline.engine.collect import left_running
from ai_content_pipeline.generation.store import State
from ai_content_pipeline.providers.fake import Act

LONG = 120.0  # seconds: longer than any test
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@pytest.fixture
def four(pictures) -> str:
    return pictures("a", "b", "c", "d", max_workers=2)


def begun(nursery, text: str, jobs: int = 2, **settings: object):
    """A run whose first `jobs` jobs are at their vendor."""
    nursery.write(text)
    child = nursery.start(**settings)
    child.wait_for("ItemProgress", jobs)
    return child


@pytest.mark.parametrize("name", NAMES)
def test_once_what_runs_is_collected_and_nothing_new_starts(nursery, four, name):
    """Two of four run: these two are made, exit 130, and the same command makes the others."""
    child = begun(nursery, four, seconds=1.5)
    child.signal(getattr(signal, name))
    assert child.end() == 130
    assert sorted(child.result["states"].values()) == ["done", "done", "not_run", "not_run"]
    assert child.result["resume_with"] == "redo None"
    assert [told["event"] for told in child.told].count("Interrupting") == 1
    assert sorted(nursery.charges) == ["a", "b"]
    code, child = nursery.run()
    assert (code, sorted(nursery.charges)) == (0, ["a", "b", "c", "d"])
    assert nursery.leftovers == []


@pytest.mark.parametrize(
    ("name", "later"),
    [("SIGINT", {}), ("SIGTERM", {"fetch": True}), ("SIGHUP", {})],
    ids=["SIGINT, same command", "SIGTERM, fetch", "SIGHUP, same command"],
)
def test_twice_what_runs_is_left_to_a_later_command(nursery, four, name, later):
    """Gone at once with 130 and what is left where; whatever command comes later has it at no cost."""
    child = begun(nursery, four, seconds=LONG)
    child.signal(getattr(signal, name))
    child.wait_for("Interrupting")
    child.signal(signal.SIGINT)
    started = time.monotonic()
    assert child.end() == 130
    assert time.monotonic() - started < 30
    assert set(child.result["states"].values()) == {"not_run"}
    assert [note.split(":")[0] for note in child.result["notes"]] == ["2 jobs go on at fal"]
    assert nursery.run(**later)[0] == 0
    paid = ["a", "b"] if later else ["a", "b", "c", "d"]
    assert sorted(nursery.charges) == paid
    code, child = nursery.run()
    assert (code, sorted(nursery.charges)) == (0, ["a", "b", "c", "d"])
    assert child.result["spent"] == child.result["costs"]


def test_a_signal_that_was_to_be_ignored_stays_ignored(nursery, four):
    """nohup aicp …: the closing of the terminal does not stop it."""
    child = begun(nursery, four, seconds=0.7, deaf=["SIGHUP"])
    child.signal(signal.SIGHUP)
    assert child.end() == 0
    assert set(child.result["states"].values()) == {"done"}


def test_what_does_not_end_in_time_is_left_without_a_second_interrupt(studio, four, monkeypatch):
    """After the countdown of the first ^C the run ends by itself, as it would after a second one."""
    monkeypatch.setattr(flow, "COLLECT_SECONDS", 0.3)
    studio.vendor.script = lambda wire: Act(LONG)
    result = studio.run(four, emit=interrupting_at(events.ItemProgress, 2))
    assert (result.exit_code, {item.state.value for item in result.items}) == (130, {"not_run"})
    for job in studio.vendor.jobs:
        job.act = Act()
    studio.vendor.script = lambda wire: Act()
    assert studio.run(four).exit_code == 0
    assert sorted(studio.prompts) == ["a", "b", "c", "d"]


def test_an_item_that_fails_while_it_is_collected_is_told(studio, four):
    """130 comes before every other exit code, and the failure has its reason and its command."""
    studio.vendor.script = lambda wire: Act(0.5, end="failed")
    result = studio.run(four, emit=interrupting_at(events.ItemProgress, 2))
    assert result.exit_code == 130
    failed = [item for item in result.items if item.error]
    assert len(failed) == 2
    assert all(item.error.retry_with == f"aicp redo {item.address}" for item in failed)


def test_a_sequential_step_stops_between_its_items(studio, pictures):
    """^C while the first of three is made: it is collected, and the second one never starts."""
    studio.vendor.script = lambda wire: Act(0.5)
    text = pictures("a", "b", "c", parallel=False)
    result = studio.run(text, emit=interrupting_at(events.ItemStarted))
    assert [item.state.value for item in result.items] == ["done", "not_run", "not_run"]
    assert studio.prompts == ["a"]


def test_what_is_there_already_stays_cached(studio, four, pictures):
    """An interrupted resume removes and forgets nothing that earlier runs made."""
    studio.run(pictures("a", "b"))
    before = studio.tree()
    studio.vendor.script = lambda wire: Act(0.5)
    studio.run(four, emit=interrupting_at(events.ItemStarted))
    assert set(before) <= set(studio.tree())


def interrupting_at(kind: type, items: int = 1):
    """A listener that presses ^C when so many items have had an event of a kind."""
    seen: set[str] = set()

    def emit(event: events.Event) -> None:
        if isinstance(event, kind) and len(seen) < items:
            seen.add(event.address)
            if len(seen) == items:
                os.kill(os.getpid(), signal.SIGINT)

    return emit


@pytest.mark.parametrize("vendor", ["nano_banana_pro", "nano_banana_pro_replicate"])
def test_until_when_to_collect_is_said(studio, pictures, monkeypatch, vendor):
    """A sentence for each vendor that has jobs left; for Replicate an hour after the first was submitted."""
    monkeypatch.setattr(flow, "COLLECT_SECONDS", 0.2)
    studio.vendor.script = lambda wire: Act(LONG)
    text = pictures("a", "b").replace("nano_banana_pro", vendor)
    (note,) = studio.run(text, emit=interrupting_at(events.ItemProgress, 2)).notes
    with studio.workshop() as workshop:
        assert list(left_running(workshop)) == [], "this process leaves nothing"
        first = min(job.submitted_at for job in workshop.store.jobs((State.SUBMITTED,)))
    name, until = {
        "nano_banana_pro": ("fal", "fal does not say how long it keeps a result, so do it soon"),
        "nano_banana_pro_replicate": (
            "replicate",
            f"do it before {first + timedelta(hours=1):%Y-%m-%d %H:%M} UTC, when replicate may delete the "
            "first result",
        ),
    }[vendor]
    assert note == (f"2 jobs go on at {name}: aicp fetch, or the same command, collects at no cost; {until}")


# -- the signals themselves ------------------------------------------------------------------------------


def test_signals_are_heard_as_messages_and_handed_back():
    """Inside, each calls the listener and raises nothing; afterwards the old handlers are there again."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in NAMES}
    heard: list[str] = []
    with signals.heard(lambda: heard.append("heard")):
        for name in NAMES:
            os.kill(os.getpid(), getattr(signal, name))
    assert heard == ["heard"] * 3
    assert {name: signal.getsignal(getattr(signal, name)) for name in NAMES} == before


def test_other_threads_change_no_handlers():
    """Only the main thread can hear; a run in another thread leaves the program's signals alone."""
    before = signal.getsignal(signal.SIGINT)
    inside: list[object] = []

    def run() -> None:
        with signals.heard(lambda: None):
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert inside == [before]


# -- the draft renderer, through the command line --------------------------------------------------------

DRAFT = """
name: drafted
seed: 4
output_dir: output
steps:
  - {name: board, type: text_to_image, model: draft, params: {prompt: a cup, width: 640, height: 360}}
  - {name: clip, type: image_to_video, model: draft, params: {prompt: zoom in, duration: 60, fps: 30}}
"""


def test_a_second_interrupt_ends_a_drawing(tmp_path):
    """Nobody has to wait for minutes of drawing: gone at once with 130 and the command to go on with."""
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "pipeline.yaml").write_text(DRAFT)
    words = [sys.executable, "-m", "ai_content_pipeline", "run-chain", "pipeline.yaml", "-v"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=os.environ | {"CI": "1"}, stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []

        def until(words: str) -> None:
            while words not in "".join(said):
                line = process.stderr.readline()
                assert line, said
                said.append(line)

        until("clip/board_1  started")
        process.send_signal(signal.SIGINT)
        until("interrupted: nothing new starts")
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        said += process.stderr.readlines()
        assert process.wait() == 130
    assert time.monotonic() - started < 15
    assert "to go on: aicp run-chain pipeline.yaml\n" in said
    assert list((tmp_path / "output/board").iterdir()), "what was made by then is there"
    assert not list((tmp_path / ".aicp/tmp").iterdir())

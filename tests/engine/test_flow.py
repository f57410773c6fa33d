"""Items flow: each starts when its own input is there, and a failure harms nobody but those below it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemState
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fake import Act, sketch

PANELS_AND_CLIPS = """
name: flow
output_dir: output
steps:
  - name: panels
    type: text_to_image
    model: nano_banana_pro
    params: {parallel: true, prompts: [p1, p2, p3, p4]}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {parallel: true, prompts: [c1, c2, c3, c4]}
"""


class Stage(list):
    """A vendor's side that a test directs, who waits for whom to arrive or to end; and a list of events."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: dict[str, threading.Event] = {}
        self.acts: dict[str, Act] = {}
        self.waits: dict[str, str] = {}
        self.missed: list[str] = []

    def moment(self, name: str) -> threading.Event:
        """`name`: a prompt arrives at the vendor; "name ended": its item has its result."""
        return self.moments.setdefault(name, threading.Event())

    def script(self, wire: WireRequest) -> Act:
        prompt = str(wire.payload["prompt"])
        self.moment(prompt).set()
        if prompt in self.waits and not self.moment(self.waits[prompt]).wait(20):
            self.missed.append(prompt)
        return self.acts.get(prompt, Act())

    def append(self, event: events.Event) -> None:
        super().append(event)
        if isinstance(event, events.ItemEnded):
            self.moment(f"{event.result.prompt} ended").set()


@pytest.fixture
def stage(studio) -> Stage:
    stage = Stage()
    studio.vendor.script = stage.script
    studio.events = stage
    return stage


def states(result, step: str) -> list[str]:
    return [item.state.value for item in result.step(step).items]


def test_a_clip_starts_while_another_panel_is_still_being_made(studio, stage):
    """Clip 1 is at its vendor before panel 4 is finished: steps do not wait for each other."""
    stage.waits = {"p4": "c1"}
    result = studio.run(PANELS_AND_CLIPS)
    assert (result.exit_code, stage.missed) == (0, [])


def test_a_sequential_step_runs_in_item_order_as_its_inputs_come(studio, stage):
    """parallel: false keeps item order, even when the inputs come in the reverse order."""
    stage.waits = {"p1": "p2 ended", "p2": "p3 ended", "p3": "p4 ended"}
    result = studio.run(PANELS_AND_CLIPS.replace("{parallel: true, prompts: [c1", "{prompts: [c1"))
    assert result.exit_code == 0
    assert [prompt for prompt in studio.prompts if prompt[0] == "c"] == ["c1", "c2", "c3", "c4"]
    assert studio.prompts[:4] == ["p4", "p3", "p2", "p1"]


def test_batches_go_one_after_the_other(studio, stage, pictures):
    """strategy: batch makes so many together, and starts the next when all of those have ended."""
    stage.waits = {"a": "b", "b": "a ended", "c": "d", "d": "c"}
    early: list[str] = []

    def script(wire: WireRequest) -> Act:
        act = stage.script(wire)
        if wire.payload["prompt"] == "b":
            time.sleep(0.1)  # a has ended: if c or d could start now, they would
            early.extend(name for name in "cd" if stage.moment(name).is_set())
        return act

    studio.vendor.script = script
    result = studio.run(pictures("a", "b", "c", "d", "e", parallel=False, strategy="batch", batch_size=2))
    assert (result.exit_code, stage.missed, early) == (0, [], [])
    ended = [event.result.prompt for event in stage if isinstance(event, events.ItemEnded)]
    assert [set(ended[:2]), set(ended[2:4]), ended[4]] == [{"a", "b"}, {"c", "d"}, "e"]


def test_items_below_a_failed_one_are_skipped_with_the_reason(studio, stage):
    """A failed panel skips its own clip and names itself; the other clips are made at their indices."""
    stage.acts = {"p2": Act(end="failed")}
    result = studio.run(PANELS_AND_CLIPS)
    assert result.exit_code == 7
    assert states(result, "panels") == ["done", "failed", "done", "done"]
    assert states(result, "clips") == ["done", "skipped", "done", "done"]
    assert "panels/panels_2 has no result" in result.step("clips").items[1].error.message
    assert [file and file.name for file in result.step("clips").outputs] == [
        "panels_1.mp4",
        None,
        "panels_3.mp4",
        "panels_4.mp4",
    ]


def test_on_error_stop_starts_nothing_new(studio, stage, pictures):
    """After a failure no further item of the step starts, not even one whose worker is free at once."""
    stage.acts = {"a": Act(end="failed")}
    result = studio.run(pictures(*"abcdef", parallel=False, step="on_error: stop"))
    assert states(result, "pictures") == ["failed"] + ["not_run"] * 5
    assert studio.prompts == ["a"]
    assert "pictures/pictures_1 failed (on_error: stop)" in result.items[1].notes[0]


def test_on_error_stop_lets_running_siblings_finish(studio, stage, pictures):
    """What runs beside the failing item is collected; what has not begun is not begun."""
    stage.acts = {"a": Act(end="failed"), "b": Act(0.6)}
    stage.waits = {"a": "b"}
    result = studio.run(pictures(*"abcdef", step="on_error: stop", max_workers=2))
    assert states(result, "pictures") == ["failed", "done"] + ["not_run"] * 4
    assert sorted(studio.prompts) == ["a", "b"]


def test_on_error_stop_uses_what_is_there_already(studio, stage, pictures):
    """Items of earlier runs are shown as cached also after a failure stopped their step."""
    studio.run(pictures("b", "c"))
    stage.acts = {"a": Act(end="failed")}
    result = studio.run(pictures("a", "b", "c", "d", parallel=False, step="on_error: stop"))
    assert states(result, "pictures") == ["failed", "cached", "cached", "not_run"]


def test_steps_below_a_stopped_one_are_not_run_rather_than_skipped(studio, stage):
    """An item that was not started failed nobody: what needs it is not run either, with the same reason."""
    stage.acts = {"p1": Act(end="failed")}
    text = PANELS_AND_CLIPS.replace("{parallel: true, prompts: [p1", "{prompts: [p1").replace(
        "type: text_to_image", "type: text_to_image\n    on_error: stop"
    )
    result = studio.run(text)
    assert states(result, "clips") == ["skipped", "not_run", "not_run", "not_run"]
    assert result.step("clips").items[3].notes == result.step("panels").items[3].notes


def test_a_bug_in_one_item_fails_that_item_only(studio, stage):
    """An unforeseen exception becomes the item's error; the run ends, and the siblings are made."""

    def draw(wire: WireRequest, path: Path) -> Path:
        if wire.payload["prompt"] == "p3":
            raise ZeroDivisionError("a bug")
        return sketch(wire, path)

    studio.vendor.draw = draw
    result = studio.run(PANELS_AND_CLIPS)
    assert states(result, "panels") == ["done", "done", "failed", "done"]
    assert "internal error: ZeroDivisionError: a bug" in result.step("panels").items[2].error.message


def test_an_error_outside_any_item_ends_the_run_instead_of_hanging(studio, monkeypatch):
    """If the boundary itself breaks, the run raises; it does not wait for an end that never comes."""
    from ai_content_pipeline.engine.unit_runner import UnitRunner

    def broken(self, unit, results):
        raise RuntimeError("the boundary broke")

    monkeypatch.setattr(UnitRunner, "run", broken)
    with pytest.raises(RuntimeError, match="the boundary broke"):
        studio.run(PANELS_AND_CLIPS)


def test_a_listener_that_breaks_ends_the_run_and_loses_nothing(studio, stage):
    """A broken pipe in `emit` stops the run at once; the same command finds what was submitted."""
    stage.acts = {name: Act(1.0) for name in ("p1", "p2", "p3", "p4")}

    def emit(event: events.Event) -> None:
        if isinstance(event, events.ItemProgress):
            raise BrokenPipeError

    begun = time.monotonic()
    with pytest.raises(BrokenPipeError):
        studio.run(PANELS_AND_CLIPS, emit=emit)
    assert time.monotonic() - begun < 10
    result = studio.run(PANELS_AND_CLIPS)
    assert (result.exit_code, len(studio.vendor.charges), studio.vendor.submits) == (0, 8, 8)


def test_events_come_from_one_thread_in_order(studio, stage):
    """RunStarted first, RunEnded last, items start before they end, all told by the caller's thread."""
    seen: list[tuple[str, str, int]] = []

    def emit(event: events.Event) -> None:
        address = getattr(event, "address", None) or getattr(getattr(event, "result", None), "address", "")
        seen.append((type(event).__name__, address, threading.get_ident()))

    result = studio.run(PANELS_AND_CLIPS, emit=emit)
    assert {thread for _, _, thread in seen} == {threading.get_ident()}
    assert (seen[0][0], seen[-1][0]) == ("RunStarted", "RunEnded")
    names = [(name, address) for name, address, _ in seen]
    for item in result.items:
        assert names.index(("ItemStarted", item.address)) < names.index(("ItemEnded", item.address))


def test_cached_items_are_not_announced_as_started(studio, stage, story):
    """Nothing starts in a run in which everything is there."""
    studio.run(story)
    again: list[events.Event] = []
    studio.run(story, emit=again.append)
    assert not [event for event in again if isinstance(event, events.ItemStarted)]


def test_wall_time_is_the_critical_path(studio):
    """Uneven latencies of two steps overlap: the run takes its longest chain, not the sum of its steps."""
    latency = {"p1": 0.1, "p2": 1.3, "p3": 0.1, "p4": 0.1, "c1": 1.3, "c2": 0.1, "c3": 1.3, "c4": 1.3}

    def script(wire: WireRequest) -> Act:
        time.sleep(latency[str(wire.payload["prompt"])])
        return Act()

    studio.vendor.script = script
    result = studio.run(PANELS_AND_CLIPS)
    assert result.exit_code == 0
    assert result.seconds < 2.4  # one after the other, the steps would take 1.3 + 1.3 s


def test_no_more_threads_than_workers(studio, pictures):
    """A step's thread pool has exactly the workers it was given, however many items wait."""
    together: list[int] = []

    def script(wire: WireRequest) -> Act:
        together.append(sum("aicp-pictures" in thread.name for thread in threading.enumerate()))
        return Act()

    studio.vendor.script = script
    studio.run(pictures(*map(str, range(12)), max_workers=3))
    assert max(together) <= 3


def test_items_are_found_again_by_address_and_index(studio, stage):
    """A result has every item once, in plan order, whatever became of it."""
    stage.acts = {"p1": Act(end="rejected"), "c4": Act(end="failed")}
    result = studio.run(PANELS_AND_CLIPS)
    assert [item.address for item in result.items] == [
        *(f"panels/panels_{n}" for n in (1, 2, 3, 4)),
        *(f"clips/panels_{n}" for n in (1, 2, 3, 4)),
    ]
    assert [item.index for item in result.items] == [0, 1, 2, 3] * 2
    assert result.step("panels").items[0].state is ItemState.FAILED
    assert result.step("panels").items[0].error.code == "content_rejected"

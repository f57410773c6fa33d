"""Parallel image-to-video: the seven laws that the owner's document asks for, on public behaviour."""

from __future__ import annotations

import threading
import time

import pytest

from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemState
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fake import Act

_CHAIN = """
name: story
prompt: "A grid of panels"
steps:
  - {{name: board, type: text_to_image, model: nano_banana_pro}}
  - {{name: scenes, type: split_image, model: local, params: {{grid: "{grid}", naming: "scene_{{n}}"}}}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {{{params}}}
"""
_PROMPTS = 'prompts: ["one", "two", "three", "four"]'


def chain(params: str, grid: str = "2x2") -> str:
    return _CHAIN.format(params=params, grid=grid)


class Meeting:
    """Counts how many clips are being submitted at the same moment."""

    def __init__(self, expected: int, clips: int | None = None) -> None:
        self.barrier = threading.Barrier(expected)
        self.full = None if clips is None else clips // expected * expected  # clips that come in whole groups
        self.came = 0
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def script(self, wire: WireRequest) -> Act:
        """Returns only when `expected` clips are here together: fewer workers would break the barrier."""
        if "video" not in wire.endpoint:
            return Act()
        with self.lock:
            self.came += 1
            alone = self.full is not None and self.came > self.full
            self.inside += 1
            self.most = max(self.most, self.inside)
        if not alone:
            self.barrier.wait(timeout=30)
        time.sleep(0.05)  # a further worker, if there were one, would come in now
        with self.lock:
            self.inside -= 1
        return Act()


def test_parallel_flag_triggers_parallel_processing(studio):
    """parallel: true has all four clips in flight at once, and the result says so."""
    meeting = Meeting(4)
    studio.vendor.script = meeting.script
    result = studio.run(chain(f"parallel: true, {_PROMPTS}"))
    step = result.step("clips")
    assert (result.exit_code, meeting.most) == (0, 4)
    assert (step.parallel, step.max_workers) == (True, 4)


@pytest.mark.parametrize("params", [_PROMPTS, f"parallel: false, max_workers: 4, {_PROMPTS}"])
def test_sequential_when_parallel_false(studio, params):
    """Without parallel: true one clip runs at a time, in item order."""
    meeting = Meeting(1)
    studio.vendor.script = meeting.script
    result = studio.run(chain(params))
    submitted = [job.wire.payload["prompt"] for job in studio.vendor.jobs[1:]]
    assert (result.exit_code, meeting.most) == (0, 1)
    assert submitted == ["one", "two", "three", "four"]
    assert (result.step("clips").parallel, result.step("clips").max_workers) == (False, 1)


@pytest.mark.parametrize(("workers", "grid"), [(2, "2x2"), (3, "3x3"), (9, "3x3")])
def test_max_workers_parameter(studio, workers, grid):
    """max_workers is exact: that many run together, and never one more."""
    meeting = Meeting(workers)
    studio.vendor.script = meeting.script
    result = studio.run(chain(f'parallel: true, max_workers: {workers}, prompt: "move"', grid))
    assert (result.exit_code, meeting.most) == (0, workers)


def test_individual_prompts_in_parallel(studio):
    """Each clip is made from its own panel with its own prompt."""
    result = studio.run(chain(f"parallel: true, {_PROMPTS}"))
    panels = [item.artifact.sha256 for item in result.step("scenes").items]
    sent = {
        job.wire.payload["prompt"]: job.wire.payload["start"]
        for job in studio.vendor.jobs
        if "video" in job.wire.endpoint
    }
    assert sent == {
        prompt: [f"fake://{sha}"] for prompt, sha in zip(["one", "two", "three", "four"], panels, strict=True)
    }
    assert [item.prompt for item in result.step("clips").items] == ["one", "two", "three", "four"]


def test_error_handling_parallel(studio):
    """One failing clip leaves a hole at its index; its siblings are made, and it says why and how to redo."""
    studio.vendor.script = lambda wire: Act(end="failed" if wire.payload["prompt"] == "three" else "done")
    result = studio.run(chain(f"parallel: true, {_PROMPTS}"))
    clips = result.step("clips")
    assert result.exit_code == 7
    assert [item.state for item in clips.items] == [
        ItemState.DONE,
        ItemState.DONE,
        ItemState.FAILED,
        ItemState.DONE,
    ]
    names = [path and path.name for path in clips.outputs]
    assert names == ["scene_1.mp4", "scene_2.mp4", None, "scene_4.mp4"]
    error = clips.items[2].error
    assert "failed this job" in error.message
    assert error.retry_with == "aicp redo clips/scene_3"


def test_results_ordered_correctly(studio):
    """Results keep item order when the clips finish in the reverse order."""
    ended = {f"scene_{n}": threading.Event() for n in (1, 2, 3, 4)}
    waits_for = {"one": "scene_2", "two": "scene_3", "three": "scene_4"}

    def script(wire: WireRequest) -> Act:
        if after := waits_for.get(str(wire.payload["prompt"])):
            assert ended[after].wait(timeout=30)
        return Act()

    def emit(event: events.Event) -> None:
        if isinstance(event, events.ItemEnded) and event.result.step == "clips":
            studio.events.append(event)
            ended[event.result.label].set()

    studio.vendor.script = script
    result = studio.run(chain(f"parallel: true, {_PROMPTS}"), emit=emit)
    finished = [event.result.label for event in studio.events]
    assert finished == ["scene_4", "scene_3", "scene_2", "scene_1"]
    assert [item.label for item in result.step("clips").items] == ["scene_1", "scene_2", "scene_3", "scene_4"]
    assert [path.name for path in result.step("clips").outputs] == [f"scene_{n}.mp4" for n in (1, 2, 3, 4)]


def test_default_max_workers(studio):
    """parallel: true alone means four workers, also for nine clips."""
    meeting = Meeting(4, clips=9)  # the ninth has no company to wait for
    studio.vendor.script = meeting.script
    result = studio.run(chain('parallel: true, prompt: "move"', "3x3"))
    assert (result.exit_code, meeting.most, result.step("clips").max_workers) == (0, 4, 4)

"""Strategies: what runs beside what, in order, whoever fails and whoever is late. Nothing here is timed."""

from __future__ import annotations

import threading

import pytest

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemResult, ItemState, StepResult
from ai_content_pipeline.engine.run import exit_code
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fake import Act, FakeVendor

SIX = [f"scene {number}" for number in range(1, 7)]
#: By strategy: its parameters, and which scenes are at the vendor together.
SHAPES = {
    "sequential": ({"parallel": False}, [[1], [2], [3], [4], [5], [6]]),
    "batch": ({"parallel": False, "strategy": "batch", "batch_size": 2}, [[1, 2], [3, 4], [5, 6]]),
    "parallel": ({"max_workers": 6}, [[1, 2, 3, 4, 5, 6]]),
}


class Meeting:
    """Lets a scene go when all that belong together have come, so that nothing but company lets it go."""

    def __init__(self, groups: list[list[int]]) -> None:
        self.groups = [{f"scene {number}" for number in group} for group in groups]
        self.come: list[str] = []
        self.missed: list[str] = []
        self.arrival = threading.Condition()

    def script(self, wire: WireRequest) -> Act:
        prompt = str(wire.payload["prompt"])
        group = next(group for group in self.groups if prompt in group)
        with self.arrival:
            self.come.append(prompt)
            self.arrival.notify_all()
            if not self.arrival.wait_for(lambda: group <= set(self.come), timeout=20):
                self.missed.append(prompt)
        late = prompt == "scene 4"
        return Act(seconds=0.3 if late else 0.0, end="rejected" if prompt == "scene 2" else "done")


@pytest.mark.parametrize("strategy", SHAPES)
def test_scenes_run_with_their_own_and_come_back_in_order(studio, pictures, strategy):
    """Those of one batch are at the vendor at once; one fails and one is late, and no index shifts."""
    params, groups = SHAPES[strategy]
    meeting = Meeting(groups)
    studio.vendor.script = meeting.script
    result = studio.run(pictures(*SIX, **params))
    assert (meeting.missed, result.exit_code) == ([], 7)
    assert [item.prompt for item in result.items] == SIX
    assert [item.state.value for item in result.items] == ["done", "failed", "done", "done", "done", "done"]
    assert studio.vendor.most_running <= max(map(len, groups))
    place = {prompt: at for at, prompt in enumerate(meeting.come)}
    for before, after in zip(meeting.groups, meeting.groups[1:], strict=False):
        assert max(map(place.__getitem__, before)) < min(map(place.__getitem__, after))


@pytest.mark.parametrize("strategy", SHAPES)
def test_early_results_are_there_while_the_rest_runs(studio, pictures, strategy):
    """Each file lies in the output folder when its end is told, whatever still runs."""
    params, _ = SHAPES[strategy]
    seen: list[bool] = []

    def emit(event: events.Event) -> None:
        if isinstance(event, events.ItemEnded):
            seen.append(event.result.file.is_file())

    studio.run(pictures(*SIX, **params), emit=emit)
    assert seen == [True] * 6


def test_fewer_workers_than_a_batch_are_obeyed(studio, pictures):
    """max_workers bounds a batch from within: a batch of four at two a time."""
    params = {"parallel": False, "strategy": "batch", "batch_size": 4, "max_workers": 2}
    studio.vendor.script = lambda wire: Act(0.05)
    assert studio.run(pictures(*SIX, **params)).exit_code == 0
    assert studio.vendor.most_running <= 2


def test_the_plan_plays_the_same_strategies(studio, pictures):
    """What is expected to take n times a job's time is what the run's own schedule needs."""
    studio.vendor.script = lambda wire: Act(0.1)
    studio.run(pictures("known"))  # from now on the model's usual time is known
    one = studio.plan(pictures("a")).seconds_parallel
    expected = {
        name: studio.plan(pictures(*SIX, **params)).seconds_parallel / one
        for name, (params, _) in SHAPES.items()
    }
    assert expected == pytest.approx({"sequential": 6, "batch": 3, "parallel": 1})


def test_a_run_that_was_stopped_says_what_was_not_spent(studio, pictures):
    """The price of what was not begun, by the plan's own numbers; nothing where all was begun."""
    each = studio.plan(pictures("a")).price.usd
    studio.vendor.script = lambda wire: Act(end="rejected" if wire.payload["prompt"] == "scene 2" else "done")
    stopped = studio.run(pictures(*SIX, parallel=False, step="on_error: stop"))
    assert stopped.not_spent.usd == 4 * each
    assert studio.run(pictures(*SIX, parallel=False)).not_spent.usd == 0


def test_seeds_are_shared_or_each_items_own(studio, pictures, tmp_path_factory):
    """A seed goes to every item unchanged; with per_item each gets its own, the same in every project."""
    seeds = [job.wire.payload["seed"] for job in _jobs(studio, pictures("a", "b", top="seed: 7"))]
    assert seeds == [7, 7]
    own = pictures("a", "b", top="seed: 7", step="seed_mode: per_item")
    first = [job.wire.payload["seed"] for job in _jobs(studio, own)]
    assert len({7, *first}) == 3
    elsewhere = type(studio)(tmp_path_factory.mktemp("elsewhere"), FakeVendor())
    assert [job.wire.payload["seed"] for job in _jobs(elsewhere, own)] == first


def test_an_inserted_scene_changes_no_other_scenes_seed(studio, pictures):
    """seed_mode: per_item depends on what is asked and not on its place: the others stay cached."""
    before = pictures("a", "b", top="seed: 7", step="seed_mode: per_item")
    studio.run(before)
    result = studio.run(pictures("a", "new", "b", top="seed: 7", step="seed_mode: per_item"))
    assert [item.state.value for item in result.items] == ["cached", "done", "cached"]


def _jobs(studio, text: str) -> list:
    known = len(studio.vendor.jobs)
    assert studio.run(text).exit_code == 0
    return sorted(studio.vendor.jobs[known:], key=lambda job: str(job.wire.payload["prompt"]))


def _step(*states: str) -> StepResult:
    items = (
        ItemResult("clips", at, f"clip_{at}", Kind.VIDEO, ItemState(state)) for at, state in enumerate(states)
    )
    return StepResult("clips", "image_to_video", None, False, 1, tuple(items))


@pytest.mark.parametrize(
    ("states", "wanted", "code"),
    [
        (["done", "not_run"], None, 7),
        (["not_run", "not_run"], None, 1),
        (["done", "not_run"], {"clips/clip_0"}, 0),
        (["done", "not_run"], {"clips/clip_1"}, 1),
        (["done", "skipped"], None, 0),
    ],
)
def test_what_was_asked_for_and_not_made_is_no_success(states, wanted, code):
    """An item that was asked for and not begun is never exit 0, whatever kept it; one nobody asked for is."""
    assert exit_code([_step(*states)], wanted) == code

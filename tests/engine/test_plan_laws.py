"""What a change costs, counted at the vendor, and what decides how long a run takes."""

from __future__ import annotations

import pytest

from ai_content_pipeline.engine.plan import PlanState

_NINE = """
name: nine
prompt: Nine panels
output_dir: output
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {resolution: 4K}}
  - {name: scenes, type: split_image, params: {grid: "3x3", naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {parallel: true, prompts: [p1, p2, p3, p4, p5, p6, p7, p8, p9]}
"""


def jobs_of(studio, text: str) -> tuple[int, int]:
    """How many jobs the plan would submit for a changed file, and how many the run then does."""
    planned = sum(item.state is PlanState.RUN and item.model is not None for item in studio.plan(text).items)
    before = len(studio.vendor.charges)
    result = studio.run(text)
    assert result.exit_code == 0
    return planned, len(studio.vendor.charges) - before


@pytest.mark.parametrize(
    ("old", "new", "jobs"),
    [
        ("p5", "another", 1),
        ("p9]", "p9]}\n  - {type: thumbnail", 0),
        ("name: clips", "name: films", 0),
        ("name: scenes", "name: tiles", 0),
        ("name: board", "name: sheet", 0),
        ("name: nine", "name: ten", 0),
        ("p1, p2", "p2, p1", 2),
        ("Nine panels", "Nine other panels", 10),
    ],
)
def test_a_change_costs_the_jobs_that_it_changes(studio, old, new, jobs):
    """One prompt of nine: one job. A thumbnail step, a new name: none. Plan and vendor count the same."""
    assert jobs_of(studio, _NINE) == (10, 10)
    assert jobs_of(studio, _NINE.replace(old, new)) == (jobs, jobs)


# -- the critical path ----------------------------------------------------------------------------------


def path(studio, text: str) -> list[str]:
    return [item.address for item in studio.plan(text).critical]


def test_the_critical_path_is_named(studio):
    """A scene, then as many clips in a row as one of four workers makes; nobody knows the board's time."""
    plan = studio.plan(_NINE)
    assert [item.step for item in plan.critical] == ["scenes", "clips", "clips", "clips"]
    assert plan.untimed == ("nano_banana_pro",)
    assert plan.seconds_parallel == pytest.approx(360.1)
    assert plan.seconds_parallel == pytest.approx(sum(item.seconds or 0 for item in plan.critical))
    assert plan.seconds_sequential == pytest.approx(sum(item.seconds or 0 for item in plan.items))


def test_one_by_one_all_are_critical(studio):
    """Clips that are made one after another all decide how long the run takes."""
    text = _NINE.replace("parallel: true, ", "")
    assert path(studio, text)[-9:] == [f"clips/scene_{number}" for number in range(1, 10)]


def test_what_is_there_takes_no_time(studio):
    """After a run nothing is critical; after one change only that clip is."""
    studio.run(_NINE)
    assert path(studio, _NINE) == []
    assert path(studio, _NINE.replace("p5", "another")) == ["clips/scene_5"]


def test_recorded_times_are_used_before_the_cards(studio):
    """The card says what such a clip takes until this project has made one."""
    assert studio.plan(_NINE).items[-1].seconds == 120.0
    studio.run(_NINE)
    assert studio.plan(_NINE.replace("p9", "another")).items[-1].seconds < 60.0

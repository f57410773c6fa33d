"""Which items stand side by side, and when they ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.report import timeline, words
from ai_content_pipeline.report.strip import Strip, arrange

Items = dict[str, tuple[str, ...]]  # label → inputs


def step(name: str, items: Items) -> StepResult:
    results = tuple(
        ItemResult(name, index, label, Kind.IMAGE, ItemState.DONE, inputs=inputs)
        for index, (label, inputs) in enumerate(items.items())
    )
    return StepResult(name, "image_to_image", None, False, 1, results)


def rows(strip: Strip) -> dict[str, list[list[str]]]:
    return {row.label: [[item.address for item in cell] for cell in row.cells] for row in strip.rows}


def sheets(strip: Strip) -> list[str]:
    return [item.address for item in strip.sheets]


SCENES: Items = {f"scene_{n}": ("board/board_1",) for n in (1, 2)}
BOARD = step("board", {"board_1": ()})
PANELS = step("panels", SCENES)


def test_a_board_stands_above_the_scenes_cut_from_it(film: Callable[..., RunResult]) -> None:
    """One row a scene, in order, from panel to thumbnail; the sheet belongs to none of them."""
    strip = arrange(film().steps)
    assert sheets(strip) == ["storyboard/storyboard_1"]
    assert [column.name for column in strip.columns] == ["scenes", "clips", "thumbnail_1"]
    assert rows(strip)["scene_2"] == [["scenes/scene_2"], ["clips/scene_2"], ["thumbnail_1/scene_2"]]
    assert list(rows(strip)) == ["scene_1", "scene_2", "scene_3", "scene_4"]


def test_an_item_with_a_new_name_stays_with_what_it_was_made_of() -> None:
    """A thumbnail of the panel and one of the clip, made by one step, share a cell of that scene's row."""
    clips = step("clips", {f"scene_{n}": (f"panels/scene_{n}",) for n in (1, 2)})
    small = step(
        "small",
        {
            "scene_1": ("panels/scene_1",),
            "scene_2": ("panels/scene_2",),
            "scene_1_2": ("clips/scene_1",),
            "scene_2_2": ("clips/scene_2",),
        },
    )
    strip = arrange([BOARD, PANELS, clips, small])
    assert rows(strip)["scene_1"][2] == ["small/scene_1", "small/scene_1_2"]


def test_a_clip_that_starts_from_the_one_before_stays_in_its_own_row() -> None:
    """previous.last_frame chains clips within a step; each is still the clip of its own scene."""
    clips = step("clips", {"scene_1": ("panels/scene_1",), "scene_2": ("clips/scene_1",)})
    strip = arrange([BOARD, PANELS, clips])
    assert rows(strip)["scene_2"] == [["panels/scene_2"], ["clips/scene_2"]]


def test_start_and_end_make_no_sheet_of_the_panels() -> None:
    """A panel that ends one clip and starts the next is still the panel of its scene."""
    panels = step("panels", {f"scene_{n}": ("board/board_1",) for n in (1, 2, 3)})
    clips = step("clips", {f"scene_{n}": (f"panels/scene_{n}", f"panels/scene_{n + 1}") for n in (1, 2)})
    strip = arrange([BOARD, panels, clips])
    assert sheets(strip) == ["board/board_1"]
    assert rows(strip)["scene_1"] == [["panels/scene_1"], ["clips/scene_1"]]
    assert rows(strip)["scene_3"] == [["panels/scene_3"], []]


def test_two_boards_with_the_same_names_are_kept_apart() -> None:
    """panel_1 of one board is not panel_1 of another."""
    boards = step("boards", {"boards_1": (), "boards_2": ()})
    first = step("first", {f"panel_{n}": ("boards/boards_1",) for n in (1, 2)})
    second = step("second", {f"panel_{n}": ("boards/boards_2",) for n in (1, 2)})
    strip = arrange([boards, first, second])
    assert [row.label for row in strip.rows] == ["panel_1", "panel_2", "panel_1", "panel_2"]


def test_the_users_own_clip_stands_in_the_row_of_its_name() -> None:
    """An entry's file has no input of ours; its label says which scene it is."""
    clips = step("clips", {"scene_1": ("panels/scene_1",), "scene_2": ()})
    assert rows(arrange([BOARD, PANELS, clips]))["scene_2"] == [["panels/scene_2"], ["clips/scene_2"]]


def test_pictures_of_a_single_step_are_rows_of_their_own() -> None:
    """A step of several prompts is a gallery: nothing is a sheet where nothing has a chain."""
    strip = arrange([step("pictures", {"a": (), "b": (), "c": ()})])
    assert (sheets(strip), list(rows(strip))) == ([], ["a", "b", "c"])


@st.composite
def chains(draw: st.DrawFn) -> list[StepResult]:
    steps: list[StepResult] = []
    addresses: list[str] = []
    for number in range(draw(st.integers(1, 4))):
        labels = draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1))
        some = st.lists(st.sampled_from(addresses), max_size=3) if addresses else st.just([])
        found = step(f"s{number}", {label: tuple(draw(some)) for label in labels})
        steps.append(found)
        addresses += [item.address for item in found.items]
    return steps


@given(chains())
def test_every_item_is_shown_once(steps: list[StepResult]) -> None:
    """Whatever was made from whatever: nothing is left out, nothing is shown twice."""
    strip = arrange(steps)
    shown = sheets(strip) + [address for cells in strip.rows for cell in cells.cells for address in _of(cell)]
    assert sorted(shown) == sorted(item.address for step in steps for item in step.items)
    assert all(len(row.cells) == len(strip.columns) for row in strip.rows)


def _of(cell: tuple[ItemResult, ...]) -> list[str]:
    return [item.address for item in cell]


# -- the timeline ------------------------------------------------------------------------------------


def timed(result: RunResult, spans: list[tuple[float, float]]) -> RunResult:
    clips = result.step("clips")
    items = tuple(
        replace(clips.items[0], index=i, label=f"c{i}", prompt=str(i), started=start, seconds=seconds)
        for i, (start, seconds) in enumerate(spans)
    )
    return replace(result, steps=(replace(clips, items=items),))


def test_each_busy_worker_is_a_lane(film: Callable[..., RunResult]) -> None:
    """Four clips side by side are four lanes; four tiles of one cut are one bar."""
    drawn = timeline.draw(film())
    assert drawn is not None
    bands = {band.name: band for band in drawn.bands}
    assert len({bar.y for bar in bands["clips"].bars}) == 4
    assert [bar.title.partition(":")[0] for bar in bands["scenes"].bars] == ["scene_1 … scene_4"]
    assert bands["clips"].bars[0].title == "scene_1: done in 40 s"


spans = st.lists(st.tuples(st.floats(0, 1000), st.floats(0.1, 100)), min_size=1, max_size=12)


@given(spans)
def test_bars_of_a_lane_follow_each_other(found: list[tuple[float, float]]) -> None:
    """No two bars of a lane cover each other, and all are inside the picture."""
    items = tuple(
        ItemResult("s", i, f"c{i}", Kind.VIDEO, ItemState.DONE, prompt=str(i), started=start, seconds=seconds)
        for i, (start, seconds) in enumerate(found)
    )
    drawn = timeline.draw(_run(items))
    assert drawn is not None
    (band,) = drawn.bands
    for y in {bar.y for bar in band.bars}:
        lane = sorted((bar.x, bar.x + bar.width) for bar in band.bars if bar.y == y)
        assert all(before[1] <= after[0] + 0.36 for before, after in pairwise(lane))
    assert all(bar.x >= 0 and bar.x + bar.width <= 100.01 for bar in band.bars)
    assert all(bar.y > 0 and bar.y + drawn.bar < drawn.height for bar in band.bars)
    assert all(0 <= x <= 100.01 for x, _ in drawn.ticks)


def _run(items: tuple[ItemResult, ...]) -> RunResult:
    from datetime import UTC, datetime
    from decimal import Decimal
    from pathlib import Path

    found = StepResult("s", "image_to_video", None, True, 4, items)
    return RunResult(
        "r",
        "p",
        Path("p.yaml"),
        False,
        Path("o"),
        datetime(2026, 1, 1, tzinfo=UTC),
        1.0,
        (found,),
        0,
        Decimal(0),
    )


def test_what_took_no_time_has_no_timeline(film: Callable[..., RunResult]) -> None:
    """A run of cached items has nothing to draw; times that are no numbers are left out."""
    clips = film().step("clips").items
    assert timeline.draw(_run(tuple(replace(item, state=ItemState.CACHED) for item in clips))) is None
    for strange in (float("nan"), float("inf"), -1.0):
        assert timeline.draw(_run((replace(clips[0], started=strange),))) is None
        assert timeline.draw(_run((replace(clips[0], seconds=strange),))) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3720, "1 h 02 min"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """Never 60 s, never 0 min."""
    assert words.duration(seconds) == said

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.media.draft import panel_prompts
from ai_content_pipeline.media.panels import MAX_SIDE, grid_of, read_board
from ai_content_pipeline.media.tiles import Grid

LOVE_STORY = """\
A 2x2 grid of 4 cinematic panels telling a love story:
Panel 1: Coffee shop meet-cute
Panel 2: Walking in the park
Panel 3: Cooking dinner together
Panel 4: Stargazing on rooftop
Style: cinematic, warm lighting
"""
LOVE_CAPTIONS = [
    "Panel 1: Coffee shop meet-cute",
    "Panel 2: Walking in the park",
    "Panel 3: Cooking dinner together",
    "Panel 4: Stargazing on rooftop",
]


def test_the_love_story_has_its_four_panels() -> None:
    """The owner's prompt gives its grid, its captions, and what all panels share."""
    assert panel_prompts(LOVE_STORY) == (Grid(2, 2), LOVE_CAPTIONS)
    board = read_board(LOVE_STORY)
    assert board is not None
    assert "love story" in board.shared
    assert "warm lighting" in board.shared
    assert "Coffee" not in board.shared


def test_one_line_is_as_good_as_seven() -> None:
    """YAML may fold the prompt."""
    assert panel_prompts(" ".join(LOVE_STORY.split())) == (Grid(2, 2), LOVE_CAPTIONS)


@pytest.mark.parametrize(
    ("prompt", "grid", "captions"),
    [
        ("3x3 grid of a heist", Grid(3, 3), ["Panel 1: 3x3 grid of a heist"]),
        ("storyboard (2x3) about cats", Grid(2, 3), []),
        ("A 2 by 4 contact sheet of boats", Grid(2, 4), []),
        ("nine-panel comic about tea", Grid(3, 3), []),
        ("12 small panels of clouds", Grid(3, 4), []),
        ("grid of 9 panels: 1. sunrise 2. noon 3. dusk", Grid(3, 3), ["Panel 1: sunrise", "Panel 2: noon"]),
        ("Panel 1: a\nPanel 2: b\nall in ink", Grid(1, 2), ["Panel 1: a", "Panel 2: b"]),
        ("Scene 1: rain. Scene 2: sun", Grid(1, 2), ["Scene 1: rain", "Scene 2: sun"]),
        ("Shot 1 - wide street. Shot 2 - a face", Grid(1, 2), ["Shot 1: wide street", "Shot 2: a face"]),
        ("A storyboard. Akt 1: Tag Akt 2: Nacht", Grid(1, 2), ["Akt 1: Tag", "Akt 2: Nacht"]),
        ("At 1:30 pm. Panel 1: a. Panel 2: b. Style: warm", Grid(1, 2), ["Panel 1: a", "Panel 2: b"]),
        ("4 panels. Panel 1: a\nPanel 2: b\n", Grid(2, 2), ["Panel 1: a", "Panel 2: b", "Panel 3: 4 panels"]),
        ("A 2x2 grid. Panel 1: a Panel 2: b Panel 3: c Panel 4: d Panel 5: e", Grid(2, 2), ["Panel 1: a"]),
    ],
)
def test_sheets_in_other_words(prompt: str, grid: Grid, captions: list[str]) -> None:
    """Grids by size or by number, panels by any word that is counted."""
    found = panel_prompts(prompt)
    assert found is not None
    assert found[0] == grid
    assert found[1][: len(captions)] == captions
    assert len(found[1]) == grid.rows * grid.cols


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "A cat walking in a garden, cinematic shot",
        "a 4x4 truck drives over hills",
        "a 1920x1080 photo of a power grid",
        "three friends in a frame",
        "Chapter 1: the sea Chapter 2: the land",
        "1. Mix flour 2. Bake",
        "a 40x40 grid of dots",
        "1 panel of wood",
        "0x0 grid",
        "997 panels",
        "Scene 1: night",
        "Scene 2: night Scene 3: day",
    ],
)
def test_single_pictures_stay_single(prompt: str) -> None:
    """Numbers alone do not make a sheet, nor does an absurd one."""
    assert panel_prompts(prompt) is None


def test_a_grid_asked_for_by_parameter_counts() -> None:
    """The prompt's panels fill it in order; the rest show what the prompt says about all."""
    board = read_board("Two friends. Scene 1: tea. Scene 2: rain.", Grid(2, 2))
    assert board is not None
    assert board.grid == Grid(2, 2)
    assert board.captions == ("Scene 1: tea", "Scene 2: rain", "Scene 3: Two friends", "Scene 4: Two friends")


@given(st.integers(1, 400))
def test_grid_of_holds_exactly_as_many(count: int) -> None:
    """No empty tile, and never higher than wide."""
    grid = grid_of(count)
    assert grid.rows * grid.cols == count
    assert grid.rows <= grid.cols


@given(st.text(alphabet="Panel 123:x.\nScgrid", max_size=200))
def test_any_text_is_read(prompt: str) -> None:
    """A board always has one caption a tile and a size that can be drawn."""
    board = read_board(prompt)
    if board is not None:
        assert len(board.captions) == board.grid.rows * board.grid.cols > 1
        assert max(board.grid.rows, board.grid.cols) <= MAX_SIDE


@pytest.mark.parametrize("unit", ["a1", "2 ", "panel ", "9 a-b ", "2x2 a-", "Panel 1: ", "x", " "])
def test_long_prompts_are_read_quickly(unit: str) -> None:
    """100 kB of anything takes no noticeable time."""
    start = time.perf_counter()
    read_board(unit * (100_000 // len(unit)))
    assert time.perf_counter() - start < 1

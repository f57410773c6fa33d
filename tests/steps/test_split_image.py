"""split_image: the grid, the names and the sizes of tiles."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.jobs import LocalWork
from ai_content_pipeline.steps.protocol import Faults, Input, Item, Setting
from ai_content_pipeline.steps.split_image import SplitImage

SIDES = st.integers(1, 16)


def step(**params: object) -> SplitImage:
    return SplitImage.model_validate({"name": "tiles", "type": "split_image", "params": params})


def tiles(of: SplitImage, *sheets: tuple[int | None, int | None]) -> tuple[Item, ...]:
    setting = Setting("tiles", {}, _nothing, _nothing)
    assert of.check(setting) == ()
    inputs: Sequence[Input] = [
        Input(Pending(f"board/b{n}", Kind.IMAGE, *size), f"b{n}") for n, size in enumerate(sheets)
    ]
    return of.items({Role.INPUT: inputs}, setting)


def _nothing(name: str) -> Input:
    raise LookupError(name)


@pytest.mark.parametrize("grid", ["2x3", "2X3", "2×3", " 2 x 3 "])
def test_a_grid_is_rows_times_columns(grid: str) -> None:
    """Rows come first, and any times sign will do."""
    assert (step(grid=grid).params.shape.rows, step(grid=grid).params.shape.cols) == (2, 3)
    assert step(rows=2, cols=3).params.shape == step(grid=grid).params.shape


@pytest.mark.parametrize("grid", ["4by4", "0x2", "17x17", "2x", "", "2x2x2", 4, 2.5, True, ["2x2"]])
def test_what_is_no_grid_is_refused(grid: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValidationError):
        step(grid=grid)


@given(rows=SIDES, cols=SIDES, width=st.integers(16, 5000), height=st.integers(16, 5000))
def test_tiles_cover_the_sheet(rows: int, cols: int, width: int, height: int) -> None:
    """The tiles' sizes add up to the sheet's, and there are rows times columns of them, in reading order."""
    items = tiles(step(rows=rows, cols=cols), (width, height))
    assert len(items) == rows * cols
    widths = [item.makes.width or 0 for item in items]
    heights = [item.makes.height or 0 for item in items]
    assert all(sum(widths[row * cols : (row + 1) * cols]) == width for row in range(rows))
    assert all(sum(heights[col::cols]) == height for col in range(cols))
    assert sum(w * h for w, h in zip(widths, heights, strict=True)) == width * height


@given(rows=SIDES, cols=SIDES, sheets=st.integers(1, 4))
def test_names_are_safe_and_unique(rows: int, cols: int, sheets: int) -> None:
    """{n} counts over all sheets; tiles of one sheet share its job."""
    items = tiles(step(rows=rows, cols=cols, naming="r{row}_{col}-{n}"), *[(None, None)] * sheets)
    assert len({item.label for item in items}) == len(items) == rows * cols * sheets
    assert [item.job for item in items] == [sheet for sheet in range(sheets) for _ in range(rows * cols)]
    assert items[-1].label == f"r{rows}_{cols}-{len(items)}"
    assert all(item.makes.width is None for item in items)


def test_rows_and_columns_may_run_together_by_accident() -> None:
    """{row}{col} is 111 for row 1, column 11 and for row 11, column 1: refused, not overwritten."""
    with pytest.raises(Faults, match="several tiles the name 't111'"):
        tiles(step(rows=11, cols=11, naming="t{row}{col}"), (None, None))


@pytest.mark.parametrize(
    "naming",
    ["../{n}", "/tmp/{n}", "a b{n}", "{n}.png", "", "x" * 60 + "{n}", "{x}", "{0.__class__}", "é{n}"],
)
def test_a_naming_that_makes_no_safe_name_is_refused(naming: str) -> None:
    """No separators, dots, spaces or other fields; nothing of Python's formatting."""
    assert step(grid="2x2", naming=naming).check(Setting("tiles", {}, _nothing, _nothing))


def test_the_work_says_all_that_changes_the_result() -> None:
    """Grid, gutter and trim are the work's parameters; the names of the tiles are not."""
    one, other = step(grid="2x2", naming="a{n}"), step(rows=2, cols=2, naming="b{n}")
    works = [
        each.work(tiles(each, (64, 64))[0], Setting("tiles", {}, _nothing, _nothing)) for each in (one, other)
    ]
    assert all(isinstance(work, LocalWork) and work.outputs == 4 for work in works)
    assert works[0].params == works[1].params == {"rows": 2, "cols": 2, "gutter": 0, "trim": False}

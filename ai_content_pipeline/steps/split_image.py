"""split_image: the panels of a storyboard sheet, each a picture of its own. Nothing is lost at the seams."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.jobs import LocalWork, Workbench
from ai_content_pipeline.media.grid import MAX_SIDE, Grid, parse_grid, tile_boxes
from ai_content_pipeline.steps.fields import Fields, LocalFields, is_name, reserved
from ai_content_pipeline.steps.protocol import MAX_ITEMS, Fault, Faults, Input, Item, Setting, check_count

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1

_TIMES = re.compile(r"\s*[xX×]\s*")
_FIELD = re.compile(r"\{([^}]*)\}")


class SplitParams(Fields):
    grid: str | None = None
    rows: Annotated[int, Field(ge=1, le=MAX_SIDE)] | None = None
    cols: Annotated[int, Field(ge=1, le=MAX_SIDE)] | None = None
    naming: str = "panel_{n}"
    gutter: Annotated[int, Field(ge=0, le=4096)] = 0
    trim: Literal["none", "auto"] = "none"

    @field_validator("grid", mode="before")
    @classmethod
    def _grid(cls, value: Any) -> Any:
        if isinstance(value, str):
            _parsed(value)
        elif value is not None:
            raise ValueError(f'a grid is text such as "2x2", rows x columns; {_shown(value)} is none')
        return value

    @model_validator(mode="after")
    def _one_grid(self) -> SplitParams:
        if self.grid is not None and (self.rows is not None or self.cols is not None):
            raise ValueError("'grid' and 'rows', 'cols' say the same thing twice; keep one of them")
        if self.grid is None and (self.rows is None or self.cols is None):
            raise ValueError('the grid is missing; write grid: "2x2", or both rows and cols')
        if self.trim == "auto" and self.gutter:
            raise ValueError("'trim: auto' finds the separators itself; remove 'gutter'")
        return self

    @property
    def shape(self) -> Grid:
        return Grid(self.rows or 1, self.cols or 1) if self.grid is None else _parsed(self.grid)


def _parsed(text: str) -> Grid:
    return parse_grid(_TIMES.sub("x", text.strip()))


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else "this"


class SplitImage(LocalFields):
    type: Literal["split_image"]
    params: SplitParams

    task: ClassVar[None] = None
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.INPUT: frozenset({Kind.IMAGE})}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        where, naming = ("params", "naming"), self.params.naming
        unknown = sorted(set(_FIELD.findall(naming)) - {"n", "row", "col"})
        if unknown:
            names = ", ".join(f"{{{name}}}" for name in unknown)
            return (Fault(where, f"naming has {names[:60]}", "use {n}, {row} and {col}"),)
        if not is_name(self._label(MAX_ITEMS, MAX_SIDE, MAX_SIDE)):
            hint = "use letters, digits, '_' and '-', at most 64, as in scene_{n}"
            return (Fault(where, f"naming {naming[:80]!r} makes no file name", hint),)
        return ()

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        grid = self.params.shape
        cells = [(row, col) for row in range(1, grid.rows + 1) for col in range(1, grid.cols + 1)]
        check_count(len(inputs[Role.INPUT]) * len(cells), ("params",))
        items: list[Item] = []
        for job, entry in enumerate(inputs[Role.INPUT]):
            sizes = self._sizes(entry)
            for output, (row, col) in enumerate(cells):
                label = self._label(len(items) + 1, row, col)
                makes = Pending(f"{setting.name}/{label}", Kind.IMAGE, *sizes[output])
                source = {Role.INPUT: (entry.source,)}
                items.append(Item(setting.name, len(items), label, job, output, source, makes))
        self._check_labels([item.label for item in items])
        return tuple(items)

    def work(self, item: Item, setting: Setting) -> LocalWork:
        grid, gutter, trim = self.params.shape, self.params.gutter, self.params.trim == "auto"
        return LocalWork(
            "split_image",
            VERSION,
            {"rows": grid.rows, "cols": grid.cols, "gutter": gutter, "trim": trim},
            item.inputs,
            partial(_split, grid=grid, gutter=gutter, trim=trim),
            outputs=grid.rows * grid.cols,
        )

    def _check_labels(self, labels: Sequence[str]) -> None:
        where = ("params", "naming")
        if len(set(labels)) < len(labels):
            twice = next(label for number, label in enumerate(labels) if label in labels[:number])
            hint = "use {n}, which counts over all of them"
            raise Faults([Fault(where, f"naming gives several tiles the name {twice!r}", hint)])
        device = next((label for label in labels if reserved(label)), None)
        if device is not None:
            raise Faults([Fault(where, f"naming gives {device!r}, a reserved name on Windows", "add a word")])

    def _label(self, n: int, row: int, col: int) -> str:
        text = self.params.naming
        for name, value in (("n", n), ("row", row), ("col", col)):
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def _sizes(self, entry: Input) -> list[tuple[int | None, int | None]]:
        """Each tile's (width, height), as far as the sheet's own is known; with ``trim`` at most that."""
        source = entry.source.info if not isinstance(entry.source, Pending) else entry.source
        grid = self.params.shape
        if source.width is None or source.height is None:
            return [(None, None)] * (grid.rows * grid.cols)
        try:
            found = tile_boxes(source.width, source.height, grid, self.params.gutter)
        except BadMedia as error:
            message = f"{entry.label}: {error}"
            raise Faults([Fault(("params",), message, "use a larger picture or fewer tiles")]) from error
        return [(right - left, bottom - top) for left, top, right, bottom in found]


def _split(bench: Workbench, *, grid: Grid, gutter: int, trim: bool) -> tuple[tuple[Path, Image], ...]:
    from ai_content_pipeline.media import images, tiles

    (artifact,) = bench.inputs[Role.INPUT]
    sheet = bench.picture(artifact)
    found = tiles.find_separators(sheet, grid) if trim else tile_boxes(*sheet.size, grid, gutter)
    made = []
    for number, tile in enumerate(tiles.split(sheet, found)):
        path = bench.folder / f"{number}.png"
        images.save_png(tile, path)
        made.append((path, tile))
    return tuple(made)

"""split_image: the panels of a storyboard sheet, each a picture of its own. Nothing is lost at the seams."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.jobs import LocalWork, Workbench
from ai_content_pipeline.steps.fields import Fields, LocalFields
from ai_content_pipeline.steps.protocol import Fault, Faults, Input, Item, Setting, check_count

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1

_GRID = re.compile(r"([0-9]{1,3})\s*[xX×]\s*([0-9]{1,3})")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST = 16


class SplitParams(Fields):
    grid: str | None = None
    rows: Annotated[int, Field(ge=1, le=_LARGEST)] | None = None
    cols: Annotated[int, Field(ge=1, le=_LARGEST)] | None = None
    naming: str = "panel_{n}"
    gutter: Annotated[int, Field(ge=0, le=4096)] = 0
    trim: Literal["none", "auto"] = "none"

    @model_validator(mode="after")
    def _one_grid(self) -> SplitParams:
        if (self.grid is None) is (self.rows is None and self.cols is None):
            raise ValueError('needs either grid: "2x2" or rows and cols')
        if self.grid is None and (self.rows is None or self.cols is None):
            raise ValueError("needs both rows and cols")
        if self.grid is not None:
            match = _GRID.fullmatch(self.grid.strip())
            if match is None or not all(1 <= int(number) <= _LARGEST for number in match.groups()):
                raise ValueError(
                    f'grid {self.grid!r} is no grid: write rows x columns up to 16x16, as in "2x2"'
                )
        if self.trim == "auto" and self.gutter:
            raise ValueError("'trim: auto' finds the separators itself: remove 'gutter'")
        return self

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns)"""
        if self.grid is None:
            return self.rows or 1, self.cols or 1
        rows, cols = self.grid.strip().replace("X", "x").replace("×", "x").split("x")
        return int(rows), int(cols)


class SplitImage(LocalFields):
    type: Literal["split_image"]
    params: SplitParams

    task: ClassVar[None] = None
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.INPUT: frozenset({Kind.IMAGE})}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        where = ("params", "naming")
        unknown = set(re.findall(r"\{([^}]*)\}", self.params.naming)) - {"n", "row", "col"}
        if unknown:
            names = ", ".join(f"{{{name}}}" for name in sorted(unknown))
            return (Fault(where, f"naming has {names}", "use {n}, {row} and {col}"),)
        if not _LABEL.fullmatch(self._label(1, 1, 1)):
            hint = "use letters, digits, '_' and '-', as in scene_{n}"
            return (Fault(where, f"naming {self.params.naming!r} makes no file name", hint),)
        return ()

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        rows, cols = self.params.size
        cells = [(row, col) for row in range(1, rows + 1) for col in range(1, cols + 1)]
        check_count(len(inputs[Role.INPUT]) * len(cells), ("params",))
        items: list[Item] = []
        for job, entry in enumerate(inputs[Role.INPUT]):
            sizes = self._sizes(entry)
            for output, (row, col) in enumerate(cells):
                label = self._label(len(items) + 1, row, col)
                makes = Pending(f"{setting.name}/{label}", Kind.IMAGE, *sizes[output])
                source = {Role.INPUT: (entry.source,)}
                items.append(Item(setting.name, len(items), label, job, output, source, makes))
        if len({item.label for item in items}) < len(items):
            hint = "use {n}, which counts over all of them"
            raise Faults([Fault(("params", "naming"), "naming gives several tiles the same name", hint)])
        return tuple(items)

    def work(self, item: Item, setting: Setting) -> LocalWork:
        rows, cols = self.params.size
        trim = self.params.trim == "auto"
        return LocalWork(
            "split_image",
            VERSION,
            {"rows": rows, "cols": cols, "gutter": self.params.gutter, "trim": trim},
            item.inputs,
            partial(_split, rows=rows, cols=cols, gutter=self.params.gutter, trim=trim),
            outputs=rows * cols,
        )

    def _label(self, n: int, row: int, col: int) -> str:
        text = self.params.naming
        for name, value in (("n", n), ("row", row), ("col", col)):
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def _sizes(self, entry: Input) -> list[tuple[int | None, int | None]]:
        """Each tile's (width, height), as far as the sheet's own is known."""
        source = entry.source.info if not isinstance(entry.source, Pending) else entry.source
        rows, cols = self.params.size
        if source.width is None or source.height is None:
            return [(None, None)] * (rows * cols)
        from ai_content_pipeline.media.tiles import Grid, tile_boxes

        try:
            boxes = tile_boxes(source.width, source.height, Grid(rows, cols), self.params.gutter)
        except BadMedia as error:
            raise Faults([Fault(("params",), f"{entry.label}: {error}")]) from error
        return [(right - left, bottom - top) for left, top, right, bottom in boxes]


def _split(
    bench: Workbench, *, rows: int, cols: int, gutter: int, trim: bool
) -> tuple[tuple[Path, Image], ...]:
    from ai_content_pipeline.media import images, tiles

    (artifact,) = bench.inputs[Role.INPUT]
    sheet = bench.picture(artifact)
    grid = tiles.Grid(rows, cols)
    boxes = tiles.find_separators(sheet, grid) if trim else tiles.tile_boxes(*sheet.size, grid, gutter)
    made = []
    for number, tile in enumerate(tiles.split(sheet, boxes)):
        path = bench.folder / f"{number}.png"
        images.save_png(tile, path)
        made.append((path, tile))
    return tuple(made)

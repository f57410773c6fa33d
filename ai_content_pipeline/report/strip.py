"""Which items stand side by side: a scene's panel, clip and thumbnail in one row, sheets above them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_content_pipeline.engine.results import ItemResult, StepResult


@dataclass(frozen=True, slots=True)
class Row:
    """One scene. `cells` by column; a cell is empty where a step made nothing of this scene."""

    label: str
    cells: tuple[tuple[ItemResult, ...], ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """`sheets` are items that belong to no single scene, as a storyboard that is cut into panels."""

    sheets: tuple[ItemResult, ...]
    columns: tuple[StepResult, ...]
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Scene:
    label: str
    items: dict[str, list[ItemResult]] = field(default_factory=dict)  # by step

    def put(self, item: ItemResult) -> None:
        self.items.setdefault(item.step, []).append(item)


def arrange(steps: Sequence[StepResult]) -> Strip:
    """Rows in the order in which scenes first appear. Items keep their order and none is left out."""
    finder = _Finder()
    for step in steps:
        finder.add(step)
    apart = _apart(finder)
    scenes = [scene for scene in finder.scenes if not apart & scene.items.keys()]
    columns = tuple(step for step in steps if any(step.name in scene.items for scene in scenes))
    rows = [
        Row(scene.label, tuple(tuple(scene.items.get(step.name, ())) for step in columns)) for scene in scenes
    ]
    sheets = [
        item
        for scene in finder.scenes
        if apart & scene.items.keys()
        for items in scene.items.values()
        for item in items
    ]
    return Strip(tuple(sheets), columns, tuple(rows))


class _Finder:
    """Follows items from step to step by what they were made from, and by the label they keep."""

    def __init__(self) -> None:
        self.scenes: list[_Scene] = []
        self.home: dict[str, _Scene] = {}  # by address
        self.named: dict[str, _Scene] = {}  # by label, the latest
        self.fanned: set[str] = set()  # steps whose items were cut or multiplied

    def add(self, step: StepResult) -> None:
        parents = {item.index: self._parents(item) for item in step.items}
        children = Counter(found[0] for found in parents.values() if len(found) == 1)
        self.fanned |= {address.rpartition("/")[0] for address, count in children.items() if count > 1}
        placed = [
            (item, self._scene(item, parents[item.index], children) or self._new(item)) for item in step.items
        ]
        for item, scene in placed:
            scene.put(item)
            self.home[item.address] = scene
            self.named[item.label] = scene

    def _parents(self, item: ItemResult) -> list[str]:
        """The items of earlier steps that it was made from."""
        return [address for address in dict.fromkeys(item.inputs) if address in self.home]

    def _scene(self, item: ItemResult, parents: list[str], children: Counter[str]) -> _Scene | None:
        for address in parents:
            if address.rpartition("/")[2] == item.label:
                return self.home[address]
        if len(parents) == 1 and children[parents[0]] == 1:
            return self.home[parents[0]]
        return None if parents else self.named.get(item.label)

    def _new(self, item: ItemResult) -> _Scene:
        self.scenes.append(_Scene(item.label))
        return self.scenes[-1]


def _apart(finder: _Finder) -> set[str]:
    """The steps whose items are sheets: cut into several, or alone where other scenes have a chain."""
    alone: dict[str, bool] = {}
    for scene in finder.scenes:
        for step in scene.items:
            alone[step] = alone.get(step, True) and len(scene.items) == 1
    chained = not all(alone.values())
    return finder.fanned | {step for step, is_alone in alone.items() if is_alone and chained}

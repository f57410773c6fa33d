"""thumbnail: a small picture of each picture, and of each video's first frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ai_content_pipeline.artifacts import Frame, Kind, Pending, Role, Source
from ai_content_pipeline.jobs import LocalWork, Workbench
from ai_content_pipeline.steps.fields import Fields, LocalFields
from ai_content_pipeline.steps.protocol import Fault, Input, Item, LabelBook, Setting, check_count

VERSION = 1


class ThumbnailParams(Fields):
    size: Annotated[int, Field(ge=1, le=4096)] = 256
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    format: Literal["webp", "jpeg", "png"] = "webp"


class Thumbnail(LocalFields):
    type: Literal["thumbnail"]
    params: ThumbnailParams = ThumbnailParams()

    task: ClassVar[None] = None
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.INPUT: frozenset({Kind.IMAGE, Kind.VIDEO})}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return ()

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        check_count(len(inputs[Role.INPUT]), ("input",))
        labels = LabelBook()
        return tuple(
            self._item(index, labels.unique(entry.label), entry.source, setting)
            for index, entry in enumerate(inputs[Role.INPUT])
        )

    def work(self, item: Item, setting: Setting) -> LocalWork:
        params = self.params
        return LocalWork(
            "thumbnail",
            VERSION,
            {"size": params.size, "quality": params.quality, "format": params.format},
            item.inputs,
            partial(_thumbnail, size=params.size, quality=params.quality, suffix=params.format),
        )

    def _item(self, index: int, label: str, source: Source, setting: Setting) -> Item:
        known = source if isinstance(source, Pending) else source.info
        width, height = _fitted(known.width, known.height, self.params.size)
        makes = Pending(f"{setting.name}/{label}", Kind.IMAGE, width, height)
        return Item(setting.name, index, label, index, 0, {Role.INPUT: (source,)}, makes)


def _fitted(width: int | None, height: int | None, edge: int) -> tuple[int | None, int | None]:
    if width is None or height is None:
        return None, None
    scale = min(1.0, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _thumbnail(
    bench: Workbench, *, size: int, quality: int, suffix: Literal["webp", "jpeg", "png"]
) -> tuple[tuple[Path, None], ...]:
    from ai_content_pipeline.media import thumbnails

    (artifact,) = bench.inputs[Role.INPUT]
    path = bench.folder / f"thumbnail.{suffix}"
    small = thumbnails.thumbnail(bench.picture(artifact, Frame.FIRST, size), size)
    thumbnails.save_thumbnail(small, path, format=suffix, quality=quality)
    return ((path, None),)

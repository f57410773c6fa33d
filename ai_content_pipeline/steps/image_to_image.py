"""image_to_image: each picture changed as a prompt says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.jobs import JobRequest, Task
from ai_content_pipeline.steps import maps, requests
from ai_content_pipeline.steps.protocol import Fault, Input, Item, Setting
from ai_content_pipeline.steps.references import ReferenceFields

_IMAGE = frozenset({Kind.IMAGE})


class ImageToImage(ReferenceFields):
    type: Literal["image_to_image"]

    task: ClassVar[Task] = Task.IMAGE_TO_IMAGE
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.INPUT: _IMAGE, Role.MASK: _IMAGE}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return requests.check(self, self.task, setting)

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        return maps.items(self, inputs, setting)

    def work(self, item: Item, setting: Setting) -> JobRequest:
        return requests.request(self, item, setting)

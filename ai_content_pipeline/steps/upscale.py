"""upscale: each picture or video again, with more pixels. What comes out is of the kind that went in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.jobs import JobRequest, Task
from ai_content_pipeline.steps import maps, requests
from ai_content_pipeline.steps.fields import ModelFields
from ai_content_pipeline.steps.protocol import Fault, Input, Item, Setting


class Upscale(ModelFields):
    type: Literal["upscale"]

    task: ClassVar[Task] = Task.UPSCALE
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.INPUT: frozenset({Kind.IMAGE, Kind.VIDEO})}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return requests.check(self, self.task, setting)

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        return maps.items(self, inputs, setting)

    def work(self, item: Item, setting: Setting) -> JobRequest:
        return requests.request(self, item, setting)

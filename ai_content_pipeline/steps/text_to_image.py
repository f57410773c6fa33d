"""text_to_image: one picture from a prompt, or one for each line of ``prompts:``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.jobs import JobRequest, Task
from ai_content_pipeline.steps import requests, sources
from ai_content_pipeline.steps.protocol import Fault, Input, Item, Setting
from ai_content_pipeline.steps.references import ReferenceFields


class TextToImage(ReferenceFields):
    type: Literal["text_to_image"]

    task: ClassVar[Task] = Task.TEXT_TO_IMAGE
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return requests.check(self, self.task, setting)

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        return sources.items(self, setting)

    def work(self, item: Item, setting: Setting) -> JobRequest:
        return requests.request(self, item, setting)

"""text_to_image: one picture from a prompt, or one for each line of ``prompts:``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from ai_content_pipeline.artifacts import Artifact, Kind, Role
from ai_content_pipeline.jobs import JobRequest, Task
from ai_content_pipeline.steps import requests
from ai_content_pipeline.steps.fields import ModelFields
from ai_content_pipeline.steps.protocol import Fault, Faults, Input, Item, Setting, YamlPath, check_count


class TextToImage(ModelFields):
    type: Literal["text_to_image"]

    task: ClassVar[Task] = Task.TEXT_TO_IMAGE
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return requests.check(self, self.task, setting)

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        jobs = len(self.params.prompts or (None,))
        faults: list[Fault] = []
        given = self._given(jobs, setting, faults)
        filled = {job for job in range(jobs) if requests.entry_of(self, job).file is not None}
        faults += requests.check_prompts(self, jobs, setting, filled)
        if faults:
            raise Faults(faults)
        items: list[Item] = []
        for job in range(jobs):
            entry = requests.entry_of(self, job)
            card = requests.card_of(self, entry, setting)
            params = requests.params_of(self, entry, card)
            outputs = 1 if job in given else requests.outputs_of(params, card)
            counted: YamlPath = ("params", card.count) if card.count else ("params",)
            check_count(len(items) + outputs, counted)
            for output in range(outputs):
                label = f"{setting.name}_{len(items) + 1}"
                makes = requests.made(f"{setting.name}/{label}", card, self.task, params, {})
                items.append(
                    Item(setting.name, len(items), label, job, output, {}, makes, given=given.get(job))
                )
        return tuple(items)

    def work(self, item: Item, setting: Setting) -> JobRequest:
        return requests.request(self, self.task, item, setting)

    def _given(self, jobs: int, setting: Setting, faults: list[Fault]) -> dict[int, Artifact]:
        """The user's own pictures, by the slot they fill."""
        given: dict[int, Artifact] = {}
        for job in range(jobs):
            entry = requests.entry_of(self, job)
            for key in ("start", "end"):
                if getattr(entry, key) is not None:
                    path = ("params", "prompts", job, key)
                    faults.append(Fault(path, f"text_to_image takes no {key!r} picture", "remove it"))
            if entry.file is None:
                continue
            source = self._read(entry.file, ("params", "prompts", job, "file"), setting, faults)
            if source is not None:
                given[job] = source
        return given

    @staticmethod
    def _read(name: str, path: YamlPath, setting: Setting, faults: list[Fault]) -> Artifact | None:
        try:
            source = setting.read(name).source
        except LookupError as error:
            faults.append(Fault(path, str(error.args[0])))
            return None
        if isinstance(source, Artifact) and source.kind is Kind.IMAGE:
            return source
        faults.append(Fault(path, f"{name} is a video, and this step makes pictures", "give it a picture"))
        return None

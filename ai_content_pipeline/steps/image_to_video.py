"""image_to_video: a clip from each picture, one by one or in parallel, with ``start`` and ``end`` frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Pending, Role, Source
from ai_content_pipeline.jobs import JobRequest, Task
from ai_content_pipeline.steps import references, requests
from ai_content_pipeline.steps.fields import Entry
from ai_content_pipeline.steps.protocol import (
    Fault,
    Faults,
    Input,
    Item,
    LabelBook,
    Setting,
    YamlPath,
    check_count,
)
from ai_content_pipeline.steps.references import ReferenceFields
from ai_content_pipeline.steps.roles import Given, check_roles

_PREVIOUS = "previous.last_frame"
_IMAGE = frozenset({Kind.IMAGE})


class ImageToVideo(ReferenceFields):
    type: Literal["image_to_video"]

    task: ClassVar[Task] = Task.IMAGE_TO_VIDEO
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.START: _IMAGE, Role.END: _IMAGE}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return requests.check(self, self.task, setting)

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        faults: list[Fault] = []
        count = requests.jobs_of(self, inputs)
        check_count(count, ("input",))
        labels, items, requested = LabelBook(), list[Item](), list[Given]()
        for index in range(count):
            item, given = self._item(index, inputs, setting, items, labels, faults)
            items.append(item)
            if item.given is None:
                requested.append(given)
        footage = {item.index for item in items if item.given}
        unread = {int(fault.path[2]) for fault in faults}  # whether these need a prompt, nobody knows
        faults += requests.check_prompts(self, count, setting, footage | unread)
        if not faults:
            faults += check_roles(requested)
        if faults:
            raise Faults(faults)
        return tuple(items)

    def work(self, item: Item, setting: Setting) -> JobRequest:
        return requests.request(self, item, setting)

    def _item(
        self,
        index: int,
        inputs: Mapping[Role, Sequence[Input]],
        setting: Setting,
        before: Sequence[Item],
        labels: LabelBook,
        faults: list[Fault],
    ) -> tuple[Item, Given]:
        entry = requests.entry_of(self, index)
        own = self._own(index, entry, setting, before, faults)
        files = {role: found[index] for role, found in inputs.items()}
        files |= {role: file for role, (file, _) in own.items()}
        footage = self._footage(files)
        first = files.get(Role.START) or files.get(Role.END)
        label = labels.unique(first.label if first else f"{setting.name}_{index + 1}")
        card = requests.card_of(self, entry, setting)
        sources: dict[Role, tuple[Source, ...]] = (
            {}
            if footage
            else {role: (file.source,) for role, file in files.items()}
            | references.sources_for(setting, index)
        )
        params = requests.params_of(self, entry, card, references.params_for(setting, index, card))
        makes = requests.made(f"{setting.name}/{label}", card, self.task, params, sources)
        paths = {role: own[role][1] if role in own else ("input", role.value) for role in files}
        item = Item(setting.name, index, label, index, 0, sources, makes, footage)
        paths[Role.REFERENCE] = references.where_for(self, index)
        names = {role: (file.label,) for role, file in files.items()} | references.names_for(setting, index)
        return item, Given(item.address, card, sources, paths, names)

    def _own(
        self, index: int, entry: Entry, setting: Setting, before: Sequence[Item], faults: list[Fault]
    ) -> dict[Role, tuple[Input, YamlPath]]:
        """What the entry brings itself, in place of the step's input, and where it says so."""
        found: dict[Role, tuple[Input, YamlPath]] = {}
        for key, role in (("file", Role.START), ("start", Role.START), ("end", Role.END)):
            text = getattr(entry, key)
            if text is None:
                continue
            path = ("params", "prompts", index, key)
            try:
                found[role] = self._resolve(key, text, setting, before), path
            except LookupError as error:
                faults.append(Fault(path, str(error.args[0])))
        return found

    def _resolve(self, key: str, text: str, setting: Setting, before: Sequence[Item]) -> Input:
        if key == "file":
            return setting.read(text)
        if text == _PREVIOUS:
            return _last_frame(before, setting)
        found = setting.find(text)
        if found.source.kind is not Kind.IMAGE:
            if isinstance(found.source, Artifact):
                raise LookupError(
                    f"{text} is a video; give it a picture, or write 'file: {text}' to use the clip"
                )
            raise LookupError(f"{text} is a video; write {text}.last_frame or {text}.first_frame for a still")
        return found

    @staticmethod
    def _footage(files: Mapping[Role, Input]) -> Artifact | None:
        """A video in the start slot is the finished clip itself: the user's own footage."""
        start = files.get(Role.START)
        if start is not None and isinstance(start.source, Artifact) and start.source.kind is Kind.VIDEO:
            return start.source
        return None


def _last_frame(before: Sequence[Item], setting: Setting) -> Input:
    if not before:
        raise LookupError("the first clip has no previous one; give it a file or an item instead")
    last = before[-1]
    if last.given is not None:
        raise LookupError(
            "the previous clip is your own footage; save its last frame as a picture and name that"
        )
    makes = last.makes
    still = Pending(makes.address, Kind.IMAGE, makes.width, makes.height, frame=Frame.LAST)
    return Input(still, f"{setting.name}_{len(before) + 1}")

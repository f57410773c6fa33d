"""Which files each step is given: items of earlier steps, and the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Pending, Role
from ai_content_pipeline.pipeline.checked import Pipeline, PipelineStep
from ai_content_pipeline.pipeline.own_files import OwnFiles
from ai_content_pipeline.pipeline.source import closest
from ai_content_pipeline.steps.fields import InputSpec, Selection
from ai_content_pipeline.steps.protocol import Input, Item, YamlPath

_OWN_KEYS = {Kind.IMAGE: "input_image", Kind.VIDEO: "input_video"}


class Unresolved(LookupError):
    """An input that comes of a step with a problem of its own, which is noted already."""


class Misplaced(LookupError):
    """A problem with an input; `path` leads to it from the step, or from the top of the file."""

    def __init__(self, path: YamlPath, message: str, *, top: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.top = top


@dataclass
class Inputs:
    """What there is to take. Steps are added as they are expanded, in the file's order."""

    pipeline: Pipeline
    files: OwnFiles
    own_input_used: bool = False
    _done: dict[str, tuple[Item, ...]] = field(default_factory=dict)
    _items: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._broken = {name for _, name in self.pipeline.unreadable}

    @property
    def count(self) -> int:
        """How many items there are so far."""
        return len(self._items)

    def add(self, step: str, items: tuple[Item, ...]) -> None:
        self._done[step] = items
        self._items |= {item.address: item for item in items}

    def add_broken(self, step: str) -> None:
        """A step with a problem: what takes its items is not to blame."""
        self._broken.add(step)

    def of(self, step: PipelineStep) -> dict[Role, list[Input]]:
        """What `step` is given, by role.

        Raises:
            Misplaced: there is a problem with it.
            Unresolved: that is not known, because of another problem.
        """
        spec = step.fields.input
        if not step.verbs.takes:
            if spec is not None:
                raise Misplaced(("input",), f"{step.fields.type} takes no input; remove it")
            return {}
        return self._default(step) if spec is None else self._selected(step, spec)

    def _selected(self, step: PipelineStep, spec: InputSpec) -> dict[Role, list[Input]]:
        first = next(iter(step.verbs.takes))
        if spec.files is not None:
            return {first: self._own_files(step, first, spec.files)}
        found: dict[Role, list[Input]] = {}
        for role, selections in spec.roles(first).items():
            path: YamlPath = ("input",) if spec.items else ("input", role.value)
            if role not in step.verbs.takes:
                message = f"{step.fields.type} takes no {role.value!r}"
                raise Misplaced(path, f"{message}; write the step alone, as in 'input: scenes'")
            for number, selection in enumerate(selections):
                where = (*path, number)
                picked = self._select(step, selection, where)
                self._check_kinds(step, role, picked, where)
                found.setdefault(role, []).extend(picked)
        return found

    def _own_files(self, step: PipelineStep, role: Role, patterns: Sequence[str]) -> list[Input]:
        found: list[Input] = []
        for number, pattern in enumerate(patterns):
            path = ("input", "files", number)
            try:
                matches = self.files.glob(pattern)
            except LookupError as error:
                raise Misplaced(path, str(error.args[0])) from error
            self._check_kinds(step, role, matches, path)
            found += matches
        return found

    def _select(self, step: PipelineStep, selection: Selection, path: YamlPath) -> list[Input]:
        name = selection.step
        if name in self._broken:
            raise Unresolved
        if name not in self._done:
            raise Misplaced(path, self._no_such_step(step, name))
        try:
            return selection.pick([_as_input(item) for item in self._done[name]])
        except LookupError as error:
            raise Misplaced(path, str(error.args[0])) from error

    def picked(self, selection: Selection, path: YamlPath) -> list[Input]:
        """Items of an earlier step, as the top of the file names them at `path`.

        Raises:
            Misplaced: they are not there.
            Unresolved: that is not known, because of another problem.
        """
        name = selection.step
        if name in self._broken:
            raise Unresolved
        if name not in self._done:
            message = f"step {name!r} comes too late for what keeps this; move it up"
            raise Misplaced(path, message, top=True)
        try:
            return selection.pick([_as_input(item) for item in self._done[name]])
        except LookupError as error:
            raise Misplaced(path, str(error.args[0]), top=True) from error

    def _no_such_step(self, step: PipelineStep, name: str) -> str:
        later = {other.name: other for other in self.pipeline.steps}
        if name == step.name:
            return f"step {name!r} takes itself as input, a cycle; name an earlier step"
        if name in later:
            wants = later[name].fields.input
            back = wants is not None and step.name in wants.steps
            why = (
                "which takes this step's output, a cycle; name an earlier step"
                if back
                else "which comes later; move it up"
            )
            return f"input {name!r} is step {later[name].position + 1}, {why}"
        if name in self.pipeline.disabled:
            return f"step {name!r} is disabled; remove its 'enabled: false', or name another step"
        names = [(s.position, s.name) for s in self.pipeline.steps] + list(self.pipeline.unreadable)
        earlier = [other for position, other in sorted(names) if position < step.position and other]
        if not earlier:
            return (
                f"there is no step {name!r} before this one; for files of your own write {{files: [{name}]}}"
            )
        meant = closest(name, earlier)
        hint = f"did you mean {meant!r}?" if meant else f"there are {', '.join(earlier)}"
        return f"there is no step {name!r}; {hint}"

    def _default(self, step: PipelineStep) -> dict[Role, list[Input]]:
        """The nearest earlier step that is not a thumbnail, else the file's own input."""
        first = next(iter(step.verbs.takes))
        earlier = [
            (s.position, s.name)
            for s in self.pipeline.steps
            if s.position < step.position and s.fields.type != "thumbnail"
        ]
        earlier += [
            (position, name) for position, name in self.pipeline.unreadable if position < step.position
        ]
        if earlier:
            _, name = max(earlier)
            if name in self._broken:
                raise Unresolved
            inputs = [_as_input(item) for item in self._done[name]]
            if self._brings_its_own(step) and not any(
                i.source.kind in step.verbs.takes[first] for i in inputs
            ):
                return {}
            self._check_kinds(
                step, first, inputs, (), f"write 'input:' with the step it works on, not {name!r}"
            )
            return {first: inputs}
        return self._files_own_input(step, first)

    def _files_own_input(self, step: PipelineStep, role: Role) -> dict[Role, list[Input]]:
        """``input_image`` and ``input_video``, what of them the step takes; {} where entries bring files."""
        top = self.pipeline.top
        named = {Kind.IMAGE: top.input_image, Kind.VIDEO: top.input_video}
        given = {kind: name for kind, name in named.items() if name is not None}
        found = [self._own(kind, name) for kind, name in given.items() if kind in step.verbs.takes[role]]
        if found:
            self.own_input_used = True
            return {role: found}
        if self._brings_its_own(step):
            return {}
        message = f"step {step.name!r} has nothing to work on"
        if given:
            message += f": {step.fields.type} takes no {_OWN_KEYS[next(iter(given))]}"
        hint = "put a step before it, or give it 'input: {files: [...]}', or 'input_image:' at the top"
        raise Misplaced((), f"{message}; {hint}")

    def _own(self, kind: Kind, name: str) -> Input:
        key = _OWN_KEYS[kind]
        try:
            entry = self.files.read(name)
        except LookupError as error:
            raise Misplaced((key,), str(error.args[0]), top=True) from error
        if entry.source.kind is not kind:
            hint = f"write '{_OWN_KEYS[entry.source.kind]}: {name}'"
            raise Misplaced((key,), f"{name} is {_article(entry.source.kind)}; {hint}", top=True)
        return entry

    @staticmethod
    def _brings_its_own(step: PipelineStep) -> bool:
        prompts = getattr(getattr(step.fields, "params", None), "prompts", None) or ()
        return bool(prompts) and all(entry.file or entry.start for entry in prompts)

    def _check_kinds(
        self, step: PipelineStep, role: Role, inputs: Sequence[Input], path: YamlPath, hint: str = ""
    ) -> None:
        kinds = step.verbs.takes[role]
        for entry in inputs:
            if entry.source.kind not in kinds:
                wanted = " or ".join(sorted(f"{kind.value}s" for kind in kinds))
                message = f"{step.fields.type} takes {wanted}, and {entry.label!r} is"
                hint = hint or f"name a step that makes {wanted}, or files of your own"
                raise Misplaced(path, f"{message} {_article(entry.source.kind)}; {hint}")

    def find(self, text: str) -> Input:
        """An item's address (``scenes/scene_2``, ``clips/scene_2.last_frame``), else a file's path.

        Raises:
            LookupError: there is neither.
        """
        item = self._items.get(text)
        if item is not None:
            return _as_input(item)
        address, dot, suffix = text.rpartition(".")
        item = self._items.get(address) if dot else None
        if item is not None and suffix in tuple(Frame):
            return _still(item, Frame(suffix))
        step, slash, _ = text.partition("/")
        if slash and step in self._broken:
            raise LookupError(
                f"{text} comes of step {step!r}, which has a problem of its own; mend that first"
            )
        if slash and step in self._done and not (self.files.folder / text).exists():
            labels = [item.label for item in self._done[step][:8]]
            raise LookupError(
                f"step {step!r} has no item {text.partition('/')[2]!r}; it has {', '.join(labels)}"
            )
        if slash and any(step == other.name for other in self.pipeline.steps if other.name not in self._done):
            hint = "name an item of an earlier step, or previous.last_frame for the clip before"
            raise LookupError(f"{text} is not there yet; {hint}")
        return self.files.read(text)


def _article(kind: Kind) -> str:
    return "an image" if kind is Kind.IMAGE else "a video"


def _as_input(item: Item) -> Input:
    return Input(item.given or item.makes, item.label)


def _still(item: Item, frame: Frame) -> Input:
    if item.makes.kind is not Kind.VIDEO:
        raise LookupError(f"{item.address} is an image and has no {frame.value}; write {item.address}")
    if isinstance(item.given, Artifact):
        raise LookupError(f"{item.address} is your own footage; save the frame as a picture and name that")
    makes = item.makes
    return Input(Pending(makes.address, Kind.IMAGE, makes.width, makes.height, frame=frame), item.label)

"""The references that a file declares: their names and groups, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ai_content_pipeline.artifacts import Artifact, Kind, Source
from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline.checked import Pipeline
from ai_content_pipeline.pipeline.inputs import Inputs, Misplaced, Unresolved
from ai_content_pipeline.pipeline.source import closest
from ai_content_pipeline.pipeline.top import Declared, OfStep
from ai_content_pipeline.references import wording
from ai_content_pipeline.references.reference import Reference
from ai_content_pipeline.steps.protocol import YamlPath
from ai_content_pipeline.steps.references import ReferenceFields


@dataclass
class References:
    """What is declared in one file. `used` are the names that some step keeps."""

    pipeline: Pipeline
    inputs: Inputs
    used: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    _broken: set[str] = field(default_factory=set)

    @property
    def declared(self) -> Mapping[str, Declared]:
        return self.pipeline.top.references

    def check(self) -> list[Problem]:
        """Read every declared file, once; what is wrong with them, and with the groups."""
        found: list[Problem] = []
        for name, reference in self.declared.items():
            before = len(found)
            for number, image in enumerate(reference.images):
                where: YamlPath = ("references", name, "images", number)
                if isinstance(image, OfStep):
                    if problem := self._no_step(image.step.step):
                        found.append(self._problem((*where, "step"), *problem))
                    continue
                try:
                    self._own(image)
                    self._look(image)
                except LookupError as error:
                    message, _, hint = str(error.args[0]).partition("; ")
                    found.append(self._problem(where, message, hint))
            if len(found) > before:
                self._broken.add(name)
        for group, names in self.pipeline.top.consistency_groups.items():
            found += self._group(group, names)
        return found

    def _no_step(self, name: str) -> tuple[str, str | None] | None:
        if name in self.pipeline.disabled:
            return f"step {name!r} is disabled", "remove its 'enabled: false', or name another step"
        known = {step.name for step in self.pipeline.steps} | {name for _, name in self.pipeline.unreadable}
        if name in known:
            return None
        meant = closest(name, known)
        return f"there is no step {name!r}", f"did you mean {meant!r}?" if meant else None

    def _group(self, group: str, names: Sequence[str]) -> list[Problem]:
        where = ("consistency_groups", group)
        if group in self.declared:
            return [self._problem(where, f"{group!r} is a reference too", "give the group another name")]
        return [
            self._problem(
                (*where, number), f"no reference is called {name!r}", self._meant(name, groups=False)
            )
            for number, name in enumerate(names)
            if name not in self.declared
        ]

    def concern(self, step: ReferenceFields) -> bool:
        """Whether anything of a step may depend on references."""
        said = step.route is not None or step.keyframe is not None
        return bool(self.declared) or said or self.wanted(step)

    @staticmethod
    def wanted(step: ReferenceFields) -> bool:
        """Whether a step names references at all."""
        return bool(step.references) or any(entry.references for entry in step.params.prompts or ())

    def names(self, wanted: Iterable[str]) -> list[str]:
        """The references behind names and groups, each once, in order.

        Raises:
            LookupError: one of them is not declared; its arguments are its number, the words and a hint.
            Unresolved: that is not known, because of another problem.
        """
        if not self.declared and self.pipeline.source.data.get("references"):
            raise Unresolved  # they could not be read, which is said already
        found: dict[str, None] = {}
        groups = self.pipeline.top.consistency_groups
        for number, name in enumerate(wanted):
            if name not in self.declared and name not in groups:
                raise LookupError(number, f"no reference is called {name!r}", self._meant(name))
            found |= dict.fromkeys((name,) if name in self.declared else groups[name])
        return [name for name in found if name in self.declared]

    def reference(self, name: str) -> Reference:
        """One with its pictures: files that are read already, and what earlier steps make.

        Raises:
            Misplaced: a step does not stand before this one, or makes no pictures.
            Unresolved: that is not known, because of another problem.
        """
        if name in self._broken:
            raise Unresolved
        declared = self.declared[name]
        pictures: list[Source] = []
        for number, image in enumerate(declared.images):
            if isinstance(image, OfStep):
                pictures += self._made(name, number, image)
            else:
                pictures.append(self._own(image))
        self.used.add(name)
        return Reference(name, tuple(pictures), declared.description, declared.strength)

    def words(self, tags: Mapping[str, str] | None = None) -> dict[str, str]:
        """What stands in a prompt for each name and each group; `tags` are a vendor's own names for some."""
        found = {
            name: Reference(name, (), declared.description).words for name, declared in self.declared.items()
        }
        found |= tags or {}
        for group, names in self.pipeline.top.consistency_groups.items():
            found[group] = " and ".join(found[name] for name in names if name in found)
        return found

    def mentioned(self, prompt: str | None) -> list[str]:
        """The references that a prompt names, itself or by a group."""
        return self.names(wording.mentioned(prompt or "", self.words()))

    def unused(self) -> list[str]:
        return [name for name in self.declared if name not in self.used]

    def _look(self, name: str) -> None:
        """Say what a vendor would see of a file that its owner may not know of."""
        from ai_content_pipeline.media.exif import marks  # only a file with references needs it

        found = marks(self.inputs.files.folder / name)
        if found.turned:
            self.warnings.append(
                f"{name} is turned by its EXIF tag alone, which many models do not read: save it upright"
            )
        if found.located:
            self.warnings.append(f"{name} says where it was taken, and is sent as it is: remove that first")

    def _own(self, name: str) -> Artifact:
        if (self.inputs.files.folder / name).is_dir():
            raise LookupError(f"{name} is a folder; name its pictures one by one")
        source = self.inputs.files.read(name).source
        if source.kind is not Kind.IMAGE or not isinstance(source, Artifact):
            raise LookupError(f"{name} is a video; a reference is a picture: save a frame of it")
        return source

    def _made(self, name: str, number: int, image: OfStep) -> list[Source]:
        where = ("references", name, "images", number, "step")
        made = [entry.source for entry in self.inputs.picked(image.step, where)]
        if any(source.kind is not Kind.IMAGE for source in made):
            message = f"step {image.step.step!r} makes videos; a reference is a picture"
            raise Misplaced(where, message, top=True)
        return made

    def _meant(self, name: str, *, groups: bool = True) -> str:
        known = dict.fromkeys([*self.declared, *(self.pipeline.top.consistency_groups if groups else ())])
        meant = closest(name, known)
        if meant:
            return f"did you mean {meant!r}?"
        return f"there are {', '.join(known)}" if known else "declare it under 'references' at the top"

    def _problem(self, where: YamlPath, message: str, hint: str | None) -> Problem:
        return self.pipeline.source.problem(where, message, hint or None)

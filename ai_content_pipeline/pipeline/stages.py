"""A step whose jobs keep references, as what is expanded: itself, or stills first and clips from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, cast

from ai_content_pipeline.artifacts import Role, Route
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import Params
from ai_content_pipeline.pipeline.references import References
from ai_content_pipeline.pipeline.routing import Job
from ai_content_pipeline.references import wording
from ai_content_pipeline.references.wording import Wording
from ai_content_pipeline.steps import requests
from ai_content_pipeline.steps.fields import Entry, ModelParams
from ai_content_pipeline.steps.protocol import Conditioning, Fault, Input, Item, Setting, YamlPath
from ai_content_pipeline.steps.references import Keyframe, ReferenceFields
from ai_content_pipeline.steps.registry import step_type

Finder = Callable[[str], Input]

_NAME = 64  # characters of a step's name
_SUFFIX = "_keyframes"
#: What the stills take over of the step that they are made for.
_SHARED = ("on_error", "consistency", "enabled")


@dataclass(frozen=True, slots=True)
class Stills:
    """The first of two stages. `jobs` are those of the step whose clips begin with one."""

    fields: ReferenceFields
    inputs: Mapping[Role, list[Input]]
    jobs: tuple[Job, ...]

    def origin(self, path: YamlPath) -> YamlPath:
        """Where the file says what stands at `path` of these fields."""
        match path:
            case ("params", "prompts", int(number), *rest):
                return ("params", "prompts", self.jobs[number].number, *rest)
            case ("params", *rest) if rest:
                return ("keyframe", "params", *rest)
            case ("model",):
                return ("keyframe", "model")
        return path


def with_references(
    step: ReferenceFields, setting: Setting, jobs: Sequence[Job], references: References
) -> Setting:
    """The setting of a step whose jobs keep references; its cards are those that it runs on."""
    conditioning: dict[int, Conditioning] = {}
    kept = {job.number: job for job in jobs if job.choice is not None}
    for number, job in kept.items():
        assert job.choice is not None
        conditioning[number] = _conditioning(job, job.choice.route, job.choice.why)

    def reword(number: int, text: str, card: Card) -> str:
        job = kept.get(number)
        if job is None:
            return Wording(references.words()).of(text)
        own = requests.params_of(step, job.entry, card)
        names = references.words(_tags(job, card, own) if conditioning[number].sent else None)
        if job.route is not Route.PROMPT:
            return Wording(names).of(text)
        return wording.merged(names, job.references, references.mentioned(text)).of(text)

    return replace(setting, conditioning=conditioning, reword=reword)


def _conditioning(job: Job, route: Route, why: str) -> Conditioning:
    strengths = [one.strength for one in job.references if one.strength is not None]
    return Conditioning(
        route,
        why,
        tuple(one.name for one in job.references),
        tuple(picture for one in job.references for picture in one.pictures),
        tuple(len(one.pictures) for one in job.references),
        max(strengths, default=None),
    )


def _tags(job: Job, card: Card, own: Params) -> dict[str, str]:
    """What a prompt calls each reference at this model; nothing where the user gave its tags himself."""
    field = card.roles.get(Role.REFERENCE)
    if field is None or field.tags in own:
        return {}
    sharing = [role for role, other in card.roles.items() if other.name == field.name]
    return wording.tags(card, job.references, sum(job.given.get(role, 0) for role in sharing))


# -- two stages ----------------------------------------------------------------------------------------


def stills(step: ReferenceFields, jobs: Sequence[Job], model: str, taken: Set[str]) -> Stills | None:
    """The stage before a step, where some of its jobs begin with a still; None where none does."""
    wanted = tuple(job for job in jobs if job.route is Route.KEYFRAME)
    if not wanted:
        return None
    keyframe = step.keyframe or Keyframe()
    starts = [job.start for job in wanted if job.start is not None]
    kind = _kind("image_to_image" if starts else "text_to_image")
    fields: dict[str, Any] = {
        name: getattr(step, name)
        for name in _SHARED
        if name in step.model_fields_set and name in kind.model_fields
    }
    entries = tuple(Entry.model_construct(prompt=job.prompt or "", seed=job.entry.seed) for job in wanted)
    shape = {
        name: getattr(step.params, name)
        for name in type(step.params).model_fields
        if name in step.params.model_fields_set and name not in ("prompt", "prompts")
    }
    fields |= {
        "name": _free(step.name, taken),
        "type": kind.task.value,
        "model": model,
        "params": ModelParams.model_construct(**{**keyframe.params, **shape, "prompts": entries}),
    }
    return Stills(kind.model_construct(**fields), {Role.INPUT: starts} if starts else {}, wanted)


def several(step: ReferenceFields, card: Card) -> list[Fault]:
    """More stills than a clip can start with: the others would be paid for nothing."""
    params = step.keyframe.params if step.keyframe else {}
    if requests.outputs_of(params, card) == 1:
        return []
    where: YamlPath = ("keyframe", "params", card.count or "")
    return [Fault(where, "a clip starts with one still", "remove it, or give the step more prompts")]


def still_setting(
    made: Stills, setting: Setting, step: str, template: str | None, references: References
) -> Setting:
    """The setting of the stills of `step`, given one with the card that makes them."""
    (card,) = setting.cards.values()
    field = card.roles[Role.REFERENCE]
    route = Route.EMBEDDINGS if field.kind == "embeddings" else Route.SERVER
    why = f"the first stage of {step}"
    conditioning = {number: _conditioning(job, route, why) for number, job in enumerate(made.jobs)}

    def reword(number: int, text: str, card: Card) -> str:
        job, picture = made.jobs[number], made.jobs[number].start is not None
        edits = {Role.INPUT: 1} if picture else {}
        names = references.words(_tags(replace(job, given=edits), card, made.fields.params.own))
        said = references.mentioned(text)
        return wording.still(names, job.references, said, template, from_picture=picture).of(text)

    return replace(setting, conditioning=conditioning, reword=reword)


def from_stills(
    step: ReferenceFields, jobs: Sequence[Job], made: Stills, items: Sequence[Item], find: Finder
) -> tuple[ReferenceFields, Finder]:
    """The second stage: clips from the stills that exist by then, under the labels they would have had."""
    first = {made.jobs[item.job].number: item for item in items if item.output == 0}
    labels: dict[str, str] = {}
    entries: list[Entry] = []
    for job in jobs:
        entry = job.entry if job.prompt is None else job.entry.model_copy(update={"prompt": job.prompt})
        still = first.get(job.number)
        if still is not None:
            labels[still.address] = job.start.label if job.start else f"{step.name}_{job.number + 1}"
            entry = entry.model_copy(update={"file": None, "start": still.address})
        entries.append(entry)
    fields = {name: getattr(step, name) for name in step.model_fields_set}
    fields["type"] = "image_to_video"
    fields["params"] = step.params.model_copy(update={"prompts": tuple(entries)})

    def labelled(text: str) -> Input:
        found = find(text)
        return replace(found, label=labels[text]) if text in labels else found

    return _kind("image_to_video").model_construct(**fields), labelled


def _kind(name: str) -> type[ReferenceFields]:
    """A step type that keeps references, imported when it is needed."""
    return cast(type[ReferenceFields], step_type(name))


def _free(name: str, taken: Set[str]) -> str:
    """A name for the stills of a step that no step has."""
    number, used = 1, {one.casefold() for one in taken}
    while True:
        suffix = _SUFFIX if number == 1 else f"{_SUFFIX}_{number}"
        found = f"{name[: _NAME - len(suffix)]}{suffix}"
        if found.casefold() not in used:
            return found
        number += 1

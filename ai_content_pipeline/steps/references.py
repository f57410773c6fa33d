"""References in a step's requests: their fields in a file, and what an item's share of them adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from ai_content_pipeline.artifacts import Kind, Role, Source
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import Json, Task
from ai_content_pipeline.steps.fields import EXCLUSION_LIST, Entry, Fields, ModelFields, Names, RouteWish
from ai_content_pipeline.steps.protocol import Fault, Setting, YamlPath


class Keyframe(Fields):
    """``keyframe:`` of a step: how the stills of its two-stage route are made."""

    model: Annotated[str, Field(min_length=1)] | None = None
    prompt: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("params")
    @classmethod
    def _models_own(cls, params: dict[str, Any]) -> dict[str, Any]:
        ours = next((key for key in params if key in EXCLUSION_LIST), None)
        if ours is not None:
            raise ValueError(f"{ours!r} counts for both stages; write it under the step's own params")
        seed = params.get("seed", 0)
        if type(seed) is not int or seed < 0:
            raise ValueError("the stills' 'seed' must be a whole number from 0")
        return params


def _model_alone(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class ReferenceFields(ModelFields):
    """What every step has that can keep a subject."""

    references: Names | None = None
    route: RouteWish | None = None
    keyframe: Annotated[Keyframe, BeforeValidator(_model_alone)] | None = None


def misplaced(step: ModelFields, entry: Entry, path: YamlPath) -> list[Fault]:
    """References in an entry of a step that keeps none."""
    if isinstance(step, ReferenceFields):
        return []
    keys = [key for key in ("references", "route") if getattr(entry, key) is not None]
    return [Fault((*path, key), f"{step.type} keeps no references", "remove it") for key in keys]


def task_of(step: ModelFields, card: Card, *, conditioned: bool) -> Task:
    """What the model is asked to do: with references, a neighbouring task where the model has that one."""
    if step.task.makes is Kind.VIDEO:
        other = Task.REFERENCE_TO_VIDEO
    else:
        other = Task.IMAGE_TO_IMAGE if step.task is Task.TEXT_TO_IMAGE else step.task
    takes = conditioned and Role.REFERENCE in card.roles
    if takes and other in card.tasks and step.task not in card.tasks:
        return other
    return step.task


def params_for(setting: Setting, job: int, card: Card) -> Mapping[str, Json]:
    """What a model must be told beside a job's reference pictures: how strongly they count, and their tags.
    The user's own parameters stand over it."""
    found, field = setting.conditioning.get(job), card.roles.get(Role.REFERENCE)
    if found is None or field is None or not found.sent:
        return {}
    params: dict[str, Json] = {}
    if field.strength is not None and found.strength is not None:
        params[field.strength] = found.strength
    if field.tags is not None and field.mention is not None:
        numbers = range(1, len(found.pictures) + 1)
        params[field.tags] = [field.mention.replace("{n}", str(n)).lstrip("@") for n in numbers]
    return params


def sources_for(setting: Setting, job: int) -> dict[Role, tuple[Source, ...]]:
    """The reference pictures that a job sends."""
    found = setting.conditioning.get(job)
    return {Role.REFERENCE: found.pictures} if found and found.sent else {}


def groups_for(setting: Setting, job: int, card: Card) -> tuple[int, ...]:
    """How many pictures each subject has, where the model takes subjects."""
    found, field = setting.conditioning.get(job), card.roles.get(Role.REFERENCE)
    return found.groups if found and found.sent and field and field.kind == "elements" else ()


def names_for(setting: Setting, job: int) -> dict[Role, tuple[str, ...]]:
    """What people call a job's reference pictures."""
    found = setting.conditioning.get(job)
    if found is None:
        return {}
    each = (name for name, count in zip(found.names, found.groups, strict=True) for name in [name] * count)
    return {Role.REFERENCE: tuple(each)}


def where_for(step: ModelFields, job: int) -> YamlPath:
    """Where the file says which references a job keeps."""
    prompts = step.params.prompts or ()
    own = job < len(prompts) and prompts[job].references is not None
    return ("params", "prompts", job, "references") if own else ("references",)

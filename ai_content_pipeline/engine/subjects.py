"""What the result of a step is compared with, and by which rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ai_content_pipeline.artifacts import Role, Source
from ai_content_pipeline.pipeline.expansion import ExpandedStep
from ai_content_pipeline.steps.fields import ModelFields
from ai_content_pipeline.steps.protocol import Item
from ai_content_pipeline.steps.strategy import Consistency

#: Without references, a result is compared with what it was made from.
_ORIGINS = (Role.REFERENCE, Role.START, Role.INPUT)


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that a result is to show: its name, and pictures of it."""

    name: str
    pictures: tuple[Source, ...]


def accepted_by(step: ExpandedStep, *, draft: bool) -> Consistency | None:
    """The rule of a step. A draft is scored by colour, which needs nothing, and neither retried nor stopped:
    it is drawn, not generated."""
    rule = step.fields.consistency if isinstance(step.fields, ModelFields) else None
    if rule is None or not draft:
        return rule
    return Consistency(min_score=rule.min_score)


def subjects_of(step: ExpandedStep, item: Item) -> tuple[Subject, ...]:
    """What `item` is to show: its references, else the picture that it starts from."""
    conditioning = step.setting.conditioning.get(item.job)
    if conditioning is not None and conditioning.names:
        return tuple(_grouped(conditioning.names, conditioning.groups, conditioning.pictures))
    for role in _ORIGINS:
        if sources := item.inputs.get(role):
            return (Subject(role.value, sources),)
    return ()


def _grouped(
    names: tuple[str, ...], groups: tuple[int, ...], pictures: tuple[Source, ...]
) -> Iterator[Subject]:
    first = 0
    for name, count in zip(names, groups, strict=True):
        yield Subject(name, pictures[first : first + count])
        first += count

"""Retries that are to count their references more strongly: whether the models of a step can be told."""

from __future__ import annotations

from collections.abc import Sequence

from ai_content_pipeline.artifacts import Role, Route
from ai_content_pipeline.catalog import Card, Catalogue
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.pipeline.routing import Job
from ai_content_pipeline.references.strength import dial
from ai_content_pipeline.steps import requests
from ai_content_pipeline.steps.protocol import Fault
from ai_content_pipeline.steps.references import ReferenceFields

_NAMED = 4  # models that a hint names


def raises(
    step: ReferenceFields, jobs: Sequence[Job], still: Card | None, catalogue: Catalogue
) -> tuple[list[Fault], list[str]]:
    """What is wrong with ``raise_strength:``, and what is to be said of it: an error where no scene's retry
    can be raised, a warning where some cannot. `still` makes the stills of two stages."""
    rule, kept = step.consistency, [job for job in jobs if job.choice is not None]
    if rule is None or rule.raise_strength is None or not kept:
        return [], []
    found = [_obstacle(step, job, still) for job in kept]
    words = list(dict.fromkeys(obstacle for obstacle in found if obstacle is not None))
    if all(obstacle is not None for obstacle in found):
        where = ("consistency", "raise_strength")
        return [Fault(where, one, _hint(step, catalogue)) for one in words], []
    return [], [f"{step.name}: {one}; its retries are not raised" for one in words]


def _obstacle(step: ReferenceFields, job: Job, still: Card | None) -> str | None:
    """Why a retry of that job counts its references no more than the first take."""
    if job.route is Route.PROMPT:
        return "the route 'prompt' sends no pictures that could count more strongly"
    through_stills = job.route is Route.KEYFRAME and still is not None
    card = still if through_stills and still is not None else job.card
    field = card.roles.get(Role.REFERENCE)
    if field is None or field.strength is None:
        return f"{card.key} cannot be told how strongly a reference counts"
    strengths = [one.strength for one in job.references if one.strength is not None]
    told: dict[str, Json] = {field.strength: max(strengths)} if strengths else {}
    if through_stills:
        params = {**told, **(step.keyframe.params if step.keyframe else {})}
    else:
        params = requests.params_of(step, job.entry, card, told)
    found = dial(card, params)
    if found is None:
        return f"it is not known how strongly {card.key} counts a reference; write its 'strength'"
    if not found.turns:
        return f"{card.key} counts references as strongly as it goes already ({found.name} {found.value:f})"
    return None


def _hint(step: ReferenceFields, catalogue: Catalogue) -> str:
    """Models of the step's task that can be told, and what else helps."""
    cards = (catalogue.load(key) for key in catalogue.keys())  # noqa: SIM118 - a catalogue is no dict
    able = [
        card.key
        for card in cards
        if (field := card.roles.get(Role.REFERENCE)) and field.strength and step.task in card.tasks
    ]
    models = f", or use {' or '.join(able[:_NAMED])}" if able else ""
    return f"give the reference a lower 'strength' where the model takes one{models}, or remove it"

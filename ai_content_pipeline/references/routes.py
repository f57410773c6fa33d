"""Which routes a model offers for references, which of them is taken, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ai_content_pipeline.artifacts import Kind, Role, Route
from ai_content_pipeline.catalog import Card, Catalogue
from ai_content_pipeline.jobs import Params, Task
from ai_content_pipeline.references.reference import Reference

#: Who makes the stills of the two-stage route where the file does not say it: a model of the same vendor,
#: so that no second key is needed.
KEYFRAME_MODELS: Mapping[str, str] = {
    "fal": "nano_banana_pro_edit",
    "replicate": "nano_banana_pro_replicate",
    "diffusers": "diffusers:sdxl",
    "draft": "draft",
}
_NAMED = 4  # models that a hint names
_ASKED = {Route.PROMPT: "asked for: the last resort, words alone"}
_LOCAL = "diffusers"


class NoRoute(ValueError):
    """The references cannot be kept. `hint` names what can."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Need:
    """One job that is to keep references.

    `params` are what it would send; `given` its other files by role, with how many. `keyframe` is the card
    that would make its still; `stillless` says why no still can be made for it.
    """

    card: Card
    task: Task
    references: Sequence[Reference]
    params: Params
    given: Mapping[Role, int]
    keyframe: Card | None
    stillless: str | None = None

    @property
    def pictures(self) -> int:
        return sum(len(one.pictures) for one in self.references)


@dataclass(frozen=True, slots=True)
class Choice:
    route: Route
    why: str


def choose(need: Need, wish: Route | None, catalogue: Catalogue) -> Choice:
    """The route that was asked for, else the first that works.

    Raises:
        NoRoute: it cannot work, or none can.
    """
    obstacles = {route: _OBSTACLES[route](need) for route in Route}
    if wish is not None:
        if obstacles[wish] is None:
            return Choice(wish, _ASKED.get(wish, "asked for"))
        raise NoRoute(
            f"route {wish.value} cannot work: {obstacles[wish]}", _hint(need, wish, obstacles, catalogue)
        )
    passed: list[str] = []
    for route in Route:
        obstacle = obstacles[route]
        if obstacle is None:
            return Choice(route, _why(need, route, passed))
        if route is not Route.EMBEDDINGS:  # of interest on this machine only
            passed.append(obstacle)
    names = " and ".join(one.name for one in need.references)
    raise NoRoute(f"no route keeps {names}: {'; '.join(passed)}", _hint(need, None, obstacles, catalogue))


def _why(need: Need, route: Route, passed: Sequence[str]) -> str:
    because = ", and ".join(passed)
    match route:
        case Route.SERVER:
            return f"{need.card.key} takes reference pictures ({need.card.roles[Role.REFERENCE].name})"
        case Route.EMBEDDINGS:
            return f"{need.card.key} runs here and encodes each reference once"
        case Route.KEYFRAME:
            assert need.keyframe is not None
            return f"{because}; {need.keyframe.key} puts them into a still first"
        case Route.PROMPT:
            return f"the last resort, words alone: {because}"


# -- what stands in the way; None where nothing does ---------------------------------------------------


def _no_server(need: Need) -> str | None:
    card, field = need.card, need.card.roles.get(Role.REFERENCE)
    if not card.described:
        return f"nobody described {card.key}, so it is not known which field takes references"
    if field is None:
        return f"{card.key} takes no reference pictures"
    if field.kind == "embeddings":
        return f"{card.key} runs on this machine"
    return _unfit(need)


def _no_embeddings(need: Need) -> str | None:
    field = need.card.roles.get(Role.REFERENCE)
    if need.card.provider != _LOCAL:
        return f"{need.card.key} does not run on this machine, and no vendor takes embeddings"
    if field is None or field.kind != "embeddings":
        return f"{need.card.key} has no encoder for references"
    return _unfit(need)


def _no_keyframe(need: Need) -> str | None:
    card, still = need.card, need.keyframe
    if need.task.makes is Kind.IMAGE:
        return "a keyframe is the first stage of a clip, and this step makes pictures"
    if Role.START not in card.roles or Task.IMAGE_TO_VIDEO not in card.tasks:
        return f"{card.key} makes no clip from a picture"
    if need.stillless is not None:
        return need.stillless
    if still is None:
        return "no model is known that makes the stills; write one under 'keyframe'"
    return _no_still(still, need.pictures, from_picture=Role.START in need.given)


def _no_still(card: Card, pictures: int, *, from_picture: bool) -> str | None:
    field, edits = card.roles.get(Role.REFERENCE), card.roles.get(Role.INPUT)
    if field is None:
        return f"{card.key} takes no reference pictures for the stills"
    one_list = edits is not None and edits.name == field.name
    if from_picture and (edits is None or Task.IMAGE_TO_IMAGE not in card.tasks):
        return f"{card.key} does not change pictures, and so makes no stills from the step's input"
    if not from_picture and Task.TEXT_TO_IMAGE not in card.tasks and not one_list:
        return f"{card.key} makes no pictures from words"
    count = pictures + (1 if from_picture and one_list else 0)
    return _too_many(card, count)


def _no_prompt(need: Need) -> str | None:
    silent = [one.name for one in need.references if not one.description]
    if need.card.prompt is None:
        return f"{need.card.key} takes no prompt"
    if need.task not in need.card.tasks:
        return f"{need.card.key} does no {need.task.value}"
    if silent:
        return f"{' and '.join(silent)} has no 'description' to put into the prompt"
    return None


_OBSTACLES = {
    Route.SERVER: _no_server,
    Route.EMBEDDINGS: _no_embeddings,
    Route.KEYFRAME: _no_keyframe,
    Route.PROMPT: _no_prompt,
}


def _unfit(need: Need) -> str | None:
    """What forbids a model that takes references to take these beside what the job sends already."""
    card, field = need.card, need.card.roles[Role.REFERENCE]
    if not _does(card, need.task):
        return f"{card.key} does no {need.task.value}"
    for role, other in card.roles.items():
        if other.required and other.name != field.name and role not in need.given:
            return f"{card.key} needs {_a(role.value)} picture"
    for role in need.given:
        if role not in card.roles:
            return f"{card.key} takes no {role.value} picture"
        if role in field.excludes or Role.REFERENCE in card.roles[role].excludes:
            return f"{card.key} takes no references beside {_a(role.value)} picture"
    for name, values in field.only_with.items():
        used = card.value(need.params, name)
        if used is not None and str(used) not in map(str, values):
            allowed = " or ".join(map(str, values))
            return f"{card.key} takes references only with {name} {allowed}, not {used}"
    one_list = [role for role in need.given if card.roles[role].name == field.name]
    return _too_many(card, need.pictures + sum(need.given[role] for role in one_list), len(need.references))


def _too_many(card: Card, pictures: int, subjects: int = 0) -> str | None:
    field = card.roles[Role.REFERENCE]
    count = subjects if field.kind == "elements" and subjects else pictures
    most = field.max_items if field.many else 1
    if most is None or count <= most:
        return None
    return f"{card.key} takes at most {most} reference picture{'' if most == 1 else 's'}, not {count}"


# -- what to write instead -----------------------------------------------------------------------------


def able(need: Need, route: Route, catalogue: Catalogue) -> list[str]:
    """Models that keep references by `route`, those of the same vendor and family first."""
    if route is Route.EMBEDDINGS:
        return [KEYFRAME_MODELS[_LOCAL]]
    cards = [catalogue.load(key) for key in catalogue.keys()]  # noqa: SIM118 - a catalogue is no dict
    found = [card for card in cards if card.status == "active" and _fits(need, card, route)]
    family = need.card.key.partition("_")[0]
    found.sort(key=lambda card: (card.provider != need.card.provider, not card.key.startswith(family)))
    return [card.key for card in found[:_NAMED]]


def _fits(need: Need, card: Card, route: Route) -> bool:
    other = Need(card, need.task, need.references, {}, need.given, need.keyframe, need.stillless)
    if route is Route.SERVER:
        return _no_server(other) is None
    return need.task.makes is Kind.VIDEO and _no_keyframe(other) is None


def can_do(card: Card, task: Task) -> bool:
    """Whether a model serves a step of that task whose jobs keep references, by whatever route."""
    through_stills = task is Task.TEXT_TO_VIDEO and Task.IMAGE_TO_VIDEO in card.tasks
    return _does(card, task) or (through_stills and Role.START in card.roles)


def _does(card: Card, task: Task) -> bool:
    """Whether a model itself serves the task; given references, a neighbouring one will do."""
    if task in card.tasks:
        return True
    field, edits = card.roles.get(Role.REFERENCE), card.roles.get(Role.INPUT)
    if field is None:
        return False
    if task.makes is Kind.VIDEO:
        return Task.REFERENCE_TO_VIDEO in card.tasks
    one_list = edits is not None and edits.name == field.name
    return task is Task.TEXT_TO_IMAGE and Task.IMAGE_TO_IMAGE in card.tasks and one_list


def _hint(need: Need, wish: Route | None, obstacles: Mapping[Route, str | None], catalogue: Catalogue) -> str:
    models = able(need, wish or Route.SERVER, catalogue) if wish is not Route.PROMPT else []
    open_routes = [route.value for route in Route if obstacles[route] is None]
    said = [f"use {_or(models)}"] if models else []
    said += [f"write 'route: {_or(open_routes)}'"] if open_routes else []
    if any(one.description is None for one in need.references) and wish in (None, Route.PROMPT):
        said.append("write a 'description' for what has none")
    return ", or ".join(said) or "remove the references"


def _or(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"

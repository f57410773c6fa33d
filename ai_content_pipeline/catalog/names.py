"""From what a user writes as ``model:`` to a card."""

from __future__ import annotations

import re

from ai_content_pipeline.catalog import local, worker
from ai_content_pipeline.catalog.cards import Card
from ai_content_pipeline.catalog.catalogue import BUILT_IN, Catalogue
from ai_content_pipeline.catalog.draft import DRAFT, PROVIDER
from ai_content_pipeline.catalog.prices import FREE
from ai_content_pipeline.jobs import InputField, Model, Task

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
#: By provider: what its endpoints look like, and how to say so.
_ENDPOINTS = {
    "fal": (rf"{_SEGMENT}(/{_SEGMENT})+", "fal:owner/model"),
    "replicate": (rf"{_SEGMENT}/{_SEGMENT}(:[A-Za-z0-9]+)?", "replicate:owner/name[:version]"),
    "diffusers": (r"[a-z0-9][a-z0-9_.-]*", "diffusers:key"),
    worker.PROVIDER: (r"[a-z][a-z0-9_]{0,63}", "worker:job_type"),
}

#: Named first when a model of that task is looked for.
GOOD_AT = {
    Task.TEXT_TO_IMAGE: ("nano_banana_pro", "flux_dev"),
    Task.IMAGE_TO_IMAGE: ("nano_banana_pro_edit", "flux_kontext_pro"),
    Task.TEXT_TO_VIDEO: ("kling_2_6_pro_t2v", "seedance_1_lite"),
    Task.IMAGE_TO_VIDEO: ("kling_2_6_pro", "seedance_1_lite"),
    Task.REFERENCE_TO_VIDEO: ("veo_3_1_ref", "seedance_1_lite"),
    Task.UPSCALE: ("clarity_upscaler", "topaz_video"),
}


class UnknownModel(ValueError):
    """No such model, or not for this task. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve(name: str, task: Task, catalogue: Catalogue = BUILT_IN) -> Card:
    """The card for `name`: a catalogue key, ``draft``, or ``provider:endpoint`` with a card or without.

    An endpoint without one has the card that its vendor's published schema makes, where that is known.

    Raises:
        UnknownModel: no such model, or it does not do `task`.
        InvalidPipeline: the project's own entry for it makes no sense.
    """
    card = _named(name, task, catalogue)
    if task in card.tasks:
        return card
    does = " and ".join(one.value for one in card.tasks)
    others = local.able(task) if card.local else ()
    hint = f"for {task.value} use {_or([*(others or _others(card.key, task, catalogue))])}"
    raise UnknownModel(f"{name} does {does}, not {task.value}", hint)


def find(name: str, catalogue: Catalogue, task: Task | None = None) -> Card:
    """The card for `name`, whatever it does. One that its vendor's schema makes is read as for `task`, else
    for what the vendor calls it.

    Raises:
        UnknownModel: no such model.
    """
    card = _named(name, task or Task.IMAGE_TO_VIDEO, catalogue)
    if task is not None or ":" not in card.key:
        return card
    schema = catalogue.published(card.provider, card.endpoint)
    return _named(name, schema.task, catalogue) if schema and schema.task else card


def model_of(card: Card, name: str, task: Task) -> Model:
    """The model of a request, as `generation` keys it and a provider sends it."""
    return Model(
        name=name,
        provider=card.provider,
        endpoint=task.value if card.provider == PROVIDER else card.endpoint,
        task=task,
        fields={role: InputField(field.name, field.many, field.kind) for role, field in card.roles.items()},
        prompt_field=card.prompt,
        seed_field=card.seed,
        count_field=card.count,
    )


def _named(name: str, task: Task, catalogue: Catalogue) -> Card:
    if name == DRAFT.key:
        return DRAFT
    provider, colon, endpoint = name.partition(":")
    if colon:
        return _at(name, provider, endpoint, task, catalogue)
    try:
        return catalogue.load(name)
    except KeyError:
        raise UnknownModel(f"unknown model {_short(name)}", _meant(name, task, catalogue)) from None


def _at(name: str, provider: str, endpoint: str, task: Task, catalogue: Catalogue) -> Card:
    if provider not in _ENDPOINTS:
        forms = _or([form for _, form in _ENDPOINTS.values()])
        raise UnknownModel(
            f"unknown provider {_short(provider)} in model {_short(name)}",
            f"write a catalogue key, or {forms}",
        )
    pattern, form = _ENDPOINTS[provider]
    if not re.fullmatch(pattern, endpoint):
        hint = f"write {endpoint}" if endpoint in catalogue else f"write {form}"
        raise UnknownModel(f"{_short(name)} names no endpoint of {provider}", hint)
    if provider == local.PROVIDER and local.has(endpoint):
        return catalogue.load(name)
    if provider == worker.PROVIDER:
        return worker.card(name, endpoint)
    key = catalogue.key_at(provider, endpoint)
    if key:
        return catalogue.load(key)
    schema = catalogue.published(provider, endpoint)
    if schema is None:
        return _open(name, provider, endpoint)
    from ai_content_pipeline.catalog.live import card_of  # only what has no card needs it

    return card_of(name, schema, task)


def _open(name: str, provider: str, endpoint: str) -> Card:
    """A model nobody described: nothing is checked, and nothing is known of its price."""
    return Card(
        key=name,
        title=name,
        provider=provider,
        endpoint=endpoint,
        tasks=tuple(Task),
        price=FREE if provider == local.PROVIDER else None,
        described=False,
    )


# -- what to write instead -----------------------------------------------------------------------------


def _meant(name: str, task: Task, catalogue: Catalogue) -> str:
    from difflib import get_close_matches

    if "/" in name:
        key = catalogue.key_at("fal", name) or catalogue.key_at("replicate", name)
        if key:
            return f"write {key}"
        return f"write fal:{_short(name)} or replicate:{_short(name)}"
    plain = re.sub(r"[^a-z0-9]+", "_", name[:64].lower()).strip("_")
    close = get_close_matches(plain, (*catalogue, DRAFT.key), n=3, cutoff=0.7)
    fitting = [key for key in close if task in _tasks(key, catalogue)]
    if close:
        return f"did you mean {(fitting or close)[0]}?"
    return f"for {task.value} use {_or(_others('', task, catalogue))}"


def _others(key: str, task: Task, catalogue: Catalogue) -> list[str]:
    """Two or three models for `task`: the relatives of `key` first, the free one last."""
    relatives = [
        one for one in catalogue if one != key and _related(one, key) and task in _tasks(one, catalogue)
    ]
    paid = list(dict.fromkeys((*relatives[:1], *GOOD_AT[task])))
    return [*paid[:2], DRAFT.key]


def _related(one: str, key: str) -> bool:
    """Keys of one family: ``kling_2_6_pro`` and ``kling_2_6_pro_t2v``."""
    return bool(key) and (one.startswith(f"{key}_") or key.startswith(f"{one}_") or _stem(one) == _stem(key))


def _stem(key: str) -> str:
    return re.sub(r"_(t2v|flf|ref|edit)$", "", key)


def _tasks(key: str, catalogue: Catalogue) -> tuple[Task, ...]:
    return DRAFT.tasks if key == DRAFT.key else catalogue.load(key).tasks


def _or(words: list[str]) -> str:
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"

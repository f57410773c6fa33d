"""From a step's fields to requests: which prompt, which parameters, which seed an item gets.

Precedence: step < entry. A card's defaults are used to price and explain, and are never sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Pending, Role, Source
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import JobRequest, Json, Task
from ai_content_pipeline.steps.fields import EXCLUSION_LIST, Entry, ModelFields
from ai_content_pipeline.steps.protocol import Fault, Item, Setting, YamlPath

_OWN_SEED = "write the seed as 'seed' in params or in an entry"


def entry_of(step: ModelFields, index: int) -> Entry:
    """The `index`-th line of ``prompts:``; an empty one past its end."""
    prompts = step.params.prompts or ()
    return prompts[index] if index < len(prompts) else Entry()


def card_of(step: ModelFields, entry: Entry, setting: Setting) -> Card:
    return setting.cards[entry.model or step.model]


def prompt_of(step: ModelFields, entry: Entry, setting: Setting) -> str | None:
    """The entry's, else the step's own; the file's only for a step that lists no prompts."""
    if entry.prompt is not None:
        return entry.prompt
    if step.params.prompt is not None or step.params.prompts is not None:
        return step.params.prompt
    return setting.prompt


def params_of(step: ModelFields, entry: Entry, card: Card) -> dict[str, Json]:
    """What goes to the model: the step's parameters, the entry's over them, `model_params` verbatim."""
    merged = catalog.coerce(card, {**card.fill, **step.params.own, **entry.params})
    return {**merged, **step.model_params}


def outputs_of(params: Mapping[str, Json], card: Card) -> int:
    """How many files one request yields: its ``num_images``, where the model has one."""
    wanted = params.get(card.count, 1) if card.count else 1
    return wanted if isinstance(wanted, int) and wanted > 0 else 1


def request(step: ModelFields, task: Task, item: Item, setting: Setting) -> JobRequest:
    """The request that makes `item`."""
    entry = entry_of(step, item.job)
    card = card_of(step, entry, setting)
    params = params_of(step, entry, card)
    seed = next((s for s in (entry.seed, step.params.seed, setting.seed) if s is not None), None)
    return JobRequest(
        model=catalog.model_of(card, entry.model or step.model, task),
        prompt=prompt_of(step, entry, setting),
        params=params,
        inputs=item.inputs,
        seed=seed if card.seed else None,
        outputs=outputs_of(params, card),
    )


def made(
    address: str,
    card: Card,
    task: Task,
    params: Mapping[str, Json],
    inputs: Mapping[Role, tuple[Source, ...]],
) -> Pending:
    """What is known of an output before it exists."""
    shape = catalog.expected(card, task, params, inputs)
    return Pending(address, shape.kind, shape.width, shape.height, shape.seconds)


# -- checks: all that can be said without any input --------------------------------------------------------


def check(step: ModelFields, task: Task, setting: Setting) -> tuple[Fault, ...]:
    """Every parameter of the step and of its entries against its model's card."""
    card = setting.cards[step.model]
    faults = _check_params(card, task, step.params.own, ("params",))
    if step.params.seed is not None and card.seed is None:
        faults.append(Fault(("params", "seed"), f"{card.title} takes no seed", "remove it"))
    for index, entry in enumerate(step.params.prompts or ()):
        own = card_of(step, entry, setting)
        path: YamlPath = ("params", "prompts", index)
        faults += _check_params(own, task, entry.params, (*path, "params"))
        if entry.model is not None:
            faults += _check_params(own, task, step.params.own, (*path, "model"), at_key=False)
        if entry.seed is not None and own.seed is None:
            faults.append(Fault((*path, "seed"), f"{own.title} takes no seed", "remove it"))
    return tuple(faults)


def _check_params(
    card: Card, task: Task, params: Mapping[str, Json], path: YamlPath, *, at_key: bool = True
) -> list[Fault]:
    near = {key: ours for key in params if (ours := _near_miss(key, card))}
    faults = [
        Fault((*path, key) if at_key else path, f"unknown key {key!r}", f"did you mean {ours!r}?")
        for key, ours in near.items()
    ]
    rest = {key: value for key, value in params.items() if key not in near}
    for misfit in catalog.check(card, task, rest):
        where = (*path, misfit.parameter) if at_key else path
        faults.append(Fault(where, misfit.message, misfit.hint))
    return faults


def _near_miss(key: str, card: Card) -> str | None:
    """The key of ours that `key` was meant to be, unless the model's schema really has that name."""
    if card.parameters and key in card.parameters:
        return None
    close = get_close_matches(key, (*EXCLUSION_LIST, "seed"), n=1, cutoff=0.8)
    return close[0] if close else None


def check_prompts(step: ModelFields, jobs: int, setting: Setting, given: Sequence[int] = ()) -> list[Fault]:
    """Too many prompts, or a job without one. Jobs in `given` have their result already."""
    prompts = step.params.prompts or ()
    if len(prompts) > jobs:
        extra = ("params", "prompts", jobs)
        message = f"{len(prompts)} prompts for {jobs} item{'s' if jobs != 1 else ''}"
        return [Fault(extra, message, "remove the extra ones, or give the step more input")]
    faults: list[Fault] = []
    for index in range(jobs):
        entry = entry_of(step, index)
        card = card_of(step, entry, setting)
        needs_prompt = card.prompt is not None and card.parameters is not None
        if index in given or not needs_prompt or prompt_of(step, entry, setting):
            continue
        where: YamlPath = ("params", "prompts", index) if index < len(prompts) else ("params", "prompts")
        if not prompts:
            hint = "write 'prompt' under its params, or at the top of the file"
            return [Fault(("params",), "this step has no prompt", hint)]
        message = f"item {index + 1} of {jobs} has no prompt"
        faults.append(Fault(where, message, "write one for it, or a 'prompt' under params for all the rest"))
        if index >= len(prompts):
            break
    return faults


def own_file(path: YamlPath, name: str, setting: Setting, kinds: frozenset[Kind]) -> Source:
    """A file that an entry names, checked for its kind.

    Raises:
        LookupError: it cannot be read, or is of the wrong kind.
    """
    source = setting.read(name).source
    if source.kind not in kinds:
        wanted = " or ".join(sorted(kind.value for kind in kinds))
        raise LookupError(f"{name} is {_article(source.kind)}, and this needs {wanted}")
    return source


def _article(kind: Kind) -> str:
    return "an image" if kind is Kind.IMAGE else "a video"

"""From a step's fields to requests: which prompt, which parameters, which seed an item gets.

Precedence: step < entry. A card's defaults are used to price and explain, and are never sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Pending, Role, Source
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import JobRequest, Json, Task
from ai_content_pipeline.steps import references
from ai_content_pipeline.steps.fields import EXCLUSION_LIST, Entry, ModelFields
from ai_content_pipeline.steps.protocol import Fault, Input, Item, Setting, YamlPath
from ai_content_pipeline.steps.roles import undescribed

_NEAR = 0.8  # how alike a misspelt key of ours is, of 1


def entry_of(step: ModelFields, index: int) -> Entry:
    """The `index`-th line of ``prompts:``; an empty one past its end."""
    prompts = step.params.prompts or ()
    return prompts[index] if index < len(prompts) else Entry()


def jobs_of(step: ModelFields, inputs: Mapping[Role, Sequence[Input]]) -> int:
    """How many requests: the shortest role decides; without any input, the entries that bring their own."""
    lengths = [len(files) for files in inputs.values()]
    return min(lengths) if lengths else len(step.params.prompts or ())


def card_of(step: ModelFields, entry: Entry, setting: Setting) -> Card:
    return setting.cards[entry.model or step.model]


def prompt_of(step: ModelFields, entry: Entry, setting: Setting) -> str | None:
    """The entry's, else the step's own; the file's only for a step that lists no prompts.

    To upscale is not to draw again: what the file's prompt asks for is in the picture already.
    """
    if entry.prompt is not None:
        return entry.prompt
    if step.params.prompt is not None or step.params.prompts is not None or step.task is Task.UPSCALE:
        return step.params.prompt
    return setting.prompt


def params_of(
    step: ModelFields, entry: Entry, card: Card, references: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """What goes to the model: what its references need, the step's parameters over that, the entry's over
    them, `model_params` verbatim."""
    merged = {**card.fill, **(references or {}), **step.params.own, **entry.params}
    return {**catalog.coerce(card, merged), **step.model_params}


def outputs_of(params: Mapping[str, Json], card: Card) -> int:
    """How many files one request yields: its ``num_images``, where the model has one."""
    wanted = params.get(card.count, 1) if card.count else 1
    return int(wanted) if isinstance(wanted, int | float) and wanted >= 1 else 1


def counted(card: Card) -> YamlPath:
    """Where a file says how many outputs a request has."""
    return ("params", card.count) if card.count else ("params",)


def request(step: ModelFields, item: Item, setting: Setting) -> JobRequest:
    """The request that makes `item`."""
    entry = entry_of(step, item.job)
    card = card_of(step, entry, setting)
    params = params_of(step, entry, card, references.params_for(setting, item.job, card))
    seed = next((s for s in (entry.seed, step.params.seed, setting.seed) if s is not None), None)
    prompt = prompt_of(step, entry, setting) if card.prompt else None
    task = references.task_of(step, card, conditioned=bool(item.inputs.get(Role.REFERENCE)))
    return JobRequest(
        model=catalog.model_of(card, entry.model or step.model, task),
        prompt=None if prompt is None else setting.reword(item.job, prompt, card),
        params=params,
        inputs=item.inputs,
        seed=seed if card.seed else None,
        per_item=step.seed_mode == "per_item" and entry.seed is None,
        outputs=outputs_of(params, card),
        groups=references.groups_for(setting, item.job, card),
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
    """Every parameter, prompt and seed of the step and of its entries against its model's card."""
    card = setting.cards[step.model]
    faults = _check_params(step, card, task, step.params.own, ("params",))
    faults += _check_fills(card, step.params.prompt, step.params.seed, ("params",))
    if step.seed_mode == "shared" and step.params.seed is None and setting.seed is None:
        hint = "write 'seed: 7' under its params, or at the top of the file"
        faults.append(Fault(("seed_mode",), "'seed_mode: shared' has no seed to share", hint))
    for index, entry in enumerate(step.params.prompts or ()):
        path: YamlPath = ("params", "prompts", index)
        own = card_of(step, entry, setting)
        faults += references.misplaced(step, entry, path)
        faults += _check_params(step, own, task, entry.params, (*path, "params"))
        faults += _check_fills(own, entry.prompt, entry.seed, path)
        if entry.model is not None and own != card:
            shared = {key: value for key, value in step.params.own.items() if key not in entry.params}
            faults += _check_params(step, own, task, shared, (*path, "model"), at_key=False)
    return tuple(faults)


def _check_fills(card: Card, prompt: str | None, seed: int | None, path: YamlPath) -> list[Fault]:
    """A prompt or a seed that was written for a model which has no field for it."""
    faults = []
    if prompt is not None and card.prompt is None:
        faults.append(Fault((*path, "prompt"), f"{card.title} takes no prompt", "remove it"))
    if seed is not None and card.seed is None:
        unknown = undescribed(card)
        message = f"it is not known how {card.key} takes a seed" if unknown else f"{card.title} takes no seed"
        hint = "write it under 'model_params', by the model's own name" if unknown else "remove it"
        faults.append(Fault((*path, "seed"), message, hint))
    return faults


def check_frames(step: ModelFields, entry: Entry, index: int) -> list[Fault]:
    """First and last frames in an entry of a step that makes no clip between them."""
    hint = "a picture or clip of your own goes in as 'file'" if step.takes else "remove it"
    return [
        Fault(("params", "prompts", index, key), f"{step.type} takes no {key!r} picture", hint)
        for key in ("start", "end")
        if getattr(entry, key) is not None
    ]


def _check_params(
    step: ModelFields,
    card: Card,
    task: Task,
    params: Mapping[str, Json],
    path: YamlPath,
    *,
    at_key: bool = True,
) -> list[Fault]:
    ours = {key: hint for key in params if (hint := _ours(step, key, card, entry="prompts" in path))}
    faults = [
        Fault((*path, key) if at_key else path, f"unknown key {key!r}", hint) for key, hint in ours.items()
    ]
    rest = {key: value for key, value in params.items() if key not in ours}
    for misfit in catalog.check(card, task, rest):
        where = (*path, misfit.parameter) if at_key else path
        faults.append(Fault(where, misfit.message, misfit.hint))
    return faults


def _ours(step: ModelFields, key: str, card: Card, *, entry: bool) -> str | None:
    """What to write instead of a key of ours that is misspelt or misplaced; None where it is the model's."""
    if card.parameters and key in card.parameters:
        return None
    if entry and key in Entry.model_fields:
        return f"write {key!r} beside 'params', not below it"
    if key in EXCLUSION_LIST:
        return f"write {key!r} under the step's own params: it counts for the whole step"
    if key in type(step).model_fields:
        return f"write {key!r} on the step itself, not under 'params'"
    meant = _near_miss(key)
    return f"did you mean {meant!r}?" if meant else None


def _near_miss(key: str) -> str | None:
    from difflib import get_close_matches

    plain = key[:64].casefold().replace("-", "_")
    return next(iter(get_close_matches(plain, (*EXCLUSION_LIST, "seed"), n=1, cutoff=_NEAR)), None)


def check_prompts(
    step: ModelFields, jobs: int, setting: Setting, given: Set[int] = frozenset()
) -> list[Fault]:
    """Too many prompts, or a job without one. Jobs in `given` have their result already."""
    prompts = step.params.prompts or ()
    if len(prompts) > jobs:
        items = f"{jobs} item{'s' if jobs != 1 else ''}"
        message = f"prompt {jobs + 1} is too many: there are {len(prompts)} prompts for {items}"
        extra = ("params", "prompts", jobs)
        return [Fault(extra, message, "remove the extra ones, or give the step more input")]
    lacking = [index for index in range(jobs) if index not in given and _lacks_prompt(step, index, setting)]
    if not prompts:
        hint = "write 'prompt' under its params, or at the top of the file"
        return [Fault(("params",), "this step has no prompt", hint)] if lacking else []
    elsewhere = " (the one at the top of the file does not count here)" if setting.prompt else ""
    hint = f"write one for it, or a 'prompt' under params for all the rest{elsewhere}"
    faults = [
        Fault(("params", "prompts", index), f"item {index + 1} of {jobs} has no prompt", hint)
        for index in lacking
        if index < len(prompts)
    ]
    rest = [index + 1 for index in lacking if index >= len(prompts)]
    if rest:
        items = f"items {rest[0]} to {rest[-1]} have" if len(rest) > 1 else f"item {rest[0]} has"
        message = f"{items} no prompt: {len(prompts)} prompts for {jobs} items"
        faults.append(Fault(("params", "prompts"), message, hint))
    return faults


def _lacks_prompt(step: ModelFields, index: int, setting: Setting) -> bool:
    entry = entry_of(step, index)
    card = card_of(step, entry, setting)
    needed = card.prompt is not None and card.prompt_required and not undescribed(card)
    return needed and step.task is not Task.UPSCALE and not (prompt_of(step, entry, setting) or "").strip()

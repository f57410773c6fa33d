"""Steps that make something of each of their inputs, one request an input; an entry may bring its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ai_content_pipeline.artifacts import Role, Source
from ai_content_pipeline.steps import references, requests
from ai_content_pipeline.steps.fields import ModelFields
from ai_content_pipeline.steps.protocol import (
    Fault,
    Faults,
    Input,
    Item,
    LabelBook,
    Setting,
    YamlPath,
    check_count,
)
from ai_content_pipeline.steps.roles import Given, check_roles


def items(step: ModelFields, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
    """Every item of such a step, under its input's label; those of one request share its job.

    Raises:
        Faults: prompts or files that do not fit.
    """
    if inputs and Role.INPUT not in inputs:
        hint = "write 'input: {input: …, mask: …}'"
        raise Faults([Fault(("input",), f"{step.type} needs an 'input' beside the mask", hint)])
    jobs = requests.jobs_of(step, inputs)
    check_count(jobs, ("input",))
    faults, labels, found = list[Fault](), LabelBook(), list[Item]()
    asked = [_asked(step, job, inputs, setting, labels, found, faults) for job in range(jobs)]
    unread = {int(fault.path[2]) for fault in faults}  # whether these need a prompt, nobody knows
    faults += requests.check_prompts(step, jobs, setting, unread)
    if not faults:
        faults += check_roles(asked)
    if faults:
        raise Faults(faults)
    return tuple(found)


def _asked(
    step: ModelFields,
    job: int,
    inputs: Mapping[Role, Sequence[Input]],
    setting: Setting,
    labels: LabelBook,
    found: list[Item],
    faults: list[Fault],
) -> Given:
    """Adds the items of one request to `found`; the files that it is given."""
    entry = requests.entry_of(step, job)
    faults += requests.check_frames(step, entry, job)
    paths: dict[Role, YamlPath] = {role: ("input", role.value) for role in inputs}
    files = {role: group[job] for role, group in inputs.items()}
    if entry.file is not None:
        paths[Role.INPUT] = ("params", "prompts", job, "file")
        try:
            files[Role.INPUT] = setting.read(entry.file)
        except LookupError as error:
            faults.append(Fault(paths[Role.INPUT], str(error.args[0])))
    sources: dict[Role, tuple[Source, ...]] = {role: (file.source,) for role, file in files.items()}
    sources |= references.sources_for(setting, job)
    paths[Role.REFERENCE] = references.where_for(step, job)
    card = requests.card_of(step, entry, setting)
    params = requests.params_of(step, entry, card, references.params_for(setting, job, card))
    outputs = requests.outputs_of(params, card)
    check_count(len(found) + outputs, requests.counted(card))
    first = files.get(Role.INPUT)
    label = first.label if first else f"{setting.name}_{job + 1}"
    for output in range(outputs):
        name = labels.unique(label)
        makes = requests.made(f"{setting.name}/{name}", card, step.task, params, sources)
        found.append(Item(setting.name, len(found), name, job, output, sources, makes))
    names = {role: (file.label,) for role, file in files.items()} | references.names_for(setting, job)
    return Given(found[-outputs].address, card, sources, paths, names)

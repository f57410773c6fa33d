"""Steps that begin with words: a file from the step's prompt, or one for each line of ``prompts:``."""

from __future__ import annotations

from ai_content_pipeline.artifacts import Artifact, Kind, Role
from ai_content_pipeline.steps import references, requests
from ai_content_pipeline.steps.fields import ModelFields
from ai_content_pipeline.steps.protocol import Fault, Faults, Item, Setting, YamlPath, check_count
from ai_content_pipeline.steps.roles import Given, check_roles

_MAKES = {Kind.IMAGE: "pictures", Kind.VIDEO: "clips"}
_WANTED = {Kind.IMAGE: "a picture", Kind.VIDEO: "a clip"}


def items(step: ModelFields, setting: Setting) -> tuple[Item, ...]:
    """Every item of such a step; those of one request (``num_images``) share its job.

    Raises:
        Faults: prompts that are missing, or files that do not fit.
    """
    jobs = len(step.params.prompts or (None,))
    faults: list[Fault] = []
    given = _given(step, jobs, setting, faults)
    filled = {job for job in range(jobs) if requests.entry_of(step, job).file is not None}
    faults += requests.check_prompts(step, jobs, setting, filled)
    if not faults:
        faults += check_roles(_asked(step, job, setting) for job in range(jobs) if job not in given)
    if faults:
        raise Faults(faults)
    items: list[Item] = []
    for job in range(jobs):
        entry = requests.entry_of(step, job)
        card = requests.card_of(step, entry, setting)
        params = requests.params_of(step, entry, card, references.params_for(setting, job, card))
        sources = {} if job in given else references.sources_for(setting, job)
        outputs = 1 if job in given else requests.outputs_of(params, card)
        check_count(len(items) + outputs, requests.counted(card))
        for output in range(outputs):
            label = f"{setting.name}_{len(items) + 1}"
            makes = requests.made(f"{setting.name}/{label}", card, step.task, params, sources)
            items.append(
                Item(setting.name, len(items), label, job, output, sources, makes, given=given.get(job))
            )
    return tuple(items)


def _asked(step: ModelFields, job: int, setting: Setting) -> Given:
    """The reference pictures of one request."""
    who = f"{setting.name}/{setting.name}_{job + 1}"
    card = requests.card_of(step, requests.entry_of(step, job), setting)
    where = {Role.REFERENCE: references.where_for(step, job)}
    return Given(who, card, references.sources_for(setting, job), where, references.names_for(setting, job))


def _given(step: ModelFields, jobs: int, setting: Setting, faults: list[Fault]) -> dict[int, Artifact]:
    """The user's own files, by the slot they fill."""
    given: dict[int, Artifact] = {}
    for job in range(jobs):
        entry = requests.entry_of(step, job)
        faults += requests.check_frames(step, entry, job)
        if entry.file is None:
            continue
        source = _read(step, entry.file, ("params", "prompts", job, "file"), setting, faults)
        if source is not None:
            given[job] = source
    return given


def _read(
    step: ModelFields, name: str, path: YamlPath, setting: Setting, faults: list[Fault]
) -> Artifact | None:
    try:
        source = setting.read(name).source
    except LookupError as error:
        faults.append(Fault(path, str(error.args[0])))
        return None
    wanted = step.task.makes
    if isinstance(source, Artifact) and source.kind is wanted:
        return source
    is_a = "a video" if source.kind is Kind.VIDEO else "an image"
    message = f"{name} is {is_a}, and this step makes {_MAKES[wanted]}"
    faults.append(Fault(path, message, f"give it {_WANTED[wanted]}"))
    return None

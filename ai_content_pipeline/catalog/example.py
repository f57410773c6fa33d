"""A step that shows how a model is used, as YAML that runs as it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.cards import Card, Parameter
from ai_content_pipeline.jobs import Json, Task

_PROMPTS = {
    Task.TEXT_TO_IMAGE: "A lighthouse on a cliff at dawn, wide shot",
    Task.IMAGE_TO_IMAGE: "The same place at night, lit by lanterns",
    Task.TEXT_TO_VIDEO: "Waves roll in below a lighthouse, gulls circle",
    Task.IMAGE_TO_VIDEO: "Slow push in, the light sweeps over the sea",
    Task.REFERENCE_TO_VIDEO: "The keeper climbs the stairs of the lighthouse",
    Task.UPSCALE: "A lighthouse on a cliff",
}
#: What people set most often; the parameters that a price depends on are shown besides.
_SHOWN = ("aspect_ratio", "image_size", "duration", "resolution")
_AUTO = (None, "auto", "match_input_image")
_RATIO = "16:9"
_SUBJECT = "keeper"
_FILES = {Kind.IMAGE: "picture.png", Kind.VIDEO: "clip.mp4"}


@dataclass(frozen=True, slots=True)
class Example:
    """`step` is one entry of ``steps:``, ending in a newline; `pipeline` is a whole file with it.

    `files` are the user's own files that it names, relative to the pipeline's folder. `shown` is as much
    as people need: the step, and what it needs at the top of the file.
    """

    step: str
    pipeline: str
    files: Mapping[str, Kind]
    shown: str


def example(card: Card, task: Task | None = None) -> Example:
    """An example for `task`, else for the first task of the card.

    A model that is made to keep a subject is shown doing so.
    """
    task = task or next((one for one in card.tasks if one is not Task.REFERENCE_TO_VIDEO), card.tasks[0])
    field = card.roles.get(Role.REFERENCE)
    keeps = field is not None and (task is Task.REFERENCE_TO_VIDEO or field.required)
    files = dict(_files(card, task))
    step = "".join(f"{line}\n" for line in _lines(card, task, files, keeps=keeps))
    indented = "".join(f"  {line}\n" for line in step.splitlines())
    top, used = f"name: {task.value}_example\n", dict(files.values())
    if keeps:
        top += f"references:\n  {_SUBJECT}: {{images: [{_SUBJECT}.png]}}\n"
        used[f"{_SUBJECT}.png"] = Kind.IMAGE
    pipeline = f"{top}steps:\n{indented}"
    return Example(step, pipeline, used, pipeline if keeps else step)


def _files(card: Card, task: Task) -> Iterator[tuple[Role, tuple[str, Kind]]]:
    """The files that a request needs, by role."""
    first = {Task.IMAGE_TO_VIDEO: Role.START, Task.IMAGE_TO_IMAGE: Role.INPUT, Task.UPSCALE: Role.INPUT}
    for role, field in card.roles.items():
        if role is first.get(task):
            yield role, (_FILES[field.takes], field.takes)
        elif field.required and task in first:
            yield role, (f"{role.value}.png", field.takes)


def _lines(card: Card, task: Task, files: Mapping[Role, tuple[str, Kind]], *, keeps: bool) -> Iterator[str]:
    yield f"- type: {(Task.TEXT_TO_VIDEO if task is Task.REFERENCE_TO_VIDEO else task).value}"
    yield f"  model: {card.key}"
    if keeps:
        yield f"  references: [{_SUBJECT}]"
    shown: dict[str, Json] = dict(_params(card))
    if keeps:
        only = card.roles[Role.REFERENCE].only_with
        shown = {name: value for name, value in shown.items() if value in only.get(name, (value,))}
    if card.output.follow_input and files:
        shown.pop("aspect_ratio", None)
    prompt = _PROMPTS[task] if card.prompt and (card.prompt_required or task is not Task.UPSCALE) else None
    names = {role: name for role, (name, _) in files.items()}
    if len(names) == 1:
        yield f"  input: {{files: [{next(iter(names.values()))}]}}"
    if prompt or shown:
        yield "  params:"
    if len(names) > 1:
        entry = ", ".join(f"{role.value}: {name}" for role, name in names.items())
        yield "    prompts:"
        yield f"      - {{prompt: {_yaml(prompt)}, {entry}}}"
    elif prompt:
        yield f"    prompt: {_yaml(prompt)}"
    for name, value in shown.items():
        yield f"    {name}: {_yaml(value)}"


def _yaml(value: Json) -> str:
    """JSON is YAML, and quotes whatever YAML would read as something else."""
    return json.dumps(value, ensure_ascii=False)


# -- parameters ----------------------------------------------------------------------------------------


def _params(card: Card) -> Iterator[tuple[str, Json]]:
    """The telling parameters, each with a value that the model takes and that has a price."""
    priced = dict(_priced(card))
    for name, parameter in (card.parameters or {}).items():
        if parameter.deprecated or name not in {*_SHOWN, *priced, card.output.scale}:
            continue
        value = parameter.default if parameter.default not in _AUTO else priced.get(name)
        value = _allowed(parameter) if value in _AUTO else value
        if value is not None:
            yield name, value


def _priced(card: Card) -> Iterator[tuple[str, Json]]:
    """Parameters that the price looks at and that the vendor may choose himself: the first listed value."""
    if card.price is None:
        return
    for rate in reversed(card.price.rates):
        yield from rate.when.items()
    for extra in card.price.surcharges:
        if extra.parameter and card.value({}, extra.parameter) is None:
            yield extra.parameter, extra.above if extra.above is not None else not extra.equals


def _allowed(parameter: Parameter) -> Json:
    if parameter.enum:
        listed = [value for value in parameter.enum if value not in _AUTO]
        return _RATIO if _RATIO in listed else next(iter(listed), None)
    if parameter.minimum is None:
        return None
    return int(parameter.minimum) if parameter.type == "integer" else parameter.minimum

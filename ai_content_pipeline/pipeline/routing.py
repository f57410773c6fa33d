"""By which route each job of a step keeps its references: decided before anything is expanded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Role, Route
from ai_content_pipeline.catalog import Card, Catalogue
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.pipeline.inputs import Unresolved
from ai_content_pipeline.pipeline.references import References
from ai_content_pipeline.references import routes
from ai_content_pipeline.references.reference import Reference
from ai_content_pipeline.references.routes import Choice, Need
from ai_content_pipeline.steps import requests
from ai_content_pipeline.steps.fields import Entry
from ai_content_pipeline.steps.protocol import Fault, Faults, Input, Setting, YamlPath
from ai_content_pipeline.steps.references import ReferenceFields, where_for

_CHAINED = "previous."


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a step, the references that it keeps and by which route; `choice` None: it keeps none.

    `given` is how many other files its request has, by role; `start` the picture that it begins with.
    """

    number: int
    entry: Entry
    card: Card
    prompt: str | None
    given: Mapping[Role, int]
    start: Input | None
    references: tuple[Reference, ...] = ()
    choice: Choice | None = None

    @property
    def route(self) -> Route | None:
        return self.choice.route if self.choice else None


@dataclass(frozen=True, slots=True)
class StillModel:
    """What makes the stills of a step in two stages: `name` as a file would write it."""

    name: str
    card: Card


def still_model(step: ReferenceFields, setting: Setting, catalogue: Catalogue) -> StillModel | None:
    """The model that the file names, else one of the vendor who makes the clips.

    Raises:
        Faults: the file names one that is none.
    """
    if step.task.makes is not Kind.VIDEO:
        if step.keyframe is not None:
            hint = "remove it, or use it on a step that makes clips"
            raise Faults([Fault(("keyframe",), f"{step.type} makes pictures, and no stills for clips", hint)])
        return None
    named = step.keyframe.model if step.keyframe else None
    name = named or routes.KEYFRAME_MODELS.get(setting.cards[step.model].provider)
    if name is None:
        return None
    try:
        return StillModel(name, catalog.find(name, catalogue, Task.IMAGE_TO_IMAGE))
    except catalog.UnknownModel as error:
        if named is None:  # no card describes what would be used by default
            return None
        raise Faults([Fault(("keyframe", "model"), error.message, error.hint)]) from error


@dataclass(frozen=True)
class Routing:
    """One step, whose `setting` holds its models' own cards. `still` makes the stills of two stages."""

    step: ReferenceFields
    setting: Setting
    references: References
    catalogue: Catalogue
    still: Card | None
    inputs: Mapping[Role, Sequence[Input]]

    def jobs(self) -> list[Job]:
        """Every job of the step.

        Raises:
            Faults: names that are not declared, and routes that cannot work.
            Misplaced: a step that a reference names makes no pictures, or comes too late.
            Unresolved: that is not known, because of another problem.
        """
        faults = [*self._idle()]
        count = requests.jobs_of(self.step, self.inputs)
        if not self.step.takes:
            count = len(self.step.params.prompts or (None,))
        found = [self._routed(self._job(number), faults) for number in range(count)]
        if faults:
            raise Faults(list(dict.fromkeys(faults)))
        return found

    def _idle(self) -> Iterator[Fault]:
        """Keys that say how references are kept, on a step that keeps none."""
        if self.references.wanted(self.step):
            return
        for key in ("route", "keyframe"):
            if getattr(self.step, key) is not None:
                yield Fault((key,), f"{key!r} means nothing without references", "name some, or remove it")

    def _job(self, number: int) -> Job:
        entry = requests.entry_of(self.step, number)
        given = {role: 1 for role, files in self.inputs.items() if number < len(files)}
        given |= {role: 1 for role in (Role.END,) if entry.end is not None}
        start = self._start(number, entry)
        if start is not None or entry.start is not None:
            given[next(iter(self.step.takes), Role.START)] = 1
        card = requests.card_of(self.step, entry, self.setting)
        return Job(number, entry, card, requests.prompt_of(self.step, entry, self.setting), given, start)

    def _start(self, number: int, entry: Entry) -> Input | None:
        """What a job works on or begins with; None where there is nothing, or something wrong with it."""
        named = entry.file or entry.start
        try:
            if named is not None:
                chained = named.startswith(_CHAINED)
                return None if chained else (self.setting.read if entry.file else self.setting.find)(named)
        except LookupError:  # said when the step is expanded
            return None
        files = next((files for role, files in self.inputs.items() if role in (Role.INPUT, Role.START)), ())
        return files[number] if number < len(files) else None

    def _routed(self, job: Job, faults: list[Fault]) -> Job:
        own = job.entry.references
        where = where_for(self.step, job.number)
        try:
            names = self.references.names(own if own is not None else self.step.references or ())
        except Unresolved:
            raise
        except LookupError as error:
            place, message, hint = error.args
            faults.append(Fault((*where, place), message, hint))
            return job
        if self._is_footage(job):
            return job
        if not names:
            faults += self._alone(job)
            return job
        kept = tuple(self.references.reference(name) for name in names)
        wish = job.entry.route or self.step.route
        try:
            choice = routes.choose(self._need(job, kept), wish, self.catalogue)
        except routes.NoRoute as error:
            path = where
            if wish is not None:
                path = ("params", "prompts", job.number, "route") if job.entry.route else ("route",)
            faults.append(Fault(path, error.message, error.hint))
            return job
        return replace(job, references=kept, choice=choice)

    def _alone(self, job: Job) -> Iterator[Fault]:
        """What is wrong with a job that keeps no references."""
        entry: YamlPath = ("params", "prompts", job.number)
        if job.entry.route is not None:
            yield Fault((*entry, "route"), "a route, and no references to send by it", "remove it")
        if self.step.task not in job.card.tasks:
            message = f"{job.card.key} does no {self.step.task.value} without references"
            yield Fault(entry, message, "name some for this one, or another model")

    def _is_footage(self, job: Job) -> bool:
        """A file of the user's own that is the finished result: nothing is made."""
        if job.entry.file is None:
            return False
        makes = self.step.task.makes
        found = job.start is not None and job.start.source.kind is Kind.VIDEO
        return not self.step.takes or (makes is Kind.VIDEO and found)

    def _need(self, job: Job, kept: tuple[Reference, ...]) -> Need:
        params = requests.params_of(self.step, job.entry, job.card)
        stillless = None
        if (job.entry.start or "").startswith(_CHAINED):
            stillless = "the clip starts where the one before ends, so it has no still of its own"
        elif Role.START in self.step.takes and job.start is None:
            stillless = "there is no start picture that a still could be made from"
        return Need(job.card, self.step.task, kept, params, job.given, self.still, stillless)


def unheeded(
    step: ReferenceFields, jobs: Sequence[Job], references: References, still: Card | None
) -> list[str]:
    """What is to be said of a step's references: names in prompts that send nothing, strengths that no
    model hears of, stills that nobody needs."""
    loose: dict[str, None] = {}
    weak: dict[tuple[str, str], None] = {}
    for job in jobs:
        kept = {one.name for one in job.references}
        loose |= dict.fromkeys(name for name in references.mentioned(job.prompt) if name not in kept)
        card = still if job.route is Route.KEYFRAME and still is not None else job.card
        field = card.roles.get(Role.REFERENCE)
        heard = job.route is not Route.PROMPT and field is not None and field.strength
        if job.choice is not None and not heard:
            weak |= {(one.name, card.key): None for one in job.references if one.strength is not None}
    found = [
        f"a prompt says @{name}, which its 'references' do not name: words alone stand for it"
        for name in loose
    ]
    found += [
        f"{model} cannot be told how strongly a reference counts; the strength of {name} is not sent"
        for name, model in weak
    ]
    if step.keyframe is not None and not any(job.route is Route.KEYFRAME for job in jobs):
        found.append("no scene takes the route 'keyframe', so 'keyframe' counts for nothing")
    return [f"{step.name}: {words}" for words in found]

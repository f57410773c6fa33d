"""What a step type is: its YAML fields, and the pure verbs that planning and running share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from ai_content_pipeline.artifacts import Artifact, Kind, Pending, Role, Route, Source
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import JobRequest, LocalWork, Task

YamlPath = tuple[str | int, ...]

#: More items than this in one pipeline is a slip of the keyboard, not a film.
MAX_ITEMS = 10_000
MAX_LABEL = 64


@dataclass(frozen=True, slots=True)
class Input:
    """One file that a step is given, and the label it carries along the chain."""

    source: Source
    label: str


@dataclass(frozen=True, slots=True)
class Item:
    """One slot of a step, addressed by the path it will have: ``clips/scene_2``.

    Items with the same `job` come from one request or one piece of local work, as its `output`-th
    file. `makes` is what is known of the file before it exists; `given` is the user's own file where
    an entry put one into the slot.
    """

    step: str
    index: int
    label: str
    job: int
    output: int
    inputs: Mapping[Role, tuple[Source, ...]]
    makes: Pending
    given: Artifact | None = None

    @property
    def address(self) -> str:
        return self.makes.address


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a step; `path` leads to it from the step's own mapping."""

    path: YamlPath
    message: str
    hint: str | None = None


class Faults(Exception):
    """Everything wrong with one step."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


def check_count(count: int, path: YamlPath) -> None:
    """Refuse a fan-out bomb before its items are built.

    Raises:
        Faults: more than `MAX_ITEMS`.
    """
    if count > MAX_ITEMS:
        hint = "split the work over several files"
        raise Faults([Fault(path, f"{count:,} items are more than the limit of {MAX_ITEMS:,}", hint)])


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The references that one job of a step keeps, and by which route.

    `why` says to people what chose the route. `pictures` are all of theirs, subject after subject, and
    `groups` how many each subject has; `names` those subjects in the same order. Only where `sent` do the
    pictures go into the job's own request. `strength` (0 to 1) is the highest of theirs.
    """

    route: Route
    why: str
    names: tuple[str, ...]
    pictures: tuple[Source, ...]
    groups: tuple[int, ...]
    strength: float | None = None

    @property
    def sent(self) -> bool:
        return self.route in (Route.SERVER, Route.EMBEDDINGS)


def _as_written(job: int, text: str, card: Card) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """What surrounds a step: its name, its models' cards, and what the file says above it.

    `read` probes a file of the user's (path relative to the YAML's folder); `find` looks up the item
    at an address. Both raise `LookupError` with a message for people. `conditioning` holds, by job, what
    keeps references; `reword` is a job's prompt with the names of references replaced, as its model is to
    be told them.
    """

    name: str
    cards: Mapping[str, Card]
    read: Callable[[str], Input]
    find: Callable[[str], Input]
    prompt: str | None = None
    seed: int | None = None
    conditioning: Mapping[int, Conditioning] = field(default_factory=dict)
    reword: Callable[[int, str, Card], str] = _as_written


@dataclass(frozen=True, slots=True)
class Shape:
    """How a step's items may run: at most `workers` at a time; `ordered` ones in item order;
    with `batch`, the next so many only when the last so many have ended."""

    workers: int
    ordered: bool = False
    batch: int | None = None
    parallel: bool = False


class Step(Protocol):
    """A step type. Its pydantic fields are the YAML keys; everything below is pure."""

    task: ClassVar[Task | None]
    #: Which kinds of file each role takes. The first role is the one a plain ``input:`` fills.
    takes: ClassVar[Mapping[Role, frozenset[Kind]]]

    @property
    def models(self) -> Mapping[YamlPath, str]:
        """Every model that the step names, by where it names it."""
        ...

    @property
    def shape(self) -> Shape: ...

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        """What can be said of the parameters without any input."""
        ...

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        """Static expansion.

        Raises:
            Faults: the inputs and the step's fields do not fit.
        """
        ...

    def work(self, item: Item, setting: Setting) -> JobRequest | LocalWork:
        """What makes `item` (and its siblings of the same job). The plan prices it, the run does it."""
        ...


@dataclass(frozen=True, slots=True)
class LabelBook:
    """Gives out labels, each once, whatever their case."""

    taken: set[str] = field(default_factory=set)
    _next: dict[str, int] = field(default_factory=dict)

    def unique(self, label: str) -> str:
        """`label`, or with ``_2``, ``_3``… where it is taken. At most `MAX_LABEL` characters."""
        label = candidate = label[:MAX_LABEL]
        number = self._next.get(
            label.casefold(), 2
        )  # so that a thousand equal labels are not a million looks
        while candidate.casefold() in self.taken:
            suffix = f"_{number}"
            candidate, number = f"{label[: MAX_LABEL - len(suffix)]}{suffix}", number + 1
        self._next[label.casefold()] = number
        self.taken.add(candidate.casefold())
        return candidate

"""What is asked of a model, what a vendor answers, and the work that needs no model.

`JobRequest` is logical: it is keyed, priced and journaled, and holds no URLs. `WireRequest` is the
exact JSON of the one POST. Everything between a provider and the rest of the house is in these types.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Role, Source
from ai_content_pipeline.errors import Interrupted

if TYPE_CHECKING:
    from PIL.Image import Image

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Params = Mapping[str, Json]
_Frame = TypeVar("_Frame")


class Task(StrEnum):
    """What a model does; the same words as the step types that use it."""

    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TO_IMAGE = "image_to_image"
    TEXT_TO_VIDEO = "text_to_video"
    IMAGE_TO_VIDEO = "image_to_video"
    REFERENCE_TO_VIDEO = "reference_to_video"
    UPSCALE = "upscale"

    @property
    def makes(self) -> Kind:
        return Kind.VIDEO if self.value.endswith("video") else Kind.IMAGE


@dataclass(frozen=True, slots=True)
class InputField:
    """Where a vendor's schema takes files of one role."""

    name: str
    many: bool = False  # a list of URLs, else one URL
    kind: str = "files"  # or elements: a list of subjects, each with its own pictures


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a request needs it: where it lives and under which names it takes what we send."""

    name: str  # as the user wrote it: catalogue key or provider:endpoint
    provider: str
    endpoint: str
    task: Task
    fields: Mapping[Role, InputField] = field(default_factory=dict)
    prompt_field: str | None = "prompt"
    seed_field: str | None = None
    count_field: str | None = None  # the parameter that asks for several outputs (num_images)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One paid request, before uploads. `params` are what the user set, and nothing else.

    `seed` is the user's own; a seed nobody gave is derived when the request is wired.
    `outputs` is how many files it must yield. `groups` says how many of the references belong to each
    subject, where the model takes subjects and not files.
    """

    model: Model
    prompt: str | None
    params: Params
    inputs: Mapping[Role, tuple[Source, ...]]
    seed: int | None = None
    take: int = 0
    outputs: int = 1
    groups: tuple[int, ...] = ()
    per_item: bool = False  # each job gets a seed of its own, made of the user's and of what is asked

    @property
    def makes(self) -> Kind:
        """The kind of file it yields: to upscale keeps that of its input."""
        source = next(iter(self.inputs.get(Role.INPUT, ())), None)
        if self.model.task is Task.UPSCALE and source is not None:
            return source.kind
        return self.model.task.makes


class Pictures(Protocol):
    def __call__(self, artifact: Artifact, frame: Frame = Frame.FIRST, edge: int | None = None) -> Image:
        """A picture, or a frame of a video. With `edge`, one reduced to no less than that many pixels
        on its longest side may come, from memory where it is still there."""
        ...


@dataclass(frozen=True, slots=True)
class Workbench:
    """What local work is handed: its input files, a folder to write into, how to see a picture, and where
    a file lies (not to be changed)."""

    inputs: Mapping[Role, tuple[Artifact, ...]]
    folder: Path
    picture: Pictures
    path: Callable[[Artifact], Path]
    detached: threading.Event = field(default_factory=threading.Event)

    def while_wanted(self, frames: Iterable[_Frame]) -> Iterator[_Frame]:
        """Hands on what is long in the making.

        Raises:
            Interrupted: nobody waits for it any more.
        """
        for frame in frames:
            if self.detached.is_set():
                raise Interrupted("stopped while it was made")
            yield frame


@dataclass(frozen=True, slots=True)
class LocalWork:
    """Work done here, free and repeatable. `version` grows when its results change.

    `run` returns the files it wrote, in output order; with each, where it has one, the picture still
    in memory, so that a thumbnail of it need not decode the file again.
    """

    name: str
    version: int
    params: Params
    inputs: Mapping[Role, tuple[Source, ...]]
    run: Callable[[Workbench], tuple[tuple[Path, Image | None], ...]]
    outputs: int = 1


# -- between us and a vendor -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upload:
    """An input file where the vendor can read it. `expires` None: as long as the vendor exists."""

    url: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class WireRequest:
    """The exact JSON of the one POST; reconciliation matches on it."""

    endpoint: str
    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Handle:
    """What a vendor gave us to ask again. Durable before the first poll. `data` is vendor-private."""

    request_id: str
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """One result file: at a URL (`url`), or already on this disk (`path`, which may be moved away)."""

    url: str | None = None
    path: Path | None = None
    still: Image | None = field(default=None, compare=False, repr=False)  # its first frame, if in memory


class Billed(StrEnum):
    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a job failed, in words that decide what happens next."""

    CONTENT = "content_rejected"
    INVALID = "invalid_request"
    CONFIGURATION = "configuration"
    PROVIDER = "provider_failed"
    TEMPORARY = "temporary"  # the vendor says that the same request may well succeed
    CANCELLED = "cancelled"
    BAD_OUTPUT = "bad_output"
    GONE = "gone"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Queued:
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    progress: float | None = None  # 0..1
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """`units` is what the vendor says it billed, in the units of the model's price."""

    outputs: tuple[Output, ...]
    units: Decimal | None = None
    cost: Decimal | None = None  # dollars, where the vendor reports them
    expires: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    reason: Reason
    message: str
    billed: Billed = Billed.UNKNOWN


@dataclass(frozen=True, slots=True)
class Gone:
    """The vendor no longer knows the job, or has deleted its output."""

    message: str


JobStatus = Queued | Running | Succeeded | Failed | Gone


class CancelAnswer(StrEnum):
    CANCELLED = "cancelled"  # surely stopped
    REQUESTED = "requested"  # asked; the job decides
    TOO_LATE = "too_late"  # already finished: collect it
    UNKNOWN_JOB = "unknown_job"
    UNSUPPORTED = "unsupported"
    NO_ANSWER = "no_answer"  # the vendor could not be asked: it may still run


@dataclass(frozen=True, slots=True)
class Sighting:
    """A job the vendor lists whose payload equals ours."""

    handle: Handle
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sightings:
    """What a vendor's listing showed. `exhaustive`: absence there proves that no job was created."""

    matches: tuple[Sighting, ...] = ()
    exhaustive: bool = False

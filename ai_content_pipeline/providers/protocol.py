"""What a provider must do. One file per vendor implements it; `generation` is the only caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.jobs import (
    CancelAnswer,
    Handle,
    JobRequest,
    JobStatus,
    Sightings,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.pace import Pace


class Provider(Protocol):
    """Talks to one vendor. Used from many threads at once.

    Errors: `upload` and `poll` raise `errors.ProviderUnavailable` for what a later try may mend and any
    other `errors.AicpError` for what it will not; neither ever pays.
    """

    @property
    def name(self) -> str: ...

    @property
    def repeatable(self) -> bool:
        """A second submit of one key costs nothing, so a request in doubt is simply sent again."""
        ...

    @property
    def soonest(self) -> float:
        """No job ends sooner than this many seconds after its submit, so none is asked about before."""
        ...

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        """Put an input file where the vendor can read it. Free, and retried freely."""
        ...

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        """The exact JSON to send. Pure. `seed` is the user's, else the derived one, else None."""
        ...

    def submit(self, wire: WireRequest, key: str) -> Handle:
        """Exactly one POST.

        Raises:
            NotAccepted: surely no job was created.
            OutcomeUnknown: anything else that is not an accepted job.
        """
        ...

    def poll(self, handle: Handle) -> JobStatus: ...

    def cancel(self, handle: Handle) -> CancelAnswer: ...

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        """Jobs the vendor lists whose payload equals `wire`, created at or after `since` (our clock)."""
        ...

    def close(self) -> None:
        """Give connections back; called once, when nothing uses the provider any more."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a provider is built with, so that nothing reads the process's globals."""

    environ: Mapping[str, str]
    scratch: Path  # a folder for files on their way; exists when a provider is used
    locate: Callable[[str], Path]  # the stored file of a sha256
    detached: threading.Event = field(default_factory=threading.Event)  # set: whoever asked left
    heard: Callable[[Pace], object] = id  # told what each answer to a submit says of the vendor's rate

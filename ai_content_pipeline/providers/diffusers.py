"""Models on this machine's own GPU, through diffusers: `providers/local/` makes, this file speaks its
language to the money door.

Nothing is paid and nothing leaves the machine, so it is `repeatable`: a job that died with its process is
made again from its handle, which holds all that is needed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import cast

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import AicpError, BadMedia, ConfigurationError, Interrupted, NotAccepted
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Gone,
    Handle,
    JobRequest,
    JobStatus,
    Json,
    Model,
    Output,
    Queued,
    Reason,
    Running,
    Sightings,
    Succeeded,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.local import weights
from ai_content_pipeline.providers.local.asked import SCHEME, Asked, wire_of
from ai_content_pipeline.providers.local.desk import Desk, Ticket
from ai_content_pipeline.providers.local.made import Made, Stopped
from ai_content_pipeline.providers.protocol import Surroundings

#: Seconds that one look at a job lasts, unless it ends before: whoever asks then sees it end at once.
_LOOK = 2.0
_REMEMBERED = 1000  # jobs that have ended, in case somebody looks again
_HEED = 0.1  # seconds between two looks whether anybody still waits


class DiffusersProvider:
    """Local models. A job runs in the desk's thread; its files are written by whoever asks for it."""

    name = "diffusers"
    repeatable = True
    soonest = 0.0

    def __init__(self, surroundings: Surroundings) -> None:
        self._scratch = surroundings.scratch
        self._locate = surroundings.locate
        self._detached = surroundings.detached
        self._desk = Desk(surroundings.environ)
        self._tickets: dict[str, Ticket] = {}
        self._done: OrderedDict[str, Succeeded] = OrderedDict()
        self._guard = threading.Lock()

    def check(self, model: Model) -> None:
        """Before anything runs: whether the weights of `model` are here. Raises ConfigurationError."""
        weights.find(self._desk.models, model.endpoint)

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        return Upload(f"{SCHEME}{artifact.sha256}")

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        return wire_of(request, uploads, seed)

    def submit(self, wire: WireRequest, key: str) -> Handle:
        """Queues it. What cannot be made is refused here: its weights, values or pictures are at fault."""
        handle = Handle(key, {"endpoint": wire.endpoint, "payload": dict(wire.payload)})
        try:
            self._ticket(handle)
        except AicpError as error:
            raise NotAccepted(error) from error
        return handle

    def poll(self, handle: Handle) -> JobStatus:
        """Looks for up to two seconds. A job of a process that died is begun again.

        Raises:
            Interrupted: nobody waits any more; asked again, it is made from the beginning.
        """
        if "payload" not in handle.data:
            return Gone("this is no job of a local model")
        if (known := self._known(handle)) is not None:
            return known
        try:
            ticket = self._ticket(handle)
        except AicpError as error:
            return _failed(error)
        for _ in range(round(_LOOK / _HEED)):
            if ticket.ended.wait(_HEED):
                return self._ended(handle, ticket)
            if self._detached.is_set():
                self._desk.drop(ticket)
                self._forget(handle)
                raise Interrupted("stopped while it was made")
        return Queued() if ticket.progress is None else Running(ticket.progress)

    def cancel(self, handle: Handle) -> CancelAnswer:
        with self._guard:
            ticket = self._tickets.get(handle.request_id)
            done = handle.request_id in self._done
        if ticket is None:
            return CancelAnswer.TOO_LATE if done else CancelAnswer.UNKNOWN_JOB
        if ticket.ended.is_set():
            return CancelAnswer.TOO_LATE
        return CancelAnswer.CANCELLED if self._desk.drop(ticket) else CancelAnswer.REQUESTED

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        return Sightings()

    def close(self) -> None:
        self._desk.close()

    def _ticket(self, handle: Handle) -> Ticket:
        """The job's place in the queue; a new one where this process has not heard of it."""
        with self._guard:
            known = self._tickets.get(handle.request_id)
        if known is not None:
            return known
        asked = Asked.read(str(handle.data["endpoint"]), cast(dict[str, Json], handle.data["payload"]))
        ticket = self._desk.take(asked, self._locate)
        with self._guard:
            self._tickets[handle.request_id] = ticket
        return ticket

    def _forget(self, handle: Handle) -> None:
        with self._guard:
            self._tickets.pop(handle.request_id, None)

    def _ended(self, handle: Handle, ticket: Ticket) -> JobStatus:
        self._forget(handle)
        if ticket.made is None:
            return _failed(ticket.error or AicpError("it ended without a word"))
        self._scratch.mkdir(parents=True, exist_ok=True)
        outputs = _written(ticket.made, self._scratch, f"diffusers-{handle.request_id[:24]}")
        status = Succeeded(outputs, units=Decimal(f"{ticket.seconds:.3f}"), notes=ticket.made.notes)
        files = tuple(Output(path=output.path) for output in outputs)  # without the pictures in memory
        with self._guard:
            self._done[handle.request_id] = replace(status, outputs=files)
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)
        return status

    def _known(self, handle: Handle) -> Succeeded | None:
        """What came of a job, while its files are still where they were written."""
        with self._guard:
            status = self._done.get(handle.request_id)
        there = status is not None and all(one.path and one.path.exists() for one in status.outputs)
        return status if there else None


def _written(made: Made, folder: Path, name: str) -> tuple[Output, ...]:
    from ai_content_pipeline.media import images
    from ai_content_pipeline.media.encode import encode_video

    if made.fps is not None:
        path = folder / f"{name}.mp4"
        encode_video(made.pictures, path, fps=Fraction(made.fps))
        return (Output(path=path, still=made.pictures[0]),)
    outputs = []
    for index, picture in enumerate(made.pictures):
        path = folder / f"{name}-{index}.png"
        images.save_png(picture, path)
        outputs.append(Output(path=path, still=picture))
    return tuple(outputs)


def _failed(error: AicpError) -> Failed:
    """Nothing is billed by anybody, so the same command may try again."""
    reason = Reason.LOCAL
    if isinstance(error, ConfigurationError):
        reason = Reason.CONFIGURATION
    elif isinstance(error, BadMedia):
        reason = Reason.INVALID
    elif isinstance(error, Stopped):
        reason = Reason.CANCELLED
    words = f"{error.message}; {error.hint}" if error.hint else error.message
    return Failed(reason, words, Billed.NO)

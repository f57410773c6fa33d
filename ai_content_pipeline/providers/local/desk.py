"""Who waits for which model: one thread serves them all, and jobs that are alike share one pass.

A pass is one run of a model's denoising loop. Schedulers, tokenizers and adapters hold state, so no two
passes may overlap; what runs side by side is a batch.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ai_content_pipeline.errors import AicpError, OutOfMemory
from ai_content_pipeline.providers.local import sdxl, wan, weights
from ai_content_pipeline.providers.local.asked import Asked
from ai_content_pipeline.providers.local.fitting import Locate
from ai_content_pipeline.providers.local.machine import Machine, Offload
from ai_content_pipeline.providers.local.made import Made, Resident, Stopped, Work
from ai_content_pipeline.providers.local.residents import (
    Place,
    area_of,
    batch_of,
    broken,
    is_memory,
    load,
    needs_of,
    too_large,
)

_MOST_RESIDENT = 3  # models kept in memory, where it is not the GPU's
_FAREWELL = 60.0  # seconds that the last step may take


@dataclass(eq=False)
class Ticket:
    """One job that waits, runs or has ended (`made` or `error`). `seconds` is its share of its passes.

    `again`: memory ran out for it once, so it gets a pass of its own.
    """

    place: Place
    work: Work
    ended: threading.Event = field(default_factory=threading.Event)
    unwanted: bool = False
    again: bool = False
    progress: float | None = None
    made: Made | None = None
    error: AicpError | None = None
    seconds: float = 0.0

    def end(self, made: Made | None = None, error: AicpError | None = None) -> None:
        self.made, self.error = made, error
        self.ended.set()


class Desk:
    """Every local model of one process."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self.models = weights.folder_of(environ)
        self._environ = environ
        self._clock = clock
        self._machine: Machine | None = None
        self._residents: OrderedDict[Place, Resident] = OrderedDict()
        self._waiting: deque[Ticket] = deque()
        self._running: list[Ticket] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def take(self, asked: Asked, locate: Locate) -> Ticket:
        """Queue a job, its pictures read. One that needs no model has ended at once.

        Raises:
            ConfigurationError: there are no such weights here.
            BadMedia, UsageError: it cannot be made.
        """
        folder = weights.find(self.models, asked.model)
        family = weights.family_of(folder)
        work: Work
        if family == "sdxl":
            variant, work = "", sdxl.prepare(asked, folder, locate)
        else:
            variant, work = asked.profile, wan.prepare(asked, folder, family, area_of(asked.model), locate)
        ticket = Ticket(Place(folder, family, variant), work)
        if work.copy is not None:
            ticket.end(work.copy)
            return ticket
        with self._changed:
            self._waiting.append(ticket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="local models", daemon=True)
                self._thread.start()
            self._changed.notify()
        return ticket

    def drop(self, ticket: Ticket) -> bool:
        """Nobody wants it any more. True when it surely did not begin."""
        with self._changed:
            ticket.unwanted = True
            waits = ticket in self._waiting
            if waits:
                self._waiting.remove(ticket)
        if waits:
            ticket.end(error=Stopped("not begun"))
        return waits

    def close(self) -> None:
        """Stop at the next step, and let go of every model."""
        with self._changed:
            self._closed = True
            for ticket in (*self._waiting, *self._running):
                ticket.unwanted = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_FAREWELL)
        self._residents.clear()

    # -- the one thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        while (first := self._next()) is not None:
            try:
                resident = self._resident(first)
                if batch := self._batch(first):  # else it was given up while its model was loaded
                    self._pass(first.place, resident, batch)
            except AicpError as error:
                self._fail(first, error)
            except Exception as error:  # noqa: BLE001  the boundary of a pass: the next job is another one
                lost = self._residents.pop(first.place, None)
                self._fail(first, broken(error, first.work, lost))

    def _next(self) -> Ticket | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return None if self._closed else self._waiting[0]

    def _batch(self, first: Ticket) -> list[Ticket]:
        """`first`, and those waiting that may share its pass, taken out of the queue."""
        with self._changed:
            room = self._most(first)
            batch: list[Ticket] = []
            for ticket in list(self._waiting):
                if ticket is first or (
                    _may_share(first, ticket)
                    and sum(one.work.outputs for one in batch) + ticket.work.outputs <= room
                ):
                    batch.append(ticket)
                    self._waiting.remove(ticket)
            self._running = batch
            return batch

    def _most(self, ticket: Ticket) -> int:
        usual = batch_of(ticket.place)
        asked = self._environ.get("AICP_DIFFUSERS_MAX_BATCH", "").strip()
        return max(1, int(asked)) if asked.isdigit() and usual > 1 else usual

    def _fail(self, first: Ticket, error: AicpError) -> None:
        """End whatever of the pass has not ended yet."""
        with self._changed:
            if first in self._waiting:  # the model could not be loaded
                self._waiting.remove(first)
            failed, self._running = {first, *self._running}, []
        for ticket in failed:
            if not ticket.ended.is_set():
                ticket.end(error=error)

    def _pass(self, place: Place, resident: Resident, batch: Sequence[Ticket]) -> None:
        began = self._clock()
        made = self._made(resident, batch)
        for ticket in batch:
            ticket.seconds += (self._clock() - began) / len(batch)
        if made is None:
            self._make_room(place)
            self._try_again(resident, batch)
            return
        for ticket, one in zip(batch, made, strict=True):
            ticket.end(one)

    def _try_again(self, resident: Resident, batch: Sequence[Ticket]) -> None:
        """A pass did not fit: once more with less on the GPU, one job at a time; but only once."""
        lowered = not batch[0].again and resident.lower()
        if not lowered and len(batch) == 1:
            batch[0].end(error=too_large(batch[0].work, resident.offload))
            return
        with self._changed:
            for ticket in reversed(batch):
                ticket.again, ticket.progress = True, None
                self._waiting.appendleft(ticket)
            self._running = []

    def _made(self, resident: Resident, batch: Sequence[Ticket]) -> list[Made] | None:
        """The results of one pass; None when memory ran out. Its leftovers are free when this returns."""

        def watch(step: int, steps: int) -> None:
            for ticket in batch:
                ticket.progress = step / steps
            if all(ticket.unwanted for ticket in batch):
                raise Stopped("stopped while it was made")

        try:
            return resident.make([ticket.work for ticket in batch], watch)
        except (MemoryError, RuntimeError) as error:
            if not is_memory(error):
                raise
            return None

    # -- models in memory --------------------------------------------------------------------------

    def _resident(self, ticket: Ticket) -> Resident:
        place = ticket.place
        if place in self._residents:
            self._residents.move_to_end(place)
            return self._residents[place]
        machine = self._machine = self._machine or Machine.here(self._environ)
        whole, parts = needs_of(place)
        offload = machine.offload_for(whole, parts)
        free = machine.free_gb()
        if len(self._residents) >= _MOST_RESIDENT or (free is not None and free < whole):
            self._make_room(place)
        resident = self._loaded(place, machine, offload)
        self._residents[place] = resident
        return resident

    def _loaded(self, place: Place, machine: Machine, offload: Offload) -> Resident:
        """In memory; spread out further where it does not fit as it was thought to."""
        for further in (offload, *(one for one in Offload if one == offload + 1)):
            try:
                return load(place, machine, further)
            except (MemoryError, RuntimeError) as error:
                if not is_memory(error):
                    raise
            self._make_room(place)
        hint = "" if further is Offload.GROUP else "set AICP_DIFFUSERS_OFFLOAD=group, or "
        raise OutOfMemory(
            f"{place.folder.name} does not fit into memory", hint=f"{hint}free some: aicp doctor shows it"
        )

    def _make_room(self, place: Place) -> None:
        """Let go of every other model."""
        for other in [one for one in self._residents if one != place]:
            del self._residents[other]
        self._tidy()

    def _tidy(self) -> None:
        if self._machine is not None:
            self._machine.tidy()


def _may_share(first: Ticket, other: Ticket) -> bool:
    """Whether both can be made in one pass."""
    alike = other.place == first.place and other.work.alike == first.work.alike
    return alike and not (first.again or other.again)

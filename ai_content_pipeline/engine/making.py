"""What a model is asked for one unit: its current take, further takes of a low score, and other models.

A further take is a job like any other: keyed by its number, claimed under the cap, found again by a later
run. Another model is asked only where this one surely refused, or surely was not reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from ai_content_pipeline.artifacts import Artifact, Role, Source
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.graph import Choice, Unit
from ai_content_pipeline.engine.item_results import Made
from ai_content_pipeline.engine.pricing import FREE, card_of, terms, unit_price
from ai_content_pipeline.engine.results import Likeness
from ai_content_pipeline.engine.scoring import Judge, Shown
from ai_content_pipeline.engine.takes import Takes
from ai_content_pipeline.errors import (
    AicpError,
    BadMedia,
    ContentRejected,
    Interrupted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.generation.door import Door, Order
from ai_content_pipeline.generation.store import STANDING, Job, State, claimable
from ai_content_pipeline.jobs import JobRequest, JobStatus, Queued, Reason, Running

Resolve = Callable[[Source], Artifact]


class NotMade(AicpError):
    """It is not there yet, and this run does not make it; the message says why."""


@dataclass(slots=True)
class Attempt:
    """A unit being worked on. `orders` are the jobs that were asked for it, in turn, each with whether its
    money is shown here, and not at another unit that asks for the very same."""

    unit: Unit
    begun: float
    orders: list[tuple[Order, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def estimate(self) -> CostEstimate:
        return total(order.estimate for order, _ in self.orders) if self.orders else self.unit.estimate


@dataclass
class Maker:
    """Makes the units that models make, in whichever thread it is called.

    `redo` is the address of an item to make anew; `refusal` says why a unit may not be made now;
    `collecting` and `used` are as in `UnitRunner`.
    """

    door: Door
    takes: Takes
    judge: Judge
    redo: str | None
    refusal: Callable[[Unit], str | None]
    collecting: Mapping[str, Future[AicpError | None]]
    used: dict[str, int]
    emit: Callable[[events.Event], None]

    def generate(self, attempt: Attempt, resolve: Resolve) -> Made:
        """The unit's files, made or found.

        Raises:
            AicpError: there are none.
        """
        choice, made = self._first(attempt, resolve)
        unit = attempt.unit
        if unit.rule is None or not unit.subjects:
            return made
        shown = [Shown(one.name, tuple(map(resolve, one.pictures))) for one in unit.subjects]
        return self._accepted(attempt, choice, self._judged(attempt, made, shown), shown)

    def may_make(self, unit: Unit) -> None:
        """Something is to be made now: say so, unless it may not be."""
        reason = self.refusal(unit)
        if reason is not None:
            raise NotMade(reason)
        for item in unit.items:
            self.emit(events.ItemStarted(item.step, item.index, item.address))

    # -- models ------------------------------------------------------------------------------------

    def _first(self, attempt: Attempt, resolve: Resolve) -> tuple[Choice, Made]:
        """By the first model that does not refuse."""
        choices = self._choices(attempt.unit, resolve)
        for at, choice in enumerate(choices):
            request = filled(choice.work, resolve)
            take = self._take(attempt.unit, choice, request)
            if take != request.take:
                request = replace(request, take=take)
            try:
                return choice, self._made(attempt, choice, request)
            except AicpError as error:
                if at + 1 == len(choices) or not self._may_ask_another(attempt, error):
                    raise
                other = choices[at + 1].work.model.name
                attempt.notes.append(f"{choice.work.model.name}: {error.message}; {other} was asked instead")
        raise AssertionError("a unit that a model makes has a choice")

    def _choices(self, unit: Unit, resolve: Resolve) -> Sequence[Choice]:
        """The models to try: from the one on whose result the unit stands, if there is one by now."""
        choices = unit.choices
        for at, choice in enumerate(choices if len(choices) > 1 else ()):
            request = filled(choice.work, resolve)
            request = replace(request, take=self.takes.current(request, choice.ordinal))
            job = self.door.store.job(_order(unit, choice, request).key)
            if job is not None and job.state in STANDING:
                return choices[at : at + 1] if self._redone(unit) else choices[at:]
        return choices

    def _may_ask_another(self, attempt: Attempt, error: AicpError) -> bool:
        """Whether it is sure that the last order has no result, and will have none."""
        job = self.door.store.job(attempt.orders[-1][0].key)
        if isinstance(error, ContentRejected):
            wanted = attempt.unit.step.fields
            return getattr(wanted, "rejected", "fail") == "fallback" and _ended(job, Reason.CONTENT)
        return isinstance(error, ProviderUnavailable) and _ended(job, Reason.TEMPORARY)

    # -- takes -------------------------------------------------------------------------------------

    def _redone(self, unit: Unit) -> bool:
        return self.redo is not None and any(item.address == self.redo for item in unit.items)

    def _take(self, unit: Unit, choice: Choice, request: JobRequest) -> int:
        if not self._redone(unit):
            return self.takes.current(request, choice.ordinal)
        return self.takes.to_redo(request, choice.ordinal, self.door.run, unit.items[0].address)

    def _accepted(self, attempt: Attempt, choice: Choice, made: Made, shown: Sequence[Shown]) -> Made:
        """`made`, or the best of the further takes that its rule allows while none is good enough."""
        unit, best = attempt.unit, made
        if unit.rule is None or made.score is None or not made.low:
            return made
        request, card = attempt.orders[-1][0].request, card_of(choice.step, choice.work)
        for further, known in self.takes.retries(request, choice.ordinal, card, unit.rule):
            if known is not None and not (known.state in STANDING or claimable(known)):
                continue  # it ended without a result, and is not asked for again
            self._tell(unit, f"{best.likeness_words}; take {further.take} is made")
            try:
                again = self._judged(attempt, self._made(attempt, choice, further, retry=True), shown)
            except (OutcomeUnknown, Interrupted):
                raise
            except AicpError as error:
                attempt.notes.append(f"no take {further.take}: {error.message}")
                best = replace(best, refusal=error)
                break
            if again.score is None or again.score > (best.score or 0.0):
                best = again
            if not best.low:
                break
        return best

    # -- one job -----------------------------------------------------------------------------------

    def _made(self, attempt: Attempt, choice: Choice, request: JobRequest, *, retry: bool = False) -> Made:
        unit = attempt.unit
        order = _order(unit, choice, request)
        attempt.orders.append((order, self.used.setdefault(order.key, unit.number) == unit.number))
        self._await_collector(order.key)
        begin = self._may_go_on if retry else self.may_make
        made = self.door.generate(
            order, lambda status: self._tell_progress(unit, status), lambda: begin(unit)
        )
        return Made(made.job.artifacts, made.cached, made.job)

    def _may_go_on(self, unit: Unit) -> None:
        reason = self.refusal(unit)
        if reason is not None:
            raise NotMade(reason)

    def _await_collector(self, key: str) -> None:
        """A job in doubt, which a collector has just asked the vendor about, is not asked about twice."""
        collector = self.collecting.get(key)
        error = None if collector is None else collector.result()
        if isinstance(error, OutcomeUnknown):
            raise error

    def _judged(self, attempt: Attempt, made: Made, shown: Sequence[Shown]) -> Made:
        rule = attempt.unit.rule
        assert rule is not None
        found: list[Likeness | None] = []
        for artifact in made.artifacts:
            try:
                found.append(None if artifact is None else self.judge.likeness(rule, shown, artifact))
            except BadMedia as error:
                attempt.notes.append(f"it could not be compared: {error.message}")
                found.append(None)
        return replace(made, likeness=tuple(found))

    # -- telling -----------------------------------------------------------------------------------

    def _tell(self, unit: Unit, message: str) -> None:
        item = unit.items[0]
        self.emit(events.ItemProgress(item.step, item.index, item.address, message=message))

    def _tell_progress(self, unit: Unit, status: JobStatus) -> None:
        item = unit.items[0]
        if isinstance(status, Queued):
            event = events.ItemProgress(item.step, item.index, item.address, position=status.position)
        elif isinstance(status, Running):
            event = events.ItemProgress(
                item.step, item.index, item.address, status.progress, None, status.message
            )
        else:
            return
        self.emit(event)


def gathered(inputs: Mapping[Role, tuple[Source, ...]], resolve: Resolve) -> dict[Role, tuple[Artifact, ...]]:
    """Input files that exist."""
    return {role: tuple(map(resolve, sources)) for role, sources in inputs.items()}


def filled(request: JobRequest, resolve: Resolve) -> JobRequest:
    """`request` with its files, as they are by now."""
    return replace(request, inputs=gathered(request.inputs, resolve)) if request.inputs else request


def _order(unit: Unit, choice: Choice, request: JobRequest) -> Order:
    price = unit_price(choice.step, request)
    agreed = None if choice.quote is FREE else terms(choice.step, choice.item, request)
    return Order(request, choice.ordinal, unit.items[0].address, choice.quote.estimate, price, agreed)


def _ended(job: Job | None, reason: Reason) -> bool:
    """Whether a vendor surely has no such job, or ended it for `reason`."""
    return job is None or claimable(job) or (job.state is State.FAILED and job.reason is reason)

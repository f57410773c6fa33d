"""Where a unit stands in the journal: whose job counts by now, and what it may yet cost to be accepted.

The plan asks here; the run (`making`) comes to the same by doing it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.graph import Choice, Unit
from ai_content_pipeline.engine.pricing import card_of
from ai_content_pipeline.engine.scoring import ScoreBook, Shown
from ai_content_pipeline.engine.takes import Takes
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.store import STANDING, Job, State, Store
from ai_content_pipeline.jobs import JobRequest, Reason

Fill = Callable[[JobRequest], JobRequest]


@dataclass(frozen=True, slots=True)
class Place:
    """The job of a unit by one of its choices; None where there is none yet. `request` is what it asks for,
    at its current take."""

    choice: Choice
    request: JobRequest
    key: str
    job: Job | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a finished job: `job` is the take that is used, None while that is not known.
    `refused`: no take is good enough, and no more are made. `price` is what further takes may cost."""

    job: Job | None
    refused: bool = False
    price: CostEstimate = field(default_factory=CostEstimate)


@dataclass(frozen=True, slots=True)
class Standing:
    store: Store
    takes: Takes
    book: ScoreBook

    def place(self, unit: Unit, fill: Fill) -> Place:
        """By the first choice that has, or may yet have, a result; else by the step's own model."""
        own, *others = (choice for choice in unit.choices)
        first = self._place(own, fill)
        if not others or (first.job is not None and first.job.state in STANDING):
            return first
        found = (self._place(choice, fill) for choice in others)
        return next((one for one in found if one.job is not None and one.job.state in STANDING), first)

    def _place(self, choice: Choice, fill: Fill) -> Place:
        request = fill(choice.work)
        request = replace(request, take=self.takes.current(request, choice.ordinal))
        key = keys.request_key(request, choice.ordinal)
        return Place(choice, request, key, self.store.job(key))

    @staticmethod
    def after_refusal(unit: Unit, job: Job) -> CostEstimate | None:
        """What the fallbacks of a unit may cost whose own job was refused for good; None: none is asked."""
        if job.state is not State.FAILED or job.reason not in (Reason.CONTENT, Reason.TEMPORARY):
            return None
        wanted = getattr(unit.step.fields, "rejected", "fail")
        if not unit.fallbacks or (job.reason is Reason.CONTENT and wanted != "fallback"):
            return None
        estimates = [choice.quote.estimate for choice in unit.fallbacks]
        dearest = max(estimates, key=lambda estimate: estimate.usd)
        return total([*estimates, *[dearest] * unit.retries])

    def verdict(self, unit: Unit, place: Place, shown: Sequence[Shown] | None) -> Verdict:
        """Of a unit whose job is DONE. `shown` None: what it is compared with does not exist yet.

        A score that nobody knows counts as low where that may cost something, and as good where it may not.
        """
        job, rule = place.job, unit.rule
        assert job is not None
        if rule is None or rule.on_low == "warn" or not unit.subjects:
            return Verdict(job)
        later = self._later(unit, place)
        scores = [(self._score(unit, one, shown), one) for one in (job, *later) if one.state is State.DONE]
        good = next((one for score, one in scores if score is not None and score >= rule.min_score), None)
        if good is not None:
            return Verdict(good)
        left = unit.retries - len(later)
        if left > 0 or any(one.state in STANDING and one.state is not State.DONE for one in later):
            return Verdict(None, price=total([place.choice.quote.estimate] * left))
        if any(score is None for score, _ in scores):
            return Verdict(job if len(scores) == 1 else None)
        return Verdict(job, refused=True)

    def _later(self, unit: Unit, place: Place) -> list[Job]:
        """The jobs of further takes that there are."""
        if unit.rule is None or not unit.retries:
            return []
        card, ordinal = card_of(place.choice.step, place.request), place.choice.ordinal
        retries = self.takes.retries(place.request, ordinal, card, unit.rule)
        return [job for _, job in retries if job is not None]

    def _score(self, unit: Unit, job: Job, shown: Sequence[Shown] | None) -> float | None:
        """The lowest score of the job's files, if every one of them is known."""
        found = [self._known(unit, file, shown) for file in job.stored]
        scores = [score for score in found if score is not None]
        return min(scores) if scores and len(scores) == len(found) else None

    def _known(self, unit: Unit, file: Artifact, shown: Sequence[Shown] | None) -> float | None:
        likeness = None if shown is None or unit.rule is None else self.book.known(unit.rule, shown, file)
        return None if likeness is None else likeness.score

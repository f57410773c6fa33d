"""What a run leaves: a result for every item, in item order; a failed one is a hole with its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact, Kind
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.jobs import Json


class ItemState(StrEnum):
    DONE = "done"  # made now
    CACHED = "cached"  # made by an earlier run, reused for nothing
    GIVEN = "given"  # the user's own file
    FAILED = "failed"
    IN_DOUBT = "in_doubt"  # sent; nobody knows whether it was accepted
    SKIPPED = "skipped"  # something it needs failed
    NOT_RUN = "not_run"  # not asked for, or stopped before it started

    @property
    def good(self) -> bool:
        return self in (ItemState.DONE, ItemState.CACHED, ItemState.GIVEN)


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item has no file. `retry_with` is the command that makes just this one, None if none does."""

    code: str
    exit_code: int
    message: str
    hint: str | None = None
    retry_with: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How alike a result is to one of its references, 0 to 1. `pictures` are the reference's, by sha256, and
    `files` where they are stored."""

    reference: str
    score: float
    pictures: tuple[str, ...]
    files: tuple[Path, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a result is to all that it is to show, by `metric`: the least of `scores` counts."""

    metric: str
    min_score: float
    scores: tuple[Score, ...]

    @property
    def score(self) -> float:
        return min(one.score for one in self.scores)

    @property
    def low(self) -> bool:
        return self.score < self.min_score

    @property
    def words(self) -> str:
        """``scores 0.41 against mia (color, at least 0.60)``"""
        least = min(self.scores, key=lambda one: one.score)
        wanted = f"{self.metric}, at least {self.min_score:.2f}"
        return f"scores {least.score:.2f} against {least.reference} ({wanted})"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One slot of a step. Money in dollars; `seconds` of waiting for it in this run.

    `cost` is what this run spent on it: 0 for cached and local items, None where nothing is known.
    It stands on the first item of a job that made several, and covers all takes and models that were tried.
    With `accepted` false there is a file, which was paid for, and nothing is made of it.
    """

    step: str
    index: int
    label: str
    kind: Kind
    state: ItemState
    artifact: Artifact | None = None
    file: Path | None = None  # in the output folder; None where it was not delivered
    model: str | None = None
    prompt: str | None = None
    params: Mapping[str, Json] | None = None
    seed: int | None = None
    take: int = 0
    inputs: tuple[str, ...] = ()  # addresses of items, or sha256 of own files
    source_urls: tuple[str, ...] = ()
    estimate: CostEstimate = field(default_factory=CostEstimate)
    cost: Decimal | None = Decimal(0)
    reported: bool = False  # the vendor reported `cost`; else it is the estimate
    seconds: float = 0.0
    started: float | None = None  # seconds after the start of the run
    notes: tuple[str, ...] = ()
    error: ItemError | None = None
    likeness: Likeness | None = None
    accepted: bool = True

    @property
    def address(self) -> str:
        return f"{self.step}/{self.label}"

    @property
    def rough(self) -> bool:
        """Whether what it cost rests on a second-hand price; shown with ~."""
        return self.estimate.second_hand and not self.reported


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step's items, in order. `outputs` has None where an item failed: indices never shift."""

    name: str
    type: str
    model: str | None
    parallel: bool
    max_workers: int
    items: tuple[ItemResult, ...]

    @property
    def outputs(self) -> tuple[Path | None, ...]:
        return tuple(item.file for item in self.items)


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything a report shows. `cap` and `spent` cover the run and its resumes."""

    run_id: str
    pipeline: str  # its name
    file: Path
    draft: bool
    output_dir: Path
    started: datetime
    seconds: float
    steps: tuple[StepResult, ...]
    exit_code: int
    spent: Decimal
    not_spent: CostEstimate = field(default_factory=CostEstimate)  # on what was planned and not begun
    cap: Decimal | None = None
    collected: tuple[str, ...] = ()  # addresses of earlier runs' jobs that were collected on the way
    notes: tuple[str, ...] = ()
    resume_with: str | None = None  # the command that goes on, when something is left to do

    @property
    def items(self) -> tuple[ItemResult, ...]:
        return tuple(item for step in self.steps for item in step.items)

    @property
    def spent_estimate(self) -> CostEstimate:
        """`spent`, and whether it rests on second-hand prices: also those of an earlier go of this run."""
        return CostEstimate(self.spent, second_hand=self.spent > 0 and any(item.rough for item in self.items))

    def step(self, name: str) -> StepResult:
        return next(step for step in self.steps if step.name == name)

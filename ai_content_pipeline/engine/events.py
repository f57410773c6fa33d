"""What happens during a run, told as it happens. Emitted from one thread at a time, in order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.engine.results import ItemResult, RunResult


@dataclass(frozen=True, slots=True)
class StepOutline:
    """A step before it runs. `workers` is how many of its items may run at once."""

    name: str
    type: str
    model: str | None
    items: int
    workers: int


@dataclass(frozen=True, slots=True)
class RunStarted:
    run_id: str
    pipeline: str
    draft: bool
    steps: tuple[StepOutline, ...]
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class ItemStarted:
    step: str
    index: int
    address: str


@dataclass(frozen=True, slots=True)
class ItemProgress:
    """`progress` 0..1 where the vendor tells; `position` in its queue; `message` its last words."""

    step: str
    index: int
    address: str
    progress: float | None = None
    position: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ItemEnded:
    """An item has its result, good or bad. `spent` is the run's total so far, in dollars."""

    result: ItemResult
    spent: Decimal


@dataclass(frozen=True, slots=True)
class Collected:
    """A job of an earlier run was brought home."""

    address: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line, about the whole run."""

    message: str


@dataclass(frozen=True, slots=True)
class Interrupting:
    """^C was pressed: nothing new starts, `running` items are collected for `seconds` more at most."""

    running: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RunEnded:
    result: RunResult


Event = RunStarted | ItemStarted | ItemProgress | ItemEnded | Collected | Note | Interrupting | RunEnded

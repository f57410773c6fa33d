"""From what became of a unit to the results of its items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ai_content_pipeline.artifacts import Artifact, Pending
from ai_content_pipeline.cost import ZERO, CostEstimate, from_micro
from ai_content_pipeline.engine.graph import Unit
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState
from ai_content_pipeline.errors import AicpError, OutcomeUnknown
from ai_content_pipeline.generation import outcomes
from ai_content_pipeline.generation.store import OPEN, Job, State, claimable
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.steps.protocol import Item


@dataclass(frozen=True, slots=True)
class Made:
    """What a unit's work came to: its files, and the job that made them where there was one."""

    artifacts: tuple[Artifact | None, ...]  # None: it was made, and cannot be used
    cached: bool
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """When a unit began and how long it took, in seconds; the beginning counts from the run's."""

    started: float
    seconds: float


def made(unit: Unit, item: Item, made: Made, run: str | None, times: Times) -> ItemResult:
    """The result of an item whose file exists, or that the vendor left out."""
    state = ItemState.CACHED if made.cached else ItemState.DONE
    return _blank(
        item,
        state if item.given is None else ItemState.GIVEN,
        seconds=times.seconds,
        started=times.started,
        artifact=made.artifacts[item.output] if item.output < len(made.artifacts) else None,
        **({} if made.job is None else _of_job(unit, item, made.job, run)),
    )


def failed(
    unit: Unit,
    item: Item,
    error: AicpError,
    job: Job | None,
    run: str | None,
    times: Times,
    retry: str | None,
) -> ItemResult:
    """The hole that a failed unit leaves. `job` is its entry in the journal, if it got so far."""
    state = ItemState.IN_DOUBT if isinstance(error, OutcomeUnknown) else ItemState.FAILED
    if job is not None:
        known = _of_job(unit, item, job, run)
    elif isinstance(unit.work, JobRequest):
        known = {
            "model": unit.work.model.name,
            "prompt": unit.work.prompt,
            "params": unit.work.params,
            "seed": unit.work.seed,
            "estimate": unit.estimate if item.output == 0 else CostEstimate(),
        }
    else:
        known = {}
    problem = ItemError(error.code, error.exit_code, error.message, error.hint, retry)
    return _blank(item, state, seconds=times.seconds, started=times.started, error=problem, **known)


def stopped(unit: Unit, item: Item, reason: str, job: Job | None, run: str | None) -> ItemResult:
    """An item that was not made, or whose job was left to run at its vendor."""
    if job is None or job.state not in (*OPEN, State.IN_DOUBT):
        return not_run(item, reason)
    return _blank(item, ItemState.NOT_RUN, **_of_job(unit, item, job, run) | {"notes": (reason,)})


def spoilt(result: ItemResult, error: AicpError, retry: str | None) -> ItemResult:
    """`result`, whose file could not be made use of after all."""
    problem = ItemError(error.code, error.exit_code, error.message, error.hint, retry)
    return replace(result, state=ItemState.FAILED, error=problem)


def missing(unit: Unit, item: Item, made: Made) -> AicpError:
    """Why `item` has no file, though its job made others."""
    if made.job is not None and item.output < len(made.artifacts):
        return outcomes.ended(made.job)
    count = sum(artifact is not None for artifact in made.artifacts)
    return AicpError(f"{count} of {len(unit.items)} files were made", hint="a redo makes them all anew")


def skipped(item: Item, blocker: str) -> ItemResult:
    error = ItemError("skipped", 1, f"{blocker} has no result, and this needs it")
    return _blank(item, ItemState.SKIPPED, error=error)


def not_run(item: Item, reason: str) -> ItemResult:
    return _blank(item, ItemState.NOT_RUN, notes=(reason,))


def charge(job: Job) -> Decimal | None:
    """What the journal counts for a job, in dollars: reported, else reserved; None where nobody knows."""
    if claimable(job):
        return ZERO
    micro = job.reserved if job.cost is None else job.cost
    return None if micro is None else from_micro(micro)


def internal(error: Exception) -> AicpError:
    if isinstance(error, OSError):
        return disk(error)
    return AicpError(
        f"internal error: {type(error).__name__}: {error}", hint="please report this, with -v output"
    )


def disk(error: OSError) -> AicpError:
    """A full or read-only disk: what was paid is in the journal, and the same command goes on."""
    return AicpError(
        f"{error.filename or 'a file'} cannot be read or written: {error.strerror or error}",
        hint="make room or fix the permissions, and run the same command again; nothing is lost",
    )


def _blank(item: Item, state: ItemState, **known: Any) -> ItemResult:
    """The result of `item`; `known` are fields of `ItemResult` that say more than their defaults."""
    return ItemResult(
        item.step, item.index, item.label, item.makes.kind, state, inputs=input_names(item), **known
    )


def _of_job(unit: Unit, item: Item, job: Job, run: str | None) -> dict[str, Any]:
    """What the journal knows, as fields of the result. Money stands on the first item of a job, and only in
    the run that spent it (or a resume of it): `run`, or None where it is shown elsewhere."""
    first = item.output == 0
    return {
        "model": str(job.description["model"]),
        "prompt": job.description["prompt"],
        "params": job.description["params"] or None,
        "seed": job.description["seed"],
        "take": job.take,
        "source_urls": job.urls[item.output : item.output + 1],
        "estimate": unit.estimate if first else CostEstimate(),
        "cost": charge(job) if first and job.run == run else ZERO,
        "reported": job.cost is not None,
        "notes": job.notes,
    }


def input_names(item: Item) -> tuple[str, ...]:
    return tuple(
        source.address if isinstance(source, Pending) else source.sha256
        for sources in item.inputs.values()
        for source in sources
    )

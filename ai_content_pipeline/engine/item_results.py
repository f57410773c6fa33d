"""From what became of a unit to the results of its items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ai_content_pipeline.artifacts import Artifact, Pending
from ai_content_pipeline.cost import ZERO, CostEstimate, from_micro
from ai_content_pipeline.engine.graph import Unit
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState, Likeness
from ai_content_pipeline.errors import AicpError, BudgetRefused, OffSubject, OutcomeUnknown
from ai_content_pipeline.generation import outcomes
from ai_content_pipeline.generation.store import OPEN, Job, State, claimable
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.steps.protocol import Item


@dataclass(frozen=True, slots=True)
class Made:
    """What a unit's work came to: its files, and the job that made them where there was one.

    `likeness` is aligned with the files, where they were compared with anything. `refusal` is why no
    further take was made of a low score.
    """

    artifacts: tuple[Artifact | None, ...]  # None: it was made, and cannot be used
    cached: bool
    job: Job | None = None
    likeness: tuple[Likeness | None, ...] = ()
    refusal: AicpError | None = None

    def artifact(self, item: Item) -> Artifact | None:
        """The file of `item`; None where the vendor left it out, or it cannot be used."""
        return self.artifacts[item.output] if item.output < len(self.artifacts) else None

    @property
    def score(self) -> float | None:
        """The lowest of its files' scores."""
        return min((found.score for found in self.likeness if found is not None), default=None)

    @property
    def low(self) -> bool:
        return any(found is not None and found.low for found in self.likeness)

    @property
    def likeness_words(self) -> str:
        low = next((found for found in self.likeness if found is not None and found.low), None)
        return "" if low is None else low.words


@dataclass(frozen=True, slots=True)
class Times:
    """When a unit began and how long it took, in seconds; the beginning counts from the run's."""

    started: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Account:
    """What making a unit came to. `job` is the one whose result counts, or the last; `paid` are all whose
    money this run spent on it (or a resume of it), and which is shown nowhere else."""

    job: Job | None
    paid: tuple[Job, ...]
    estimate: CostEstimate
    notes: tuple[str, ...]
    times: Times


def made(item: Item, made: Made, account: Account, file: Path | None) -> ItemResult:
    """The result of an item that was made, or that the vendor left out; `file` is where it was delivered."""
    state = ItemState.CACHED if made.cached else ItemState.DONE
    return _blank(
        item,
        state if item.given is None else ItemState.GIVEN,
        seconds=account.times.seconds,
        started=account.times.started,
        artifact=made.artifact(item),
        file=file,
        likeness=made.likeness[item.output] if item.output < len(made.likeness) else None,
        **({} if made.job is None else _of_job(item, made.job, account)),
    )


def failed(
    unit: Unit,
    item: Item,
    error: AicpError,
    account: Account,
    retry: str | None,
    *,
    left_out: bool = False,
) -> ItemResult:
    """The hole that a failed unit leaves; `left_out` is one that the file wants left out."""
    state = ItemState.SKIPPED if left_out else ItemState.FAILED
    if isinstance(error, OutcomeUnknown):
        state = ItemState.IN_DOUBT
    if account.job is not None:
        known = _of_job(item, account.job, account)
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
    times = account.times
    return _blank(item, state, seconds=times.seconds, started=times.started, error=problem, **known)


def stopped(unit: Unit, item: Item, reason: str, account: Account) -> ItemResult:
    """An item that was not made, or whose job was left to run at its vendor."""
    running = account.job is not None and account.job.state in (*OPEN, State.IN_DOUBT)
    if account.job is None or not (running or account.paid):
        return not_run(item, reason)
    return _blank(item, ItemState.NOT_RUN, **_of_job(item, account.job, account) | {"notes": (reason,)})


def judged(unit: Unit, result: ItemResult, made: Made, retry: str) -> ItemResult:
    """`result` with what its likeness means: nothing, a word of warning, or that it is not accepted."""
    found = result.likeness
    if found is None or not found.low or unit.rule is None or result.error is not None:
        return result
    if unit.rule.on_low == "warn":
        return replace(result, notes=(*result.notes, found.words))
    hint = "redo it; or lower min_score, or write 'on_low: warn', which costs nothing"
    error: AicpError = OffSubject(found.words, hint=hint)
    if made.refusal is not None:
        message = f"{found.words}; {made.refusal.message}"
        kind = type(made.refusal) if isinstance(made.refusal, BudgetRefused) else OffSubject
        error = kind(message, hint=made.refusal.hint or hint)
    return replace(spoilt(result, error, retry), accepted=False)


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


def skipped(item: Item, blocker: str, why: str = "has no result") -> ItemResult:
    error = ItemError("skipped", 1, f"{blocker} {why}, and this needs it")
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


def _of_job(item: Item, job: Job, account: Account) -> dict[str, Any]:
    """What the journal knows, as fields of the result. Money stands on the first item of a job, and only in
    the run that spent it (or a resume of it)."""
    first = item.output == 0
    charges = [charge(one) for one in account.paid] if first else []
    return {
        "model": str(job.description["model"]),
        "prompt": job.description["prompt"],
        "params": job.description["params"] or None,
        "seed": job.description["seed"],
        "take": job.take,
        "source_urls": job.urls[item.output : item.output + 1],
        "estimate": account.estimate if first else CostEstimate(),
        "cost": None if None in charges else sum((usd for usd in charges if usd is not None), ZERO),
        "reported": job.cost is not None and all(one.cost is not None for one in account.paid),
        "notes": (*account.notes, *job.notes),
    }


def input_names(item: Item) -> tuple[str, ...]:
    return tuple(
        source.address if isinstance(source, Pending) else source.sha256
        for sources in item.inputs.values()
        for source in sources
    )

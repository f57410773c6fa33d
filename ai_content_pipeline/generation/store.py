"""What the state machine needs of a memory: records, states and the `Store` protocol.

Every method that changes something is durable when it returns, unless it says otherwise.
`sqlite.SqliteStore` is the store of today; others must pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.generation.bills import Bill
from ai_content_pipeline.jobs import Billed, Handle, Json, Reason, Upload, WireRequest


class State(StrEnum):
    """Where a paid job stands. See the drawing in docs/money.md."""

    PENDING = "pending"
    INTENT = "intent"  # claimed and reserved; the POST may have left
    SUBMITTED = "submitted"  # accepted, with a request id
    FINISHED = "finished"  # the vendor has the result
    DONE = "done"  # we have it
    FAILED = "failed"
    GONE = "gone"  # the vendor no longer knows it
    IN_DOUBT = "in_doubt"  # sent, and nobody knows whether it was accepted
    ABANDONED = "abandoned"  # the user gave an in-doubt job up; it still counts as spent


#: Every legal move. Anything else is a bug, and the store refuses it.
MOVES: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.INTENT}),
    State.INTENT: frozenset({State.SUBMITTED, State.PENDING, State.FAILED, State.IN_DOUBT}),
    # Back to PENDING from here on only where making it again is free (a repeatable provider).
    State.SUBMITTED: frozenset({State.FINISHED, State.FAILED, State.GONE, State.PENDING}),
    State.FINISHED: frozenset({State.DONE, State.FAILED, State.GONE, State.PENDING}),
    State.DONE: frozenset({State.FINISHED, State.PENDING}),  # its stored file became unreadable
    State.FAILED: frozenset({State.INTENT, State.FINISHED}),
    State.GONE: frozenset(),
    State.IN_DOUBT: frozenset({State.SUBMITTED, State.PENDING, State.ABANDONED}),
    State.ABANDONED: frozenset(),
}

#: A job in one of these has, or may have, a vendor working for it right now.
OPEN = (State.INTENT, State.SUBMITTED, State.FINISHED)

#: A job in one of these has a result, or may yet have one.
STANDING = (State.DONE, State.IN_DOUBT, *OPEN)


class Claimed(StrEnum):
    """The answer to a claim."""

    MINE = "mine"  # reserved for the caller, who must now POST
    BUSY = "busy"  # another thread or process has it
    DONE = "done"
    FAILED = "failed"  # ended in a way that only the user may start over
    DOUBT = "doubt"
    CAP = "cap"  # the reservation would pass a cap


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `micro` dollars·10⁻⁶ spent and reserved, by `run` (None: any) since `since` (None: ever)."""

    micro: int
    run: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The wish to submit one job.

    `reserve` in micro-dollars; None where no price is known, and then no cap binds. `unit_price` in
    dollars a unit, kept so that whoever collects the job can turn reported units into a cost.
    """

    key: str
    lineage: str
    take: int
    provider: str
    endpoint: str
    description: Mapping[str, Json]  # for people and reports: model, prompt, params, seed, inputs
    wire: WireRequest
    outputs: int
    run: str
    address: str
    owner: str
    reserve: int | None
    unit_price: Decimal | None = None
    caps: tuple[Cap, ...] = ()
    durable: bool = True  # False: it may be lost with the process, because asking again costs nothing


@dataclass(frozen=True, slots=True)
class Accepted:
    """That a vendor has taken a job of `owner`'s, and when."""

    handle: Handle
    at: datetime
    owner: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How the vendor says that a job ended well. `cost` in micro-dollars, None where it does not say.
    `accepted` where the journal has not heard of that yet."""

    urls: tuple[str, ...] = ()
    units: Decimal | None = None
    cost: int | None = None
    expires: datetime | None = None
    notes: tuple[str, ...] = ()
    accepted: Accepted | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the journal knows it. Times are UTC."""

    key: str
    lineage: str
    take: int
    provider: str
    endpoint: str
    state: State
    description: Mapping[str, Json]
    wire: WireRequest
    outputs: int
    run: str
    address: str
    owner: str
    handle: Handle | None = None
    urls: tuple[str, ...] = ()
    artifacts: tuple[Artifact | None, ...] = ()  # None, where FAILED: an output that could not be used
    units: Decimal | None = None
    unit_price: Decimal | None = None
    reserved: int | None = None
    cost: int | None = None  # micro-dollars; None while unsettled or unknown
    billed: Billed = Billed.UNKNOWN
    reason: Reason | None = None
    message: str | None = None
    notes: tuple[str, ...] = ()
    intent_at: datetime | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    expires: datetime | None = None

    @property
    def stored(self) -> tuple[Artifact, ...]:
        """The outputs that we have."""
        return tuple(artifact for artifact in self.artifacts if artifact is not None)

    @property
    def seconds(self) -> float | None:
        """How long the vendor took, from the claim to the stored result."""
        if self.intent_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.intent_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one pipeline, its resumes included. `pipeline` is the file, relative to the project;
    `command` is the command line that goes on with it."""

    id: str
    pipeline: str
    output_dir: str
    started: datetime
    command: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A file this tool wrote into an output folder, as it was when written."""

    path: str
    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Spend:
    """What one run, model and day add up to, in micro-dollars."""

    run: str
    model: str
    day: str
    jobs: int
    estimated: int
    reserved: int
    reported: int
    in_doubt: int
    unpriced: int  # jobs without any known price
    second_hand: bool = False  # what is not reported rests on prices that others reported


def claimable(job: Job) -> bool:
    """Whether the same command may submit this job again: nothing was, or will be, paid for it."""
    return job.state is State.PENDING or (job.state is State.FAILED and job.billed is Billed.NO)


class Store(Protocol):
    """The project's memory. Safe to use from many threads and processes at once."""

    @property
    def project(self) -> str:
        """A random id of this project: two projects on one account never derive the same seed."""
        ...

    # -- the state machine: each call is one durable transaction ---------------------------------
    # A move returns the job as it now stands; an illegal one raises JournalError and changes nothing.
    def claim(self, claim: Claim, now: datetime) -> Claimed: ...
    def submitted(self, key: str, owner: str, handle: Handle, now: datetime, *, durable: bool = True) -> Job:
        """With `durable=False` it may be lost with the process, because asking again costs nothing."""
        ...

    def released(self, key: str, owner: str, message: str, now: datetime) -> Job:
        """Back to PENDING, the reservation given back: surely not accepted, or free to make again."""
        ...

    def doubted(self, key: str, owner: str, message: str, now: datetime) -> Job: ...
    def finished(self, key: str, ending: Ending) -> Job: ...
    def done(
        self,
        key: str,
        artifacts: Sequence[Artifact],
        now: datetime,
        ending: Ending | None = None,
        notes: Sequence[str] | None = None,
    ) -> Job:
        """With `ending` the job is FINISHED first, in the same transaction. `notes` take the place of its
        notes."""
        ...

    def failed(
        self, key: str, reason: Reason, message: str, billed: Billed, now: datetime,
        artifacts: Sequence[Artifact | None] = (),
    ) -> Job:  # fmt: skip
        """`artifacts`: the outputs that are good all the same, each in its place."""
        ...

    def gone(self, key: str, message: str, now: datetime) -> Job: ...
    def adopted(self, key: str, owner: str, handle: Handle, now: datetime) -> bool:
        """IN_DOUBT → SUBMITTED.

        False when another job has this request id already, or the job is no longer in doubt.
        """
        ...

    def undoubted(
        self, key: str, *, abandon: bool, spent: bool, now: datetime, owner: str | None = None
    ) -> bool:
        """IN_DOUBT → PENDING, or ABANDONED. `spent`: the reservation stays counted as spent.

        False when the job is no longer in doubt, or no longer belongs to `owner` (None: the user decides,
        whoever owns it).
        """
        ...

    def take_over(self, key: str, old: str, new: str) -> bool:
        """Make `new` the owner of an open job if `old` still is; one caller wins."""
        ...

    def refetch(self, key: str, owner: str) -> bool:
        """DONE or FAILED(bad output) → FINISHED, owned by `owner`, to fetch the same result again.

        False when it is in neither state: another process was quicker.
        """
        ...

    # -- looking ----------------------------------------------------------------------------------
    def job(self, key: str) -> Job | None: ...
    def jobs(self, states: Iterable[State]) -> list[Job]: ...
    def takes(self, lineage: str) -> list[Job]: ...
    def handles(self, provider: str) -> set[str]:
        """Every request id of `provider` that some job has: each is adopted at most once."""
        ...

    def committed(self, cap: Cap) -> int:
        """Micro-dollars spent and reserved under `cap`."""
        ...

    def spend(self) -> list[Spend]: ...
    def timings(self, endpoint: str, limit: int = 50) -> list[float]:
        """Seconds that this project's newest jobs on `endpoint` took."""
        ...

    def bills(self, provider: str, endpoint: str) -> list[Bill]:
        """What the vendor billed for this project's jobs on `endpoint`, the newest first."""
        ...

    def upload(self, provider: str, sha256: str, now: datetime) -> Upload | None:
        """An upload of that content to `provider` that has not expired at `now`."""
        ...

    def uploaded(self, provider: str, sha256: str, upload: Upload) -> None:
        """Remember an upload. Free to repeat, so it may be lost with the process."""
        ...

    def forget_uploads(self, provider: str, contents: Iterable[str]) -> None:
        """The vendor may not have these any more (sha256): the next request uploads them anew."""
        ...

    # -- local results, takes, runs, delivered files --------------------------------------------------
    def local(self, key: str) -> tuple[Artifact, ...] | None: ...
    def local_done(self, key: str, artifacts: Sequence[Artifact]) -> None:
        """Remember a local result. Free to repeat, so it may be lost with the process."""
        ...

    def current_takes(self) -> Mapping[str, int]:
        """By lineage, the newest good take that a redo made."""
        ...

    def redo_take(self, lineage: str, run: str, address: str) -> int:
        """The take number this run's redo of `address` has; given out once, then remembered."""
        ...

    def begin(self, run: Run, redo: str | None) -> Run:
        """The unfinished run of the same pipeline, output folder and redo, else `run`, now stored."""
        ...

    def end(self, run: str, exit_code: int, now: datetime) -> None: ...
    def command(self, run: str) -> str | None:
        """The command line that goes on with a run, if the run is known."""
        ...

    def delivered(self, output_dir: str, pipeline: str) -> dict[str, Delivered]: ...
    def deliver(self, output_dir: str, pipeline: str, files: Sequence[Delivered]) -> None: ...
    def undeliver(self, output_dir: str, path: str) -> None: ...
    def close(self) -> None: ...

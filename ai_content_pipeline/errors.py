"""Every error a user can meet, and the exit code of each.

::

    AicpError                      1   the run, or an item of it, failed
    ├── UsageError                 2   the command line is wrong
    │   └── PlanChanged            2   what was agreed to is no longer what would run
    ├── InvalidPipeline            3   the YAML is wrong; carries every problem found
    ├── ConfigurationError         4   key, weights or configuration missing or refused
    ├── BudgetRefused              5   the cap does not allow it
    ├── ContentRejected            6   the vendor refused the content
    ├── PartlyDone                 7   some items failed, the others are there
    ├── OutcomeUnknown             8   a request was sent and nobody knows whether it was accepted
    ├── WaitingForApproval         9   a gate waits for a person
    ├── OffSubject                 1   a result is too unlike its references, and a gate stopped it
    ├── BadMedia                   1   a file is not the picture or video it should be
    ├── JournalError               1   the project's memory cannot be used
    ├── OutOfMemory                1   the GPU has too little memory for a job
    ├── NotAccepted                1   a vendor surely did not take a request (its cause says which code)
    ├── ProviderUnavailable       75   the vendor is down for now
    └── Interrupted              130   ^C; the state is saved

The codes are public and stable. When several apply at once, `worst` picks one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class AicpError(Exception):
    """An error with a message for people: what happened, and what to do (`hint`)."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None, retry_with: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_with = retry_with


class UsageError(AicpError):
    exit_code = 2
    code = "usage"


class PlanChanged(UsageError):
    """A plan that somebody agreed to no longer holds. `changes` says in words what is different."""

    code = "plan_changed"
    _SHOWN = 20

    def __init__(self, changes: Iterable[str], *, hint: str | None = None) -> None:
        self.changes = tuple(changes)
        shown = self.changes[: self._SHOWN]
        rest = len(self.changes) - len(shown)
        lines = (*shown, f"and {rest:,} more") if rest else shown
        super().__init__("\n".join(("this is no longer what the plan says:", *lines)), hint=hint)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file. `line` and `column` count from 1; None where there is no position."""

    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}; {self.hint}" if self.hint else text


class InvalidPipeline(AicpError):
    """Every problem of a pipeline file, found before anything ran or was written."""

    exit_code = 3
    code = "invalid_pipeline"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigurationError(AicpError):
    exit_code = 4
    code = "configuration"


class BudgetRefused(AicpError):
    exit_code = 5
    code = "budget"


class ContentRejected(AicpError):
    exit_code = 6
    code = "content_rejected"


class PartlyDone(AicpError):
    exit_code = 7
    code = "partly_done"


class OutcomeUnknown(AicpError):
    exit_code = 8
    code = "outcome_unknown"


class WaitingForApproval(AicpError):
    exit_code = 9
    code = "waiting_for_approval"


class OffSubject(AicpError):
    """A result that was made and paid for, and is too unlike the references that it was to keep."""

    code = "off_subject"


class BadMedia(AicpError):
    """A file that cannot be used as the picture or video it claims to be."""

    code = "bad_media"


class OutOfMemory(AicpError):
    """A job that does not fit into the GPU's memory, even with parts of the model set aside."""

    code = "out_of_memory"


class JournalError(AicpError):
    """The journal cannot be opened, read or written (newer schema, damaged, disk full)."""

    code = "journal"


class NotAccepted(AicpError):
    """A submit that surely created no job, so its reservation is released and it may be sent again.

    `cause` is the error a user should see if it stays so; `temporary` says that waiting may help, for
    `retry_after` seconds where the vendor named a time.
    """

    code = "not_accepted"

    def __init__(
        self, cause: AicpError, *, temporary: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.cause = cause
        self.temporary = temporary
        self.retry_after = retry_after


class ProviderUnavailable(AicpError):
    """`retry_after`: the seconds for which the vendor asks to be left alone, where it named a time."""

    exit_code = 75
    code = "provider_unavailable"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_with: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry_with=retry_with)
        self.retry_after = retry_after


class Interrupted(AicpError):
    exit_code = 130
    code = "interrupted"


#: When several things went wrong at once, the first of these is the process's exit code.
EXIT_CODE_ORDER = (130, 8, 5, 4, 9, 7, 6, 75, 1)


def worst(codes: Iterable[int]) -> int:
    """The one exit code for several outcomes; 0 when there is none."""
    present = set(codes) - {0}
    return next((code for code in EXIT_CODE_ORDER if code in present), max(present, default=0))

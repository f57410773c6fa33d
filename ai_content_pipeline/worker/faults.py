"""Why a job did not end well, in words that decide what its sender does next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_content_pipeline.errors import (
    AicpError,
    BadMedia,
    ConfigurationError,
    ContentRejected,
    Interrupted,
    ProviderUnavailable,
)
from ai_content_pipeline.jobs import Failed, Json, Reason
from ai_content_pipeline.report.texts import clean

_LONGEST = 500  # characters


class Code(StrEnum):
    VALIDATION = "validation"
    DOWNLOAD = "download"  # a reference could not be fetched, or is not what it should be
    OOM = "oom"
    MISSING_WEIGHTS = "missing_weights"
    CONTENT = "content_rejected"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    CRASHED = "crashed"  # the inference process died, or must not be trusted any more
    ATTEMPTS = "attempts_exhausted"  # the worker died with it too often
    STORAGE = "storage"
    PROVIDER = "provider_failed"


#: Where sending the same job again, under another id, may well help.
_RETRYABLE = {Code.OOM, Code.TIMEOUT, Code.CRASHED, Code.ATTEMPTS, Code.STORAGE, Code.PROVIDER}


@dataclass(frozen=True, slots=True)
class Fault:
    code: Code
    message: str
    retryable: bool

    @classmethod
    def of(cls, code: Code, message: str, *, retryable: bool | None = None) -> Fault:
        """One line of at most 500 characters, without control characters."""
        line = " ".join(clean(message).split())[:_LONGEST]
        return cls(code, line, code in _RETRYABLE if retryable is None else retryable)

    def json(self) -> dict[str, Json]:
        return {"code": self.code.value, "message": self.message, "retryable": self.retryable}

    @classmethod
    def read(cls, value: dict[str, Json]) -> Fault:
        return cls(Code(str(value["code"])), str(value["message"]), value["retryable"] is True)


def of_error(error: AicpError | MemoryError) -> Fault:
    """What an error of the inference comes to."""
    if isinstance(error, MemoryError) or _says_oom(str(error)):
        return Fault.of(Code.OOM, str(error) or "out of memory")
    if isinstance(error, Interrupted):
        return Fault.of(Code.CANCELLED, "cancelled")
    if isinstance(error, ConfigurationError):
        return Fault.of(Code.MISSING_WEIGHTS, _with_hint(error))
    if isinstance(error, ContentRejected):
        return Fault.of(Code.CONTENT, error.message)
    if isinstance(error, ProviderUnavailable):
        return Fault.of(Code.PROVIDER, error.message)
    if isinstance(error, BadMedia):
        return Fault.of(Code.VALIDATION, _with_hint(error))
    return Fault.of(Code.PROVIDER, _with_hint(error), retryable=False)


def of_status(status: Failed) -> Fault:
    """What a provider's own report of failure comes to."""
    if _says_oom(status.message):
        return Fault.of(Code.OOM, status.message)
    match status.reason:
        case Reason.CONTENT:
            return Fault.of(Code.CONTENT, status.message)
        case Reason.INVALID:
            return Fault.of(Code.VALIDATION, status.message)
        case Reason.CONFIGURATION:
            return Fault.of(Code.MISSING_WEIGHTS, status.message)
        case Reason.CANCELLED:
            return Fault.of(Code.CANCELLED, status.message)
        case _:
            return Fault.of(Code.PROVIDER, status.message)


def _says_oom(text: str) -> bool:
    return "out of memory" in text.lower()


def _with_hint(error: AicpError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message

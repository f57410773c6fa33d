"""What a user reads when a job has no result: one error for each way a job can end."""

from __future__ import annotations

from ai_content_pipeline.errors import (
    AicpError,
    BadMedia,
    ConfigurationError,
    ContentRejected,
    JournalError,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.generation.store import Job, State
from ai_content_pipeline.jobs import Billed, Handle, Reason

_BY_REASON: dict[Reason, type[AicpError]] = {
    Reason.CONTENT: ContentRejected,
    Reason.CONFIGURATION: ConfigurationError,
    Reason.TEMPORARY: ProviderUnavailable,
    Reason.BAD_OUTPUT: BadMedia,
}


def reason_of(error: AicpError) -> Reason:
    """The reason to journal for a refusal before acceptance."""
    for reason, kind in _BY_REASON.items():
        if isinstance(error, kind):
            return reason
    return Reason.INVALID


def ended(job: Job) -> AicpError:
    """Why a FAILED, GONE or ABANDONED job has no result."""
    if job.state is State.GONE:
        return AicpError(
            f"{job.provider} no longer has the result: {job.message}",
            hint="it counts as spent; `aicp redo` makes a new take",
        )
    if job.state is State.ABANDONED:
        return AicpError("it was given up while in doubt", hint="`aicp redo` makes a new take")
    kind = AicpError if job.reason is None else _BY_REASON.get(job.reason, AicpError)
    return kind(job.message or "it failed without a word", hint=_hint(job))


def _hint(job: Job) -> str:
    if job.reason is Reason.BAD_OUTPUT:
        return "its bytes are kept in .aicp/quarantine; `aicp fetch` asks for it again at no cost"
    if job.billed is Billed.NO:
        return "it was not billed; the same command tries again"
    billed = "was billed" if job.billed is Billed.YES else "may have been billed"
    return f"it {billed}; `aicp redo` makes a new take"


def held(job: Job) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the request was sent to {job.provider} and nobody knows whether it was accepted ({job.message})",
        hint="it counts as spent until you decide: aicp resume --in-doubt resubmit|abandon|wait",
        retry_with="aicp resume --in-doubt wait",
    )


def unrecorded(provider: str, handle: Handle, error: JournalError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{provider} accepted it as request {handle.request_id}, but unrecorded: {error.message}",
        hint="mend that and run the same command again: it looks for the request at the vendor",
    )


def blocked(job: Job) -> AicpError:
    return BadMedia(
        "its stored result in .aicp/artifacts is missing or damaged, and cannot be fetched again",
        hint="restore the file from a backup, or pay for a new take with `aicp redo`",
    )


def forbidden(job: Job, said: str) -> AicpError:
    return ProviderUnavailable(
        f"{job.provider} has the result, and its file is refused ({said})",
        hint="a firewall may be in the way; it is paid and `aicp fetch` asks for it again at no cost",
        retry_with="aicp fetch",
    )


def too_slow(job: Job) -> AicpError:
    return ProviderUnavailable(
        f"{job.provider} has not finished it yet",
        hint="nothing is lost: `aicp fetch` collects it once it is ready",
        retry_with="aicp fetch",
    )

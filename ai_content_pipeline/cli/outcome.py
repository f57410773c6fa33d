"""What a command leaves behind: data for its envelope, and its exit code with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ai_content_pipeline import errors

_KINDS: dict[int, type[errors.AicpError]] = {
    kind.exit_code: kind
    for kind in (
        errors.AicpError,
        errors.UsageError,
        errors.ConfigurationError,
        errors.BudgetRefused,
        errors.ContentRejected,
        errors.PartlyDone,
        errors.OutcomeUnknown,
        errors.WaitingForApproval,
        errors.ProviderUnavailable,
        errors.Interrupted,
    )
}


@dataclass
class Outcome:
    """`why` and `retry_with` go with an exit code that is not 0, where nothing was raised: a run of which a
    part failed, vendors that did not answer."""

    exit_code: int = 0
    data: Any = None
    run_id: str | None = None
    cost: dict[str, str | None] | None = None
    why: str | None = None
    retry_with: str | None = None

    @property
    def error(self) -> errors.AicpError | None:
        """What the envelope says of a command that did not end well."""
        if self.exit_code == 0:
            return None
        from ai_content_pipeline.report.words import run_state

        kind = _KINDS.get(self.exit_code, errors.AicpError)
        return kind(self.why or run_state(self.exit_code)[0], retry_with=self.retry_with)

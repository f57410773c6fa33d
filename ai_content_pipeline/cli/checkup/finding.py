"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_content_pipeline.errors import ConfigurationError


class Level(StrEnum):
    """`WARNING`: some things will not work, or not well. `PROBLEM`: not even a draft is safe to make, or a
    setting is wrong that somebody made on purpose."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names what was looked at, `says` what was found, `do` what to do about it.

    `exit_code` is what a problem of this kind ends the command with.
    """

    check: str
    level: Level
    says: str
    do: str | None = None
    exit_code: int = 1


def ok(check: str, says: str) -> Finding:
    return Finding(check, Level.OK, says)


def warning(check: str, says: str, do: str) -> Finding:
    return Finding(check, Level.WARNING, says, do)


def problem(check: str, says: str, do: str) -> Finding:
    return Finding(check, Level.PROBLEM, says, do)


def misconfigured(check: str, says: str, do: str | None) -> Finding:
    """A key, a package or a setting is missing or wrong."""
    return Finding(check, Level.PROBLEM, says, do, ConfigurationError.exit_code)

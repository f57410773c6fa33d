"""Keys and settings from the environment, and from a file that the user names (`--env-file`)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from ai_content_pipeline.cost import amount_of
from ai_content_pipeline.errors import ConfigurationError

#: All that a file may set. Addresses, proxies and loader paths are not among them: a file from
#: somewhere else must not be able to send a key elsewhere.
ALLOWED = frozenset(
    (
        "FAL_KEY",
        "REPLICATE_API_TOKEN",
        "AICP_MAX_COST_PER_DAY",
        "AICP_RECONCILE_GRACE",
        "AICP_WORKER_TOKEN",
        "AICP_WORKER_USER",
        "AICP_WORKER_USER_TOKENS",
        "AICP_WORKER_CALLBACK_SECRET",
        *(f"AICP_{vendor}_{what}" for vendor in ("FAL", "REPLICATE") for what in ("IN_FLIGHT", "PER_MINUTE")),
    )
)

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def environment(env_file: Path | None) -> Mapping[str, str]:
    """The process's environment, completed from `env_file`; what is set already wins.

    Raises:
        ConfigurationError: the file cannot be read, or sets something it may not.
    """
    if env_file is None:
        return os.environ
    try:
        lines = env_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--env-file {env_file} cannot be read: {error}") from error
    return {**dict(_entry(env_file, n, line) for n, line in enumerate(lines, 1) if _says(line)), **os.environ}


def day_cap(environ: Mapping[str, str]) -> Decimal | None:
    """``AICP_MAX_COST_PER_DAY`` in dollars.

    Raises:
        ConfigurationError: it is no amount; a cap that cannot be read must not be taken for none.
    """
    text = environ.get("AICP_MAX_COST_PER_DAY", "").strip()
    if not text:
        return None
    amount = amount_of(text)
    if amount is None:
        raise ConfigurationError(
            f"AICP_MAX_COST_PER_DAY is {text!r}, which is no amount of dollars", hint="for example 20 or 2.50"
        )
    return amount


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _entry(file: Path, number: int, line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ConfigurationError(f"{file}:{number}: no NAME=value", hint="one variable a line")
    name, value = match[1], match[2].strip()
    if name not in ALLOWED:
        hint = f"a file may set {', '.join(sorted(ALLOWED))}; export the rest yourself"
        raise ConfigurationError(f"{file}:{number}: {name} may not be set by a file", hint=hint)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value

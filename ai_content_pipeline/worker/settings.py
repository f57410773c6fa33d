"""How a worker is set up: options of the command line, and secrets from the environment."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.worker.rows import Bounds, Retention

_TOKEN = re.compile(r"[!-~]{8,512}")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask. `token` acts for every user, each of `users` (by token) for one. Secrets are not shown."""

    token: str | None = field(default=None, repr=False)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)  # of callbacks, the newest first
    callback_url: str | None = field(default=None, repr=False)

    @property
    def open(self) -> bool:
        """Whether nobody needs a token."""
        return self.token is None and not self.users


@dataclass(frozen=True, slots=True)
class Settings:
    """`attempts` is how often a job may be begun when the worker keeps dying with it; times in seconds."""

    workspace: Path
    provider: str
    host: str = "127.0.0.1"
    port: int = 8750
    access: Access = field(default_factory=Access)
    allowed_hosts: tuple[str, ...] = ()
    allow_private_hosts: bool = False
    job_types: Path | None = None
    processes: int = 1
    attempts: int = 3
    job_timeout: float = 3600.0
    drain: float = 60.0
    body_limit: int = 16 << 20
    bounds: Bounds = field(default_factory=Bounds)
    retention: Retention = field(default_factory=Retention)
    log_prompts: bool = False
    verbose: bool = False
    own_state: Path | None = None  # instead of the folder in the workspace

    @property
    def state(self) -> Path:
        """The worker's own folder, beside the results."""
        return self.own_state or self.workspace / ".aicp-worker"

    @property
    def queue(self) -> Path:
        return self.state / "queue.sqlite3"

    @property
    def wishes(self) -> Path:
        """Callbacks that should be sent again, by their names."""
        return self.state / "redeliver"

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def access_of(environ: Mapping[str, str]) -> Access:
    """``AICP_WORKER_TOKEN``, ``…_USER_TOKENS`` (a file), ``…_CALLBACK_SECRET`` and ``…_CALLBACK_URL``.

    Raises:
        ConfigurationError: one of them cannot be what it should be. It is not shown.
    """
    token = environ.get("AICP_WORKER_TOKEN", "").strip() or None
    if token is not None and not _TOKEN.fullmatch(token):
        raise ConfigurationError("AICP_WORKER_TOKEN must be 8 to 512 visible characters without blanks")
    secrets = tuple(environ.get("AICP_WORKER_CALLBACK_SECRET", "").split())
    for secret in secrets:
        _check_secret(secret)
    url = environ.get("AICP_WORKER_CALLBACK_URL", "").strip() or None
    if url is not None and not secrets:
        raise ConfigurationError(
            "AICP_WORKER_CALLBACK_URL is set, and AICP_WORKER_CALLBACK_SECRET is not",
            hint="callbacks are always signed",
        )
    file = environ.get("AICP_WORKER_USER_TOKENS", "").strip()
    return Access(token, _users(Path(file)) if file else {}, secrets, url)


def check(settings: Settings) -> None:
    """Raises ConfigurationError for a server that anybody in the network could give jobs to."""
    if settings.access.open and not settings.loopback:
        raise ConfigurationError(
            f"a worker that listens on {settings.host} needs a token",
            hint="set AICP_WORKER_TOKEN, or listen on 127.0.0.1",
        )


def _check_secret(secret: str) -> None:
    try:
        raw = base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("AICP_WORKER_CALLBACK_SECRET is no base64", hint=_HOW) from error
    if not 24 <= len(raw) <= 64 or not secret.isascii():
        raise ConfigurationError("AICP_WORKER_CALLBACK_SECRET must be 24 to 64 bytes in base64", hint=_HOW)


_HOW = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


def _users(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"AICP_WORKER_USER_TOKENS: {file} cannot be read") from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, _, token = line.strip().partition("=")
        if not _USER.fullmatch(user) or not _TOKEN.fullmatch(token) or token in users:
            raise ConfigurationError(f"{file}:{number}: must be user_id=token, each token once")
        users[token] = user
    return users

"""Vendors' accounts: keys (never shown), addresses, limits, and with `online` their clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from ai_content_pipeline.cli.checkup.finding import Finding, misconfigured, ok, warning
from ai_content_pipeline.errors import AicpError, ConfigurationError


@dataclass(frozen=True, slots=True)
class Account:
    """`form` is what a key looks like; `address` is where anybody may ask, and get an answer with a date."""

    vendor: str
    key: str
    form: re.Pattern[str]
    described: str
    override: str
    home: str
    address: str


_ACCOUNTS = (
    Account(
        vendor="fal",
        key="FAL_KEY",
        form=re.compile(r"[^:]{8,}:[^:]{8,}"),
        described="an id, a colon and a secret",
        override="AICP_FAL_URL",
        home="https://queue.fal.run",
        address="/fal-ai/flux/requests/00000000-0000-0000-0000-000000000000/status",
    ),
    Account(
        vendor="replicate",
        key="REPLICATE_API_TOKEN",
        form=re.compile(r"r8_\S{6,}"),
        described="text that begins with r8_",
        override="REPLICATE_BASE_URL",
        home="https://api.replicate.com",
        address="/v1/account",
    ),
)
#: Beyond it the times in a vendor's listing are hard to compare with ours, and signed addresses may fail.
_MUCH = timedelta(seconds=60)


def keys(environ: Mapping[str, str]) -> Iterator[Finding]:
    from ai_content_pipeline.providers.access import key_of

    for account in _ACCOUNTS:
        if not environ.get(account.key, "").strip():
            says = f"not set: models on {account.vendor} cannot run, drafts can"
            yield warning(account.key, says, f"set {account.key}, or name a file with --env-file")
            continue
        try:
            key = key_of(environ, account.key, account.vendor)
        except ConfigurationError as error:
            yield misconfigured(account.key, error.message, "copy the key again, alone and whole")
            continue
        if account.form.fullmatch(key):
            yield ok(account.key, "set, and looks like a key")
        else:
            says = f"set, but does not look like a key of {account.vendor}: that is {account.described}"
            yield warning(account.key, says, "copy the key again, whole")


def addresses(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where requests go, if not to the vendor himself."""
    for account in _ACCOUNTS:
        try:
            base = _base(environ, account)
        except ConfigurationError as error:
            yield misconfigured(account.override, error.message, error.hint or f"unset {account.override}")
            continue
        if base is not None:
            says = f"requests and the key for {account.vendor} go to {base}"
            yield warning(
                account.override, says, f"unset {account.override} to reach {account.vendor} itself"
            )


def limits(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Caps and limits that are set in the environment can be read."""
    from ai_content_pipeline.cli.environment import day_cap
    from ai_content_pipeline.generation.limits import limit_of

    try:
        cap = day_cap(environ)
        for account in _ACCOUNTS:
            limit_of(account.vendor, environ)
    except ConfigurationError as error:
        yield misconfigured("limits", error.message, error.hint or "write a number, or unset it")
        return
    yield ok("limits", "no cap a day (AICP_MAX_COST_PER_DAY)" if cap is None else f"at most ${cap} a day")


def clocks(environ: Mapping[str, str]) -> Iterator[Finding]:
    """This machine's time against each vendor's: one free request each, without a key."""
    for account in _ACCOUNTS:
        check = f"clock of {account.vendor}"
        try:
            ahead = _ahead(account, _base(environ, account))
        except AicpError as error:
            yield warning(check, error.message, "check the network; drafts need none")
            continue
        if ahead is None:
            yield warning(check, "the answer had no date", "ask again later")
        elif abs(ahead) > _MUCH:
            seconds = round(abs(ahead).total_seconds())
            slow = "behind" if ahead > timedelta() else "ahead of"
            yield warning(check, f"this machine is {seconds} s {slow} it", "set the time, best by NTP")
        else:
            yield ok(check, "reachable, and the same time as here")


def _base(environ: Mapping[str, str], account: Account) -> str | None:
    from ai_content_pipeline.providers.access import base_of

    return base_of(environ, account.override)


def _ahead(account: Account, base: str | None) -> timedelta | None:
    """The vendor's clock less ours.

    Raises:
        ProviderUnavailable: no answer.
    """
    import httpx

    from ai_content_pipeline.providers.transport import Patience, VendorTransport

    patience = Patience(connect=5.0, read=10.0, whole=15.0)
    home = httpx.URL(account.home).host
    transport = VendorTransport(account.vendor, "", (home,), base, patience)
    with httpx.Client(transport=transport, follow_redirects=False) as client:
        client.get(f"{base or account.home}{account.address}")
    return transport.seen.ahead

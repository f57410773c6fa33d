"""Where a vendor is, and with which key: from the environment, and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

import httpx

from ai_content_pipeline.errors import ConfigurationError


def key_of(environ: Mapping[str, str], name: str, vendor: str) -> str:
    """The key in the variable `name`. Raises ConfigurationError, and never shows it."""
    key = environ.get(name, "").strip()
    if not key:
        raise ConfigurationError(
            f"{vendor} needs a key, and {name} is not set",
            hint=f"set {name} (or give --env-file), or render for free with --draft",
        )
    if not all("!" <= char <= "~" for char in key):
        raise ConfigurationError(f"{name} holds something that is no key (spaces or special characters)")
    return key


def base_of(environ: Mapping[str, str], name: str) -> str | None:
    """Where the variable `name` says that the vendor is; None for its own address.

    Raises ConfigurationError for anything but https://, or http:// to this machine.
    """
    base = environ.get(name, "").strip().rstrip("/")
    if not base:
        return None
    try:
        url = httpx.URL(base)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigurationError(f"{name} is not a URL") from error
    if url.userinfo or url.query or url.fragment or not url.host or url.scheme not in ("http", "https"):
        raise ConfigurationError(f"{name} must be like https://host or http://127.0.0.1:4010")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ConfigurationError(f"{name} would send your key unencrypted to {url.host}", hint="use https://")
    return base


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""The authorities whose certificates are believed."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """As httpx has them (``SSL_CERT_FILE``, else certifi's).

    Reading them takes as long as ten requests: it is done once a process, when somebody first speaks TLS.
    """
    return httpx.create_ssl_context()

"""The authorities whose certificates are believed."""

from __future__ import annotations

import ssl
import threading
from functools import cache

import httpx

from ai_content_pipeline.errors import ConfigurationError

_guard = threading.Lock()


def authorities() -> ssl.SSLContext:
    """As httpx has them: ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, else certifi's.

    Read once a process: that takes as long as ten requests.

    Raises:
        ConfigurationError: they cannot be read.
    """
    with _guard:
        return _read()


@cache
def _read() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl's own errors are such, too
        raise ConfigurationError(
            f"the certificates of the authorities cannot be read ({error.strerror or error})",
            hint="check where SSL_CERT_FILE and SSL_CERT_DIR point, or unset them",
        ) from error

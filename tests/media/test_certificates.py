"""The authorities that are believed: read once, and said clearly where they cannot be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.media import certificates


@pytest.fixture(autouse=True)
def unread() -> Iterator[None]:
    """As in a process that has not read them yet."""
    certificates._read.cache_clear()
    yield
    certificates._read.cache_clear()


def test_they_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen threads that need them at the same moment wait for one of them to read."""
    read, reads = httpx.create_ssl_context, []
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: reads.append(1) or read())
    together = threading.Barrier(16)

    def ask(_: int) -> int:
        together.wait(10)
        return id(certificates.authorities())

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    assert len(reads) == 1


@pytest.mark.parametrize("content", [None, b"not a certificate"])
def test_what_cannot_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    """A wrong SSL_CERT_FILE is a mistake of configuration, with the variable's name in the advice."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(ConfigurationError, match="certificates of the authorities cannot be read") as error:
        certificates.authorities()
    assert "SSL_CERT_FILE" in str(error.value.hint)

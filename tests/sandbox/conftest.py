"""A sandbox with quick jobs, and the official clients, unmodified, pointed at it."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator

import httpx
import pytest
import replicate
from fal_client import SyncClient
from fal_client import client as fal_module

from ai_content_pipeline.sandbox import Clock, Sandbox, Settings

QUICK = Settings(image_seconds=0.01, video_seconds=0.01, look="plain", image_px=64, video_px=64)
START = 1_790_000_000.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Jobs of 10 ms on the real clock."""
    with Sandbox(QUICK) as running:
        yield running


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    """Jobs of 100 s (25 s in the queue) on a clock that stands still until it is advanced."""
    settings = QUICK.model_copy(update={"image_seconds": 100.0, "video_seconds": 100.0})
    with Sandbox(settings, clock=Clock(lambda: START)) as running:
        yield running


@contextlib.contextmanager
def fal_client_of(
    sandbox: Sandbox, patch: pytest.MonkeyPatch, key: str | None = None
) -> Iterator[SyncClient]:
    patch.setattr(fal_module, "QUEUE_URL_FORMAT", f"{sandbox.url}/")
    patch.setattr(fal_module, "RUN_URL_FORMAT", f"{sandbox.url}/fal.run/")
    patch.setattr(fal_module, "REST_URL", sandbox.url)
    patch.setattr(fal_module, "CDN_URL", sandbox.url)
    patch.setattr(fal_module, "MAX_DELAY", 0.001)  # the client's back-off would take 51 s
    client = SyncClient(key=sandbox.settings.fal_key)
    yield client
    client._client.close()
    if "_token_manager" in client.__dict__:  # it uploaded, and leaves those connections to the collector
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


def replicate_of(sandbox: Sandbox) -> replicate.Client:
    token = sandbox.settings.replicate_token
    client = replicate.Client(api_token=token, base_url=sandbox.url, timeout=httpx.Timeout(5))
    client.poll_interval = 0.005
    return client


@pytest.fixture
def fal(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncClient]:
    """fal's client on `sandbox`."""
    with fal_client_of(sandbox, monkeypatch) as client:
        yield client


@pytest.fixture
def slow_fal(slow: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncClient]:
    """fal's client on `slow`."""
    with fal_client_of(slow, monkeypatch) as client:
        yield client


@pytest.fixture
def rep(sandbox: Sandbox) -> Iterator[replicate.Client]:
    """Replicate's client on `sandbox`."""
    client = replicate_of(sandbox)
    yield client
    client._client.close()


@pytest.fixture
def slow_rep(slow: Sandbox) -> Iterator[replicate.Client]:
    """Replicate's client on `slow`."""
    client = replicate_of(slow)
    yield client
    client._client.close()


@pytest.fixture
def paged_rep() -> Iterator[tuple[Sandbox, replicate.Client]]:
    """A standing clock and Replicate's client, whose listing has pages of two."""
    settings = QUICK.model_copy(update={"image_seconds": 100.0, "page_size": 2})
    with Sandbox(settings, clock=Clock(lambda: START)) as running:
        client = replicate_of(running)
        yield running, client
        client._client.close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client without credentials."""
    with httpx.Client(timeout=5, verify=False) as plain:
        yield plain

"""The provider contract against the vendors themselves: it spends a few cents, so it is asked for by name.

Collected only with ``AICP_LIVE=1``, outside CI, for the vendors whose keys are set
(docs/writing-a-provider.md).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ai_content_pipeline.jobs import Handle, WireRequest
from ai_content_pipeline.media.download import download
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.providers.fal import FalProvider
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.registry import VENDOR_URLS
from ai_content_pipeline.providers.replicate import ReplicateProvider

_WANTED = os.environ.get("AICP_LIVE") == "1" and not os.environ.get("CI")
_KEYS = {"fal": "FAL_KEY", "replicate": "REPLICATE_API_TOKEN"}
#: Whose keys are here, as the session began.
VENDORS = [vendor for vendor, key in _KEYS.items() if _WANTED and os.environ.get(key)]
if not VENDORS:
    collect_ignore_glob = ["test_*.py"]

#: The cheapest there are: $0.003 a picture.
ENDPOINTS = {
    "fal": ("fal-ai/flux/schnell", "num_images"),
    "replicate": ("black-forest-labs/flux-schnell", "num_outputs"),
}
_CLASSES = {"fal": FalProvider, "replicate": ReplicateProvider}
_NOBODY = "00000000-0000-4000-8000-000000000000"
_LONGEST_SLEEP = 10.0  # seconds


def loaded(name: str) -> ModuleType:
    """A file of the contract's, which is no package."""
    path = Path(__file__).parents[1] / "contract" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"contract_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def no_keys() -> None:
    """Here the keys stay."""


@pytest.fixture(autouse=True)
def only_loopback() -> None:
    """Here the world is open."""


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def rig(vendor: str, tmp_path: Path) -> Iterator[Any]:
    """A provider of the real vendor's. Time passes by waiting for it."""
    contract = loaded("conftest")
    endpoint, count_field = ENDPOINTS[vendor]
    made: list[_Counting] = []

    def make() -> _Counting:
        surroundings = Surroundings(os.environ, tmp_path, lambda sha: tmp_path / sha)
        made.append(_Counting(_CLASSES[vendor](surroundings)))
        return made[-1]

    base = os.environ.get(VENDOR_URLS[0 if vendor == "fal" else 1])
    rig = contract.Rig(
        provider=make(),
        again=make,
        model=contract._model(vendor, endpoint, "image_urls", count_field),
        behave=None,
        charges=lambda: sum(provider.submits for provider in made),
        pass_time=lambda seconds: time.sleep(min(seconds, _LONGEST_SLEEP) * (0.1 if base else 1.0)),
        now=lambda: datetime.now(UTC) - timedelta(seconds=0.5),  # vendors round their timestamps
        download=lambda url, path: download(url, path, allow=HostRule.of(base)),
        stranger=_stranger(vendor, base),
    )
    plain, nonce = rig.request, uuid.uuid4().hex  # what other tests asked for is listed, too

    def request(prompt: str = "a cup of coffee", **changes: object) -> Any:
        return plain(f"{prompt}, {nonce}", **changes)

    rig.request = request
    yield rig
    for provider in made:
        provider.close()


def _stranger(vendor: str, base: str | None) -> Handle:
    """Of a job that the vendor never had."""
    if vendor == "replicate":
        return Handle("a" * 26, {"base": base or "https://api.replicate.com"})
    url = f"{base or 'https://queue.fal.run'}/fal-ai/flux/requests/{_NOBODY}"
    return Handle(
        _NOBODY, {"status_url": f"{url}/status", "response_url": url, "cancel_url": f"{url}/cancel"}
    )


class _Counting:
    """A provider, and how many of its submits were accepted."""

    def __init__(self, provider: FalProvider | ReplicateProvider) -> None:
        self._provider = provider
        self.submits = 0

    def submit(self, wire: WireRequest, key: str) -> Handle:
        handle = self._provider.submit(wire, key)
        self.submits += 1
        return handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


@pytest.fixture
def wrong_key(vendor: str, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Makes a provider whose key the vendor does not know."""
    made = []

    def make() -> Any:
        environ = {**os.environ, "FAL_KEY": f"{_NOBODY}:{'0' * 32}", "REPLICATE_API_TOKEN": f"r8_{'0' * 37}"}
        made.append(_CLASSES[vendor](Surroundings(environ, tmp_path, lambda sha: tmp_path / sha)))
        return made[-1]

    yield make
    for provider in made:
        provider.close()

"""A sandbox with quick jobs, and both providers pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.jobs import Handle, JobStatus, Queued, Running
from ai_content_pipeline.providers.fal import FalProvider
from ai_content_pipeline.providers.protocol import Provider, Surroundings
from ai_content_pipeline.providers.replicate import ReplicateProvider
from ai_content_pipeline.providers.transport import Patience
from ai_content_pipeline.sandbox import Clock, Sandbox, Settings

#: Long enough not to be found by accident.
CANARY = "canary-key-5f1c9e27"
QUICK = Settings(
    image_seconds=0.02,
    video_seconds=0.02,
    look="plain",
    image_px=64,
    video_px=64,
    fal_key=f"canary-id:{CANARY}",
    replicate_token=f"r8_{CANARY}",
)
START = 1_790_000_000.0
HASTY = Patience(read=0.5, whole=1.0)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Jobs of 20 ms on the real clock; listings in pages of two."""
    with Sandbox(QUICK.model_copy(update={"page_size": 2})) as running:
        yield running


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    """Jobs of 100 s (25 s in the queue) on a clock that stands still until it is advanced."""
    settings = QUICK.model_copy(update={"image_seconds": 100.0, "video_seconds": 100.0})
    with Sandbox(settings, clock=Clock(lambda: START)) as running:
        yield running


def surroundings(sandbox: Sandbox, folder: Path) -> Surroundings:
    return Surroundings(sandbox.environ(), folder, lambda sha: folder / sha)


@pytest.fixture
def make_fal(tmp_path: Path) -> Iterator[Callable[..., FalProvider]]:
    """Providers that are closed when the test ends."""
    made: list[FalProvider] = []

    def make(sandbox: Sandbox, patience: Patience | None = None) -> FalProvider:
        made.append(FalProvider(surroundings(sandbox, tmp_path), patience))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


@pytest.fixture
def make_rep(tmp_path: Path) -> Iterator[Callable[..., ReplicateProvider]]:
    """Providers that are closed when the test ends."""
    made: list[ReplicateProvider] = []

    def make(sandbox: Sandbox, patience: Patience | None = None) -> ReplicateProvider:
        made.append(ReplicateProvider(surroundings(sandbox, tmp_path), patience))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


@pytest.fixture
def fal(sandbox: Sandbox, make_fal: Callable[..., FalProvider]) -> FalProvider:
    return make_fal(sandbox)


@pytest.fixture
def hasty_fal(sandbox: Sandbox, make_fal: Callable[..., FalProvider]) -> FalProvider:
    """One that gives up on an answer after half a second."""
    return make_fal(sandbox, HASTY)


@pytest.fixture
def rep(sandbox: Sandbox, make_rep: Callable[..., ReplicateProvider]) -> ReplicateProvider:
    return make_rep(sandbox)


@pytest.fixture
def hasty_rep(sandbox: Sandbox, make_rep: Callable[..., ReplicateProvider]) -> ReplicateProvider:
    """One that gives up on an answer after half a second."""
    return make_rep(sandbox, HASTY)


@pytest.fixture
def picture(tmp_path: Path) -> tuple[Artifact, Path]:
    """A stored picture of 64x36."""
    from PIL import Image

    path = tmp_path / "stored"
    Image.new("RGB", (64, 36), (200, 30, 30)).save(path, "PNG")
    info = MediaInfo(Kind.IMAGE, "image/png", 64, 36)
    return Artifact("0" * 64, path.stat().st_size, info), path


@pytest.fixture
def finish() -> Callable[[Provider, Handle], JobStatus]:
    """Polls a job to its end."""

    def poll(provider: Provider, handle: Handle) -> JobStatus:
        for _ in range(500):
            status = provider.poll(handle)
            if not isinstance(status, Queued | Running):
                return status
            sleep(0.01)
        raise AssertionError("it does not end")

    return poll

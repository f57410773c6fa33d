"""Tiny models of random weights, built once; and a desk to try a provider at."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ai_content_pipeline.artifacts import SUFFIXES, Artifact, Role
from ai_content_pipeline.catalog import local, model_of
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.jobs import Handle, JobRequest, JobStatus, Json, Queued, Running, Succeeded, Task
from ai_content_pipeline.media.images import open_image
from ai_content_pipeline.media.probe import probe
from ai_content_pipeline.media.video import open_video, picture
from ai_content_pipeline.providers.diffusers import DiffusersProvider
from ai_content_pipeline.providers.protocol import Surroundings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch 2.13 has not yet heard of numpy's newest wish; it is none of ours."""
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny weights for every local model."""
    import warnings

    import torch

    from ai_content_pipeline.providers.local.tiny import build_all

    torch.set_num_threads(1)  # so small models gain nothing by more, which then wait for one another
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build_all(folder)
    # What torch and diffusers are made of is no garbage: it need not be looked through whenever a model goes.
    gc.freeze()
    return folder


@dataclass
class Gpu:
    """A provider of local models, and the stored files that it works on."""

    root: Path
    models: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    detached: threading.Event = field(default_factory=threading.Event)
    files: dict[str, Path] = field(default_factory=dict)
    keys: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.provider = self.another()

    def another(self, **environ: str) -> DiffusersProvider:
        """A provider of a later process."""
        everything = {"AICP_MODELS_DIR": str(self.models), **self.environ, **environ}
        return DiffusersProvider(
            Surroundings(everything, self.root / "scratch", self.files.__getitem__, self.detached)
        )

    def store(self, image: Image.Image, name: str = "a.png", **how: Any) -> Artifact:
        path = self.root / name
        image.save(path, **how)
        return self.keep(path)

    def keep(self, path: Path) -> Artifact:
        info = probe(path)
        artifact = Artifact(hash_file(path), path.stat().st_size, info)
        stored = self.root / f"{artifact.sha256}{SUFFIXES[info.media_type]}"
        stored.write_bytes(path.read_bytes())
        self.files[artifact.sha256] = stored
        return artifact

    def request(
        self,
        key: str,
        task: Task,
        prompt: str = "a cat",
        *,
        seed: int = 1,
        outputs: int = 1,
        inputs: Mapping[Role, tuple[Artifact, ...]] | None = None,
        **params: Json,
    ) -> JobRequest:
        card = local.load(key)
        return JobRequest(
            model_of(card, card.key, task), prompt, params, inputs or {}, seed=seed, outputs=outputs
        )

    def submit(self, key: str, task: Task, prompt: str = "a cat", **how: Any) -> Handle:
        request = self.request(key, task, prompt, **how)
        uploads = {
            role: tuple(self.provider.upload(one, Path()) for one in found if isinstance(one, Artifact))
            for role, found in request.inputs.items()
        }
        wire = self.provider.wire(request, uploads, request.seed)
        return self.provider.submit(wire, f"{next(self.keys):04}{60 * '0'}")

    def end(self, handle: Handle) -> JobStatus:
        while isinstance(status := self.provider.poll(handle), Queued | Running):
            pass
        return status

    def make(self, key: str, task: Task, prompt: str = "a cat", **how: Any) -> Succeeded:
        status = self.end(self.submit(key, task, prompt, **how))
        assert isinstance(status, Succeeded), status
        return status

    def picture(self, *arguments: Any, **how: Any) -> Image.Image:
        """What a text- or image-to-image job draws."""
        return read_still(self.make(*arguments, **how))

    def clip(self, *arguments: Any, **how: Any) -> list[Image.Image]:
        """The frames of what a video job makes, as they are in its file."""
        (output,) = self.make(*arguments, **how).outputs
        assert output.path is not None
        return self.frames(output.path)

    @staticmethod
    def frames(path: Path) -> list[Image.Image]:
        """Every picture of a clip's file."""
        with open_video(path) as video:
            return [picture(decoded) for decoded in video.frames()]


def read_still(status: JobStatus, number: int = 0) -> Image.Image:
    """One of a job's pictures, read from its file."""
    assert isinstance(status, Succeeded), status
    path = status.outputs[number].path
    assert path is not None
    return open_image(path)


@pytest.fixture
def still() -> Callable[..., Image.Image]:
    """Reads one of a job's pictures from its file."""
    return read_still


@pytest.fixture
def gpu(tmp_path: Path, models: Path) -> Iterator[Gpu]:
    """A machine with every model."""
    gpu = Gpu(tmp_path, models)
    yield gpu
    gpu.provider.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Gpu]:
    """One machine for a module whose tests look at results alone: models are loaded once."""
    gpu = Gpu(tmp_path_factory.mktemp("shared"), models)
    yield gpu
    gpu.provider.close()

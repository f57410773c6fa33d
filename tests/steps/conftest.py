"""What the tests of steps share: a setting in which a few files of the user's exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.steps.protocol import Input, Setting

OWN: Mapping[str, Artifact] = {
    "a.png": Artifact("a" * 64, 10, MediaInfo(Kind.IMAGE, "image/png", 960, 540)),
    "clip.mp4": Artifact("c" * 64, 10, MediaInfo(Kind.VIDEO, "video/mp4", 640, 360, 4.0, 24.0)),
}


def _read(name: str) -> Input:
    if name not in OWN:
        raise LookupError(f"there is no file {name}")
    return Input(OWN[name], name.partition(".")[0])


@pytest.fixture
def setting_of() -> Callable[..., Setting]:
    """The setting of a step called `s` that uses those models."""

    def make(task: Task, *models: str, prompt: str | None = None, seed: int | None = None) -> Setting:
        cards = {name: catalog.resolve(name, task) for name in models}
        return Setting("s", cards, _read, _read, prompt, seed)

    return make

"""Pipelines that several files of this folder run."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_CHILD = Path(__file__).with_name("child.py")
_PATIENCE = 120.0  # seconds, on a busy machine


@pytest.fixture
def pictures() -> Callable[..., str]:
    """A pipeline of one step, with a picture for each prompt; `top` goes above the steps."""

    def text(*prompts: object, top: str = "", step: str = "", **params: object) -> str:
        return f"""
name: pictures
output_dir: output
{top}
steps:
  - name: pictures
    type: text_to_image
    model: nano_banana_pro
    {step}
    params: {json.dumps({"parallel": True, "prompts": list(prompts), **params})}
"""

    return text


@pytest.fixture
def story() -> str:
    """One sheet, four panels, four clips, four thumbnails, as the design draws it."""
    return """
name: love_story
prompt: A 2x2 grid of panels
output_dir: output/love_story
steps:
  - {name: storyboard, type: text_to_image, model: nano_banana_pro}
  - {name: scenes, type: split_image, params: {grid: "2x2", naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {parallel: true, prompts: [one, two, three, four]}
  - {type: thumbnail}
"""


@dataclass
class Child:
    """A run in a process of its own (`child.py`), listened to as it goes."""

    process: subprocess.Popen[str]
    told: list[dict[str, Any]] = field(default_factory=list)
    _lines: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, event: str, count: int = 1) -> None:
        """Until `event` was told `count` times."""
        while sum(told["event"] == event for told in self.told) < count:
            line = self._lines.get(timeout=_PATIENCE)
            assert line is not None, f"it ended before {event}: {self.told}"
            self.told.append(json.loads(line))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Its exit code; all that it told is in `told`."""
        code = self.process.wait(_PATIENCE)
        while (line := self._lines.get(timeout=_PATIENCE)) is not None:
            self.told.append(json.loads(line))
        self.process.stdout.close()
        return code

    @property
    def result(self) -> dict[str, Any]:
        return next(told for told in self.told if told["event"] == "Result")


@dataclass
class Nursery:
    """Starts runs of one project in processes of their own. `charges` are the jobs that its vendor has."""

    root: Path
    children: list[Child] = field(default_factory=list)

    def write(self, text: str, name: str = "pipeline.yaml") -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def start(self, pipeline: str = "pipeline.yaml", **settings: object) -> Child:
        told = json.dumps({"root": str(self.root), "pipeline": pipeline, **settings})
        process = subprocess.Popen([sys.executable, str(_CHILD), told], stdout=subprocess.PIPE, text=True)
        self.children.append(Child(process))
        return self.children[-1]

    def run(self, **settings: object) -> tuple[int, Child]:
        child = self.start(**settings)
        return child.end(), child

    @property
    def charges(self) -> list[str]:
        jobs = [json.loads(path.read_text()) for path in sorted((self.root / "vendor").glob("*.json"))]
        return [job["payload"]["prompt"] for job in jobs]

    def tree(self) -> dict[str, bytes]:
        base = self.root / "output"
        files = (path for path in base.rglob("*") if path.is_file())
        return {path.relative_to(base).as_posix(): path.read_bytes() for path in files}

    @property
    def leftovers(self) -> list[str]:
        """What dead processes left half-written, scratch and locks."""
        aicp = self.root / ".aicp"
        found = (*(self.root / "output").rglob(".*"), *aicp.glob("tmp/*"), *aicp.glob("owners/*"))
        return [path.name for path in found]


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    (tmp_path / ".aicp").mkdir()
    nursery = Nursery(tmp_path)
    yield nursery
    for child in nursery.children:
        if child.process.poll() is None:
            child.process.kill()
            child.end()


@pytest.fixture
def undisturbed(
    nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, bytes]]:
    """The files of a run that nobody disturbed."""

    def run(text: str, **settings: object) -> dict[str, bytes]:
        calm = Nursery(tmp_path_factory.mktemp("calm"))
        (calm.root / ".aicp").mkdir()
        calm.write(text)
        code, child = calm.run(**settings)
        assert code == 0, child.told
        return calm.tree()

    return run


@pytest.fixture
def small_story() -> str:
    """Two panels and two clips with a seed of their own, so that every run draws the same."""
    return """
name: small
prompt: Two panels
seed: 11
output_dir: output
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro}
  - {name: scenes, type: split_image, params: {rows: 1, cols: 2, naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: veo_3_1
    params: {parallel: true, prompts: [one, two]}
  - {type: thumbnail}
"""

"""What a benchmark gives back, and the projects on fake vendors that several of them run."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ai_content_pipeline.engine.results import RunResult
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fake import Act

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table: `value` against its `goal`, which it must not pass (or must reach)."""

    name: str
    value: float
    goal: float
    better: Literal["lower", "higher"] = "lower"
    unit: str = "x"

    @property
    def ok(self) -> bool:
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


Benchmark = Callable[[], list[Measure]]


def run_fake(
    folder: Path, text: str, script: Callable[[WireRequest], Act], *, draw: Callable[..., Path] | None = None
) -> RunResult:
    """Run a pipeline in a fresh project at `folder`, with `script` deciding what its vendors do."""
    from ai_content_pipeline.engine.run import RunOptions, run
    from ai_content_pipeline.engine.workshop import open_workshop
    from ai_content_pipeline.pipeline.expansion import expand
    from ai_content_pipeline.pipeline.load import load_pipeline
    from ai_content_pipeline.pipeline.project import Project
    from ai_content_pipeline.providers.fake import FakeProvider, FakeVendor

    vendor = FakeVendor(script=script)
    if draw is not None:
        vendor.draw = draw
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    expansion = expand(load_pipeline(folder / "pipeline.yaml", environ={}))
    options = RunOptions(folder, ("output",), "bench", lambda address: "")
    factories = {"fal": lambda surroundings: FakeProvider(vendor, surroundings.scratch, name="fal")}
    with open_workshop(Project(folder), {}, factories=factories) as workshop:
        return run(expansion, workshop, options, lambda event: None)


def tiny_png(wire: WireRequest, path: Path) -> Path:
    """The smallest real picture, another for every request, drawn without any library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    colour = hashlib.sha256(repr(wire.payload).encode()).digest()
    header = b"\0\0\0\4\0\0\0\1\x08\x02\0\0\0"
    pixels = zlib.compress(b"\0" + colour[:12], 1)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path

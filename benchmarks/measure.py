"""What a benchmark gives back, and the projects on fake vendors that several of them run."""

from __future__ import annotations

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
    folder: Path,
    text: str,
    script: Callable[[WireRequest], Act],
    *,
    draw: Callable[..., Path] | None = None,
    repeatable: bool = False,
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
    factories = {
        "fal": lambda around: FakeProvider(vendor, around.scratch, name="fal", repeatable=repeatable)
    }
    with open_workshop(Project(folder), {}, factories=factories) as workshop:
        return run(expansion, workshop, options, lambda event: None)

"""What the strategies add to the time of their jobs: scenes of a second, through fal's protocol.

Each run is scored against its pictures as well. In the second round one scene fails after its second and
one takes two; the results must be in order all the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from ai_content_pipeline.engine.results import RunResult
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.workshop import open_workshop
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.project import find_project
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox import actions as do
from benchmarks.measure import Measure

_SCENES = 6
_GOAL = 1.15
_SECOND = Settings(image_seconds=1.0, video_seconds=1.0, look="plain", image_px=64, video_px=64, video_fps=1)
#: By strategy: its parameters, and the seconds that its jobs need when all is well, and with the faults.
_STRATEGIES: Mapping[str, tuple[str, float, float]] = {
    "sequential": ("", 6.0, 7.0),
    "batches of 2": ("strategy: batch, batch_size: 2, ", 3.0, 4.0),
    "parallel": ("strategy: parallel, max_workers: 6, ", 1.0, 2.0),
}
_FAULTS = (
    Rule(match=Match(prompt="scene 2"), action=do.Reject()),
    Rule(match=Match(prompt="scene 4"), action=do.RunTime(seconds=2.0)),
)


def benchmark() -> list[Measure]:
    measures = []
    with Sandbox(_SECOND, child=True) as sandbox:
        for name, (params, ideal, with_faults) in _STRATEGIES.items():
            sandbox.script()
            calm = _best(sandbox, params, failing=False)
            sandbox.script(*_FAULTS)
            hard = _best(sandbox, params, failing=True)
            measures += [
                Measure(f"{name}: {_SCENES} scenes of 1 s, of the ideal", calm / ideal, _GOAL),
                Measure(f"{name}: one fails and one is late, of the ideal", hard / with_faults, _GOAL),
            ]
    return measures


def _best(sandbox: Sandbox, params: str, *, failing: bool) -> float:
    """Seconds of a run, the better of two."""
    return min(_seconds(sandbox, params, failing=failing) for _ in range(2))


def _seconds(sandbox: Sandbox, params: str, *, failing: bool) -> float:
    with tempfile.TemporaryDirectory() as name:
        result = _run(sandbox, Path(name), params)
    states = [item.state.value for item in result.items]
    wanted = ["done"] * _SCENES
    if failing:
        wanted[1] = "failed"
    assert states == wanted, (states, [item.error for item in result.items])
    assert [item.prompt for item in result.items] == [f"scene {number + 1}" for number in range(_SCENES)]
    return result.seconds


def _run(sandbox: Sandbox, folder: Path, params: str) -> RunResult:
    (folder / ".aicp").mkdir()
    for number in range(_SCENES):
        Image.new("RGB", (640, 360), (40 * number, 90, 200)).save(folder / f"start_{number}.png")
    prompts = ", ".join(f"scene {number + 1}" for number in range(_SCENES))
    path = folder / "pipeline.yaml"
    path.write_text(
        "name: film\nsteps:\n  - name: clips\n    type: image_to_video\n    model: kling_2_6_pro\n"
        '    input: {files: ["start_*.png"]}\n    consistency: {on_low: warn}\n'
        f"    params: {{{params}prompts: [{prompts}]}}\n",
        encoding="utf-8",
    )
    environ = sandbox.environ()
    options = RunOptions(folder, ("output",), "bench", lambda address: "")
    with open_workshop(find_project(folder).seen_from(environ), environ) as workshop:
        return run(expand(load_pipeline(path, environ={})), workshop, options, lambda event: None)


if __name__ == "__main__":
    for measure in benchmark():
        print(f"{measure.name}: {measure.value:.2f} (goal {measure.goal})")

"""What the strategies add to the time of their jobs: six scenes of a second that keep one reference.

In the second round one scene fails after its second and one takes two; the results must be in order all the
same. Once on a vendor in this process, which shows what the engine adds, scores included; and once through
fal's protocol, with a sandbox that works on the same cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from ai_content_pipeline.engine.results import RunResult
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.workshop import open_workshop
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.project import find_project
from ai_content_pipeline.providers.fake import Act
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox import actions as do
from benchmarks.measure import Measure, run_fake

_SCENES = 6
_FAILING, _LATE = "scene 2", "scene 4"
_SECOND = Settings(image_seconds=1.0, video_seconds=1.0, look="plain", image_px=64, video_px=64, video_fps=1)
#: By strategy: its parameters, and the seconds that its jobs need when all is well, and with the faults.
_STRATEGIES: Mapping[str, tuple[str, float, float]] = {
    "sequential": ("", 6.0, 7.0),
    "batches of 2": ("strategy: batch, batch_size: 2, ", 3.0, 4.0),
    "parallel": ("strategy: parallel, max_workers: 6, ", 1.0, 2.0),
}
_FAULTS = (
    Rule(match=Match(prompt=_FAILING), action=do.Reject()),
    Rule(match=Match(prompt=_LATE), action=do.RunTime(seconds=2.0)),
)

#: Runs a pipeline in a fresh folder, with or without the faults.
Runner = Callable[[Path, str, bool], RunResult]


def benchmark() -> list[Measure]:
    with Sandbox(_SECOND, child=True) as sandbox:
        through_fal: Runner = lambda folder, text, faults: _through(sandbox, folder, text, faults)  # noqa: E731
        return [*_measures("engine", _here, 1.15), *_measures("fal", through_fal, 1.15)]


def _measures(where: str, runner: Runner, goal: float) -> list[Measure]:
    measures = []
    for name, (params, calm, hard) in _STRATEGIES.items():
        for what, ideal, faults in (("", calm, False), (", one fails, one is late", hard, True)):
            value = min(_seconds(runner, params, faults) for _ in range(2)) / ideal
            measures.append(Measure(f"{where}: {name}{what}: time, of the ideal", value, goal))
    return measures


def _seconds(runner: Runner, params: str, faults: bool) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".aicp").mkdir()
        Image.new("RGB", (640, 360), (200, 30, 40)).save(folder / "mia.png")
        result = runner(folder, _text(params), faults)
    wanted = ["failed" if faults and at == 1 else "done" for at in range(_SCENES)]
    assert [item.state.value for item in result.items] == wanted, result
    assert [item.prompt for item in result.items] == [f"scene {at + 1}" for at in range(_SCENES)]
    return result.seconds


def _text(params: str) -> str:
    prompts = ", ".join(f"scene {at + 1}" for at in range(_SCENES))
    return (
        "name: film\nreferences: {mia: {images: [mia.png]}}\nsteps:\n  - name: clips\n"
        "    type: text_to_video\n    model: kling_o1_ref\n    references: [mia]\n"
        "    consistency: {on_low: warn}\n"
        f"    params: {{{params}prompts: [{prompts}]}}\n"
    )


def _here(folder: Path, text: str, faults: bool) -> RunResult:
    def script(wire: WireRequest) -> Act:
        prompt = str(wire.payload["prompt"])
        late, failing = faults and prompt == _LATE, faults and prompt == _FAILING
        return Act(2.0 if late else 1.0, end="rejected" if failing else "done")

    return run_fake(folder, text, script)


def _through(sandbox: Sandbox, folder: Path, text: str, faults: bool) -> RunResult:
    sandbox.script(*(_FAULTS if faults else ()))
    path = folder / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    environ = sandbox.environ()
    options = RunOptions(folder, ("output",), "bench", lambda address: "")
    with open_workshop(find_project(folder).seen_from(environ), environ) as workshop:
        return run(expand(load_pipeline(path, environ={})), workshop, options, lambda event: None)


if __name__ == "__main__":
    for measure in benchmark():
        print(f"{measure.name}: {measure.value:.2f} (goal {measure.goal})")

"""The whole program at a vendor's pace: the sandbox's jobs take half a second, or one.

What is counted is a process from its start to its end, less what a dry run of the same file takes, against
the time that the jobs alone need.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ai_content_pipeline.sandbox import Sandbox, Settings
from benchmarks.measure import ROOT, Measure

_TIMES = 3
_WORKERS, _JOBS = 64, 320
_TINY = Settings(image_seconds=0.5, video_seconds=0.5, image_px=256, video_px=64, video_fps=1)
_STORY = """
name: story
prompt: A grid of panels
steps:
  - {{name: board, type: text_to_image, model: nano_banana_pro, params: {{resolution: 2K}}}}
  - {{name: scenes, type: split_image, params: {{grid: "{side}x{side}"}}}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {{parallel: true, max_workers: {clips}, duration: "5", prompt: a slow pan}}
"""


def benchmark() -> list[Measure]:
    with Sandbox(_TINY, child=True) as sandbox:
        small, large = (_ratio(sandbox, _STORY.format(side=side, clips=side * side), 1.0) for side in (2, 3))
    plain = _TINY.model_copy(update={"image_seconds": 1.0, "image_px": 16, "look": "plain"})
    with Sandbox(plain, child=True) as sandbox:
        many = _ratio(sandbox, _pictures(), _JOBS / _WORKERS)
        alone = min(_client_alone(sandbox) for _ in range(_TIMES)) / (_JOBS / _WORKERS)
    return [
        Measure("storyboard and 2x2 clips of 0.5 s: time, of the ideal", small, 1.35),
        Measure("storyboard and 3x3 clips of 0.5 s: time, of the ideal", large, 1.35),
        Measure(f"{_JOBS} jobs of 1 s at {_WORKERS} workers: efficiency", 1 / many, 0.85, "higher"),
        Measure("the same, of what fal's client alone reaches", alone / many, 0.9, "higher"),
    ]


def _pictures() -> str:
    prompts = "".join(f'        - "picture {number}"\n' for number in range(_JOBS))
    return (
        "name: many\nsteps:\n  - name: pictures\n    type: text_to_image\n    model: nano_banana_pro\n"
        f"    params:\n      parallel: true\n      max_workers: {_WORKERS}\n      prompts:\n{prompts}"
    )


def _ratio(sandbox: Sandbox, text: str, ideal: float) -> float:
    """The best of some fresh runs, net of a dry run, over `ideal` seconds."""
    runs = [_seconds(sandbox, text, "--yes") for _ in range(_TIMES)]
    dry = [_seconds(sandbox, text, "--dry-run") for _ in range(_TIMES)]
    return (min(runs) - min(dry)) / ideal


def _client_alone(sandbox: Sandbox) -> float:
    """The seconds of the same jobs by the vendor's client alone, without its start."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bare", str(_JOBS), str(_WORKERS), folder],
            cwd=ROOT,
            env=os.environ | sandbox.environ(),
            check=True,
            capture_output=True,
            text=True,
        )
    return float(done.stdout)


def _seconds(sandbox: Sandbox, text: str, *words: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".aicp").mkdir()
        (Path(folder) / "pipeline.yaml").write_text(text, encoding="utf-8")
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "ai_content_pipeline", "run-chain", "pipeline.yaml", "--quiet", *words],
            cwd=folder,
            env=os.environ | sandbox.environ(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - started


if __name__ == "__main__":
    for measure in benchmark():
        print(f"{measure.name}: {measure.value:.2f} (goal {measure.goal})")

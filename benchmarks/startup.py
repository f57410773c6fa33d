"""How long the program takes to say something, against an interpreter that does nothing.

By the clock, which people feel, and by processor time, which other work on the machine changes less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import ROOT, Measure

_TIMES = 21
_SCENES = 1_000
_AICP = ("-m", "ai_content_pipeline")
_PASS = ("-c", "pass")
_HELP = (*_AICP, "--help")
_DEMO = (*_AICP, "run-chain", "demo.yaml", "--dry-run")
_THOUSAND = (*_AICP, "run-chain", "thousand.yaml", "--dry-run")

#: The bytes of the unit in which this system tells how much memory a process had.
_MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class _Usage:
    """What one process took: seconds by the clock and of the processor, and megabytes at its peak."""

    wall: float
    cpu: float
    memory: float


def benchmark() -> list[Measure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".aicp").mkdir()
        (folder / "demo.yaml").write_bytes((ROOT / "input/pipelines/demo.yaml").read_bytes())
        (folder / "thousand.yaml").write_text(thousand_scenes(), encoding="utf-8")
        nothing, help_, demo, thousand = _medians(folder, (_PASS, _HELP, _DEMO, _THOUSAND))
    measures = []
    for what, used, goal in (
        ("aicp --help", help_, 6.0),
        ("run-chain demo.yaml --dry-run", demo, 18.0),
        (f"--dry-run of {_SCENES:,} scenes", thousand, 40.0),
    ):
        measures.append(Measure(f"{what}, of python -c pass", used.wall / nothing.wall, goal))
        measures.append(Measure(f"{what}, processor time", used.cpu / nothing.cpu, goal))
    memory = Measure(f"--dry-run of {_SCENES:,} scenes, peak memory", thousand.memory, 100.0, unit="MB")
    return [*measures, memory]


def thousand_scenes() -> str:
    """A pipeline with a still, a clip and a thumbnail for each of a thousand prompts."""
    prompts = "".join(
        f'        - "Scene {n}: a lighthouse keeper climbs the stairs at dawn"\n' for n in range(_SCENES)
    )
    return f"""name: thousand
steps:
  - name: stills
    type: text_to_image
    model: nano_banana_pro
    params:
      aspect_ratio: "16:9"
      parallel: true
      prompts:
{prompts}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {{parallel: true, prompt: Slow zoom in}}
  - {{type: thumbnail}}
"""


def _medians(folder: Path, commands: Sequence[tuple[str, ...]]) -> list[_Usage]:
    """What each command takes, measured in turns so that all see the same machine."""
    seen: list[list[_Usage]] = [[] for _ in commands]
    for turn in range(_TIMES + 1):
        for command, usages in zip(commands, seen, strict=True):
            used = _run(folder, command)
            if turn:  # the first turn writes byte code
                usages.append(used)
    return [
        _Usage(median(u.wall for u in us), median(u.cpu for u in us), max(u.memory for u in us))
        for us in seen
    ]


def _run(folder: Path, command: tuple[str, ...]) -> _Usage:
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    words = [sys.executable, *command]
    quiet = subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(words, cwd=folder, env=environ, stdout=quiet, stderr=quiet)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    memory = usage.ru_maxrss * _MEMORY_UNIT / 1e6
    return _Usage(wall, usage.ru_utime + usage.ru_stime, memory)

"""How long the program takes to say something, against an interpreter that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.measure import ROOT, Measure

_TIMES = 21
_PASS = ("-c", "pass")
_HELP = ("-m", "ai_content_pipeline", "--help")


def benchmark() -> list[Measure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".aicp").mkdir()
        (folder / "demo.yaml").write_bytes((ROOT / "input/pipelines/demo.yaml").read_bytes())
        dry_run = ("-m", "ai_content_pipeline", "run-chain", "demo.yaml", "--dry-run")
        nothing, help_, plan = _medians(folder, (_PASS, _HELP, dry_run))
    return [
        Measure("aicp --help, of python -c pass", help_ / nothing, 6.0),
        Measure("aicp run-chain demo.yaml --dry-run, of python -c pass", plan / nothing, 18.0),
    ]


def _medians(folder: Path, commands: Sequence[tuple[str, ...]]) -> list[float]:
    """Median seconds of each command, measured in turns so that all see the same machine."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    times: list[list[float]] = [[] for _ in commands]
    for turn in range(_TIMES + 1):
        for command, seen in zip(commands, times, strict=True):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, *command], cwd=folder, env=environ, check=True, capture_output=True
            )
            if turn:  # the first turn writes byte code
                seen.append(time.perf_counter() - started)
    return [median(seen) for seen in times]

"""The benchmark of full-size models, where there is no GPU: it runs, and its models are of full size."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from benchmarks import architectures, gpu

ROWS = [
    r"SDXL 64 px, 5 steps, 1 at once",
    r"SDXL 64 px, 5 steps, 4 at once",
    *(
        rf"Wan I2V {what}, {name}"
        for name in ("stock diffusers", "ours, balanced", "ours, fast")
        for what in ("step with guidance", r"clip, 40 steps \(counted\)", "clip, 4 steps unguided")
    ),
    r"Wan VAE encode \(32 bits\)",
    r"Wan VAE decode \(32 bits\)",
    "colours to bytes",
    "mp4 of 9 frames",
]


def test_everything_is_measured_with_small_models(tmp_path: Path, capsys: Any, models: Path) -> None:
    """Each line has its seconds; those of arithmetic their TFLOP/s and the share of the matrix rate."""
    shutil.copytree(models / "sdxl", tmp_path / "sdxl")
    assert gpu.main(["--tiny", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"no GPU, torch 2\.\S+, matrix rate \d+\.\d+ TFLOP/s", said)
    for row in ROWS:
        (line,) = re.findall(rf"^{row} +\d+\.\d+ s.*$", said, re.MULTILINE)
        assert ("%" in line) == (row not in ROWS[-2:]), line


def test_without_a_gpu_it_says_so(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 4, and what works anywhere."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 4
    assert "--tiny" in capsys.readouterr().err


def test_full_size_is_the_published_size() -> None:
    """Their weights, counted without memory for them: 2.57 and 16.4 billion."""
    import torch

    with torch.device("meta"):
        sizes = [
            sum(one.numel() for one in model().parameters())
            for model in (architectures.sdxl_unet, architectures.wan_transformer)
        ]
    assert [round(size / 1e9, 2) for size in sizes] == [2.57, 16.39]

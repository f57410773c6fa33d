"""Output that cannot be written (`aicp … > file` on a full disk) is said in a line, never as a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
SMALL = """
name: small
steps:
  - {type: text_to_image, model: draft, params: {prompt: a boat, width: 64, height: 48}}
"""


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["run-chain", "small.yaml", "--json"], True),
        (["run-chain", "small.yaml", "--json-stream"], False),
        (["run-chain", "small.yaml", "--dry-run"], False),
        (["run-chain", "none.yaml", "--json"], False),
        (["run-chain", "--bogus", "--json"], False),
        (["schema"], False),
        (["--help"], False),
    ],
)
def test_a_full_stdout(tmp_path, words, made):
    """Exit 1 and the reason on stderr; what the command made by then is there all the same."""
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "small.yaml").write_text(SMALL)
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ai_content_pipeline", *words],
            cwd=tmp_path,
            env=os.environ | {"CI": "1"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "output/small/report.html").exists() is made


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_full_stderr_stops_nothing(tmp_path):
    """Talk that cannot be written is dropped: the run goes on to its end."""
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "small.yaml").write_text(SMALL)
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ai_content_pipeline", "run-chain", "small.yaml"],
            cwd=tmp_path,
            env=os.environ | {"CI": "1"},
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
        )
    assert done.returncode == 0
    assert (tmp_path / "output/small/report.html").exists()

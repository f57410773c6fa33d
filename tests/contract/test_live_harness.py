"""The opt-in tests against real vendors: nobody runs them by accident, and they work when somebody does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_content_pipeline.sandbox import Sandbox, Settings

ROOT = Path(__file__).parents[2]


def pytest_of(environ: dict[str, str], *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/live", *words],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"FAL_KEY": "id:secret", "REPLICATE_API_TOKEN": "r8_x", "CI": ""},
        {"AICP_LIVE": "1", "CI": ""},
        {"AICP_LIVE": "1", "FAL_KEY": "id:secret", "CI": "true"},
    ],
    ids=["keys alone", "no keys", "in CI"],
)
def test_nothing_live_is_collected_unless_it_is_asked_for(environ: dict[str, str]) -> None:
    """Without the variable, without keys, or in CI there is no test at all: not even a skipped one."""
    code, said = pytest_of(environ, "--collect-only")
    assert (code, "skipped" in said) == (5, False), said


def test_the_live_tests_pass_at_the_sandbox() -> None:
    """What would be run at the vendors holds against their stand-in, and pays for about a dozen pictures."""
    with Sandbox(Settings(image_seconds=0.5, look="plain", image_px=64)) as sandbox:
        code, said = pytest_of({**sandbox.environ(), "AICP_LIVE": "1", "CI": ""})
        assert code == 0, said
        assert re.search(r"\d\d passed", said)
        assert "skipped" not in said
        for vendor in ("fal", "replicate"):
            paid = sum(charge.usd for charge in sandbox.charges() if charge.vendor == vendor)
            assert 0 < paid < 1, "a few cents at the vendors' own prices"
        assert sandbox.leaks() == ()

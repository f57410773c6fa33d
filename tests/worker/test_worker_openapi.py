"""schemathesis against the published schema: whatever it sends, no answer is a 5xx (class W14)."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.worker.conftest import TOKEN, Open


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_no_request_is_a_5xx(open_office: Open, tmp_path: Path) -> None:
    """Every operation, with what its schema allows and what it does not; the worker still serves after."""
    office = open_office(start=False)
    office.service.makers[0].ready = True  # nothing is made, and /ready has no reason to say 503
    words = [
        *("run", f"{office.url}/openapi.json", "-H", f"Authorization: Bearer {TOKEN}"),
        *("--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing", "--max-examples", "8"),
        *("--mode", "all", "--exclude-path-regex", "/events$", "--suppress-health-check", "all"),
        *("--workers", "2", "--request-timeout", "20", "--generation-database", "none", "--seed", "7"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert office.client.get("/v1/jobs").status_code == 200

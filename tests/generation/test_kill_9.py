"""`kill -9`, for real, at sampled moments of a run of nine paid items."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ai_content_pipeline.generation.artifact_store import ArtifactStore, hash_file
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.store import Cap, State

CHILD = Path(__file__).parent / "crash_child.py"
ITEMS = 9


def run(root: Path, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "KILL_AT": str(kill_at)}
    return subprocess.run(
        [sys.executable, str(CHILD), str(root)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def project(root: Path) -> Path:
    (root / ".aicp").mkdir(parents=True)
    (root / "vendor").mkdir()
    return root


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> list[str]:
    """What the nine items are when nobody is killed."""
    done = run(project(tmp_path_factory.mktemp("undisturbed")))
    assert done.returncode == 0, done.stderr
    made: list[str] = json.loads(done.stdout)
    assert len(set(made)) == ITEMS
    return made


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_costs_nothing(tmp_path, undisturbed, seed):
    """Killed three times at random moments, then run to its end: nine charges, the same nine files."""
    chance = random.Random(seed)
    root = project(tmp_path / "project")
    killed = [run(root, chance.randrange(1, 180)).returncode for _ in range(3)]
    assert killed[0] == -signal.SIGKILL
    done = run(root)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == undisturbed
    charges = Counter(json.loads(path.read_text())["key"] for path in (root / "vendor").glob("*.json"))
    assert sorted(charges.values()) == [1] * ITEMS
    store, artifacts = SqliteStore(root / ".aicp" / "journal.sqlite3"), ArtifactStore(root / ".aicp")
    jobs = store.jobs(State)
    assert [job.state for job in jobs] == [State.DONE] * ITEMS
    assert store.committed(Cap(0, run="run")) == 40_000 * ITEMS
    store.close()
    stored = list((root / ".aicp" / "artifacts").rglob("*.png"))
    assert sorted(path.stem for path in stored) == sorted(job.artifacts[0].sha256 for job in jobs)
    assert all(hash_file(path) == path.stem for path in stored)
    assert all(artifacts.intact(job.artifacts[0]) for job in jobs)

"""Which processes live: the system says so, not a file."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ai_content_pipeline.generation.owners import Owners

_CHILD = """
import sys, time
from pathlib import Path
from ai_content_pipeline.generation.owners import Owners
print(Owners(Path(sys.argv[1])).me, flush=True)
time.sleep(600)
"""


@pytest.fixture
def child(tmp_path):
    """Another process that holds an owner's lock: (process, owner)."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "owners")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_process_lives_until_it_is_killed(child, tmp_path):
    """An owner is alive as long as its process, however that ends, and dead ever after."""
    process, owner = child
    owners = Owners(tmp_path / "owners")
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        assert owners.alive(owner)  # asking does not kill
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not owners.alive(owner)
    assert not owners.alive(owner)
    owners.close()


def test_a_stopped_process_lives(child, tmp_path):
    """A process that is merely suspended still owns its jobs: it may go on at any moment."""
    process, owner = child
    owners = Owners(tmp_path / "owners")
    process.send_signal(signal.SIGSTOP)
    assert owners.alive(owner)
    owners.close()


def test_an_owner_that_ended_well_is_dead_and_leaves_nothing(tmp_path):
    """Closing gives the name up and removes its file."""
    one, two = Owners(tmp_path / "owners"), Owners(tmp_path / "owners")
    assert one.me != two.me
    assert one.alive(one.me)
    assert one.alive(two.me)
    two.close()
    assert not one.alive(two.me)
    one.close()
    assert list((tmp_path / "owners").iterdir()) == []


def test_an_unknown_owner_is_dead(tmp_path):
    """Nobody holds a lock that does not exist."""
    owners = Owners(tmp_path / "owners")
    assert not owners.alive("0123456789abcdef")
    owners.close()


def test_locks_that_lock_nothing_are_refused(tmp_path, monkeypatch):
    """On a file system whose locks do nothing a living process would look dead: nothing is started there."""
    monkeypatch.setattr("ai_content_pipeline.generation.owners._lock", lambda descriptor, shared: True)
    with pytest.raises(OSError, match="file locks do not work") as refused:
        Owners(tmp_path / "owners")
    assert refused.value.errno == errno.ENOLCK


def test_a_dead_owner_is_dead_for_everybody(child, tmp_path):
    """Many who ask at once all see a killed owner dead: none takes another's question for a sign of life."""
    process, owner = child
    process.kill()
    process.wait()
    asking = [Owners(tmp_path / "owners") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda owners: owners.alive(owner), asking)) == [False] * 8
    for owners in asking:
        owners.close()

"""What other processes do to a journal, for `test_journal.py`: run as a script, answers in JSON."""

from __future__ import annotations

import json
import resource
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation import writer
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.store import Cap, Claim, State
from ai_content_pipeline.jobs import Handle, WireRequest

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


def claim(key: str, cap: int = 10**12, padding: str = "") -> Claim:
    wire = WireRequest("e", {"prompt": key})
    caps = (Cap(cap, run="run"),)
    return Claim(key, key, 0, "fake", "e", {"p": padding}, wire, 1, "run", key, "me", 100, None, caps)


def project(path: str) -> object:
    store = SqliteStore(Path(path))
    name = store.project
    store.close()
    return name


def claim_many(path: str, cap: str, name: str, count: str) -> object:
    """Claim `name`-0 … from as many threads at once."""
    store = SqliteStore(Path(path))
    barrier = threading.Barrier(int(count))

    def one(i: int) -> str:
        barrier.wait()
        return store.claim(claim(f"{name}-{i}", int(cap)), NOW).value

    with ThreadPoolExecutor(int(count)) as pool:
        answers = list(pool.map(one, range(int(count))))
    store.close()
    return answers


def heir(path: str, name: str) -> object:
    store = SqliteStore(Path(path))
    won = store.take_over("k", "dead", name)
    store.close()
    return won


def write(path: str, name: str, count: str, wal: str) -> object:
    writer.wal_is_safe = lambda version: bool(int(wal))
    store = SqliteStore(Path(path))
    for i in range(int(count)):
        key = f"{name}-{i}"
        store.claim(claim(key), NOW)
        store.submitted(key, "me", Handle(key), NOW)
    store.close()
    return int(count)


def stream(path: str) -> object:
    """Claim for ever, naming each key once it is durable."""
    store = SqliteStore(Path(path))
    start = len(store.jobs([State.INTENT]))
    while True:
        key = f"k{start}"
        store.claim(claim(key), NOW)
        print(key, flush=True)
        start += 1


def fill(path: str, kind: str) -> object:
    """Claim until there is no room, then make room and claim once more."""
    store = SqliteStore(Path(path))
    store.claim(claim("first"), NOW)
    ballast = Path(path).with_name("ballast")
    ballast.write_bytes(bytes(100_000))
    if kind == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (Path(path).stat().st_size + 60_000, hard))
    acknowledged, refused, error = ["first"], [], ""

    def one(i: int) -> None:
        nonlocal error
        key = f"k{i:03}"
        try:
            store.claim(claim(key, padding="x" * 3000), NOW)
            acknowledged.append(key)
        except JournalError as problem:
            refused.append(key)
            error = f"JournalError: {problem.message}"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(150)))
    found = sorted(job.key for job in store.jobs([State.INTENT]))
    if kind == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    else:
        ballast.unlink()
    afterwards = store.claim(claim("afterwards"), NOW).value
    integrity = store._writer.call(lambda db: db.execute("PRAGMA integrity_check").fetchone()[0])
    store.close()
    return {
        "acknowledged": sorted(acknowledged),
        "found": found,
        "refused": len(refused),
        "error": error,
        "integrity": integrity,
        "afterwards": afterwards,
    }


if __name__ == "__main__":
    tasks = {
        "project": project,
        "claim": claim_many,
        "heir": heir,
        "write": write,
        "stream": stream,
        "fill": fill,
    }
    print(json.dumps(tasks[sys.argv[1]](*sys.argv[2:])))

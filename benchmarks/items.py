"""10,000 no-op items through the whole engine: what each costs, in CPU time and memory.

Each is a job of a free provider that answers at once with the same small picture: keyed, journaled from
state to state, checked, stored, delivered into the output folder and reported.

On a memory file system where there is one: what is counted is our work, not the disk's. The last line is
the dearest case beside it: paid jobs, eight at once, 10,000 different pictures, on the disk.
Runs in a process of its own (``python -m benchmarks.items``), so that nothing else is counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ai_content_pipeline.jobs import WireRequest
from benchmarks.measure import ROOT, Measure, run_fake

ITEMS = 10_000
_MEMORY = Path("/dev/shm")
#: A PNG of one grey pixel.
_PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da6368000000820081da45083b0000000049454e44ae426082"
)


def benchmark() -> list[Measure]:
    free, paid = _found("free"), _found("paid")
    return [
        Measure(f"{ITEMS:,} no-op items: CPU an item", free["milliseconds"], 1.0, unit="ms"),
        Measure(f"{ITEMS:,} no-op items: peak memory", free["megabytes"], 100.0, unit="MB"),
        Measure(f"{ITEMS:,} paid, 8 at once, on the disk: CPU an item", paid["milliseconds"], 1.0, unit="ms"),
    ]


def _found(kind: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.items", kind]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def pipeline(items: int, more: str = "") -> str:
    prompts = "".join(f'        - "picture {number}"\n' for number in range(items))
    return (
        "name: many\nsteps:\n  - name: pictures\n    type: text_to_image\n    model: nano_banana_pro\n"
        f"    params:\n{more}      prompts:\n{prompts}"
    )


def small_picture(wire: WireRequest, path: Path) -> Path:
    path.write_bytes(_PICTURE)
    return path


def another_picture(wire: WireRequest, path: Path) -> Path:
    """Another for every request: a PNG may be followed by anything."""
    path.write_bytes(_PICTURE + repr(wire.payload).encode())
    return path


def _peak() -> float:
    """The most memory this process has held, in MB: its own, not what its parent had at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def main() -> None:
    from ai_content_pipeline.providers.fake import Act

    free = sys.argv[1:] != ["paid"]
    text = pipeline(ITEMS, "" if free else "      parallel: true\n      max_workers: 8\n")
    draw = small_picture if free else another_picture
    with tempfile.TemporaryDirectory(dir=_MEMORY if free and _MEMORY.is_dir() else None) as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        result = run_fake(Path(folder), text, lambda wire: Act(), draw=draw, repeatable=free)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert result.exit_code == 0
    print(json.dumps({"milliseconds": 1000 * cpu / ITEMS, "megabytes": _peak(), "seconds": wall}))


if __name__ == "__main__":
    main()

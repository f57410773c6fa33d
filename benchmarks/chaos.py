"""The crash law: kill -9 at every state change and at random moments, then the same command until it ends.

``python -m benchmarks.chaos`` runs nine paid items at both vendors of the sandbox, kills the run, and goes
on with the same command. It counts charges at the far side: at most one an item, every paid result
delivered, nothing in doubt that the vendor had accepted, and the same pictures as an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ai_content_pipeline.sandbox import Sandbox, Settings

ITEMS = 9
_FAL = [f"fal picture {n}" for n in range(5)]
_REPLICATE = [f"replicate picture {n}" for n in range(4)]
_PIPELINE = f"""
name: chaos
seed: 7
steps:
  - {{name: fal, type: text_to_image, model: nano_banana_pro,
     params: {{parallel: true, max_workers: 5, prompts: {json.dumps(_FAL)}}}}}
  - {{name: replicate, type: text_to_image, model: nano_banana_pro_replicate,
     params: {{parallel: true, max_workers: 4, prompts: {json.dumps(_REPLICATE)}}}}}
"""
#: The program, with a store that kills the process at its n-th change of state.
_CHILD = """
import os, signal, sys, threading
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.engine import workshop
from ai_content_pipeline.cli.app import run_app
CHANGES = ("begin", "claim", "submitted", "finished", "done", "deliver", "end", "uploaded", "local_done")
left, before = int(sys.argv.pop(1)), sys.argv.pop(1) == "before"
counting = threading.Lock()
def wrapped(name):
    original = getattr(SqliteStore, name)
    def call(self, *arguments, **options):
        global left
        with counting:
            left -= 1
            mine = left == 0
        if mine and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, *arguments, **options)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
Killing = type("Killing", (SqliteStore,), {name: wrapped(name) for name in CHANGES})
workshop.open_workshop.__wrapped__.__kwdefaults__["open_store"] = Killing
sys.exit(run_app(sys.argv[1:]))
"""


@dataclass
class Tally:
    """What all schedules together came to."""

    schedules: int = 0
    kills: int = 0
    charges: int = 0
    duplicates: int = 0
    lost: int = 0
    held: int = 0
    different: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.schedules} schedules, {self.kills} kills, {self.charges} charges, "
            f"{self.duplicates} duplicates, {self.lost} lost, {self.held} held, {self.different} different"
        )

    @property
    def good(self) -> bool:
        return not (self.duplicates or self.lost or self.different or self.problems)


class Chaos:
    """Schedules against one sandbox. `work` is a folder for their projects."""

    def __init__(self, sandbox: Sandbox, work: Path) -> None:
        self.sandbox = sandbox
        self.work = work
        self.tally = Tally()
        self.environ = os.environ | sandbox.environ() | {"AICP_RECONCILE_GRACE": "0.4", "CI": "1"}
        self.wanted, self.seconds = self._undisturbed()

    def at_state_change(self, number: int, *, before: bool) -> bool:
        """Kill just before or after the `number`-th change; False when there are not so many."""
        when = "before" if before else "after"
        return self._schedule(f"{when}-{number}", [sys.executable, "-c", _CHILD, str(number), when], None)

    def at_moment(self, seconds: float) -> bool:
        return self._schedule(f"at-{seconds:.3f}", [sys.executable, "-m", "ai_content_pipeline"], seconds)

    # -- one schedule ------------------------------------------------------------------------------

    def _schedule(self, name: str, program: list[str], seconds: float | None) -> bool:
        project = self._project(name)
        self.sandbox.reset()
        killed = self._run_and_kill(project, program, seconds)
        if killed:
            self.tally.kills += 1
        code = self._until_done(project)
        self._judge(name, project, code)
        shutil.rmtree(project)
        return killed

    def _run_and_kill(self, project: Path, program: list[str], seconds: float | None) -> bool:
        child = subprocess.Popen(
            [*program, "run-chain", "chaos.yaml", "--yes", "--allow-unpriced", "--json"],
            cwd=project,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
        return child.wait() == -signal.SIGKILL

    def _until_done(self, project: Path) -> int:
        """The same command again; what the vendor never accepted is sent again, as a user would decide."""
        code = -1
        for _ in range(6):
            code, _ = self._aicp(project, "run-chain", "chaos.yaml", "--yes", "--allow-unpriced", "--json")
            if code == 0:
                break
            if code == 8:
                self._decide(project)
        return code

    def _decide(self, project: Path) -> None:
        _, envelope = self._aicp(project, "status", "--json")
        jobs = [job for job in envelope["data"]["jobs"] if job["state"] == "in_doubt"]
        self.tally.held += len(jobs)
        for job in jobs:
            accepted = {row.prompt for row in self.sandbox.jobs()}
            if job["prompt"] in accepted:
                self.tally.problems.append(f"{job['address']} is held, and the vendor has it")
            self._aicp(project, "resume", "--in-doubt", "resubmit", job["address"], "--json")

    def _judge(self, name: str, project: Path, code: int) -> None:
        tally = self.tally
        tally.schedules += 1
        charges = Counter(row.prompt for row in self.sandbox.jobs() if row.status == "succeeded")
        tally.charges += charges.total()
        tally.duplicates += charges.total() - len(charges)
        made = pictures(project / "output/chaos")
        missing = ITEMS - len(made)
        tally.lost += missing
        different = sum(self.wanted[path] != pixels for path, pixels in made.items())
        tally.different += different
        if code != 0 or missing or different or charges.total() != len(charges):
            tally.problems.append(
                f"{name}: exit {code}, {dict(charges)}, {missing} missing, {different} different"
            )

    def _undisturbed(self) -> tuple[Mapping[str, bytes], float]:
        project = self._project("undisturbed")
        started = time.monotonic()
        code, envelope = self._aicp(project, "run-chain", "chaos.yaml", "--yes", "--allow-unpriced", "--json")
        seconds = time.monotonic() - started
        made = pictures(project / "output/chaos")
        if code != 0 or len(made) != ITEMS:
            raise SystemExit(
                f"the undisturbed run failed: exit {code}, {len(made)} files, {envelope['error']}"
            )
        return made, seconds

    def _project(self, name: str) -> Path:
        project = self.work / name
        (project / ".aicp").mkdir(parents=True)
        (project / "chaos.yaml").write_text(_PIPELINE)
        return project

    def _aicp(self, project: Path, *words: str) -> tuple[int, dict]:  # type: ignore[type-arg]
        done = subprocess.run(
            [sys.executable, "-m", "ai_content_pipeline", *words],
            cwd=project, env=self.environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"error": done.stderr, "data": {"jobs": []}}


def pictures(folder: Path) -> dict[str, bytes]:
    """The decoded pixels of every picture below `folder`, by its relative path."""
    from PIL import Image

    found = {}
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            found[path.relative_to(folder).as_posix()] = image.tobytes()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=200, help="kills at random moments")
    parser.add_argument("--changes", type=int, default=1000, help="at most so many state changes, twice each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = Settings(image_seconds=0.15, look="plain", image_px=64)
    with tempfile.TemporaryDirectory() as work, Sandbox(settings, child=True) as sandbox:
        chaos = Chaos(sandbox, Path(work))
        for number in range(1, options.changes + 1):
            killed = [chaos.at_state_change(number, before=first) for first in (True, False)]
            if not any(killed):
                break
            print(f"\rstate change {number}: {chaos.tally}", end="", file=sys.stderr)
        print(file=sys.stderr)
        rng = random.Random(options.seed)
        for _ in range(options.moments):
            chaos.at_moment(rng.uniform(0.05, chaos.seconds))
            print(f"\rrandom moments: {chaos.tally}", end="", file=sys.stderr)
    print(f"\n{chaos.tally}")
    for problem in chaos.tally.problems[:20]:
        print(problem)
    return 0 if chaos.tally.good else 1


if __name__ == "__main__":
    sys.exit(main())

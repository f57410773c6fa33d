"""Killed at every step, then the same command again: paid at most once, nothing lost, the same files."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.errors import AicpError, OutcomeUnknown
from ai_content_pipeline.generation import artifact_store
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.generation.store import OPEN, Cap, State
from ai_content_pipeline.providers.fake import Act

#: What changes nothing: dying before or after it is dying between its neighbours.
_LOOKING = {
    "job",
    "jobs",
    "takes",
    "handles",
    "committed",
    "upload_of",
    "wire",
    "path",
    "intact",
    "temporary",
    "locate",
}
PRICE = 40_000


class Killed(BaseException):
    """Our process is dead. Nothing in it may catch this, and nothing after it has any effect."""


class Failpoint:
    """Kills at the `at`-th moment: before and after everything that changes something."""

    def __init__(self, at: int) -> None:
        self.at, self.moments, self.dead = at, 0, False

    def moment(self) -> None:
        self.moments += 1
        if self.dead or self.moments == self.at:
            self.dead = True
            raise Killed

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **named: Any) -> Any:
            self.moment()
            result = call(*arguments, **named)
            self.moment()
            return result

        return guarded

    def wrap(self, name: str, thing: Any) -> Any:
        return self.around(thing) if name == "download" else Mortal(thing, self)


class Mortal:
    """`thing`, as used by a process that may die."""

    def __init__(self, thing: Any, failpoint: Failpoint) -> None:
        self._thing, self._failpoint = thing, failpoint

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._thing, name)
        return value if name in _LOOKING or not callable(value) else self._failpoint.around(value)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: killing a process does not empty the disk's cache."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield path
    shutil.rmtree(path)


# -- schedules: what the vendor does, and what is ordered ----------------------------------------------


def plain(world):
    return [world.order("one", seed=7), world.order("two", seed=7)]


def linked(world):
    """Several outputs, to be downloaded, of a job that takes a while, with an input to upload."""
    world.vendor.links = True
    world.vendor.script = lambda wire: Act(seconds=3)
    return [world.order(seed=7, outputs=2, inputs=world.input())]


def troubled(world):
    """Refused twice, then a hiccup, then done."""
    acts = [Act(answer="busy"), Act(answer="busy"), Act(end="temporary")]
    world.vendor.script = lambda wire: acts.pop(0) if acts else Act()
    return [world.order(seed=7)]


def lost(world):
    acts = [Act(answer="lost")]
    world.vendor.lag = 20
    world.vendor.script = lambda wire: acts.pop(0) if acts else Act()
    return [world.order(seed=7)]


def dropped(world):
    acts = [Act(answer="dropped")]
    world.vendor.script = lambda wire: acts.pop(0) if acts else Act()
    return [world.order(seed=7)]


def rubbish(world):
    """The first six downloads are rubbish: one failed command, then a good one."""
    world.vendor.links = True
    served = []

    def download(url: str, path: Path) -> None:
        served.append(url)
        path.write_bytes(b"<html>") if len(served) <= 6 else world.vendor.download(url, path)

    world.downloads = download
    return [world.order(seed=7)]


def unlisted(world):
    world.vendor.listing = "none"
    return plain(world)


def repeatable(world):
    world.repeatable = True
    return plain(world)


def damaged(world):
    """A finished job whose stored file was lost."""
    orders = plain(world)
    process = world.start()
    for order in orders:
        made = process.generate(order)
        world.artifacts.path(made.job.artifacts[0]).unlink()
    process.end()
    return orders


SCHEDULES = [plain, linked, troubled, lost, dropped, rubbish, unlisted, repeatable, damaged]


def run(world, process, orders) -> list[AicpError]:
    """One command: collect what is open, then make every order. The errors of the items that have none."""
    errors = []
    for job in process.store.jobs((*OPEN, State.IN_DOUBT)):
        attempt(lambda job=job: process.collect(job), errors)
    errors.clear()
    for order in orders:
        attempt(lambda order=order: process.generate(order), errors)
    return errors


def attempt(call: Callable[[], object], errors: list[AicpError]) -> None:
    try:
        call()
    except AicpError as error:
        errors.append(error)


def live(world, orders, failpoint: Failpoint | None = None) -> list[AicpError] | None:
    """One process from start to end, or to its death (None)."""
    world.wrap = wrapping(world, failpoint)
    process = world.start()
    try:
        errors = run(world, process, orders)
    except Killed:
        process.kill()
        return None
    process.end()
    return errors


def wrapping(world, failpoint: Failpoint | None) -> Callable[[str, Any], Any]:
    downloads = getattr(world, "downloads", None)

    def wrap(name: str, thing: Any) -> Any:
        chosen = downloads if name == "download" and downloads else thing
        return failpoint.wrap(name, chosen) if failpoint else chosen

    return wrap


def recover(world, orders) -> list[AicpError]:
    """The same command again, until it ends with nothing that another try would mend."""
    for _ in range(4):
        errors = live(world, orders)
        assert errors is not None
        if all(isinstance(error, OutcomeUnknown) for error in errors):
            return errors
    raise AssertionError(errors)


def check(world, orders, errors: list[AicpError]) -> list[bytes | None]:
    """The invariants, and what every order got."""
    world.wrap = lambda name, thing: thing
    process = world.start()
    charges = Counter(job.key for job in world.vendor.charges)
    assert all(count == 1 for count in charges.values()), "paid twice"
    assert process.store.committed(Cap(0, run="run")) >= PRICE * len(world.vendor.charges), "spent unseen"
    jobs = [process.store.job(order.key) for order in orders]
    for job in jobs:
        assert job is not None
        assert job.state in (State.DONE, State.IN_DOUBT)
        if job.state is State.DONE:
            assert all(world.artifacts.intact(artifact) for artifact in job.artifacts)
    held = [job for job in jobs if job.state is State.IN_DOUBT]
    assert len(held) == len(errors)
    paid = {job.key for job in world.vendor.charges}
    assert paid <= {job.key for job in jobs}, "paid and lost"
    for path in (world.aicp / "artifacts").rglob("*.*"):
        assert hash_file(path) == path.stem, "a half file under a final name"
    contents = [world.content(job) if job.state is State.DONE else None for job in jobs]
    process.end()
    return contents


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.__name__)
def test_a_kill_at_any_moment_costs_nothing(new_world, folder, schedule, monkeypatch):
    """For n = 1, 2, 3 … a process dies at its n-th moment; then the same command ends as if it had not."""
    undisturbed = new_world(folder / "undisturbed")
    orders = schedule(undisturbed)
    expected = check(undisturbed, orders, recover(undisturbed, orders))
    killed, moment = True, 0
    while killed:
        moment += 1
        world = new_world(folder / str(moment))
        orders = schedule(world)
        failpoint = Failpoint(moment)
        with monkeypatch.context() as patch:
            patch.setattr(artifact_store, "_sync", failpoint.around(artifact_store._sync))
            patch.setattr(artifact_store, "_move", failpoint.around(artifact_store._move))
            killed = live(world, orders, failpoint) is None
        got = check(world, orders, recover(world, orders))
        if schedule is unlisted:
            assert all(content in (None, wanted) for content, wanted in zip(got, expected, strict=True))
            assert got.count(None) <= 1
        else:
            assert got == expected
        world.close()
    assert moment > 8


@pytest.mark.parametrize("seed", range(25))
def test_a_kill_among_many_workers_costs_nothing(new_world, folder, seed):
    """Nine items on four workers, killed again and again at random: nine charges, nine files."""
    chance = random.Random(seed)
    world = new_world(folder)
    world.vendor.links = chance.random() < 0.5
    world.vendor.lag = chance.choice([0, 30])
    answers = ["accepted"] * 6 + ["lost", "dropped", "busy"]
    script = {f"p{i}": [chance.choice(answers) for _ in range(3)] for i in range(9)}

    def act(wire) -> Act:
        left = script[str(wire.payload["prompt"])]
        return Act(answer=left.pop() if left else "accepted", seconds=5)

    world.vendor.script = act
    orders = [world.order(f"p{i}", seed=7) for i in range(9)]
    for _ in range(4):
        failpoint = Failpoint(chance.randrange(5, 120))
        world.wrap = wrapping(world, failpoint)
        process = world.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda order, process=process: survive(process, order), orders))
        process.kill()
    errors = recover(world, orders)
    assert errors == []
    assert None not in check(world, orders, errors)
    assert len(world.vendor.charges) == 9


def survive(process, order) -> None:
    with contextlib.suppress(AicpError, Killed):
        process.generate(order)

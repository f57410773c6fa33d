"""The queue: fair between users, urgent first within one, bounded, and whole after a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation.writer import Writer
from ai_content_pipeline.worker.faults import Code
from ai_content_pipeline.worker.outbox import Outbox
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.retention import Forgetter
from ai_content_pipeline.worker.rows import Bounds, Conflict, Ending, Full, New, Retention, State
from ai_content_pipeline.worker.storage import LocalFolder
from ai_content_pipeline.worker.tables import MIGRATIONS
from tests.worker.test_worker_callbacks import Time

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
ROOMY = Bounds()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path / "queue.sqlite3")
    yield queue
    queue.close()


def new(
    job_id: str, user: str = "u", *, priority: int = 0, body: str = '{"type": "t"}', url: str | None = None
) -> New:
    return New(job_id, user, "t", priority, str(hash((job_id, body))), body, "none", (), url)


def put(queue: Queue, *jobs: New, bounds: Bounds = ROOMY) -> None:
    for job in jobs:
        queue.put(job, bounds, NOW)


def drained(queue: Queue, bounds: Bounds = ROOMY) -> list[str]:
    """Every job in the order in which one process runs them."""
    order = []
    while (row := queue.claim(bounds, NOW)) is not None:
        order.append(row.id)
        queue.end(row.id, Ending(State.COMPLETED), NOW)
    return order


def test_users_take_turns(queue: Queue) -> None:
    """However many jobs one user sends first, another waits for one of them, not for all."""
    put(queue, *(new(f"a{n}", "a") for n in range(4)), new("b0", "b"), new("c0", "c"), new("b1", "b"))
    assert drained(queue) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


def test_turns_are_kept(queue: Queue) -> None:
    """Whose turn it was is not forgotten while a user has nothing waiting."""
    put(queue, new("a0", "a"), new("b0", "b"))
    assert drained(queue) == ["a0", "b0"]
    put(queue, new("b1", "b"), new("a1", "a"))
    assert drained(queue) == ["a1", "b1"]


def test_priority_counts_among_a_users_own(queue: Queue) -> None:
    """A user's urgent jobs go before that user's others, and take no other user's turn."""
    put(queue, new("a0", "a"), new("a1", "a", priority=9), new("a2", "a", priority=5), new("b0", "b"))
    assert drained(queue) == ["a1", "b0", "a2", "a0"]


def test_one_user_runs_only_so_many(queue: Queue) -> None:
    """With a limit of two running jobs a user's third waits, and another user's goes."""
    bounds = Bounds(running_per_user=2)
    put(queue, *(new(f"a{n}", "a") for n in range(3)), new("b0", "b"))
    claimed = [row.id for _ in range(4) if (row := queue.claim(bounds, NOW))]
    assert claimed == ["a0", "b0", "a1"]
    queue.end("a0", Ending(State.COMPLETED), NOW)
    row = queue.claim(bounds, NOW)
    assert row is not None
    assert row.id == "a2"


def test_the_backlog_is_bounded(queue: Queue) -> None:
    """A job above either bound is refused; one that is known is not new; what runs does not wait."""
    bounds = Bounds(backlog=2, per_user=1)
    put(queue, new("a0", "a"), bounds=bounds)
    for job in (new("a1", "a"),):
        with pytest.raises(Full, match="jobs of a are waiting"):
            queue.put(job, bounds, NOW)
    put(queue, new("b0", "b"), bounds=bounds)
    with pytest.raises(Full, match="2 jobs are waiting"):
        queue.put(new("c0", "c"), bounds, NOW)
    assert queue.put(new("a0", "a"), bounds, NOW)[1] is False
    queue.claim(bounds, NOW)
    assert queue.put(new("c0", "c"), bounds, NOW)[1] is True


def test_an_id_is_one_job(queue: Queue) -> None:
    """The same content is the same job, another is a conflict, whoever sends it."""
    assert queue.put(new("a"), ROOMY, NOW)[1] is True
    assert queue.put(new("a"), ROOMY, NOW)[1] is False
    with pytest.raises(Conflict):
        queue.put(new("a", body='{"type": "s"}'), ROOMY, NOW)


def test_what_ran_is_queued_again(queue: Queue) -> None:
    """After a crash a running job starts anew, up to `attempts` times; then it has failed, by name."""
    put(queue, new("a", url="https://x.example/"))
    for attempt in (1, 2, 3):
        row = queue.claim(ROOMY, NOW)
        assert row is not None
        assert row.attempts == attempt
        ended = queue.recover(3, NOW)
    (failed,) = ended
    assert (failed.state, failed.fault and failed.fault.code) == (State.FAILED, Code.ATTEMPTS)
    assert queue.claim(ROOMY, NOW) is None
    assert [one.id for one in Outbox(queue).due(NOW, 9, frozenset())] == ["msg_a"]


def test_what_was_given_back_was_not_tried(queue: Queue) -> None:
    """A worker that ends in order takes no attempt from the jobs it gives back."""
    put(queue, new("a"))
    for _ in range(5):
        row = queue.claim(ROOMY, NOW)
        assert row is not None
        assert row.attempts == 1
        assert queue.requeue("a", NOW) is None


def test_a_cancelled_job_is_not_given_back(queue: Queue) -> None:
    """It was asked to stop, and the worker ends: it is cancelled, and told of, not queued again."""
    put(queue, new("a", url="https://x.example/"))
    queue.claim(ROOMY, NOW)
    queue.cancel("a", NOW)
    row = queue.requeue("a", NOW)
    assert row is not None
    assert row.state is State.CANCELLED
    assert [one.job_id for one in Outbox(queue).undelivered()] == ["a"]
    assert queue.requeue("a", NOW) is None


def test_a_cancelled_job_does_not_come_back(queue: Queue) -> None:
    """It was asked to stop, and the worker died before it did: it is cancelled, not run again."""
    put(queue, new("a"))
    queue.claim(ROOMY, NOW)
    row, _ = queue.cancel("a", NOW)
    assert row is not None
    assert row.state is State.RUNNING
    assert [ended.state for ended in queue.recover(3, NOW)] == [State.CANCELLED]


def test_a_job_ends_once(queue: Queue) -> None:
    """The first end counts: no second one, no second callback."""
    put(queue, new("a", url="https://x.example/"))
    queue.claim(ROOMY, NOW)
    assert queue.end("a", Ending(State.COMPLETED), NOW) is not None
    assert queue.end("a", Ending(State.FAILED), NOW) is None
    row, _ = queue.cancel("a", NOW)
    assert row is not None
    assert row.state is State.COMPLETED
    assert len(Outbox(queue).undelivered()) == 1


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    """Jobs, states, turns and callbacks are in the file."""
    first = Queue(tmp_path / "q")
    put(first, new("a0", "a", url="https://x.example/"), new("a1", "a"), new("b0", "b"))
    first.claim(ROOMY, NOW)
    first.end("a0", Ending(State.COMPLETED), NOW)
    first.close()
    second = Queue(tmp_path / "q")
    assert drained(second) == ["b0", "a1"]
    assert [one.job_id for one in Outbox(second).undelivered()] == ["a0"]
    second.close()


def test_secrets_in_addresses_are_kept_no_longer_than_needed(tmp_path: Path) -> None:
    """While a job waits its signed URLs must be there; once it has ended, and its callback is delivered, they
    are nowhere in the file."""
    path = tmp_path / "q"
    queue = Queue(path)
    body = (
        '{"type": "t", "config": {"image": "data:image/png;base64,c2VjcmV0"},'
        ' "metadata": {"reference_image_url": "https://x.example/a.png?sig=s3cr3t"}}'
    )
    put(queue, new("a", body=body, url="https://hooks.example/h?token=t0k3n"))
    queue.claim(ROOMY, NOW)
    queue.end("a", Ending(State.COMPLETED), NOW)
    outbox = Outbox(queue)
    (callback,) = outbox.due(NOW, 9, frozenset())
    assert callback.url.endswith("t0k3n")
    outbox.delivered(callback, NOW)
    queue.close()
    with sqlite3.connect(path) as db:
        kept = "\n".join(db.iterdump())
    db.close()
    assert not any(word in kept for word in ("s3cr3t", "t0k3n", "c2VjcmV0"))
    assert "https://x.example/a.png" in kept


def test_the_longest_due_callback_goes_first(queue: Queue) -> None:
    """Callbacks go out in the order in which they became due; those under way are left out."""
    for number in range(3):
        put(queue, new(f"j{number}", url="https://x.example/"))
        queue.claim(ROOMY, NOW)
        queue.end(f"j{number}", Ending(State.COMPLETED), NOW - timedelta(seconds=number))
    outbox = Outbox(queue)
    assert [one.job_id for one in outbox.due(NOW, 2, frozenset())] == ["j2", "j1"]
    assert [one.job_id for one in outbox.due(NOW, 2, frozenset({"msg_j2"}))] == ["j1", "j0"]
    assert outbox.due(NOW - timedelta(hours=1), 9, frozenset()) == []


def ended(queue: Queue, *days: float, url: str | None = None) -> None:
    """Jobs j0, j1, … that ended so many days ago."""
    for number, ago in enumerate(days):
        put(queue, new(f"j{number}", url=url))
        queue.claim(ROOMY, NOW)
        queue.end(f"j{number}", Ending(State.COMPLETED), NOW - timedelta(days=ago))


def kept(queue: Queue) -> list[str]:
    return sorted(row.id for row in queue.jobs(None, None, None, 99))


def forgotten(queue: Queue, storage: LocalFolder, retention: Retention) -> list[str]:
    """What is kept after a worker with that retention has looked."""
    forgetter = Forgetter(queue, storage, retention, Time(NOW), lambda event, **fields: None)
    while forgetter.forget():
        pass
    return kept(queue)


def test_old_jobs_are_forgotten(queue: Queue, tmp_path: Path) -> None:
    """What ended more than `days` ago is gone with its callback; what waits or runs is kept, however old, and
    so are all files."""
    storage = LocalFolder(tmp_path)
    ended(queue, 40, 31, 29, 0, url="https://x.example/")
    for callback in Outbox(queue).due(NOW, 9, frozenset()):
        Outbox(queue).delivered(callback, NOW)
    put(queue, new("running"), new("waiting"))
    row = queue.claim(ROOMY, NOW - timedelta(days=99))
    assert row is not None
    assert row.id == "running"
    file = tmp_path / "workspace-temp/u/j0/0.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"media")
    assert forgotten(queue, storage, Retention(days=30)) == ["j2", "j3", "running", "waiting"]
    assert file.exists()
    count = "SELECT COUNT(*) FROM callback"
    assert queue.look(lambda db: db.execute(count).fetchone()) == (2,)


def test_the_newest_are_kept(queue: Queue, tmp_path: Path) -> None:
    """Of all jobs the newest `jobs` stay, waiting ones among them; the very last one always does, so that
    sequence numbers never come again."""
    ended(queue, *[0.0] * 250)
    put(queue, new("waiting"))
    assert len(forgotten(queue, LocalFolder(tmp_path), Retention(jobs=3))) == 3
    assert {"waiting", "j249", "j248"} == set(kept(queue))
    queue.cancel("waiting", NOW - timedelta(days=99))
    assert forgotten(queue, LocalFolder(tmp_path), Retention(days=1e-9)) == ["j248", "j249", "waiting"]


def test_a_job_is_kept_until_its_callback_has_come(queue: Queue, tmp_path: Path) -> None:
    """A callback that waits keeps its job, whatever its age; a dead one does not."""
    ended(queue, 90, 80, 70, url="https://x.example/")
    first, _, _ = Outbox(queue).due(NOW, 9, frozenset())
    Outbox(queue).failed(first, "the receiver answers 410", None, NOW)
    assert forgotten(queue, LocalFolder(tmp_path), Retention(days=30)) == ["j1", "j2"]


def test_files_of_forgotten_jobs_are_deleted_where_asked_for(queue: Queue, tmp_path: Path) -> None:
    """`delete_results`: the folder of a forgotten job is gone, others' are not; the id is free again."""
    storage = LocalFolder(tmp_path)
    ended(queue, 40, 0, 0)
    for number in range(3):
        file = tmp_path / f"workspace-temp/u/j{number}/0.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"media")
    assert forgotten(queue, storage, Retention(days=30, delete_results=True)) == ["j1", "j2"]
    assert sorted(path.name for path in (tmp_path / "workspace-temp/u").iterdir()) == ["j1", "j2"]
    assert queue.put(new("j0", body='{"type": "s"}'), ROOMY, NOW)[1] is True


def test_an_older_queue_is_taken_over(tmp_path: Path) -> None:
    """A queue of the first schema opens with its jobs; one of a later schema is refused, unchanged (R8)."""
    path = tmp_path / "q"
    first = Writer(path, MIGRATIONS[:1])
    first.call(lambda db: db.execute("INSERT INTO turn VALUES ('a', 1)").rowcount)
    first.close()
    queue = Queue(path)
    put(queue, new("a0", "a"), new("b0", "b"))
    assert drained(queue) == ["b0", "a0"]
    queue.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="version 99"):
        Queue(path)
    assert path.read_bytes() == before


def test_a_commit_is_one_sync(queue: Queue) -> None:
    """The queue has a write-ahead log, synced at every commit: what was accepted outlives a power cut, and
    costs a quarter of what a rollback journal takes."""
    asked = queue.look(
        lambda db: [db.execute(f"PRAGMA {one}").fetchone()[0] for one in ("journal_mode", "synchronous")]
    )
    assert asked == ["wal", 2]

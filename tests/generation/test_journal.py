"""The SQLite journal: durable, grouped, versioned, and never half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation import moves, rows, writer
from ai_content_pipeline.generation.schema import MIGRATIONS
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.store import Cap, Claim, Claimed, Ending, State
from ai_content_pipeline.generation.writer import Writer, wal_is_safe
from ai_content_pipeline.jobs import Billed, Handle, Reason, WireRequest

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
CHILDREN = Path(__file__).parent / "journal_children.py"


def claim(key: str, *, reserve: int | None = 100, caps: tuple[Cap, ...] = (), owner: str = "me") -> Claim:
    wire = WireRequest("e", {"prompt": key})
    return Claim(
        key, f"l-{key}", 0, "fake", "e", {"model": "m"}, wire, 1, "run", key, owner, reserve, None, caps
    )


def child(*arguments: object) -> subprocess.Popen[str]:
    """Another process at work on a journal; see `journal_children.py`."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(CHILDREN), *map(str, arguments)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> object:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(output)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


# -- versions -------------------------------------------------------------------------------------

FIRST = "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)"
SECOND = """
    ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'new'; -- every row; gets it
    CREATE INDEX t_a ON t (a);
"""


def read(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_an_older_journal_is_migrated(path):
    """A journal of an older version is brought up to date, its rows kept; an up-to-date one is left alone."""
    Writer(path, [FIRST]).close()
    for _ in range(2):
        Writer(path, [FIRST, SECOND]).close()
        assert read(path, "SELECT * FROM t") == [(1, "new")]
        assert read(path, "PRAGMA user_version") == [(2,)]


@pytest.mark.parametrize("wal", [False, True])
def test_a_newer_journal_is_refused_untouched(path, wal, monkeypatch):
    """A journal of a newer version is not opened, and not one byte of it changes."""
    Writer(path, [FIRST, SECOND]).close()
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    monkeypatch.setattr(writer, "wal_is_safe", lambda version: wal)
    with pytest.raises(JournalError, match=r"version 2, and this aicp knows versions up to 1") as refused:
        Writer(path, [FIRST])
    assert "install a newer aicp" in str(refused.value.hint)
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_a_failed_migration_changes_nothing(path):
    """A migration is one transaction: if its last statement fails, its first one never was."""
    Writer(path, [FIRST]).close()
    with pytest.raises(JournalError):
        Writer(path, [FIRST, SECOND + "; INSERT INTO missing VALUES (1)"])
    assert read(path, "PRAGMA user_version") == [(1,)]
    assert read(path, "SELECT * FROM t") == [(1,)]


def test_many_processes_open_a_new_journal(path):
    """Of several processes that find no journal, one makes it and all use it."""
    children = [child("project", path) for _ in range(6)]
    projects = {answer(process) for process in children}
    assert len(projects) == 1
    assert read(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_the_project_keeps_its_name(path):
    """The project's random name lasts as long as its journal."""
    names = []
    for _ in range(2):
        store = SqliteStore(path)
        names.append(store.project)
        store.close()
    assert names[0] == names[1]


# -- durability -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 34, 1), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 9), False),
        ((3, 49, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_is_used_only_where_it_is_safe(version, safe):
    """Only releases with the fix of the WAL-reset bug, backports included, may use the write-ahead log."""
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize(("wal", "mode"), [(False, "truncate"), (True, "wal")])
def test_the_journal_is_flushed_at_every_commit(path, wal, mode, monkeypatch):
    """synchronous=FULL, in the mode that this SQLite is trusted with."""
    monkeypatch.setattr(writer, "wal_is_safe", lambda version: wal)
    opened = Writer(path)
    assert opened.call(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)
    assert opened.call(lambda db: db.execute("PRAGMA journal_mode").fetchone()) == (mode,)
    opened.close()


def test_what_waits_is_committed_together(path):
    """While the writer is busy, calls pile up; then all of them share one commit."""
    opened = Writer(path, [FIRST])
    statements: list[str] = []
    busy, go_on = threading.Event(), threading.Event()

    def block(db: sqlite3.Connection) -> None:
        db.set_trace_callback(statements.append)
        busy.set()
        go_on.wait()

    with ThreadPoolExecutor(101) as pool:
        first = pool.submit(opened.call, block)
        busy.wait()
        others = [
            pool.submit(opened.call, lambda db: db.execute("INSERT INTO t VALUES (2)")) for _ in range(100)
        ]
        while len(opened._queue) < 100:
            pass
        go_on.set()
        for future in [first, *others]:
            future.result()
    commits = Counter(statements)["COMMIT"]
    opened.close()
    assert read(path, "SELECT count(*) FROM t WHERE a=2") == [(100,)]
    assert commits == 2


def test_what_may_be_lost_waits_for_no_commit_and_gets_one_soon(path):
    """Not durable: many calls share one commit, which comes by itself, and at the latest when it closes."""
    opened = Writer(path, [FIRST])
    statements: list[str] = []
    opened.look(lambda db: db.set_trace_callback(statements.append))
    for number in range(10, 20):
        opened.call(
            lambda db, number=number: db.execute("INSERT INTO t VALUES (?)", (number,)), durable=False
        )
    assert opened.look(lambda db: db.execute("SELECT count(*) FROM t").fetchone()) == (11,)
    deadline = time.monotonic() + 30
    while read(path, "SELECT max(a) FROM t") != [(19,)]:
        assert time.monotonic() < deadline
    assert Counter(statements)["COMMIT"] < 10
    opened.call(lambda db: db.execute("INSERT INTO t VALUES (20)"), durable=False)
    opened.close()
    assert read(path, "SELECT max(a) FROM t") == [(20,)]


def test_closing_never_waits_for_what_was_left(path):
    """Closed at the moment at which what nobody waits for is about to be committed: it ends all the same."""
    opened = Writer(path, [FIRST])
    about_to, closing = threading.Event(), threading.Event()

    class Left(threading.Event):
        def set(self) -> None:
            super().set()
            if opened._gone.is_set():
                closing.set()

        def clear(self) -> None:
            about_to.set()
            closing.wait(30)
            super().clear()

    opened._left = Left()
    opened.call(lambda db: db.execute("INSERT INTO t VALUES (2)"), durable=False)
    about_to.wait()
    thread = threading.Thread(target=opened.close, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert read(path, "SELECT count(*) FROM t WHERE a=2") == [(1,)]


def test_who_waits_and_gives_up_keeps_nobody_waiting(path):
    """^C in a thread that waits for its turn: those behind it get theirs."""
    opened = Writer(path, [FIRST])
    busy, go_on = threading.Event(), threading.Event()

    def block(db: sqlite3.Connection) -> None:
        busy.set()
        go_on.wait()

    heard = threading.Event()

    def press() -> None:
        while not opened._queue:
            pass
        while not heard.is_set():  # a lock that is just about to be waited for hears no signal
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            heard.wait(0.1)

    def interrupt(number: int, frame: object) -> None:
        if not heard.is_set():
            heard.set()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(opened.call, block)
            busy.wait()
            pool.submit(press)
            with pytest.raises(KeyboardInterrupt):
                opened.call(lambda db: db.execute("INSERT INTO t VALUES (70)"))
            behind = pool.submit(opened.call, lambda db: db.execute("INSERT INTO t VALUES (71)"))
            while not opened._queue:
                pass
            go_on.set()
            first.result(timeout=30)
            behind.result(timeout=30)
    finally:
        signal.signal(signal.SIGINT, before)
    opened.close()
    assert read(path, "SELECT a FROM t WHERE a >= 70") == [(71,)]


class Interrupted:
    """A lock; at its `at`-th release ^C is heard, just after it."""

    def __init__(self, at: int) -> None:
        self._lock, self._left = threading.Lock(), at

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("at", "done"), [(1, []), (2, []), (3, [70])])
def test_wherever_it_is_interrupted_the_next_gets_its_turn(path, at, done):
    """^C before a call waits or leads, while it leads, and when it has: nobody waits for what it left."""
    opened = Writer(path, [FIRST])
    opened._guard = Interrupted(at)
    with pytest.raises(KeyboardInterrupt):
        opened.call(lambda db: db.execute("INSERT INTO t VALUES (70)"))
    thread = threading.Thread(
        target=opened.call, args=(lambda db: db.execute("INSERT INTO t VALUES (71)"),), daemon=True
    )
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    opened.close()
    assert read(path, "SELECT a FROM t WHERE a >= 70") == [(number,) for number in (*done, 71)]


def test_an_interrupted_writer_undoes_its_own_and_leaves_the_rest_to_the_next(path):
    """^C in the thread that writes for all: its own never happened, its neighbours' is done."""

    class Stop(BaseException):
        pass

    opened = Writer(path, [FIRST])
    busy, go_on = threading.Event(), threading.Event()
    pressed = iter([Stop])

    def block(db: sqlite3.Connection) -> None:
        busy.set()
        go_on.wait()

    def write(number: int) -> int:
        def operation(db: sqlite3.Connection) -> int:
            db.execute("INSERT INTO t VALUES (?)", (number,))
            if number == 64 and (key := next(pressed, None)):
                raise key
            return number

        return opened.call(operation)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(opened.call, block)
        busy.wait()
        writing = {number: pool.submit(write, number) for number in range(60, 66)}
        while len(opened._queue) < 6:
            pass
        go_on.set()
        first.result(timeout=30)
        stopped = {n for n, future in writing.items() if isinstance(future.exception(timeout=30), Stop)}
    opened.close()
    assert len(stopped) == 1
    kept = sorted(writing.keys() - stopped)
    assert read(path, "SELECT a FROM t WHERE a >= 60 ORDER BY a") == [(number,) for number in kept]


def test_a_look_sees_what_is_committed_and_waits_for_no_commit(path):
    """While a write waits for its commit to be joined by others, a look is answered from before it."""
    opened = Writer(path, [FIRST])
    begun = threading.Event()
    seen: list[int] = []

    def count(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT count(*) FROM t").fetchone()[0])

    def slow(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (5)")
        begun.set()
        seen.append(count(db))

    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(opened.call, slow)
        begun.wait()
        assert opened.look(count) == 2  # after the commit of what had begun
        writing.result()
    assert seen == [2]
    with pytest.raises(JournalError, match="no such table"):
        opened.look(lambda db: db.execute("SELECT * FROM missing"))
    assert opened.look(count) == 2  # and the thread lives on
    opened.close()


@pytest.mark.parametrize("move", ["claim", "submitted"])
def test_what_is_paid_for_is_answered_after_its_commit(path, move):
    """Durable: no POST leaves before its claim is on disk, and no poll before its request id is."""
    store = SqliteStore(path)
    held, free, running = threading.Event(), threading.Event(), threading.Event()
    moves = {
        "claim": lambda: store.claim(claim("new"), NOW),
        "submitted": lambda: store.submitted("k", "me", Handle("id-1"), NOW),
    }
    assert store.claim(claim("k"), NOW) is Claimed.MINE

    def late(db: sqlite3.Connection) -> None:
        running.set()  # so the move before it has run, too
        free.wait()

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(store._writer.call, lambda db: held.wait())
        while store._writer._queue:
            pass
        moving = pool.submit(moves[move])
        while not store._writer._queue:
            pass
        neighbour = pool.submit(store._writer.call, late)
        while len(store._writer._queue) < 2:
            pass
        held.set()
        running.wait()
        answered, _ = wait([moving], timeout=0.3)
        free.set()
        for future in (first, moving, neighbour):
            future.result()
    assert not answered
    store.close()


def test_a_job_that_somebody_took_over_is_not_written(path):
    """As far as this process knows it wrote the row last, and yet it is another's by now."""
    ours, theirs = SqliteStore(path), SqliteStore(path)
    assert ours.claim(claim("k"), NOW) is Claimed.MINE
    assert theirs.take_over("k", "me", "other")
    with pytest.raises(JournalError, match="belongs to another process"):
        ours.submitted("k", "me", Handle("id-1"), NOW)
    job = theirs.submitted("k", "other", Handle("id-2"), NOW)
    with pytest.raises(JournalError, match="cannot go from submitted"):
        ours.submitted("k", "other", Handle("id-3"), NOW)
    assert ours.job("k") == theirs.job("k") == job
    assert theirs.finished("k", Ending()).owner == "other"
    assert ours.done("k", [], NOW).state is State.DONE  # read again, because it was moved elsewhere
    ours.close()
    theirs.close()


def test_what_a_failed_transaction_wrote_is_not_believed(path):
    """A move whose transaction was rolled back never was: the next one begins where the journal stands."""
    store = SqliteStore(path)
    assert store.claim(claim("k"), NOW) is Claimed.MINE

    def fail(db: sqlite3.Connection) -> None:
        moves.move(db, store._known, "k", State.SUBMITTED, "me", **rows.accepted(Handle("id-1"), NOW))
        raise sqlite3.OperationalError("disk full")

    with pytest.raises(JournalError, match="disk full"):
        store._writer.call(fail)
    assert store._known["k"]["state"] == "submitted"
    assert store.job("k").state is State.INTENT
    job = store.submitted("k", "me", Handle("id-2"), NOW)
    assert job == store.job("k")
    assert job.handle == Handle("id-2")
    assert store.gone("k", "404", NOW).state is State.GONE
    assert store._known == {}  # only what is on its way is kept in memory
    store.close()


def test_a_failing_neighbour_fails_alone(path):
    """Of a batch, the operation at fault raises; the others are made, once each."""
    opened = Writer(path, [FIRST])

    def operate(i: int) -> str:
        def operation(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO t VALUES (?)", (100 + i,))
            if i % 4 == 0:
                raise JournalError("not allowed")

        try:
            opened.call(operation)
        except JournalError as error:
            return error.message
        return "made"

    with ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(operate, range(40)))
    opened.close()
    assert outcomes == ["not allowed" if i % 4 == 0 else "made" for i in range(40)]
    assert read(path, "SELECT a FROM t WHERE a >= 100 ORDER BY a") == [(100 + i,) for i in range(40) if i % 4]


# -- trouble --------------------------------------------------------------------------------------


def garbage(path: Path) -> Path:
    path.write_bytes(b"this is no database, whatever it is called" * 100)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "spoil", [garbage, folder, lambda path: path / "in" / "no" / "folder", lambda path: Path("a\0b")]
)
def test_a_journal_that_cannot_be_opened_is_a_typed_error(path, spoil):
    """Whatever is wrong with the file, nobody waits for ever and nobody sees a traceback."""
    spoiled = spoil(path)
    with pytest.raises(JournalError, match="cannot be used") as refused:
        SqliteStore(spoiled)
    assert refused.value.hint


def test_a_closed_journal_answers(path):
    """A thread that comes too late gets an error instead of waiting for ever."""
    opened = Writer(path, [FIRST])
    opened.close()
    with pytest.raises(JournalError, match="closed"):
        opened.call(lambda db: None)


def test_everybody_is_answered_when_the_journal_closes(path):
    """Closing while many call: every call is either made or refused."""
    opened = Writer(path, [FIRST])

    def call(i: int) -> bool:
        try:
            opened.call(lambda db: db.execute("INSERT INTO t VALUES (?)", (100 + i,)))
        except JournalError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(call, i) for i in range(300)]
        opened.close()
        made = [i for i, future in enumerate(futures) if future.result(timeout=30)]
    assert read(path, "SELECT a FROM t WHERE a >= 100 ORDER BY a") == [(100 + i,) for i in made]


def test_a_locked_journal_is_a_typed_error_for_all_who_wait(path, monkeypatch):
    """When a foreign program keeps the file locked, all who wait are told together, not one after another."""
    monkeypatch.setattr(writer, "_BUSY_SECONDS", 0.3)
    opened = Writer(path, [FIRST])
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")

    def call(i: int) -> str:
        with pytest.raises(JournalError, match="locked") as refused:
            opened.call(lambda db: db.execute("INSERT INTO t VALUES (2)"))
        return str(refused.value)

    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        assert len(list(pool.map(call, range(20)))) == 20
    assert time.monotonic() - begun < 10 * 0.3
    foreign.execute("ROLLBACK")
    foreign.close()
    opened.call(lambda db: db.execute("INSERT INTO t VALUES (3)"))
    opened.close()
    assert read(path, "SELECT a FROM t ORDER BY a") == [(1,), (3,)]


def test_a_damaged_row_is_a_typed_error(path):
    """A row that was written by something else is reported, and harms no other."""
    store = SqliteStore(path)
    for key in ("good", "bad"):
        store.claim(claim(key), NOW)
    store._writer.call(lambda db: db.execute("UPDATE job SET wire='{', state='flying' WHERE key='bad'"))
    with pytest.raises(JournalError, match="cannot be used"):
        store.job("bad")
    assert store.job("good") is not None
    store.close()


@pytest.mark.parametrize("kind", ["limit", "tmpfs"])
def test_a_full_disk_loses_nothing_and_halves_nothing(tmp_path, kind):
    """Without room a claim is refused: what was acknowledged is there, what was refused is not."""
    room = tmp_path / "room"
    room.mkdir()
    mounted = (
        kind == "tmpfs"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(room)], check=False, capture_output=True
        ).returncode
    )
    if kind == "tmpfs" and not mounted:
        pytest.skip("needs the right to mount")
    try:
        told = answer(child("fill", room / "journal.sqlite3", kind))
    finally:
        if mounted:
            subprocess.run(["umount", str(room)], check=True)
    assert told["acknowledged"] == told["found"]
    assert told["refused"] > 0
    assert told["error"].startswith("JournalError: the journal")
    assert told["integrity"] == "ok"
    assert told["afterwards"] == "mine"


# -- several processes ------------------------------------------------------------------------------


def test_a_cap_holds_over_processes(path):
    """Two processes of many threads against a cap for ten of their twenty jobs: ten, to the cent."""
    children = [child("claim", path, 1000, name, 10) for name in ("a", "b")]
    answers = [answer(process) for process in children]
    counted = Counter(each for told in answers for each in told)
    assert counted == {"mine": 10, "cap": 10}
    assert read(path, "SELECT sum(reserved) FROM charge") == [(1000,)]


def test_a_key_is_claimed_once_over_processes(path):
    """However many processes want the same jobs, each job is submitted by one of them."""
    children = [child("claim", path, 10**9, "same", 40) for _ in range(4)]
    counted = Counter(each for process in children for each in answer(process))
    assert counted == {"mine": 40, "busy": 120}


def test_one_process_takes_over(path):
    """A dead process's job is taken over by one of the living."""
    store = SqliteStore(path)
    store.claim(claim("k", owner="dead"), NOW)
    children = [child("heir", path, f"heir {i}") for i in range(4)]
    heirs = [answer(process) for process in children]
    job = store.job("k")
    store.close()
    assert heirs.count(True) == 1
    assert job is not None
    assert job.owner == f"heir {heirs.index(True)}"


@pytest.mark.parametrize("wal", [False, True])
def test_processes_write_together(path, wal):
    """Several processes journal at once in either mode; every acknowledged write is there."""
    children = [child("write", path, name, 100, int(wal)) for name in "abc"]
    assert [answer(process) for process in children] == [100] * 3
    assert read(path, "SELECT count(*) FROM job WHERE state='submitted'") == [(300,)]
    assert read(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_killed_writer_leaves_what_it_acknowledged(path):
    """SIGKILL in the middle of many writes: all that was acknowledged is there, and the file is sound."""
    for _ in range(3):
        process = child("stream", path)
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(40)]
        process.kill()
        seen += process.stdout.read().split()
        process.wait()
        process.stdout.close()
        keys = {key for (key,) in read(path, "SELECT key FROM job")}
        assert set(seen[:-1]) <= keys  # the last line may have been cut
        assert read(path, "PRAGMA integrity_check") == [("ok",)]


# -- money, under any interleaving --------------------------------------------------------------------

prices = st.integers(0, 60)
ENDS = (
    "released",
    "refused",
    "failed",
    "doubted",
    "disproved",
    "resubmitted",
    "abandoned",
    "cheaper",
    "plain",
)
steps = st.lists(st.tuples(st.sampled_from(["claim", "free", *ENDS]), st.integers(0, 5), prices), max_size=40)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 200))
def test_a_cap_is_never_passed(history, micro):
    """Whatever happens to whichever job in whichever order, what is committed stays within the cap."""
    store = SqliteStore(None)
    cap = Cap(micro, run="run")
    counted: dict[str, list[int]] = {}  # key: what each of its POSTs counts
    try:
        for what, number, price in history:
            key = f"k{number}"
            job = store.job(key)
            if what in ("claim", "free"):
                reserve = price if what == "claim" else 0
                before = sum(map(sum, counted.values()))
                answered = store.claim(claim(key, reserve=reserve, caps=(cap,)), NOW)
                if answered is Claimed.MINE:
                    counted.setdefault(key, []).append(reserve)
                elif answered is Claimed.CAP:
                    assert before + reserve > micro
            elif job is not None and job.state is State.INTENT:
                after(store, key, what, price, counted[key])
            committed = store.committed(cap)
            assert committed == sum(map(sum, counted.values()))
            assert committed <= micro
    finally:
        store.close()


def after(store: SqliteStore, key: str, what: str, price: int, counts: list[int]) -> None:
    """One way in which a POST can end; `counts[-1]` is what it still counts."""
    if what == "released":
        store.released(key, "me", "busy", NOW)
        counts[-1] = 0
    elif what == "refused":
        store.failed(key, Reason.INVALID, "no", Billed.NO, NOW)
        counts[-1] = 0
    elif what in ("failed", "cheaper", "plain"):
        store.submitted(key, "me", Handle(f"{key}-{len(counts)}"), NOW)
        if what == "failed":
            store.failed(key, Reason.PROVIDER, "no", Billed.UNKNOWN, NOW)
        else:
            cost = min(price, counts[-1]) if what == "cheaper" else None
            store.finished(key, Ending(cost=cost))
            counts[-1] = counts[-1] if cost is None else cost
    else:
        store.doubted(key, "me", "dropped", NOW)
        if what == "disproved":
            store.undoubted(key, abandon=False, spent=False, now=NOW)
            counts[-1] = 0
        elif what == "resubmitted":
            store.undoubted(key, abandon=False, spent=True, now=NOW)
        elif what == "abandoned":
            store.undoubted(key, abandon=True, spent=True, now=NOW)


def test_looking_at_open_jobs_reads_only_those(path):
    """Finding what runs does not read through every job there ever was."""
    store = SqliteStore(path)
    plan = store._writer.call(
        lambda db: db.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM job WHERE state IN ('intent', 'submitted')"
        ).fetchall()
    )
    store.close()
    assert "job_state" in plan[0][3]


def test_a_copied_journal_is_whole(path, tmp_path):
    """With no process running, the one file is the whole journal: it can be copied and backed up."""
    store = SqliteStore(path)
    store.claim(claim("k"), NOW)
    store.close()
    copy = tmp_path / "copy.sqlite3"
    shutil.copyfile(path, copy)
    assert read(copy, "SELECT key FROM job") == [("k",)]
    assert sorted(each.name for each in tmp_path.iterdir() if each.stat().st_size) == [
        "copy.sqlite3",
        path.name,
    ]

"""Hardening classes R3, R6, R9, R10, S3, S4 and S6, as a user meets them: networks, file systems, time zones,
large journals and hostile folders."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.generation import artifact_store, owners, writer

URLS = {"fal": "AICP_FAL_URL", "replicate": "REPLICATE_BASE_URL"}

# -- the network ---------------------------------------------------------------------------------------


def nobody(account: Any) -> str:
    """A port of this machine where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def no_tls(account: Any) -> str:
    """The sandbox, as if it spoke TLS."""
    return str(account.sandbox.environ()["AICP_FAL_URL"]).replace("http://", "https://")


def no_dns(account: Any) -> str:
    return "https://no-such-host.invalid"


@pytest.mark.parametrize("where", [nobody, no_tls, no_dns], ids=lambda where: where.__name__)
@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_a_vendor_that_cannot_be_reached_costs_nothing(
    account: Any, vendor: str, where: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: no connection, no TLS, no DNS: tried again for a while, then exit 75 and why; nothing was sent, so
    nothing is reserved or in doubt."""
    if where is no_dns:
        asked = socket.getaddrinfo

        def unknown(host: Any, *rest: Any, **more: Any) -> Any:
            if str(host).endswith(".invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return asked(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    account.extra[URLS[vendor]] = where(account)
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain()
    assert said.code == 75, said.text
    assert f"{vendor} cannot be reached" in said.err
    assert "to go on: aicp run-chain pipeline.yaml" in said.err
    assert account.aicp("cost", "--json").data["spend"] == []
    assert account.aicp("status", "--json").data["jobs"] == []
    assert account.accepted == 0


# -- the file system -----------------------------------------------------------------------------------


def locks_nothing(descriptor: int, *, shared: bool) -> bool:
    """A file system that grants every lock."""
    return True


def has_no_locks(descriptor: int, *, shared: bool) -> bool:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("lock", [locks_nothing, has_no_locks], ids=lambda lock: lock.__name__)
def test_no_run_starts_where_locks_do_not_work(
    account: Any, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., bool]
) -> None:
    """R6: on a network share a living process would look dead, and its jobs be bought again: exit 1, the
    folder, and what to do; the vendor hears nothing."""
    account.write(account.pictures("fal", ["a cup"]))
    monkeypatch.setattr(owners, "_lock", lock)
    said = account.chain()
    assert said.code == 1, said.text
    assert str(account.project.state) in said.err
    assert "lock" in said.err
    assert "a local disk" in said.err
    assert account.sandbox.counts() == {}


def test_a_disk_that_cannot_be_flushed_loses_nothing(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """R6: a result that cannot be made durable is not called done: exit 1 and how to go on; once it can, the
    same command fetches what was paid, and pays nothing more."""
    account.write(account.pictures("fal", ["a cup"]))

    def refuse(path: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(artifact_store, "_sync", refuse)
        said = account.chain()
    assert said.code == 1, said.text
    assert "the result cannot be stored below .aicp: [Errno 22] Invalid argument" in said.err
    assert "it is fetched at no cost" in said.err
    assert account.chain().code == 0
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


@pytest.mark.parametrize("safe", [True, False], ids=["wal", "truncate"])
def test_either_way_of_journaling_pays_once(
    account: Any, monkeypatch: pytest.MonkeyPatch, safe: bool
) -> None:
    """R6: an SQLite that may lose a commit of its write-ahead log is not given one; exit 0 all the same, and
    the next command finds everything."""
    monkeypatch.setattr(writer, "wal_is_safe", lambda version: safe)
    account.write(account.pictures("fal", ["one", "two", "three"]))
    assert account.chain().code == 0
    said = account.chain()
    assert (said.code, "3 cached" in said.err) == (0, True), said.text
    assert account.paid == {"one": 1, "two": 1, "three": 1}


# -- time ----------------------------------------------------------------------------------------------


def test_a_day_is_the_same_day_everywhere(account: Any) -> None:
    """R9: on the two sides of the date line, and where clocks are put back: one cap a day, of UTC; exit 5 for
    the second; dates are UTC's wherever they are shown."""
    account.extra["AICP_MAX_COST_PER_DAY"] = "0.15"
    days = {f"{datetime.now(UTC):%Y-%m-%d}"}
    for number, (zone, code) in enumerate(
        [("Pacific/Kiritimati", 0), ("Etc/GMT+12", 5), ("Europe/Berlin", 5), ("XXX-25:30", 5)]
    ):
        account.extra["TZ"] = zone
        account.write(account.pictures("fal", [f"picture {number}"]))
        process = account.start("run-chain", "pipeline.yaml", "--yes")
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        assert ("would pass the cap" in err) == (code == 5), err
    days.add(f"{datetime.now(UTC):%Y-%m-%d}")
    assert {row["day"] for row in account.aicp("cost", "--json").data["spend"]} <= days
    assert account.accepted == 1


@pytest.mark.parametrize("moment", ["2028-02-29T23:59:58", "2026-10-25T00:59:58", "2026-12-31T23:59:59"])
def test_odd_days_are_days(account: Any, moment: str) -> None:
    """R9: a leap day, the hour that comes twice, the end of a year: exit 0, paid once, collected in time."""
    account.clock.ahead = datetime.fromisoformat(moment).replace(tzinfo=UTC) - datetime.now(UTC)
    account.write(account.pictures("replicate", ["a cup"]))
    said = account.chain()
    assert said.code == 0, said.text
    assert account.aicp("cost", "--json").data["spend"][0]["day"] in (
        moment[:10], f"{datetime.fromisoformat(moment) + timedelta(days=1):%Y-%m-%d}",
    )  # fmt: skip
    assert account.chain().code == 0
    assert account.paid == {"a cup": 1}


# -- size ----------------------------------------------------------------------------------------------

CLONE = """
    WITH RECURSIVE number(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < 10000)
    INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, number WHERE {table}.key = ?"""


def ten_thousand(account: Any) -> None:
    """A journal of so many jobs as a run leaves them; one of a hundred still runs at its vendor."""
    account.write(account.pictures("fal", ["a cup of coffee on a wooden table in the morning light"]))
    assert account.chain().code == 0
    with sqlite3.connect(account.project.journal) as db:
        (key,) = db.execute("SELECT key FROM job").fetchone()
        for table, own in (
            ("job", {"key": "key || n", "request_id": "request_id || n", "address": "'pics/pics_' || n",
                     "state": "iif(n % 100, state, 'submitted')"}),
            ("charge", {"id": "NULL", "key": "key || n", "run": "'run ' || (n % 7)"}),
        ):  # fmt: skip
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(own.get(column, column) for column in columns)
            db.execute(CLONE.format(table=table, columns=", ".join(columns), values=values), (key,))
    db.close()


def test_ten_thousand_jobs_are_shown_within_a_second(account: Any) -> None:
    """R10: on a journal of ten thousand jobs `status` and `cost` take less than a second of work each, and it
    has a few kilobytes a job; exit 0, and the sums are right."""
    ten_thousand(account)
    assert account.project.journal.stat().st_size < 10_000 * 4096
    for command in ("status", "cost"):
        account.aicp(command)  # what is imported once
        began = time.process_time()
        said = account.aicp(command, "--json")
        assert time.process_time() - began < 1.0
        assert said.code == 0
    assert said.data["estimated_usd"] == "1500.00"
    assert len(said.data["spend"]) == 8  # the clones are of seven runs
    assert len(account.aicp("status", "--json").data["jobs"]) == 100


# -- hostile folders -----------------------------------------------------------------------------------


def test_a_hostile_folder_sets_nothing(account: Any) -> None:
    """S4: a ``.env`` beside the pipeline is not read: exit 4 for want of a key, which it names, and not one
    request to anybody."""
    key = account.environ["FAL_KEY"]
    (account.root / ".env").write_text(
        f"FAL_KEY={key}\nAICP_FAL_URL=https://evil.example\nLD_PRELOAD=/x.so\n"
    )
    account.extra["FAL_KEY"] = ""
    account.write(account.pictures("fal", ["a cup"]))
    said = account.chain()
    (account.root / ".env").unlink()  # the key in it is this test's, not a leak
    assert said.code == 4, said.text
    assert "FAL_KEY" in said.err
    assert "evil" not in said.text
    assert account.sandbox.counts() == {}


@pytest.mark.parametrize(
    "line",
    [
        "name: ${FAL_KEY}",
        "output_dir: output/${FAL_KEY}",
        "description: ${REPLICATE_API_TOKEN}",
        "seed: ${FAL_KEY}",
    ],
)
def test_no_field_of_a_pipeline_takes_a_key(account: Any, line: str) -> None:
    """S6: names, folders and descriptions neither: exit 3 with the place, and the variable's name alone."""
    text = account.pictures("fal", ["a cup"], top=line)
    account.write(text.replace("name: pics\n", "", 1) if line.startswith("name") else text)
    said = account.chain()
    assert said.code == 3, said.text
    assert "pipeline.yaml:" in said.err
    assert line.partition("${")[2].rstrip("}") in said.err
    assert "canary" not in said.text
    assert not [path for path in Path(account.root).rglob("*") if "canary" in path.name]
    assert account.sandbox.counts() == {}


def test_children_get_no_key_on_their_way(account: Any) -> None:
    """S3: nothing that a run starts is started with a key in its arguments; here it starts nothing at all."""
    before = os.environ.copy()
    account.write(account.pictures("fal", ["a cup"]) + "  - {type: thumbnail}\n")
    assert account.chain().code == 0
    assert dict(os.environ) == before  # and what it sets is not left for the next program

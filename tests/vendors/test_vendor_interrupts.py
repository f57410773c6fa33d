"""Stopping: ^C once and twice, with and without cancelling, and `aicp cancel` in time and too late."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from ai_content_pipeline.sandbox import actions as do

LONG = do.RunTime(seconds=30.0)
BOTH = ("fal", "replicate")


def until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def begun(account: Any, vendor: str, *words: str, prompts: int = 2) -> subprocess.Popen[str]:
    """A run in a process of its own, whose jobs have been polled at the vendor."""
    account.write(account.pictures(vendor, [f"picture {number}" for number in range(prompts)], workers=2))
    process = account.start("run-chain", "pipeline.yaml", "--yes", "--allow-unpriced", *words)
    until(lambda: account.sandbox.counts().get(f"{vendor}.status", 0) >= 3, process)
    return process


@pytest.mark.parametrize("vendor", BOTH)
def test_the_first_interrupt_collects_what_runs(account: Any, vendor: str) -> None:
    """^C: nothing new starts, the two that run are collected; exit 130 and the command to go on with."""
    account.script(do.RunTime(seconds=2.0), route=("submit",))
    process = begun(account, vendor, prompts=4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert account.accepted == 2
    assert "aicp run-chain pipeline.yaml" in out + err
    account.unscript()
    assert account.chain().code == 0
    assert account.paid == {f"picture {number}": 1 for number in range(4)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_the_second_interrupt_leaves_it_to_a_later_command(account: Any, number: signal.Signals) -> None:
    """Twice: gone within seconds with 130; the vendor's jobs are collected by `aicp fetch`, paid once."""
    account.script(LONG, route=("submit",))
    process = begun(account, "fal")
    process.send_signal(number)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    account.sandbox.advance(60)
    assert account.aicp("fetch").text.count("collected") == 2
    assert account.chain().code == 0
    assert account.paid == {"picture 0": 1, "picture 1": 1}


@pytest.mark.parametrize(
    "action",
    [do.Drip(chunk=1, pause=0.1), do.Hang(), do.Status(code=503), do.Html()],
    ids=lambda action: action.kind,
)
def test_the_second_interrupt_does_not_wait_for_a_download(account: Any, action: do.AnyAction) -> None:
    """While a file drips, hangs, fails or does not decode: gone in seconds; fetched later, paid once."""
    account.script(action, route=("download",))
    account.write(account.pictures("fal", ["a cup"]))
    process = account.start("run-chain", "pipeline.yaml", "--yes")
    tries = 1 if action.kind in ("drip", "hang") else 3  # the pauses between tries grow to seconds
    until(lambda: account.sandbox.counts().get("fal.download", 0) >= tries, process)
    began = time.monotonic()
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert time.monotonic() - began < 2.0
    account.unscript()
    assert account.aicp("fetch").text.count("collected") == 1
    assert account.chain().code == 0
    assert account.paid == {"a cup": 1}


@pytest.mark.parametrize("vendor", BOTH)
def test_the_second_interrupt_does_not_wait_for_a_pause(account: Any, vendor: str) -> None:
    """A vendor that wants no looks for four minutes: gone in seconds; collected later, paid once."""
    account.sandbox.script(LONG, account.rule(do.Status(code=429, retry_after=240), route=("status",)))
    account.write(account.pictures(vendor, ["a cup"]))
    process = account.start("run-chain", "pipeline.yaml", "--yes", "--allow-unpriced")
    until(lambda: account.sandbox.counts().get(f"{vendor}.status", 0) >= 1, process)
    time.sleep(0.3)  # its answer is on its way
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, out + err
    assert account.sandbox.counts()[f"{vendor}.status"] == 1
    account.unscript()
    account.sandbox.advance(60)
    assert account.aicp("fetch").text.count("collected") == 1
    assert account.chain().code == 0
    assert account.paid == {"a cup": 1}


def test_an_interrupt_may_cancel_at_the_vendors(account: Any) -> None:
    """--cancel-on-interrupt: both are stopped there, what the vendor answered is said, nothing is charged."""
    account.script(LONG, route=("submit",))
    process = begun(account, "fal", "--cancel-on-interrupt")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert err.count("fal: requested") == 2
    assert {job.status for job in account.sandbox.jobs()} == {"canceled"}
    assert account.paid == {}


def left_running(account: Any, vendor: str, seconds: float) -> None:
    """A run that was killed while its one job of `seconds` runs at the vendor."""
    account.script(do.RunTime(seconds=seconds), route=("submit",))
    process = begun(account, vendor, prompts=1)
    process.kill()
    process.communicate()
    account.unscript()


@pytest.mark.parametrize(
    ("vendor", "answer"),
    [("fal", "fal: requested, it stops if it still can\n"), ("replicate", "replicate: cancelled\n")],
)
def test_a_cancel_in_time(account: Any, vendor: str, answer: str) -> None:
    """The vendor stops it; its answer is said, and there is nothing to collect."""
    left_running(account, vendor, 30.0)
    said = account.aicp("cancel")
    assert (said.code, answer in said.text) == (0, True), said.text
    assert [job.status for job in account.sandbox.jobs()] == ["canceled"]
    assert account.aicp("fetch").text == "nothing to collect\n"
    assert account.aicp("cancel").text == "nothing runs\n"


@pytest.mark.parametrize("vendor", BOTH)
def test_a_late_cancel_collects(account: Any, vendor: str) -> None:
    """It had finished: it is paid, so it is collected, and the same command has it for nothing."""
    left_running(account, vendor, 5.0)
    account.sandbox.advance(10)
    said = account.aicp("cancel")
    assert (said.code, "too late" in said.text, "collected" in said.text) == (0, True, True), said.text
    assert account.chain().code == 0
    assert (account.accepted, account.paid) == (1, {"picture 0": 1})


@pytest.mark.parametrize("answer", ["ignored", "too_late", "not_found", "forgotten"])
@pytest.mark.parametrize("vendor", BOTH)
def test_what_a_vendor_may_answer_to_a_cancel(account: Any, vendor: str, answer: Any) -> None:
    """Whatever it says, the job's own state decides: what ends after all is collected, and paid once."""
    left_running(account, vendor, 3.0)
    account.script(do.Cancel(answer=answer))
    said = account.aicp("cancel")
    assert said.code == 0, said.text
    account.sandbox.advance(10)
    code = account.chain().code
    if answer == "forgotten":  # cancelled, and then unknown: there is nothing to come
        assert (code, account.accepted) == (1, 1)
    else:
        assert (code, account.accepted, account.paid) == (0, 1, {"picture 0": 1}), account.said[-1].text


def test_only_what_is_named_is_cancelled(account: Any) -> None:
    """`aicp cancel ADDRESS` leaves the others running."""
    account.script(LONG, route=("submit",))
    process = begun(account, "fal")
    process.kill()
    process.communicate()
    assert "pics/pics_2" in account.aicp("cancel", "pics/pics_2").text
    assert sorted(job.status for job in account.sandbox.jobs()) != ["canceled", "canceled"]


@pytest.mark.parametrize("vendor", BOTH)
def test_a_vendor_that_cannot_be_asked_to_cancel(account: Any, vendor: str) -> None:
    """Exit 75 and which job may still run; it is not given up: what it makes is collected, paid once."""
    left_running(account, vendor, 30.0)
    account.script(do.Status(code=503), route=("cancel",))
    said = account.aicp("cancel")
    assert (said.code, f"{vendor}: no answer" in said.text) == (75, True), said.text
    account.unscript()
    account.sandbox.advance(60)
    assert account.chain().code == 0
    assert (account.accepted, account.paid) == (1, {"picture 0": 1})


def test_an_interrupt_that_cannot_cancel_still_ends_well(account: Any) -> None:
    """--cancel-on-interrupt and no answer: the run goes on collecting, as after any ^C."""
    account.sandbox.script(
        account.rule(do.RunTime(seconds=2.0), route=("submit",)),
        account.rule(do.Status(code=500), route=("cancel",)),
    )
    process = begun(account, "fal", "--cancel-on-interrupt")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130), out + err
    assert err.count("fal: no answer") == 2
    assert account.paid == {"picture 0": 1, "picture 1": 1}


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
def test_nobody_is_too_impatient_for_the_last_report(account: Any, how: list[str]) -> None:
    """^C again and again until it has ended: exit 130, the whole report, how to go on; not a word twice."""
    account.script(LONG, route=("submit",))
    process = begun(account, "fal", *how)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.003)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert len(re.findall(r"interrupted:? ?\n", err)) == 0
    report = json.loads(account.report)
    assert (report["exit_code"], report["resume_with"].split()[:2]) == (130, ["aicp", "run-chain"])
    if how:
        assert json.loads(out)["data"]["run"] == report["run"]
    else:
        assert err.count("to go on: aicp run-chain pipeline.yaml") == 1
        assert "2 jobs go on at fal: aicp fetch" in err
    account.sandbox.advance(60)
    assert account.aicp("fetch").text.count("collected") == 2
    assert account.paid == {"picture 0": 1, "picture 1": 1}


def test_nohup_keeps_a_run_going(account: Any) -> None:
    """Started with hangups ignored, a closed terminal ends nothing: exit 0, everything is made."""
    account.script(do.RunTime(seconds=2.0), route=("submit",))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited by what is started now
    try:
        process = begun(account, "fal")
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert account.paid == {"picture 0": 1, "picture 1": 1}

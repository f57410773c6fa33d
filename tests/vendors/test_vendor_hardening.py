"""Hardening classes that no fault of the sandbox shows: C7 and C8 (caps over days and loops), M17 (sound
pictures with something odd in them, from a vendor)."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import pytest

from ai_content_pipeline.sandbox import actions as do


def test_redos_in_a_loop_end_at_the_cap_of_the_day(account: Any) -> None:
    """C8: three at $0.15 fit into $0.45; every further redo is exit 5, says so, and pays nothing."""
    account.extra["AICP_MAX_COST_PER_DAY"] = "0.45"
    account.write(account.pictures("fal", ["a cup"]))
    assert account.chain().code == 0
    for number in range(5):
        said = account.aicp("redo", "pipeline.yaml", "pics/pics_1", "--yes")
        assert said.code == (0 if number < 2 else 5), said.text
    assert "cap" in said.text
    assert account.accepted == 3


@pytest.mark.parametrize("days", [-3, -0.5])
def test_a_clock_that_is_set_back_frees_no_money(account: Any, days: float) -> None:
    """C7: what was spent in what is now the future still counts; exit 5."""
    account.extra["AICP_MAX_COST_PER_DAY"] = "0.20"
    account.write(account.pictures("fal", ["a cup"]))
    assert account.chain().code == 0
    account.clock.ahead += account.hours(24 * days)
    account.write(account.pictures("fal", ["a plate"]))
    said = account.chain()
    assert said.code == 5, said.text
    assert "cap" in said.text
    assert account.accepted == 1


def test_a_journal_that_was_deleted_is_missed(account: Any) -> None:
    """C7: results without a journal. `plan` and `run-chain` say, before anybody agrees, that what was paid
    may be paid again, with what to do, and their exit codes stay; the commands that need the journal say it
    in place of "nothing has been run"."""
    account.write(account.pictures("fal", ["a cup"]))
    assert "is gone" not in account.chain().text
    for file in account.project.state.glob("journal.sqlite3*"):
        file.unlink()
    words = "nobody knows any more what was paid for"
    for command in ("status", "cost", "fetch"):
        said = account.aicp(command)
        assert (said.code, words in said.err, "backup" in said.err) == (2, True, True), said.text
    assert words in account.aicp("plan", "pipeline.yaml").err
    (warning,) = account.aicp("plan", "pipeline.yaml", "--json").data["warnings"]
    assert words in warning
    refused = account.aicp("run-chain", "pipeline.yaml")
    assert (refused.code, words in refused.err.partition("error:")[0]) == (5, True), refused.text
    assert account.accepted == 1


def test_a_draft_that_begins_a_new_journal_says_so_too(account: Any) -> None:
    """C7: it spends nothing, and is the last moment to hear of it."""
    account.write(account.pictures("fal", ["a cup"]))
    account.chain()
    for file in account.project.state.glob("journal.sqlite3*"):
        file.unlink()
    assert "backup of the journal" in account.aicp("run-chain", "pipeline.yaml", "--draft").err


def test_a_run_without_its_journal_goes_on_with_a_warning(account: Any) -> None:
    """C7: agreed to by --yes, it runs, pays again and keeps the warning in its report; exit 0."""
    account.write(account.pictures("fal", ["a cup"]))
    account.chain()
    for file in account.project.state.glob("journal.sqlite3*"):
        file.unlink()
    said = account.chain()
    assert said.code == 0
    assert said.err.index("what was made before may be paid for again") < said.err.index("pics/pics_1")
    assert "may be paid for again" in account.report
    assert account.accepted == 2
    assert "may be paid for again" not in account.chain().text


def png_with(kind: bytes, content: bytes) -> bytes:
    """A sound picture with one chunk more, before its pixels."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 90, 200)).save(file, "PNG")
    data = file.getvalue()
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, struct.pack(">I", 2**31) + b"jumb" * 9], ids=len)
def test_a_picture_with_broken_provenance_is_kept_as_it_is(account: Any, content: bytes) -> None:
    """M17: a C2PA chunk that is no JUMBF is nobody's trouble: exit 0, and not a byte is changed."""
    picture = png_with(b"caBX", content)
    account.script(do.OutputUrl(url=f"data:image/png;base64,{base64.b64encode(picture).decode()}"))
    account.write(account.pictures("fal", ["a cup"]))
    said = account.chain()
    assert said.code == 0, said.text
    (file,) = (account.root / "output").rglob("*.png")
    assert file.read_bytes() == picture

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

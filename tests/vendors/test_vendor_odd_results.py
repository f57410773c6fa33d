"""Hardening classes R4, M16, M17 and M18 where a vendor's result is concerned: it decodes, and is odd."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from ai_content_pipeline.sandbox import actions as do

CLIP = """
name: pics
steps:
  - {name: clip, type: text_to_video, model: kling_2_6_pro_t2v, params: {prompt: waves}}
"""


def as_data(content: bytes, media_type: str) -> do.OutputUrl:
    """The vendor's result is just this."""
    return do.OutputUrl(url=f"data:{media_type};base64,{base64.b64encode(content).decode()}")


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_a_blacked_out_picture_is_delivered_with_a_note(account: Any, vendor: str) -> None:
    """R4: paid, so it is delivered: exit 0; summary, report and envelope say that it is black, and (fal)
    that the vendor flagged it. The same command pays nothing more."""
    account.script(do.BlackedOut())
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain("--json")
    assert said.code == 0, said.text
    (item,) = said.data["steps"][0]["items"]
    assert "it is all black: the vendor may have blacked it out" in item["notes"]
    flagged = "fal flagged output 1; it may have been blacked out"
    assert (flagged in item["notes"]) == (vendor == "fal")
    assert "it is all black" in account.report
    said = account.chain()
    assert (said.code, account.accepted, account.paid) == (0, 1, {"a cup": 1})
    assert "it is all black" in said.err


def test_a_flag_without_a_fault_is_told_too(account: Any) -> None:
    """R4: what a person reads at the end of the run, item by item."""
    account.script(do.BlackedOut(), prompt="a knife")
    account.write(account.pictures("fal", ["a cup", "a knife"]))
    said = account.chain()
    assert said.code == 0
    notes = [line for line in said.err.splitlines() if "blacked" in line]
    assert notes
    assert all("pics/pics_2" in line for line in notes), notes


@pytest.mark.parametrize("how", ["black", "frozen"])
def test_a_clip_that_shows_nothing_is_delivered_with_a_note(account: Any, how: str) -> None:
    """M18: black, or one picture from beginning to end: exit 0, delivered, and said."""
    colour = (0, 0, 0) if how == "black" else (200, 120, 40)
    account.script(as_data(clip([colour] * 8), "video/mp4"))
    account.write(CLIP)
    said = account.chain()
    assert said.code == 0, said.text
    words = "it is all black" if how == "black" else "nothing moves in it: every frame is the same picture"
    assert words in said.err
    assert words in account.report


def clip(colours: list[tuple[int, int, int]], subtitles: int = 0) -> bytes:
    """An MP4 of one frame a colour, with so many subtitles of override tags and fonts."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=4)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        texts = container.add_stream("mov_text") if subtitles else None
        if texts is not None:
            texts.codec_context.subtitle_header = (
                b"[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,16\n\n[Events]\n"
                b"Format: Layer, Start, End, Style, Text\n"
            )
        for colour in colours:
            container.mux(video.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 64), colour))))
        container.mux(video.encode(None))
        text = b"{\\an8}{\\fnEvil}<font face=x>hi</font>"
        for number in range(subtitles):
            packet = av.Packet(struct.pack(">H", len(text)) + text)
            packet.stream, packet.time_base = texts, Fraction(1, 1000)
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux(packet)
    return file.getvalue()


def test_a_clip_full_of_subtitles_is_kept_as_it_is(account: Any) -> None:
    """M16: thousands of them, with override tags and fonts: nobody reads them here; exit 0, not a byte
    changed, and the thumbnail shows the picture."""
    content = clip([(number * 30, 90, 200) for number in range(8)], subtitles=20_000)
    account.script(as_data(content, "video/mp4"))
    account.write(CLIP + "  - {type: thumbnail}\n")
    said = account.chain()
    assert said.code == 0, said.text
    (file,) = (account.root / "output/pics/clip").glob("*.mp4")
    assert file.read_bytes() == content
    assert len(list((account.root / "output/pics").rglob("*.webp"))) == 1


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("[Script Info]\n[Events]\n", "Dialogue: 0,0:00:00.00,0:00:09.00,Default,{\\p1}m 0 0{\\p0}\n"),
        ("WEBVTT\n\n", "00:00.000 --> 00:09.000\nhello\n\n"),
        ("ffconcat version 1.0\n", "file /etc/passwd\n"),
        ("#EXTM3U\n", "#EXTINF:9,\nfile:///etc/passwd\n"),
    ],
    ids=["ass", "vtt", "ffconcat", "m3u8"],
)
def test_text_in_place_of_a_clip_is_never_opened_as_one(account: Any, head: str, line: str) -> None:
    """M16: a subtitle file of a hundred thousand lines, or a list of other files: exit 1, what it is not, and
    its bytes in quarantine; paid once, and nothing of it is interpreted."""
    content = (head + line * 100_000).encode()
    account.script(as_data(content, "video/mp4"))
    account.write(CLIP)
    said = account.chain()
    assert said.code == 1, said.text
    assert "neither a picture nor a video" in said.err or "which names other files" in said.err, said.err
    assert "aicp fetch" in said.err
    (kept,) = (account.project.state / "quarantine").iterdir()
    assert kept.read_bytes() == content
    assert not list(Path(account.root / "output").rglob("*.mp4"))
    assert (account.accepted, account.paid) == (1, {"waves": 1})


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

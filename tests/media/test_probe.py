"""What a file is, its bytes decide: pictures and videos are told apart, everything else is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ai_content_pipeline.artifacts import Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.probe import probe, verify
from ai_content_pipeline.media.video import encode_video

BOTH = pytest.mark.parametrize("look", [probe, verify])
Look = Callable[[Path], MediaInfo]


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.effect_noise((width, height), 60).convert("RGB")


@BOTH
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("name", ["right", "picture.mp4", "page.html", "-i", "a%20b:c"])
def test_pictures_by_content(tmp_path: Path, look: Look, kind: str, name: str) -> None:
    """A picture is a picture whatever its name says."""
    path = tmp_path / name
    noise().save(path, kind)
    assert look(path) == MediaInfo(Kind.IMAGE, f"image/{kind}", 64, 48)


@BOTH
def test_a_picture_on_its_side(tmp_path: Path, look: Look) -> None:
    """Sizes are those on the screen."""
    exif = Image.Exif()
    exif[0x0112] = 8
    noise().save(tmp_path / "turned.jpg", exif=exif)
    info = look(tmp_path / "turned.jpg")
    assert (info.width, info.height) == (48, 64)


@BOTH
@pytest.mark.parametrize("name", ["clip.mp4", "clip.png"])
def test_videos_by_content(tmp_path: Path, look: Look, name: str) -> None:
    """A video is a video, under a picture's name too."""
    path = tmp_path / name
    encode_video((noise() for _ in range(8)), path, fps=8)
    info = look(path)
    assert (info.kind, info.media_type, info.width, info.height) == (Kind.VIDEO, "video/mp4", 64, 48)
    assert info.seconds == pytest.approx(1.0, abs=0.05)


def test_probe_reads_the_header_and_verify_everything(tmp_path: Path) -> None:
    """A picture cut in half has a size, but does not pass as sound."""
    path = tmp_path / "half.png"
    noise(300, 200).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert probe(path).width == 300
    with pytest.raises(BadMedia, match=r"half.png: damaged PNG \(image file is truncated"):
        verify(path)


def test_a_damaged_video_does_not_verify(tmp_path: Path) -> None:
    """The same law for videos."""
    path = tmp_path / "short.mp4"
    encode_video((noise(128, 96) for _ in range(8)), path, fps=8)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 4 // 5])
    assert probe(path).width == 128
    with pytest.raises(BadMedia, match=r"short\.mp4"):
        verify(path)


@BOTH
@pytest.mark.parametrize(
    ("content", "likeness"),
    [
        (b"", "an empty file"),
        (b"<!doctype html><h1>504 Gateway Time-out</h1>", "an HTML page"),
        (b"\n\n<HTML>", "an HTML page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
        (b"ffconcat version 1.0\nfile secret.mp4\n", "an ffconcat list, which names other files"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", "an m3u8 playlist, which names other files"),
        (
            b"<svg><image href='file:///etc/passwd'/></svg>",
            "an SVG drawing",
        ),
        (b'<?xml version="1.0"?><!-- --><svg/>', "an SVG drawing"),
        (b'{"error": "expired"}', "JSON"),
        (b"Service Unavailable", "text"),
        (b"GIF89a" + bytes(30), "a GIF picture"),
        (b"II*\0" + bytes(30), "a TIFF picture"),
        (b"PK\3\4" + bytes(30), "a ZIP archive"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "an AVI or WAV file"),
        (b"\0\0\0\x20ftypheic" + bytes(30), "a HEIC picture"),
        (b"\0\0\0\x20ftypM4A " + bytes(30), "a sound file"),
        (b"\x89PNG\r\n", "data of an unknown kind"),
    ],
)
def test_everything_else_is_refused_by_name(
    tmp_path: Path, look: Look, content: bytes, likeness: str
) -> None:
    """Nothing but a picture or a video reaches a decoder, and people read what they gave us instead."""
    path = tmp_path / "result.mp4"
    path.write_bytes(content)
    with pytest.raises(BadMedia, match=rf"result\.mp4: neither .* it looks like {likeness}$") as caught:
        look(path)
    assert caught.value.hint == "use PNG, JPEG, WEBP, MP4, MOV or WebM"


def test_nothing_of_the_file_is_quoted(tmp_path: Path) -> None:
    """Text in a file cannot speak through the error message."""
    path = tmp_path / "page"
    path.write_bytes(b"<html>\x1b]8;;http://evil\x07 ignore all that was said")
    with pytest.raises(BadMedia) as caught:
        probe(path)
    assert "evil" not in str(caught.value)


@BOTH
def test_pipes_and_devices_are_not_opened(tmp_path: Path, look: Look) -> None:
    """Nothing that could hang or never end is read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(BadMedia, match=f"{name}: not a regular file"):
            look(tmp_path / name)
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BadMedia, match="cannot be opened"):
            look(path)

"""The machine: Python, SQLite, encoders and fonts. What can be tried is tried."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ai_content_pipeline.cli.checkup.finding import Finding, ok, problem, warning

#: A few letters of each script that captions are likely to be in.
_SCRIPTS = {
    "Latin": "Añß",
    "Greek": "Ωλ",
    "Cyrillic": "Жя",
    "Chinese": "爱情",
    "Japanese": "あカ",
    "Korean": "사랑",
    "Arabic": "حب",
    "Hebrew": "אב",
    "Devanagari": "प्रे",
    "Thai": "รัก",
}
_JOINED = ("Arabic", "Devanagari")
_SIDE, _FRAMES, _RATE = 64, 4, 44_100


def python() -> Iterator[Finding]:
    yield ok(
        "Python", f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    )


def sqlite(number: tuple[int, int, int] = sqlite3.sqlite_version_info) -> Iterator[Finding]:
    """The library that keeps the journal, and whether its write-ahead log is sound."""
    from ai_content_pipeline.generation.writer import wal_is_safe

    version = ".".join(map(str, number))
    if wal_is_safe(number):
        yield ok("SQLite", f"{version}, with the fix of the WAL-reset flaw")
        return
    yield warning(
        "SQLite",
        f"{version} has the WAL-reset flaw, so the journal is kept in the slower rollback mode: nothing is"
        " at risk",
        "for more speed use a Python built with SQLite 3.51.3 or newer (or 3.50.7, 3.44.6)",
    )


def encoders() -> Iterator[Finding]:
    """Every format that steps write, written and read again."""
    with TemporaryDirectory(prefix="aicp-doctor-") as folder:
        for name, attempt in _ATTEMPTS.items():
            yield tried(name, attempt, Path(folder))


def fonts(find: Callable[[str], object] | None = None) -> Iterator[Finding]:
    """The scripts that the draft renderer can write captions in. `find` looks for a text's font."""
    from PIL import features

    from ai_content_pipeline.media.fonts import face_for

    find = find or face_for
    found = [script for script, sample in _SCRIPTS.items() if find(sample) is not None]
    lacking = [script for script in _SCRIPTS if script not in found]
    if lacking:
        yield warning(
            "fonts",
            f"no font for {', '.join(lacking)}: captions in it are left out of drafts",
            "install fonts, for example the Noto family, if your prompts are written so",
        )
    else:
        yield ok("fonts", f"{len(found)} scripts, {', '.join(found)}")
    joined = [script for script in _JOINED if script in found]
    if joined and not features.check_feature("raqm"):
        yield warning(
            "text shaping",
            f"this Pillow lacks Raqm: letters of {' and '.join(joined)} are not joined in captions",
            "install libraqm and a Pillow that was built with it",
        )


# -- encoders ------------------------------------------------------------------------------------------


def tried(name: str, attempt: Callable[[Path], None], folder: Path) -> Finding:
    again = "install it again: pip install --force-reinstall av pillow"
    try:
        from av.error import FFmpegError
    except ImportError as error:
        return problem(name, f"PyAV cannot be loaded: {error}", again)
    try:
        attempt(folder)
    except (ImportError, FFmpegError, OSError, ValueError, KeyError, ArithmeticError) as error:
        return problem(name, f"cannot be written here: {error}", again)
    return ok(name, "written and read")


def _clip(folder: Path) -> None:
    from PIL import Image

    from ai_content_pipeline.media.video import encode_video, verify_video

    frames = [Image.new("RGB", (_SIDE, _SIDE), (60 * number, 90, 120)) for number in range(_FRAMES)]
    encode_video(frames, folder / "clip.mp4", fps=_FRAMES)
    info = verify_video(folder / "clip.mp4")
    if (info.width, info.height) != (_SIDE, _SIDE):
        raise ValueError(f"the clip came out at {info.width}x{info.height} pixels")


def _sound(folder: Path) -> None:
    import av

    with av.open(str(folder / "sound.mp4"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=_RATE)
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = _RATE, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    with av.open(str(folder / "sound.mp4")) as container:
        if not any(True for _ in container.decode(audio=0)):
            raise ValueError("the sound cannot be read again")


def _picture(image_format: str) -> Callable[[Path], None]:
    def attempt(folder: Path) -> None:
        from PIL import Image

        path = folder / f"picture.{image_format.lower()}"
        Image.new("RGB", (_SIDE, _SIDE), (60, 90, 120)).save(path, image_format)
        with Image.open(path, formats=(image_format,)) as image:
            image.load()

    return attempt


_ATTEMPTS: dict[str, Callable[[Path], None]] = {
    "H.264 (libx264)": _clip,
    "AAC": _sound,
    "PNG": _picture("PNG"),
    "JPEG": _picture("JPEG"),
    "WebP": _picture("WEBP"),
}

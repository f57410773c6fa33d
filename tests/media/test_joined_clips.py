"""Clips joined into one: every frame in its place, sound with its picture, lengths exact."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageDraw

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.concat import concat
from ai_content_pipeline.media.encode import RATE, encode_video
from ai_content_pipeline.media.playback import pictures, read_clip
from ai_content_pipeline.media.sound import mix, pieces, samples
from ai_content_pipeline.media.video import open_video, picture, verify_video

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
SIZE = (64, 48)
Colour = tuple[int, ...]


def tone(count: int, fps: Fraction, hertz: float) -> Iterator[bytes]:
    """A sine of three quarters of the full loudness, frame by frame; 0 Hz is silence."""
    for number in range(count):
        times = range(samples(number, fps), samples(number + 1, fps))
        levels = (round(24_000 * math.sin(2 * math.pi * hertz * time / RATE)) for time in times)
        yield array("h", (level for one in levels for level in (one, one))).tobytes()


def clip(
    path: Path,
    colour: Colour,
    count: int = 24,
    fps: Fraction | int = 24,
    size: tuple[int, int] = SIZE,
    hertz: float | None = None,
) -> Path:
    rate = Fraction(fps)
    sound = None if hertz is None else tone(count, rate, hertz)
    encode_video([Image.new("RGB", size, colour)] * count, path, fps=rate, sound=sound)
    return path


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """A second each of red, green and blue."""
    names = {"red": RED, "green": GREEN, "blue": BLUE}
    return [clip(tmp_path / f"{name}.mp4", colour) for name, colour in names.items()]


def seen(path: Path) -> list[Image.Image]:
    with open_video(path) as video:
        return [picture(frame) for frame in video.frames()]


def middle(image: Image.Image) -> Colour:
    return image.getpixel((image.width // 2, image.height // 2))  # type: ignore[return-value]


def near(pixel: Colour, colour: Colour, off: int = 6) -> bool:
    return all(abs(a - b) <= off for a, b in zip(pixel, colour, strict=True))


def loudness(path: Path, frames: int, fps: Fraction = Fraction(24)) -> list[float]:
    """Of full loudness, for each frame of a file."""
    levels = [array("h", piece) for piece in pieces(path, fps, 0, frames)]
    return [max(map(abs, level)) / 32_768 for level in levels]


def has_sound(path: Path) -> bool:
    with av.open(str(path)) as container:
        return bool(container.streams.audio)


# -- pictures ------------------------------------------------------------------------------------------


def test_clips_follow_one_another_frame_by_frame(three: list[Path], tmp_path: Path) -> None:
    """Without a fade, each frame is of one clip alone, and all of them are there."""
    info = concat(three, tmp_path / "film.mp4")
    frames = seen(tmp_path / "film.mp4")
    assert [near(middle(frame), colour) for colour, part in zip((RED, GREEN, BLUE), range(3), strict=True)
            for frame in frames[part * 24 : (part + 1) * 24]] == [True] * 72  # fmt: skip
    assert (info.width, info.height, info.seconds, info.fps) == (64, 48, 3.0, 24.0)
    assert verify_video(tmp_path / "film.mp4") == info


@pytest.mark.parametrize("seconds", [Fraction(1, 4), Fraction(1, 2), Fraction(23, 24)])
def test_a_crossfade_overlaps_neighbours(three: list[Path], tmp_path: Path, seconds: Fraction) -> None:
    """Each seam takes the fade off the whole; its middle is half of each; the ends are pure. A clip may
    fade in while it fades out."""
    info = concat(three, tmp_path / "film.mp4", crossfade=seconds)
    frames, fade = seen(tmp_path / "film.mp4"), round(seconds * 24)
    assert len(frames) == 72 - 2 * fade
    assert info.seconds == pytest.approx(3 - 2 * float(seconds))
    assert near(middle(frames[0]), RED)
    assert near(middle(frames[-1]), BLUE)
    red, green, blue = middle(frames[24 - fade + fade // 2 - (fade % 2 == 0)])
    share = (fade // 2 + fade % 2) / (fade + 1)
    if fade <= 12:
        assert near((red, green, blue), (round(255 * (1 - share)), round(255 * share), 0), off=12)
    else:
        assert min(red, green, blue) > 5  # three at once


def test_a_fade_needs_longer_clips(three: list[Path], tmp_path: Path) -> None:
    """A clip that is over before its fade is refused in words, and nothing is left behind."""
    with pytest.raises(BadMedia, match="clip 1 lasts 1 s, no longer than its crossfade"):
        concat(three, tmp_path / "film.mp4", crossfade=Fraction(1))
    assert not (tmp_path / "film.mp4").exists()
    assert concat(three[:1], tmp_path / "one.mp4", crossfade=Fraction(9)).seconds == 1.0


@pytest.mark.parametrize(
    ("fps", "frames"), [(None, 24 + 15), (Fraction(30), 30 + 18 + 1), (Fraction(10), 10 + 6)]
)
def test_one_rate_for_all(tmp_path: Path, fps: Fraction | None, frames: int) -> None:
    """Clips of other rates keep their length, to the nearest frame; without a rate the first clip's holds."""
    first = clip(tmp_path / "first.mp4", RED)
    second = clip(tmp_path / "second.mp4", BLUE, count=19, fps=30)
    info = concat([first, second], tmp_path / "film.mp4", fps=fps)
    found = seen(tmp_path / "film.mp4")
    assert len(found) == frames
    assert info.fps == float(fps or 24)
    reds = sum(near(middle(frame), RED) for frame in found)
    assert reds == round(fps or 24)


@pytest.mark.parametrize(("fps", "shown"), [(12, [0, 2, 4, 6, 8, 10]), (48, [n // 2 for n in range(24)])])
def test_another_rate_shows_what_was_to_be_seen_then(tmp_path: Path, fps: int, shown: list[int]) -> None:
    """At half the rate every other picture, at twice the rate each of them twice; none out of order."""
    greys = [Image.new("RGB", SIZE, (20 * n, 20 * n, 20 * n)) for n in range(12)]
    encode_video(greys, tmp_path / "steps.mp4", fps=24)
    played = list(pictures(read_clip(tmp_path / "steps.mp4"), Fraction(fps)))
    expected = shown if fps == 48 else [n + 1 for n in shown]  # the middle of two is the second one's
    assert [round(middle(image)[0] / 20) for image in played] == expected


def test_times_in_milliseconds_lose_no_frame(tmp_path: Path) -> None:
    """WebM rounds every time to a millisecond; at its own rate each picture is still shown once."""
    path = tmp_path / "steps.webm"
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=24, options={"deadline": "realtime", "crf": "4"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_image(Image.new("RGB", SIZE, (20 * number,) * 3))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    shown = [round(middle(image)[0] / 20) for image in pictures(read_clip(path), Fraction(24))]
    assert shown[:12] == list(range(12))


@pytest.mark.parametrize(("fit", "corner"), [("pad", (0, 0, 0)), ("crop", GREEN)])
def test_other_shapes_are_padded_or_cropped_never_stretched(tmp_path: Path, fit: str, corner: Colour) -> None:
    """A square in a wide film stands between black bars, or fills it without its edges."""
    square = Image.new("RGB", (64, 64), GREEN)
    ImageDraw.Draw(square).ellipse((22, 22, 41, 41), fill="white")
    encode_video([square] * 3, tmp_path / "square.mp4", fps=24)
    info = concat([tmp_path / "square.mp4"], tmp_path / "film.mp4", size=(128, 64), fit=fit)  # type: ignore[arg-type]
    assert (info.width, info.height) == (128, 64)
    frame = seen(tmp_path / "film.mp4")[0]
    assert near(frame.getpixel((4, 32)), corner)  # type: ignore[arg-type]
    white = [(x, y) for x in range(128) for y in range(64) if min(frame.getpixel((x, y))) > 150]  # type: ignore[type-var]
    width, height = (max(p[i] for p in white) - min(p[i] for p in white) + 1 for i in (0, 1))
    assert abs(width - height) <= 2
    assert width == pytest.approx(20 if fit == "pad" else 40, abs=3)


def test_every_player_takes_the_film(three: list[Path], tmp_path: Path) -> None:
    """H.264 4:2:0 in BT.709, the index first."""
    concat(three, tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
    data = (tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_webm_without_a_length_is_measured(tmp_path: Path) -> None:
    """Browsers record files whose header does not say how long they are."""
    path = tmp_path / "live.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=25, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(50):
            frame = av.VideoFrame.from_image(Image.new("RGB", SIZE, BLUE))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        assert not video.declared_seconds
    assert concat([path], tmp_path / "film.mp4", fps=Fraction(25)).seconds == pytest.approx(2.0, abs=0.05)


def test_what_is_no_clip_is_refused(three: list[Path], tmp_path: Path) -> None:
    """A damaged clip leaves no half a film, whether its head or its body is damaged."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all")
    cut = tmp_path / "cut.mp4"
    data = three[1].read_bytes()
    at = data.index(b"mdat") + 40
    cut.write_bytes(data[:at] + bytes(len(data) - at))
    for bad in (broken, cut):
        with pytest.raises(BadMedia):
            concat([three[0], bad], tmp_path / "film.mp4")
        assert not (tmp_path / "film.mp4").exists()


# -- sound ---------------------------------------------------------------------------------------------


def test_without_any_sound_there_is_no_track(three: list[Path], tmp_path: Path) -> None:
    """A silent film has pictures alone."""
    concat(three, tmp_path / "film.mp4")
    assert not has_sound(tmp_path / "film.mp4")


def test_a_clip_keeps_its_sound_beside_silent_ones(tmp_path: Path) -> None:
    """Loud, silent, loud, each for as long as its pictures; the track is exactly as long as the film."""
    parts = [
        clip(tmp_path / "a.mp4", RED, hertz=440),
        clip(tmp_path / "b.mp4", GREEN),
        clip(tmp_path / "c.mp4", BLUE, hertz=880),
    ]
    concat(parts, tmp_path / "film.mp4")
    levels = loudness(tmp_path / "film.mp4", 72)
    assert min(levels[1:23]) > 0.6
    assert max(levels[25:47]) < 0.02
    assert min(levels[49:71]) > 0.6
    with av.open(str(tmp_path / "film.mp4")) as container:
        track = container.streams.audio[0]
        assert float(track.duration * track.time_base) == pytest.approx(3.0, abs=0.001)
        assert (track.codec_context.name, track.rate, track.channels) == ("aac", RATE, 2)


def test_sound_fades_with_the_picture(tmp_path: Path) -> None:
    """What ends grows quiet, what begins grows loud."""
    parts = [clip(tmp_path / "a.mp4", RED, hertz=440), clip(tmp_path / "b.mp4", GREEN, hertz=0)]
    concat(parts, tmp_path / "film.mp4", crossfade=Fraction(1, 2))
    levels = loudness(tmp_path / "film.mp4", 36)
    assert min(levels[1:12]) > 0.6
    assert levels[12:24] == sorted(levels[12:24], reverse=True)
    assert levels[18] == pytest.approx(0.73 / 2, abs=0.08)
    assert max(levels[25:]) < 0.02


@pytest.mark.parametrize(
    ("name", "pictures", "voice", "rate"),
    [("a.webm", "libvpx", "libopus", 48_000), ("a.mp4", "libx264", "aac", 22_050)],
)
def test_any_sound_becomes_the_same(tmp_path: Path, name: str, pictures: str, voice: str, rate: int) -> None:
    """Mono of another codec and rate: on both channels, as long, and silent when it is over."""
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        video = container.add_stream(pictures, rate=24)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        track = container.add_stream(voice, rate=rate, layout="mono")
        for number in range(24):
            frame = av.VideoFrame.from_image(Image.new("RGB", SIZE, BLUE))
            frame.pts = number
            container.mux(video.encode(frame))
        levels = [round(24_000 * math.sin(2 * math.pi * 440 * time / rate)) for time in range(rate)]
        piece = av.AudioFrame(format="s16", layout="mono", samples=rate)
        memoryview(piece.planes[0]).cast("B")[: 2 * rate] = array("h", levels).tobytes()
        piece.sample_rate, piece.pts = rate, 0
        container.mux(track.encode(piece))
        for stream in (video, track):
            container.mux(stream.encode(None))
    found = loudness(path, 48)
    assert min(found[2:22]) > 0.45  # one channel on two speakers: three decibels less on each
    assert max(found[26:]) == 0


def test_pieces_add_up_without_drift() -> None:
    """At 30000/1001 frames a second a frame has 1601 or 1602 samples, and an hour has all of them."""
    fps = Fraction(30_000, 1001)
    hour = round(3600 * fps)
    assert samples(hour, fps) == pytest.approx(3600 * RATE, abs=1602)
    assert {samples(n + 1, fps) - samples(n, fps) for n in range(100)} == {1601, 1602}


def test_a_mix_goes_from_one_to_the_other() -> None:
    """The shares of two sounds make one whole at every sample."""
    loud, low = array("h", [1000] * 200).tobytes(), array("h", [-1000] * 200).tobytes()
    mixed = array("h", mix(loud, low, 0.0, 1.0))
    assert (mixed[0], mixed[1], mixed[100]) == (1000, 1000, 0)
    assert list(mixed) == sorted(mixed, reverse=True)
    assert mix(loud, loud, 0.2, 0.9) == loud

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from ai_content_pipeline.artifacts import Frame, Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media import video
from ai_content_pipeline.media.video import encode_video, frame, probe_video, verify_video


def clock(count: int, size: tuple[int, int] = (96, 64)) -> Iterator[Image.Image]:
    """Frames that tell their number: a white bar moves right over a grey ground."""
    for number in range(count):
        image = Image.new("RGB", size, (60, 60, 60))
        left = number * (size[0] - 8) // max(1, count - 1)
        ImageDraw.Draw(image).rectangle((left, 0, left + 7, size[1]), fill="white")
        yield image


def bt709(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """Luma and the two chroma levels by the standard's own formula."""
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (
        16 + luma * 219 / 255,
        128 + (blue - luma) / 1.8556 * 224 / 255,
        128 + (red - luma) / 1.5748 * 224 / 255,
    )


def webm(path: Path, count: int = 24, size: tuple[int, int] = (64, 48)) -> Path:
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=24, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, image in enumerate(clock(count, size)):
            picture = av.VideoFrame.from_image(image)
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def patched(path: Path, tag: bytes, offset: int, value: bytes) -> Path:
    """A copy with bytes overwritten, `offset` from an MP4 box name on."""
    data = bytearray(path.read_bytes())
    at = data.index(tag) + offset
    data[at : at + len(value)] = value
    copy = path.with_name("patched.mp4")
    copy.write_bytes(data)
    return copy


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    encode_video(clock(30), tmp_path / "clip.mp4", fps=24)
    return tmp_path / "clip.mp4"


# Writing


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)])
def test_pure_colours_survive_within_three_levels(tmp_path: Path, color: tuple[int, int, int]) -> None:
    """Frames are converted to BT.709 in TV range, so what players decode is what was drawn."""
    path = tmp_path / "colour.mp4"
    encode_video([Image.new("RGB", (64, 48), color)] * 3, path, fps=24)
    seen = frame(path, Frame.FIRST).getpixel((30, 20))
    assert max(abs(a - b) for a, b in zip(seen, color, strict=True)) <= 3
    with av.open(str(path)) as container:
        planes = [bytes(plane)[5] for plane in next(container.decode(video=0)).planes]
    assert max(abs(a - b) for a, b in zip(planes, bt709(*color), strict=True)) <= 2


def test_stream_is_tagged_for_browsers(clip: Path) -> None:
    """H.264, 4:2:0, TV range, BT.709 thrice: what the tags say is what was converted."""
    with av.open(str(clip)) as container:
        context = container.streams.video[0].codec_context
        assert context.name == "h264"
        assert context.pix_fmt == "yuv420p"
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
    assert tags == (1, 1, 1, 1)


def test_index_comes_before_the_pictures(clip: Path) -> None:
    """Faststart: a browser can begin before the whole file is there."""
    data = clip.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("fps", [24, 30, Fraction(30000, 1001), 1])
@pytest.mark.parametrize("count", [1, 2, 25])
def test_frame_count_times_and_duration_are_exact(tmp_path: Path, fps: int | Fraction, count: int) -> None:
    """n frames at a rate last n / rate seconds, and frame k is shown at k / rate."""
    path = tmp_path / "exact.mp4"
    info = encode_video(clock(count), path, fps=fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [picture.pts * picture.time_base for picture in container.decode(video=0)]
        assert stream.frames == count
        assert stream.duration * stream.time_base == count / Fraction(fps)
    assert times == [number / Fraction(fps) for number in range(count)]
    assert info.seconds == pytest.approx(count / Fraction(fps))


@pytest.mark.parametrize("size", [(65, 48), (64, 49), (65, 49)])
def test_odd_sizes_lose_their_last_column_or_row(tmp_path: Path, size: tuple[int, int]) -> None:
    """The picture is cropped at the right and bottom edge, never scaled."""
    image = Image.new("RGB", size, "black")
    ImageDraw.Draw(image).rectangle((0, 0, 31, 47), fill="white")
    info = encode_video([image] * 2, tmp_path / "odd.mp4", fps=24)
    assert (info.width, info.height) == (64, 48)
    assert frame(tmp_path / "odd.mp4", Frame.FIRST).getpixel((28, 20))[0] > 245
    assert frame(tmp_path / "odd.mp4", Frame.FIRST).getpixel((36, 20))[0] < 10


def test_frames_are_taken_one_at_a_time(tmp_path: Path) -> None:
    """A long clip needs no memory for all of its frames: none is kept alive."""
    alive: list[int] = []

    class Tracked(Image.Image):
        def __del__(self) -> None:
            alive.pop()

    def frames() -> Iterator[Image.Image]:
        for _ in range(60):
            image = Tracked()
            image.im, image._mode, image._size = Image.new("RGB", (32, 32)).im, "RGB", (32, 32)
            alive.append(1)
            assert len(alive) <= 3
            yield image

    assert encode_video(frames(), tmp_path / "stream.mp4", fps=24).seconds == 2.5


def test_same_frames_give_the_same_decoded_pixels(tmp_path: Path) -> None:
    """One encoder thread: neither chance nor the number of cores changes a pixel."""
    decoded = []
    for name in ("a.mp4", "b.mp4"):
        encode_video(clock(12, (96, 720)), tmp_path / name, fps=24)
        assert b" threads=1 " in (tmp_path / name).read_bytes()  # x264 writes its settings into the stream
        with av.open(str(tmp_path / name)) as container:
            decoded.append([picture.to_image().tobytes() for picture in container.decode(video=0)])
    assert decoded[0] == decoded[1]


@pytest.mark.parametrize("frames", [[], [Image.new("RGB", (1, 9))]])
def test_nothing_to_encode_is_refused(tmp_path: Path, frames: list[Image.Image]) -> None:
    """No frames, or frames without a pixel left after cropping, are a caller's mistake."""
    with pytest.raises(ValueError, match="video"):
        encode_video(frames, tmp_path / "none.mp4", fps=24)
    assert not (tmp_path / "none.mp4").exists()


def test_a_failing_source_leaves_no_file(tmp_path: Path) -> None:
    """Frames of another size stop the encoder, and the unfinished file is removed."""
    frames = [*clock(90, (64, 48)), Image.new("RGB", (32, 48))]
    with pytest.raises(ValueError, match="32x48 after 64x48"):
        encode_video(frames, tmp_path / "half.mp4", fps=24)
    assert not (tmp_path / "half.mp4").exists()


# Reading


def test_what_was_written_is_what_is_found(tmp_path: Path) -> None:
    """Encoding, probing and verifying agree on every field."""
    written = encode_video(clock(30), tmp_path / "clip.mp4", fps=24)
    assert written == MediaInfo(Kind.VIDEO, "video/mp4", 96, 64, 1.25, 24.0)
    assert probe_video(tmp_path / "clip.mp4") == written
    assert verify_video(tmp_path / "clip.mp4") == written


def test_media_type_comes_from_the_content(tmp_path: Path, clip: Path) -> None:
    """WebM and QuickTime are told apart by their bytes, whatever the file is called."""
    assert verify_video(webm(tmp_path / "really.mp4")).media_type == "video/webm"
    quicktime = patched(clip, b"ftyp", 4, b"qt  ")
    assert verify_video(quicktime).media_type == "video/quicktime"


@pytest.mark.parametrize("count", [1, 2, 30, 300])
def test_last_frame_is_the_very_last(tmp_path: Path, count: int) -> None:
    """Not a neighbour of it, with several key frames and reordered pictures too."""
    encode_video(clock(count, (320, 64)), tmp_path / "clip.mp4", fps=24)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        *_, last = container.decode(video=0)
    last = last.reformat(format="rgb24", dst_color_range=2).to_image()
    difference = ImageChops.difference(frame(tmp_path / "clip.mp4", Frame.LAST), last)
    assert difference.getbbox() is None


def test_last_frame_of_webm(tmp_path: Path) -> None:
    """A file without a frame index is read to its end."""
    last = frame(webm(tmp_path / "clip.webm"), Frame.LAST)
    assert last.getpixel((62, 20))[0] > 200
    assert frame(tmp_path / "clip.webm", Frame.FIRST).getpixel((2, 20))[0] > 200


def test_rotation_is_applied(tmp_path: Path) -> None:
    """A phone's upright video is upright: in its size and in its stills."""
    path = tmp_path / "phone.mp4"
    image = Image.new("RGB", (96, 64), "black")
    ImageDraw.Draw(image).rectangle((48, 0, 95, 63), fill="white")  # the right half
    encode_video([image] * 3, path, fps=24)
    # A quarter turn clockwise: the matrix (a b u / c d v / x y w) of the track header.
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30)
    turned = patched(path, b"tkhd", 4 + 40, matrix)
    info = verify_video(turned)
    assert (info.width, info.height) == (64, 96)
    assert probe_video(turned) == info
    still = frame(turned, Frame.FIRST)
    assert still.size == (64, 96)
    assert still.getpixel((32, 80))[0] > 245, "right became bottom"
    assert still.getpixel((32, 16))[0] < 10


def test_untagged_hd_is_read_as_bt709(tmp_path: Path) -> None:
    """Vendors leave the tags out; players then take HD for BT.709, and so do stills."""
    path = tmp_path / "untagged.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        red = av.VideoFrame.from_image(Image.new("RGB", (1280, 720), (255, 0, 0)))
        picture = red.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
        picture.colorspace = 2
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    pixel = frame(path, Frame.FIRST).getpixel((600, 300))
    assert max(abs(a - b) for a, b in zip(pixel, (255, 0, 0), strict=True)) <= 3


# Hostile and damaged files


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5, 0.9, 0.99])
def test_truncated_mp4_is_refused(clip: Path, share: float) -> None:
    """Wherever a download broke off, verifying says so."""
    data = clip.read_bytes()
    clip.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadMedia):
        verify_video(clip)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_truncated_webm_is_refused(tmp_path: Path, share: float) -> None:
    """WebM decodes quietly up to the break; the promised duration gives it away."""
    path = webm(tmp_path / "clip.webm", count=48)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadMedia):
        verify_video(path)


def test_damaged_pictures_are_refused(clip: Path) -> None:
    """Noise where the pictures were is an error, not grey frames."""
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start + 200 :] = os.urandom(len(data) - start - 200)
    clip.write_bytes(data)
    with pytest.raises(BadMedia):
        verify_video(clip)


LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile clip.mp4\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "html": "<html><body>503 Service Unavailable</body></html>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    "empty": "",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
@pytest.mark.parametrize("read", [probe_video, verify_video, lambda path: frame(path, Frame.LAST)])
def test_text_called_mp4_is_refused(clip: Path, text: str, read: object) -> None:
    """A list that names a sibling file is not followed, an error page is not a video."""
    path = clip.with_name("list.mp4")
    path.write_text(text)
    with pytest.raises(BadMedia, match=r"list\.mp4"):
        read(path)  # type: ignore[operator]


def test_pictures_and_sound_are_not_videos(tmp_path: Path) -> None:
    """A PNG, an AVIF still and a sound file say what they are not."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.mp4").write_bytes(struct.pack(">I4s4s", 16, b"ftyp", b"avif") + bytes(64))
    with av.open(str(tmp_path / "c.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        container.mux(stream.encode(None))
    for name in ("a.png", "b.mp4", "c.mp4"):
        with pytest.raises(BadMedia):
            probe_video(tmp_path / name)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A pipe would block, a folder and a missing file have nothing to read."""
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    for name in ("pipe.mp4", "folder.mp4", "missing.mp4"):
        with pytest.raises(BadMedia, match=name):
            verify_video(tmp_path / name)


def test_names_that_mean_something_to_ffmpeg_mean_nothing(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg is handed an open file, never a name with a protocol in it."""
    monkeypatch.chdir(clip.parent)
    for name in ("concat:clip.mp4|clip.mp4", "subfile,,start,0,end,9,,:clip.mp4", "-i", "%d.mp4", "pipe:0"):
        with pytest.raises(BadMedia, match="cannot be opened"):
            verify_video(Path(name))
        Path(name).write_bytes(clip.read_bytes())
        assert verify_video(Path(name)).width == 96


def test_absurd_frame_sizes_are_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is checked before any picture is decoded."""
    monkeypatch.setattr(video, "MAX_FRAME_PIXELS", 96 * 64 - 1)
    with pytest.raises(BadMedia, match="96x64"):
        probe_video(clip)


def test_external_references_are_not_followed(clip: Path) -> None:
    """A data reference inside the file cannot make another file be read."""
    data = clip.read_bytes()
    external = data.replace(b"url \x00\x00\x00\x01", b"alis\x00\x00\x00\x00")
    assert external != data
    clip.with_name("alias.mp4").write_bytes(external)
    assert verify_video(clip.with_name("alias.mp4")).width == 96
    assert ImageStat.Stat(frame(clip.with_name("alias.mp4"), Frame.FIRST)).mean[0] > 30


@pytest.mark.parametrize("share", [0.3, 0.41, 0.45, 0.5, 0.7])
def test_a_clip_cut_at_any_place_is_not_sound(tmp_path, share):
    """A download that ended early is refused wherever it ended, also inside the second packet."""
    rng = random.Random(5)
    frames = [Image.frombytes("RGB", (128, 96), rng.randbytes(128 * 96 * 3)) for _ in range(8)]
    whole = tmp_path / "whole.mp4"
    encode_video(frames, whole, fps=8)
    verify_video(whole)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(BadMedia):
        verify_video(cut)

"""Writing videos: H.264 in MP4, with AAC sound where there is some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

from ai_content_pipeline.artifacts import Kind, MediaInfo

#: Sound on its way in: samples a second, and bytes of one (two channels of 16 bits).
RATE = 48_000
BYTES = 4

_BT709 = 1  # the code of BT.709 as matrix, primaries and transfer; TV range has the same number
_BIT_RATE = 192_000  # of the sound, per second


def encode_video(
    frames: Iterable[Image.Image],
    path: Path,
    *,
    fps: int | Fraction,
    sound: Iterator[bytes] | None = None,
) -> MediaInfo:
    """Write H.264 in MP4 that browsers and QuickTime play: 4:2:0, BT.709, index first.

    The first frame sets the size. An odd width or height loses its last column or row, as 4:2:0 has
    none. Frames are taken one at a time, never held together. The same frames give the same decoded
    pixels on every machine, because one encoder thread is used: more make x264 choose differently.

    With `sound` there is AAC beside the pictures: for each frame one piece, the samples (16 bits,
    stereo, `RATE` a second) that sound while it is shown.

    Raises ValueError for no frames or frames of different sizes; the unfinished file is removed.
    """
    images = iter(frames)
    first = next(images, None)
    if first is None:
        raise ValueError("a video needs at least one frame")
    width, height = first.width - first.width % 2, first.height - first.height % 2
    if not width or not height:
        raise ValueError(f"a video cannot be {first.width}x{first.height} pixels")
    try:
        count = _encode(chain([first], images), path, Fraction(fps), (width, height), sound)
    except BaseException:  # ^C as well; it goes on after the clearing up
        path.unlink(missing_ok=True)
        raise
    return MediaInfo(Kind.VIDEO, "video/mp4", width, height, float(count / Fraction(fps)), float(fps))


def _encode(
    images: Iterable[Image.Image],
    path: Path,
    fps: Fraction,
    size: tuple[int, int],
    sound: Iterator[bytes] | None,
) -> int:
    """Encode all frames at `size` pixels; returns how many there were."""
    count = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = _video_stream(container, fps, size)
        voice = _Voice(container) if sound else None
        for count, image in enumerate(images, start=1):
            frame = _yuv(image, size)
            frame.pts, frame.time_base = count - 1, 1 / fps
            container.mux(stream.encode(frame))
            if voice and sound:
                voice.write(next(sound))
        container.mux(stream.encode(None))
        if voice:
            voice.end()
    return count


def _video_stream(container: OutputContainer, fps: Fraction, size: tuple[int, int]) -> VideoStream:
    options = {"crf": "18", "preset": "veryfast", "threads": "1"}
    stream: VideoStream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / fps
    context.color_range = context.colorspace = context.color_primaries = context.color_trc = _BT709
    return stream


class _Voice:
    """The sound track of a video that is being written."""

    def __init__(self, container: OutputContainer) -> None:
        self._container = container
        self._stream: AudioStream = container.add_stream("aac", rate=RATE, layout="stereo")
        self._stream.bit_rate = _BIT_RATE
        self._written = 0

    def write(self, data: bytes) -> None:
        count = len(data) // BYTES
        piece = AudioFrame(format="s16", layout="stereo", samples=count)
        memoryview(piece.planes[0]).cast("B")[: len(data)] = data
        piece.sample_rate, piece.pts, piece.time_base = RATE, self._written, Fraction(1, RATE)
        self._container.mux(self._stream.encode(piece))
        self._written += count

    def end(self) -> None:
        self._container.mux(self._stream.encode(None))


def _yuv(image: Image.Image, size: tuple[int, int]) -> VideoFrame:
    """Converted, not only tagged, or red comes out orange."""
    width, height = size
    if (image.width - image.width % 2, image.height - image.height % 2) != size:
        raise ValueError(f"frames differ in size: {image.width}x{image.height} after {width}x{height}")
    if image.size != size:
        image = image.crop((0, 0, width, height))
    rgb: VideoFrame = VideoFrame.from_image(image.convert("RGB"))  # type: ignore[no-untyped-call]
    return rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)

"""Videos: check a file, take a still, look at every picture. PyAV does the work; no process is started.

Files are hostile. FFmpeg never sees a name, only an open regular file whose first bytes decided the
demuxer, and it may open nothing else: a playlist or a list of files called ``.mp4`` is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

from ai_content_pipeline.artifacts import Frame, Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.blank import Blank
from ai_content_pipeline.media.encode import encode_video
from ai_content_pipeline.media.magic import first_bytes, is_video, likeness, opened

__all__ = [
    "MAX_FRAME_PIXELS",
    "Video",
    "encode_video",
    "frame",
    "open_video",
    "picture",
    "probe_video",
    "verify_video",
]

MAX_FRAME_PIXELS = 64_000_000

_HD_HEIGHT = 720  # untagged video of this height or more is BT.709, as players assume
_UNTAGGED = 2
_AGAIN = "download or export the file again"
_EBML = b"\x1a\x45\xdf\xa3"


def probe_video(path: Path) -> MediaInfo:
    """Size as displayed, seconds and rate, from the header and the first frame. Raises BadMedia.

    A rotation written by a phone is applied to the size; a pixel aspect ratio is not.
    """
    with open_video(path) as video:
        return video.info(next(video.frames(), None))


def verify_video(path: Path, blank: Blank | None = None) -> MediaInfo:
    """Decode every frame: a truncated, damaged or empty file raises BadMedia. `blank` is told of each."""
    with open_video(path) as video:
        first, end = None, Fraction(0)
        for decoded in video.frames():
            first = first or decoded
            end = max(end, _end(decoded))
            if blank is not None:
                blank.see(decoded)
        info = video.info(first)
        if video.is_cut_short(end):
            raise BadMedia(
                f"{path}: truncated: {float(end):.2f} s of {float(video.declared_seconds):.2f} s can be read",
                hint=_AGAIN,
            )
        return info


def frame(path: Path, which: Frame) -> Image.Image:
    """The first or the very last picture of a video, RGB, as displayed. Raises BadMedia."""
    with open_video(path) as video:
        found = next(video.frames(), None) if which is Frame.FIRST else video.last()
        if found is None:
            raise video.empty()
        return picture(found)


@dataclass(frozen=True, slots=True)
class Video:
    """A video open for reading: its first video stream, and whatever else is in the container."""

    path: Path
    media_type: str
    container: InputContainer
    stream: VideoStream

    @property
    def fps(self) -> Fraction | None:
        return self.stream.average_rate or self.stream.base_rate or None

    @property
    def start(self) -> Fraction:
        """When the first picture is shown, by the file's own clock."""
        stream = self.stream
        return stream.start_time * stream.time_base if stream.start_time and stream.time_base else Fraction(0)

    @property
    def declared_seconds(self) -> Fraction:
        """What the header promises; 0 when it says nothing."""
        if self.stream.duration and self.stream.time_base:
            return self.stream.duration * self.stream.time_base
        return Fraction(self.container.duration or 0, av.time_base)

    def is_cut_short(self, end: Fraction) -> bool:
        """Whether the last picture ends (at `end` seconds) well before the file says.

        The file's own length is taken where it is the shorter: an edit list may hide part of a stream.
        With several streams it is that of the longest, sound included, hence the slack.
        """
        alone = len(self.container.streams) == 1
        slack = 2 / self.fps if alone and self.fps else Fraction(1)
        whole = Fraction(self.container.duration or 0, av.time_base)
        return end + slack < (min(self.declared_seconds, whole) if whole else self.declared_seconds)

    def frames(self) -> Iterator[VideoFrame]:
        """Every picture in display order; a damaged one raises BadMedia."""
        for packet in self.container.demux(self.stream):
            for decoded in packet.decode():
                if packet.is_corrupt or decoded.is_corrupt:
                    raise BadMedia(f"{self.path}: damaged video data", hint=_AGAIN)
                yield decoded

    def last(self) -> VideoFrame | None:
        """Read from the last key frame on; from the start where that shows nothing."""
        if self.stream.duration:
            end = (self.stream.start_time or 0) + self.stream.duration
            self.container.seek(end, backward=True, stream=self.stream)
            if tail := deque(self.frames(), maxlen=1):
                return tail.pop()
            self.container.seek(0)
        tail = deque(self.frames(), maxlen=1)
        return tail.pop() if tail else None

    def info(self, first: VideoFrame | None) -> MediaInfo:
        if first is None:
            raise self.empty()
        width, height = first.width, first.height
        if first.rotation % 180:
            width, height = height, width
        seconds = float(self.declared_seconds) or None
        return MediaInfo(
            Kind.VIDEO, self.media_type, width, height, seconds, float(self.fps) if self.fps else None
        )

    def empty(self) -> BadMedia:
        return BadMedia(f"{self.path}: no picture in it can be decoded")


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Open for reading; whatever FFmpeg or the system says against the file becomes BadMedia."""
    with opened(path) as file:
        demuxer, media_type = _sniff(first_bytes(file), path)
        try:
            # Reading goes through `file`; "none" leaves FFmpeg no protocol for anything else.
            with av.open(
                file,
                "r",
                format=demuxer,
                options={"protocol_whitelist": "none"},
                metadata_errors="ignore",
            ) as container:
                if not container.streams.video:
                    raise BadMedia(f"{path}: no video in it")
                stream = container.streams.video[0]
                _refuse_absurd(stream, path)
                stream.thread_type = "AUTO"
                yield Video(path, media_type, container, stream)
        except av.FFmpegError as error:
            raise BadMedia(f"{path}: cannot be read as video ({error.strerror})", hint=_AGAIN) from error
        except OSError as error:
            raise BadMedia(f"{path}: cannot be read ({error.strerror or error})") from error


def _refuse_absurd(stream: VideoStream, path: Path) -> None:
    if stream.width * stream.height > MAX_FRAME_PIXELS:
        raise BadMedia(
            f"{path}: frames of {stream.width}x{stream.height} pixels; "
            f"at most {MAX_FRAME_PIXELS // 1_000_000} megapixels are accepted"
        )
    # A later picture may not grow beyond what the header said.
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}


def _sniff(start: bytes, path: Path) -> tuple[str, str]:
    """Demuxer and media type by the first bytes; the name of the file says nothing."""
    if not is_video(start):
        raise BadMedia(
            f"{path}: not a video that can be used; it looks like {likeness(start)}",
            hint="use MP4, MOV or WebM",
        )
    if start.startswith(_EBML):
        if b"webm" not in start[:64]:
            raise BadMedia(f"{path}: a Matroska file", hint="use MP4, MOV or WebM")
        return "matroska", "video/webm"
    is_mp4 = start[4:8] == b"ftyp" and start[8:12] != b"qt  "
    return "mov", "video/mp4" if is_mp4 else "video/quicktime"


def _end(decoded: VideoFrame) -> Fraction:
    if decoded.pts is None or decoded.time_base is None:
        return Fraction(0)
    return (decoded.pts + (decoded.duration or 0)) * decoded.time_base


def picture(decoded: VideoFrame) -> Image.Image:
    """A decoded frame as RGB, the right way up."""
    hd = decoded.colorspace == _UNTAGGED and decoded.height >= _HD_HEIGHT
    source = Colorspace.ITU709 if hd else None
    # The full range is said aloud: PyAV 15 and 16 otherwise leave the matrix of tagged video out.
    rgb = decoded.reformat(format="rgb24", src_colorspace=source, dst_color_range=ColorRange.JPEG)
    plane = rgb.planes[0]
    image = Image.frombuffer("RGB", (rgb.width, rgb.height), bytes(plane), "raw", "RGB", plane.line_size, 1)
    return image.rotate(decoded.rotation, expand=True) if decoded.rotation % 90 == 0 else image

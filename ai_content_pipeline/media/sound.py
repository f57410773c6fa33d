"""The sound of a clip as plain samples: 48 kHz, stereo, 16 bits, whatever it is stored as."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from ai_content_pipeline.media.encode import BYTES, RATE
from ai_content_pipeline.media.video import open_video


def samples(frames: int, fps: Fraction) -> int:
    """How many samples sound while the first `frames` pictures are shown; pieces add up without drift."""
    return round(frames * RATE / fps)


def mix(low: bytes, high: bytes, begin: float, end: float) -> bytes:
    """Two pieces of one length, faded into each other: the share of `high` goes from `begin` to `end`."""
    old, new = array("h", low), array("h", high)
    count = max(1, len(old) // 2)
    for index in range(len(old)):
        share = begin + (end - begin) * (index // 2) / count
        old[index] = round(old[index] * (1 - share) + new[index] * share)
    return old.tobytes()


def pieces(path: Path, fps: Fraction, start: int, end: int) -> Generator[bytes]:
    """What sounds with each of the frames `start` to `end` of a video, which `path` fills from its own
    beginning on; silence where it has no sound or is over. Raises BadMedia."""
    source, waiting = _decoded(path), bytearray()
    with closing(source):
        for number in range(start, end):
            wanted = (samples(number + 1, fps) - samples(number, fps)) * BYTES
            while len(waiting) < wanted and (more := next(source, None)) is not None:
                waiting += more
            piece = bytes(waiting[:wanted])
            del waiting[:wanted]
            yield piece + bytes(wanted - len(piece))


def _decoded(path: Path) -> Generator[bytes]:
    """The samples from the first picture on."""
    with open_video(path) as video:
        if not video.container.streams.audio:
            return
        stream, begun = video.container.streams.audio[0], False
        frames = (frame for packet in video.container.demux(stream) for frame in packet.decode())
        excess = 0  # bytes that sound before the first picture
        for piece, start in _resampled(frame for frame in frames if isinstance(frame, AudioFrame)):
            if not begun:
                begun, late = True, round((start - video.start) * RATE)
                yield bytes(max(0, late) * BYTES)
                excess = max(0, -late) * BYTES
            yield piece[excess:]
            excess = max(0, excess - len(piece))


def _resampled(frames: Iterator[AudioFrame]) -> Iterator[tuple[bytes, Fraction]]:
    """Each frame's samples, and when the first of them sounds. The format may change midway."""
    resampler: AudioResampler | None = None
    shape = None
    for frame in frames:
        start = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else Fraction(0)
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or now != shape:
            for rest in resampler.resample(None) if resampler else ():
                yield _bytes(rest), start
            resampler, shape = AudioResampler("s16", "stereo", RATE), now
        for made in resampler.resample(frame):
            yield _bytes(made), start
    for rest in resampler.resample(None) if resampler else ():
        yield _bytes(rest), Fraction(0)


def _bytes(frame: AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0]).cast("B")[: frame.samples * BYTES])

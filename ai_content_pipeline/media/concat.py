"""Clips joined into one video of one size and one rate, with their sound, and with cross-fades between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar

from PIL import Image

from ai_content_pipeline.artifacts import MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.animatic import fitted
from ai_content_pipeline.media.encode import encode_video
from ai_content_pipeline.media.playback import Clip, pictures, read_clip
from ai_content_pipeline.media.sound import mix, pieces

Fit = Literal["pad", "crop"]
Size = tuple[int, int]
Watch = Callable[[Iterable[Image.Image]], Iterator[Image.Image]]
_T = TypeVar("_T")


def concat(
    paths: Sequence[Path],
    out: Path,
    *,
    size: Size | None = None,
    fit: Fit = "pad",
    fps: Fraction | None = None,
    crossfade: Fraction = Fraction(0),
    watch: Watch = iter,
) -> MediaInfo:
    """Write the clips at `paths`, in order, into one MP4.

    `size` and `fps` are the first clip's unless they are given. A clip of another shape gets black bars
    (`pad`) or loses its edges (`crop`); it is never stretched. Neighbours overlap for `crossfade` seconds.
    Each clip lasts as many frames as its own length comes to, and so the whole is exact to the frame.
    Without any sound in them there is no sound track; beside others, a silent clip is silent. The frames
    go through `watch`, which may raise to stop.

    Raises BadMedia for a clip that cannot be read, or is over before its cross-fade is.
    """
    reel = _Reel.of([read_clip(path) for path in paths], size, fit, fps, crossfade)
    with ExitStack() as stack:
        frames = stack.enter_context(closing(reel.frames()))
        heard = any(part.clip.sound for part in reel.parts)
        sound = stack.enter_context(closing(reel.sound())) if heard else None
        return encode_video(watch(frames), out, fps=reel.fps, sound=sound)


@dataclass(frozen=True, slots=True)
class _Part:
    """A clip in its place: frame `start` of the whole is its first."""

    clip: Clip
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Reel:
    """`overlap` is the length of a cross-fade, in frames."""

    parts: tuple[_Part, ...]
    size: Size
    fit: Fit
    fps: Fraction
    overlap: int

    @classmethod
    def of(
        cls, clips: Sequence[Clip], size: Size | None, fit: Fit, fps: Fraction | None, crossfade: Fraction
    ) -> _Reel:
        fps = fps or clips[0].fps
        width, height = size or (clips[0].width, clips[0].height)
        overlap = round(crossfade * fps) if len(clips) > 1 else 0
        parts, start = [], 0
        for number, clip in enumerate(clips, start=1):
            count = clip.frames(fps)
            if count <= overlap:
                message = f"clip {number} lasts {float(clip.seconds):g} s, no longer than its crossfade"
                raise BadMedia(message, hint="make the crossfade shorter")
            parts.append(_Part(clip, start, start + count))
            start += count - overlap
        return cls(tuple(parts), (max(2, width - width % 2), max(2, height - height % 2)), fit, fps, overlap)

    def frames(self) -> Generator[Image.Image]:
        """Every picture of the whole."""

        def play(part: _Part) -> Generator[Image.Image]:
            return pictures(part.clip, self.fps)

        for playing in self._played(play):
            shown: Image.Image | None = None
            for offset, image in playing:
                framed = _framed(image, self.size, self.fit)
                share = (offset + 1) / (self.overlap + 1)
                shown = framed if shown is None else Image.blend(shown, framed, share)
            assert shown is not None
            yield shown

    def sound(self) -> Generator[bytes]:
        """What sounds with each of the pictures."""

        def play(part: _Part) -> Generator[bytes]:
            return pieces(part.clip.path, self.fps, part.start, part.end)

        for playing in self._played(play):
            heard = b""
            for offset, piece in playing:
                begin, end = offset / (self.overlap or 1), (offset + 1) / (self.overlap or 1)
                heard = mix(heard, piece, begin, end) if heard else piece
            yield heard

    def _played(self, play: Callable[[_Part], Generator[_T]]) -> Generator[list[tuple[int, _T]]]:
        """For each frame what every clip has for it that plays then, with the number of its own frame."""
        waiting, playing = deque(self.parts), list[tuple[_Part, Generator[_T]]]()
        try:
            for number in range(self.parts[-1].end):
                while waiting and waiting[0].start == number:
                    part = waiting.popleft()
                    playing.append((part, play(part)))
                yield [(number - part.start, next(frames)) for part, frames in playing]
                if playing[0][0].end == number + 1:
                    playing.pop(0)[1].close()
        finally:
            for _, frames in playing:
                frames.close()


def _framed(image: Image.Image, size: Size, fit: Fit) -> Image.Image:
    """The picture at that size: between black bars, or without its edges."""
    if fit == "crop" or image.width * size[1] == image.height * size[0]:
        return fitted(image, *size)
    scale = min(size[0] / image.width, size[1] / image.height)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    framed = Image.new("RGB", size)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    framed.paste(image.resize(inner, Image.Resampling.LANCZOS, reducing_gap=3.0), (left, top))
    return framed

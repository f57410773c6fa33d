"""concat: all clips of the input, one after the other, as one video of one size, rate and sound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from ai_content_pipeline.artifacts import Artifact, Kind, Pending, Role
from ai_content_pipeline.jobs import LocalWork, Workbench
from ai_content_pipeline.steps.fields import Fields, LocalFields
from ai_content_pipeline.steps.protocol import Fault, Faults, Input, Item, Setting, check_count

VERSION = 1
MIN_SIDE, MAX_SIDE = 16, 8192
MAX_PIXELS = 64_000_000


def _size(text: str) -> str:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not match or min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
        raise ValueError(f'size {text[:20]!r} is no size of a video; write width x height, as in "1280x720"')
    if width % 2 or height % 2:
        even = f"{width - width % 2}x{height - height % 2}"
        raise ValueError(f'size {text!r} is odd, and a video has even sides; write "{even}"')
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"size {text!r} is more than {MAX_PIXELS // 1_000_000} megapixels; write a smaller one"
        )
    return f"{width}x{height}"


class ConcatParams(Fields):
    size: Annotated[str, AfterValidator(_size)] | None = None
    fit: Literal["pad", "crop"] = "pad"
    fps: Annotated[float, Field(ge=1, le=120)] | None = None
    crossfade: Annotated[float, Field(ge=0, le=60)] = 0

    @property
    def pixels(self) -> tuple[int, int] | None:
        if self.size is None:
            return None
        width, _, height = self.size.partition("x")
        return int(width), int(height)


class Concat(LocalFields):
    type: Literal["concat"]
    params: ConcatParams = ConcatParams()

    task: ClassVar[None] = None
    takes: ClassVar[Mapping[Role, frozenset[Kind]]] = {Role.INPUT: frozenset({Kind.VIDEO})}

    def check(self, setting: Setting) -> tuple[Fault, ...]:
        return ()

    def items(self, inputs: Mapping[Role, Sequence[Input]], setting: Setting) -> tuple[Item, ...]:
        clips = inputs[Role.INPUT]
        check_count(len(clips), ("input",))
        lengths = [_seconds(clip) for clip in clips]
        self._check_crossfade(clips, lengths)
        width, height = self.params.pixels or _even(clips[0])
        overlap = self.params.crossfade * (len(clips) - 1)
        known = [seconds for seconds in lengths if seconds is not None]
        seconds = sum(known) - overlap if len(known) == len(lengths) else None
        makes = Pending(f"{setting.name}/{setting.name}", Kind.VIDEO, width, height, seconds)
        sources = {Role.INPUT: tuple(clip.source for clip in clips)}
        return (Item(setting.name, 0, setting.name, 0, 0, sources, makes),)

    def work(self, item: Item, setting: Setting) -> LocalWork:
        params = self.params
        return LocalWork(
            "concat",
            VERSION,
            {"size": params.size, "fit": params.fit, "fps": params.fps, "crossfade": params.crossfade},
            item.inputs,
            partial(_concat, params=params),
        )

    def _check_crossfade(self, clips: Sequence[Input], lengths: Sequence[float | None]) -> None:
        """Two neighbours overlap for so long: none may be over before."""
        fade = self.params.crossfade
        known = [(seconds, clip.label) for seconds, clip in zip(lengths, clips, strict=True) if seconds]
        shortest, label = min(known, default=(None, ""))
        if len(clips) < 2 or not fade or shortest is None or fade < shortest:
            return
        message = f"a crossfade of {fade:g} s is not shorter than {label!r}, which lasts {shortest:g} s"
        raise Faults([Fault(("params", "crossfade"), message, "write a shorter one, or 0 for none")])


def _known(clip: Input) -> tuple[int | None, int | None, float | None]:
    known = clip.source.info if isinstance(clip.source, Artifact) else clip.source
    return known.width, known.height, known.seconds


def _seconds(clip: Input) -> float | None:
    return _known(clip)[2]


def _even(clip: Input) -> tuple[int | None, int | None]:
    """The clip's own size: 4:2:0 has no odd column or row."""
    width, height, _ = _known(clip)
    if width is None or height is None:
        return None, None
    return width - width % 2, height - height % 2


def _concat(bench: Workbench, *, params: ConcatParams) -> tuple[tuple[Path, None], ...]:
    from ai_content_pipeline.media import concat

    path = bench.folder / "concat.mp4"
    concat.concat(
        [bench.path(clip) for clip in bench.inputs[Role.INPUT]],
        path,
        size=params.pixels,
        fit=params.fit,
        fps=None if params.fps is None else Fraction(params.fps).limit_denominator(1001),
        crossfade=Fraction(str(params.crossfade)),
        watch=bench.while_wanted,
    )
    return ((path, None),)

"""Wan 2.1: clips from words, from a first frame, from both ends, and around given pictures (VACE)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.sizes import fitted
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.providers.local import fitting
from ai_content_pipeline.providers.local.asked import VIDEO_DENOISE, Asked, Profile
from ai_content_pipeline.providers.local.fitting import Locate, Size
from ai_content_pipeline.providers.local.loading import load_wan
from ai_content_pipeline.providers.local.machine import Machine, Offload, spread
from ai_content_pipeline.providers.local.made import Frames, Made, Watch, bytes_of, told_by
from ai_content_pipeline.providers.local.speed import compiles, has_few_steps

if TYPE_CHECKING:
    from PIL.Image import Image

GUIDANCE = 5.0
_BALANCED = {"wan_i2v": 40, "wan_flf2v": 40}
_QUALITY, _FAST, _FEW = 50, 20, 4
#: Clips of words alone have no picture to take their shape from: the makers' own.
_WIDE = 832, 480

#: Which pictures each kind of model goes by.
MODES = {
    "wan_t2v": ("none",),
    "wan_i2v": ("start",),
    "wan_flf2v": ("both",),
    "wan_vace": ("none", "single", "start", "end", "both"),
}
_ABLE = {
    "none": "wan2.1_t2v_1.3b",
    "single": "wan2.1_vace_1.3b",
    "start": "wan2.1_i2v_14b_480p",
    "end": "wan2.1_vace_1.3b",
    "both": "wan2.1_flf2v_14b",
}
_WORDS = {
    "none": "no picture",
    "single": "a reference picture",
    "start": "a start picture",
    "end": "an end picture",
    "both": "a start and an end picture",
}


@dataclass(frozen=True)
class Clip:
    """One job. `weight` is how strongly the given pictures count, where the model has such a thing."""

    asked: Asked
    family: str
    size: Size
    canvas: Size
    steps: int
    guidance: float
    weight: float | None
    first: Image | None
    last: Image | None
    references: tuple[Image, ...]

    @property
    def outputs(self) -> int:
        return self.asked.outputs

    @property
    def alike(self) -> object:
        asked = self.asked
        return (asked.profile, self.canvas, asked.frames, self.steps, self.guidance, asked.negative is None)

    @property
    def copy(self) -> Made | None:
        return None

    @property
    def facts(self) -> dict[str, Json]:
        asked, (width, height) = self.asked, self.size
        facts: dict[str, Json] = {
            "width": width,
            "height": height,
            "num_frames": asked.frames,
            "fps": asked.fps,
            "duration_seconds": asked.frames / asked.fps,
            "seed": asked.seed,
            "generation_seed": asked.seed,
            "steps": self.steps,
            "steps_run": self.steps,
            "guidance_scale": self.guidance,
            "profile": asked.profile,
            "reference_mode": asked.mode,
        }
        if asked.mode != "none":
            facts["denoise_strength"] = VIDEO_DENOISE if asked.denoise is None else asked.denoise
        return facts

    @property
    def notes(self) -> tuple[str, ...]:
        asked, found = self.asked, list[str]()
        if asked.outdated:
            found.append(f"reference_strength is deprecated: write 'denoise_strength: {asked.denoise:g}'")
        if self.weight is not None:
            found.append(f"denoise_strength {1 - self.weight:g}: the pictures count {self.weight:g}")
        elif asked.denoise is not None:
            found.append(f"denoise_strength has no effect: {asked.model} always keeps its pictures")
        found.append(f"{asked.frames} frames at {asked.fps} a second: {asked.frames / asked.fps:g} s")
        return tuple(found)


def prepare(asked: Asked, folder: Path, family: str, area: int, locate: Locate) -> Clip:
    """Read a job's pictures and decide its values. `area`: pixels that the model was trained at.

    Raises:
        BadMedia: a picture cannot be used.
        UsageError: this model does not do this; the hint names one that does.
    """
    if asked.task.makes is not Kind.VIDEO:
        raise UsageError(f"{asked.model} makes clips, not {asked.task.value}", hint="use diffusers:sdxl")
    if asked.outputs != 1:
        raise UsageError(f"{asked.model} makes one clip at a time")
    if asked.mode not in MODES[family]:
        takes = " or ".join(_WORDS[mode] for mode in MODES[family])
        raise UsageError(
            f"{asked.model} takes {takes}, and was given {_WORDS[asked.mode]}",
            hint=f"for that use diffusers:{_ABLE[asked.mode]}",
        )
    read = {
        role: tuple(fitting.picture(locate, one) for one in contents)
        for role, contents in asked.files.items()
    }
    shown = next((read[role][0] for role in (Role.START, Role.END) if read.get(role)), None)
    for pictures in read.values():
        for picture in pictures:
            fitting.check_shape(picture)
    size = asked.size or (fitting.size_like(shown, area) if shown else fitted(area, _WIDE))
    canvas = fitting.covering(size)
    few = asked.profile == "fast" and has_few_steps(folder)
    denoise = VIDEO_DENOISE if asked.denoise is None else asked.denoise

    def end(role: Role) -> Image | None:
        return fitting.cropped(read[role][0], canvas) if read.get(role) else None

    return Clip(
        asked,
        family,
        size,
        canvas,
        _steps(asked, family, few=few),
        (1.0 if few else GUIDANCE) if asked.guidance is None else asked.guidance,
        round(1 - denoise, 6) if family == "wan_vace" and asked.mode != "none" else None,
        end(Role.START),
        end(Role.END),
        (*read.get(Role.REFERENCE, ()), *read.get(Role.INPUT, ())),
    )


def _steps(asked: Asked, family: str, *, few: bool) -> int:
    if asked.steps is not None:
        return asked.steps
    usual: Mapping[Profile, int] = {
        "quality": _QUALITY,
        "balanced": _BALANCED.get(family, _QUALITY),
        "fast": _FEW if few else _FAST,
    }
    return usual[asked.profile]


@dataclass
class Wan:
    """One Wan model in memory, as one profile runs it."""

    folder: Path
    family: str
    machine: Machine
    offload: Offload
    profile: Profile

    def __post_init__(self) -> None:
        self._load()

    def make(self, works: Sequence[Clip], watch: Watch) -> list[Made]:
        import torch

        first = works[0]
        generators = [torch.Generator("cpu").manual_seed(work.asked.seed) for work in works]
        how: dict[str, Any] = {
            "width": first.canvas[0],
            "height": first.canvas[1],
            "num_frames": first.asked.frames,
            "num_inference_steps": first.steps,
            "guidance_scale": first.guidance,
            "output_type": "pt",
            "callback_on_step_end": told_by(watch, first.steps),
        }
        if self.family == "wan_t2v":  # the only one whose pipeline takes several at once
            unwanted = None if first.asked.negative is None else [work.asked.negative or "" for work in works]
            how |= {"prompt": [work.asked.prompt for work in works], "negative_prompt": unwanted}
            clips = self.pipeline(generator=generators, **how).frames
        else:
            assert len(works) == 1
            how |= {"prompt": first.asked.prompt, "negative_prompt": first.asked.negative}
            clips = self.pipeline(generator=generators[0], **how, **_pictures(first)).frames
        return [
            Made(_cut(frames, work), work.facts, work.notes, work.asked.fps)
            for frames, work in zip(bytes_of(clips), works, strict=True)
        ]

    def lower(self) -> bool:
        if self.offload is Offload.GROUP:
            return False
        before, self.offload = self.offload, Offload(self.offload + 1)
        if compiles(self.profile, before) == compiles(self.profile, self.offload):
            self._spread()
        else:  # what was compiled cannot be spread like that: anew, with room for it
            del self.pipeline
            self.machine.tidy()
            self._load()
        return True

    def _load(self) -> None:
        self.pipeline = load_wan(self.folder, self.family, self.machine, self.profile, self.offload)
        self._spread()

    def _spread(self) -> None:
        spread(self.pipeline, self.machine, self.offload)
        if self.offload is not Offload.NONE:
            self.pipeline.vae.enable_tiling()


def _cut(frames: Any, work: Clip) -> Frames:
    (width, height), canvas = work.size, work.canvas
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    return Frames(frames[:, top : top + height, left : left + width])


def _pictures(work: Clip) -> dict[str, Any]:
    """The given pictures as the model's pipeline wants them."""
    if work.family == "wan_vace":
        return _around(work)
    last = {"last_image": work.last} if work.last is not None else {}
    return {"image": work.first, **last}


def _around(work: Clip) -> dict[str, Any]:
    """VACE keeps what the mask leaves black and draws the rest, from mid grey."""
    from PIL import Image

    how: dict[str, Any] = {} if work.weight is None else {"conditioning_scale": work.weight}
    if work.references:
        how["reference_images"] = list(work.references)
    if work.first is None and work.last is None:
        return how
    frames = work.asked.frames
    video = [Image.new("RGB", work.canvas, (128, 128, 128))] * frames
    mask = [Image.new("L", work.canvas, 255)] * frames
    keep = Image.new("L", work.canvas, 0)
    for place, picture in ((0, work.first), (frames - 1, work.last)):
        if picture is not None:
            video[place], mask[place] = picture, keep
    return how | {"video": video, "mask": mask}

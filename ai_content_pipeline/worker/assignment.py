"""A job in effective values: what will really be asked of a model, decided before anything is downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.worker.job_types import JobType
from ai_content_pipeline.worker.schema import Config, Job, Metadata

#: Where a reference stands in a job, and so what it is for.
Slot = Literal["reference", "single", "start", "end"]
Path = tuple[str, ...]

_DENOISE = {Kind.IMAGE: 0.5, Kind.VIDEO: 0.15}
_COPY = 0.05


class Refused(ValueError):
    """A job that cannot be: `path` is the field's, from the top of the body."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class Asked:
    """A reference, and the field that named it."""

    url: str
    path: Path


@dataclass(frozen=True, slots=True)
class Assignment:
    """`width` and `height` None: as the reference's shape wants it, at the type's number of pixels."""

    job_type: JobType
    prompt: str
    negative_prompt: str | None
    references: Mapping[Slot, Asked]
    mode: str  # none, single, start, end, both
    outputs: int
    seed: int
    width: int | None
    height: int | None
    steps: int
    guidance_scale: float
    num_frames: int
    fps: int
    denoise_strength: float | None = None
    exact_copy: bool = False
    warnings: tuple[str, ...] = field(default=())

    @property
    def steps_run(self) -> int:
        """Denoising steps that really happen: a reference leaves out the first part of them."""
        if self.exact_copy:
            return self.steps if self.denoise_strength else 0
        if self.denoise_strength is None or self.job_type.kind is Kind.VIDEO:
            return self.steps
        return int(self.steps * self.denoise_strength)


def assign(job: Job, job_type: JobType) -> Assignment:
    """What `job` comes to.

    Raises:
        Refused: its fields contradict one another.
    """
    config, metadata, usual = job.config, job.metadata, job_type.defaults
    warnings: list[str] = []
    references = _references(job, job_type.kind, warnings)
    denoise = _denoise(metadata, job_type.kind, references, warnings)
    copies = metadata.exact_copy_mode
    if copies and "reference" not in references:
        raise Refused(("metadata", "exact_copy_mode"), "there is no reference_image_url to copy")
    if not job.prompt.strip() and not references:
        raise Refused(("prompt",), "must say something where there is no reference")
    _check_shape(config, job_type)
    steps = config.num_inference_steps or usual.num_inference_steps
    if copies and denoise is not None:
        denoise = min(denoise, _COPY)
        steps = min(max(6, int(denoise * 100)), 10)
    guidance = usual.guidance_scale if config.guidance_scale is None else config.guidance_scale
    free = bool(references) and config.width is None and config.height is None
    return Assignment(
        job_type=job_type,
        prompt=job.prompt,
        negative_prompt=None if copies else config.negative_prompt,
        references=references,
        mode=_mode(references),
        outputs=config.num_images,
        seed=_seed(job) if config.seed is None else config.seed,
        width=None if free else config.width or usual.width,
        height=None if free else config.height or usual.height,
        steps=steps,
        guidance_scale=1.0 if copies else guidance,
        num_frames=config.num_frames or usual.num_frames,
        fps=config.fps or usual.fps,
        denoise_strength=denoise,
        exact_copy=copies,
        warnings=tuple(warnings),
    )


def _references(job: Job, kind: Kind, warnings: list[str]) -> dict[Slot, Asked]:
    config, metadata = job.config, job.metadata
    of_image = _one(
        (metadata.reference_image_url, ("metadata", "reference_image_url")),
        (config.image, ("config", "image")),
    )
    if kind is Kind.IMAGE:
        for name in ("first_frame", "last_frame"):
            if getattr(config, name) is not None:
                raise Refused(("config", name), "is for videos")
        for name in ("start_reference_url", "end_reference_url"):
            if getattr(metadata, name) is not None:
                raise Refused(("metadata", name), "is for videos")
        return {"reference": of_image} if of_image else {}
    if metadata.exact_copy_mode:
        raise Refused(("metadata", "exact_copy_mode"), "is for images")
    start = _one(
        (metadata.start_reference_url, ("metadata", "start_reference_url")),
        (config.first_frame, ("config", "first_frame")),
    )
    end = _one(
        (metadata.end_reference_url, ("metadata", "end_reference_url")),
        (config.last_frame, ("config", "last_frame")),
    )
    framed: dict[Slot, Asked] = {}
    if start:
        framed["start"] = start
    if end:
        framed["end"] = end
    if framed and of_image:
        warnings.append(f"{'.'.join(of_image.path)} is not used beside a start or end frame")
    return framed or ({"single": of_image} if of_image else {})


def _one(*places: tuple[str | None, Path]) -> Asked | None:
    """The one reference of several fields that mean the same."""
    asked = [Asked(url, path) for url, path in places if url is not None]
    if len(asked) > 1 and asked[0].url != asked[1].url:
        raise Refused(asked[1].path, f"says something else than {'.'.join(asked[0].path)}")
    return asked[0] if asked else None


def _denoise(
    metadata: Metadata, kind: Kind, references: Mapping[Slot, Asked], warnings: list[str]
) -> float | None:
    strength = metadata.denoise_strength
    old = metadata.model_dump(include={"reference_strength"})["reference_strength"]  # reading it would warn
    if old is not None:
        warnings.append("reference_strength is deprecated: send denoise_strength, which is 1 - that")
        strength = round(1.0 - old, 6) if strength is None else strength
    if not references:
        if strength is not None:
            warnings.append("denoise_strength is not used without a reference")
        return None
    return _DENOISE[kind] if strength is None else strength


def _check_shape(config: Config, job_type: JobType) -> None:
    for name, side in (("width", config.width), ("height", config.height)):
        if side is not None and side % job_type.multiple:
            low = max(job_type.multiple, side - side % job_type.multiple)
            raise Refused(("config", name), f"must be a multiple of {job_type.multiple}, as {low}")
    if (config.width is None) is not (config.height is None):
        missing = "width" if config.width is None else "height"
        raise Refused(("config", missing), "must be given with the other side, or neither")
    if job_type.kind is Kind.IMAGE:
        for name in ("num_frames", "fps"):
            if getattr(config, name) is not None:
                raise Refused(("config", name), "is for videos")
    frames = config.num_frames
    if frames is not None and frames % job_type.frames != 1 % job_type.frames:
        low = (frames - 1) // job_type.frames * job_type.frames + 1
        raise Refused(("config", "num_frames"), f"must be {low} or {low + job_type.frames}")


def _mode(references: Mapping[Slot, Asked]) -> str:
    if "start" in references and "end" in references:
        return "both"
    if "reference" in references:
        return "single"
    return next(iter(references), "none")


def _seed(job: Job) -> int:
    """A seed nobody gave: the same whenever the job is run again."""
    return int.from_bytes(hashlib.sha256(f"{job.user_id}/{job.id}".encode()).digest()[:4], "big") >> 1

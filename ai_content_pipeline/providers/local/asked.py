"""What a job asks of a local model: read from the journaled request, and checked once more.

The card has checked the same before, where the model has one; a folder of one's own weights has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeVar, cast

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import JobRequest, Json, Task, Upload, WireRequest

SCHEME = "artifact:"
Profile = Literal["quality", "balanced", "fast"]
PROFILES: tuple[Profile, ...] = ("quality", "balanced", "fast")

_Number = TypeVar("_Number", int, float)

#: What the owner's documents say where a job says nothing.
IMAGE_DENOISE, VIDEO_DENOISE = 0.5, 0.15
FRAMES, FPS = 81, 16
_FRAMES_A_LATENT = 4  # the video autoencoder makes one of four


@dataclass(frozen=True, slots=True)
class Asked:
    """Sizes in pixels; `files` are contents (sha256) by role. None: as profile and model have it.

    `denoise` is how much of the given picture is drawn anew, None where the job did not say.
    `outdated`: it was said by the old name, ``reference_strength``.
    """

    model: str
    task: Task
    prompt: str
    negative: str | None
    seed: int
    outputs: int
    files: Mapping[Role, tuple[str, ...]]
    size: tuple[int, int] | None
    profile: Profile
    steps: int | None
    guidance: float | None
    denoise: float | None
    outdated: bool
    exact_copy: bool
    reference_scale: float
    frames: int
    fps: int

    @classmethod
    def read(cls, endpoint: str, payload: Mapping[str, Json]) -> Asked:
        """Raises UsageError for a value that no model can take; the message names it."""
        params = cast(dict[str, Json], payload["params"])
        files = cast(dict[str, list[str]], payload["files"])
        said = _number(params, "denoise_strength", 0, 1)
        old = _number(params, "reference_strength", 0, 1)
        if said is None and old is not None:
            said = round(1 - old, 6)
        return cls(
            model=endpoint,
            task=Task(cast(str, payload["task"])),
            prompt=cast(str, payload["prompt"]),
            negative=_text(params, "negative_prompt"),
            seed=cast(int, payload["seed"]),
            outputs=cast(int, payload["outputs"]),
            files={
                Role(role): tuple(url.removeprefix(SCHEME) for url in urls) for role, urls in files.items()
            },
            size=_size(params),
            profile=_profile(params),
            steps=_whole(params, "num_inference_steps", 1, 500),
            guidance=_number(params, "guidance_scale", 0, 100),
            denoise=said,
            outdated=old is not None,
            exact_copy=_truth(params, "exact_copy_mode"),
            reference_scale=_or(_number(params, "reference_scale", 0, 1), 0.6),
            frames=_frames(params),
            fps=_or(_whole(params, "fps", 1, 60), FPS),
        )

    @property
    def mode(self) -> str:
        """Which pictures guide a clip: ``none``, ``single``, ``start``, ``end`` or ``both``."""
        start, end = self.files.get(Role.START), self.files.get(Role.END)
        if start and end:
            return "both"
        if start or end:
            return "start" if start else "end"
        return "single" if self.files.get(Role.REFERENCE) or self.files.get(Role.INPUT) else "none"


def wire_of(request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None) -> WireRequest:
    """All that is needed to make it, again too: it is journaled with the job."""
    files: dict[str, Json] = {role.value: [file.url for file in found] for role, found in uploads.items()}
    payload: dict[str, Json] = {
        "task": request.model.task.value,
        "prompt": request.prompt or "",
        "seed": seed or 0,
        "outputs": request.outputs,
        "files": files,
        "params": dict(request.params),
    }
    return WireRequest(request.model.endpoint, payload)


def _frames(params: Mapping[str, Json]) -> int:
    frames = _or(_whole(params, "num_frames", 5, 1001), FRAMES)
    if frames % _FRAMES_A_LATENT != 1:
        low = frames - (frames - 1) % _FRAMES_A_LATENT
        raise UsageError(
            f"num_frames is {frames}, and a clip has 4k + 1 frames",
            hint=f"write {low} or {low + _FRAMES_A_LATENT}",
        )
    return frames


def _size(params: Mapping[str, Json]) -> tuple[int, int] | None:
    width, height = _whole(params, "width", 16, 8192), _whole(params, "height", 16, 8192)
    if width is None or height is None:
        if width != height:
            raise UsageError("width and height are given together or not at all", hint="write the other, too")
        return None
    return width, height


def _profile(params: Mapping[str, Json]) -> Profile:
    name = _text(params, "profile") or "balanced"
    for profile in PROFILES:
        if profile == name:
            return profile
    raise UsageError(f"there is no profile {name[:40]!r}", hint=f"write {', '.join(PROFILES)}")


def _number(params: Mapping[str, Json], name: str, low: float, high: float) -> float | None:
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise UsageError(f"{name} is no number")
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; it may be {low:g} to {high:g}")
    return float(value)


def _whole(params: Mapping[str, Json], name: str, low: int, high: int) -> int | None:
    value = _number(params, name, low, high)
    if value is not None and not value.is_integer():
        raise UsageError(f"{name} is {value}, which is no whole number")
    return None if value is None else int(value)


def _text(params: Mapping[str, Json], name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} is no text")
    return value


def _truth(params: Mapping[str, Json], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"{name} is neither true nor false")
    return value


def _or(value: _Number | None, usual: _Number) -> _Number:
    return usual if value is None else value

"""What a draft is to show: written into the request, journaled with it, and read when it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import DRAFT, expected
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.jobs import Handle, JobRequest, Json, Params, Task, Upload, WireRequest

if TYPE_CHECKING:
    from ai_content_pipeline.media.tiles import Grid

SCHEME = "artifact:"

_FPS = 24
_LONGEST_CLIP = 1280  # px


@dataclass(frozen=True, slots=True)
class DraftJob:
    """Sizes in pixels, length in seconds; `files` are contents (sha256) by role."""

    task: Task
    prompt: str
    seed: int
    outputs: int
    size: tuple[int, int]
    seconds: float
    files: Mapping[Role, tuple[str, ...]]
    params: Params

    @classmethod
    def read(cls, handle: Handle) -> DraftJob:
        payload = cast(dict[str, Json], handle.data["payload"])
        files = cast(dict[str, list[str]], payload["files"])
        return cls(
            task=Task(cast(str, handle.data["endpoint"])),
            prompt=cast(str, payload["prompt"]),
            seed=cast(int, payload["seed"]),
            outputs=cast(int, payload["outputs"]),
            size=(cast(int, payload["width"]), cast(int, payload["height"])),
            seconds=float(cast(float, payload["seconds"])),
            files={
                Role(role): tuple(url.removeprefix(SCHEME) for url in urls) for role, urls in files.items()
            },
            params=cast(dict[str, Json], payload["params"]),
        )

    @property
    def motion(self) -> str:
        """The prompt, and the camera motion asked for by name."""
        motion = self.params.get("motion")
        return f"{motion}. {self.prompt}" if isinstance(motion, str) else self.prompt

    @property
    def fps(self) -> int:
        value = self.params.get("fps")
        asked = isinstance(value, int | float | str) and str(value).isdigit() and int(value)
        return asked or _FPS

    @property
    def preview(self) -> tuple[int, int]:
        """A clip's size, reduced to a preview's: a draft is made to be seen soon."""
        scale = min(1.0, _LONGEST_CLIP / max(self.size))
        width, height = (max(2, round(side * scale / 2) * 2) for side in self.size)
        return width, height

    @property
    def grid(self) -> Grid | None:
        """The panels asked for by parameter. Raises BadMedia."""
        grid = self.params.get("grid")
        if not isinstance(grid, str):
            return None
        from ai_content_pipeline.media.tiles import parse_grid

        try:
            return parse_grid(grid)
        except ValueError as error:
            raise BadMedia(str(error)) from error


def wire_of(request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None) -> WireRequest:
    shape = expected(DRAFT, request.model.task, request.params, request.inputs)
    usual = 0 if request.model.task is Task.UPSCALE else 1024  # an absurd factor is refused, not ignored
    return WireRequest(
        request.model.endpoint,
        {
            "prompt": request.prompt or "",
            "seed": seed or 0,
            "outputs": request.outputs,
            "width": shape.width or usual,
            "height": shape.height or usual,
            "seconds": shape.seconds or 5.0,
            "files": {role.value: [upload.url for upload in files] for role, files in uploads.items()},
            "params": dict(request.params),
        },
    )

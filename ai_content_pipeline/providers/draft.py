"""The built-in free provider: `media/draft.py` draws, this file speaks its language to the money door.

There is no network and nothing to pay, so it is `repeatable`: a job that died with its process is drawn
again, with the same pixels. A job's handle holds all that is needed to draw it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Role
from ai_content_pipeline.catalog import DRAFT, expected
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Handle,
    JobRequest,
    JobStatus,
    Json,
    Output,
    Params,
    Reason,
    Sightings,
    Succeeded,
    Task,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.protocol import Surroundings

if TYPE_CHECKING:
    from PIL.Image import Image

    from ai_content_pipeline.media.tiles import Grid

_FPS = 24
_LONGEST_CLIP = 1280  # px
_SCHEME = "artifact:"


class _How(TypedDict):
    """What every draft clip is told."""

    seconds: float
    fps: int
    width: int
    height: int
    seed: int
    end: Image | None
    caption: bool


class DraftProvider:
    """Draws storyboard frames and animatics."""

    name = "draft"
    repeatable = True

    def __init__(self, surroundings: Surroundings) -> None:
        self._scratch = surroundings.scratch
        self._locate = surroundings.locate

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        return Upload(f"{_SCHEME}{artifact.sha256}")

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        shape = expected(DRAFT, request.model.task, request.params, request.inputs)
        return WireRequest(
            request.model.endpoint,
            {
                "prompt": request.prompt or "",
                "seed": seed or 0,
                "outputs": request.outputs,
                "width": shape.width or 1024,
                "height": shape.height or 1024,
                "seconds": shape.seconds or 5.0,
                "files": {role.value: [upload.url for upload in files] for role, files in uploads.items()},
                "params": dict(request.params),
            },
        )

    def submit(self, wire: WireRequest, key: str) -> Handle:
        return Handle(key, {"endpoint": wire.endpoint, "payload": dict(wire.payload)})

    def poll(self, handle: Handle) -> JobStatus:
        """Draws, in the calling thread; the answer is always final."""
        payload = cast(dict[str, Json], handle.data["payload"])
        task = Task(cast(str, handle.data["endpoint"]))
        self._scratch.mkdir(parents=True, exist_ok=True)
        notes: list[str] = []
        try:
            outputs = tuple(
                self._draw(task, payload, f"draft-{handle.request_id[:24]}-{index}", index, notes)
                for index in range(cast(int, payload["outputs"]))
            )
        except (BadMedia, ValueError) as error:
            return Failed(Reason.INVALID, str(error), Billed.NO)
        return Succeeded(outputs, notes=tuple(dict.fromkeys(notes)))

    def cancel(self, handle: Handle) -> CancelAnswer:
        return CancelAnswer.UNSUPPORTED

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        return Sightings()

    def close(self) -> None:
        """There is nothing to give back."""

    def _draw(
        self, task: Task, payload: Mapping[str, Json], name: str, index: int, notes: list[str]
    ) -> Output:
        if task.makes is Kind.IMAGE:
            return self._still(payload, self._scratch / f"{name}.png", index, notes)
        return self._clip(payload, self._scratch / f"{name}.mp4", index, notes)

    def _still(self, payload: Mapping[str, Json], path: Path, index: int, notes: list[str]) -> Output:
        from ai_content_pipeline.media import draft, images

        width, height = _size(payload)
        drawing = draft.draw_still(
            _text(payload),
            width=width,
            height=height,
            seed=_seed(payload) + index,
            grid=_grid(payload),
            references=self._pictures(payload, Role.INPUT) + self._pictures(payload, Role.REFERENCE),
        )
        notes.extend(drawing.notes)
        images.save_png(drawing.image, path)
        return Output(path=path, still=drawing.image)

    def _clip(self, payload: Mapping[str, Json], path: Path, index: int, notes: list[str]) -> Output:
        from ai_content_pipeline.media import draft, video

        width, height = _preview(*_size(payload))
        params = _params(payload)
        fps = _number(params.get("fps"), _FPS)
        seconds = float(cast(float, payload["seconds"]))
        seed = _seed(payload) + index
        start, end = self._pictures(payload, Role.START), self._pictures(payload, Role.END)
        pictures = start or self._pictures(payload, Role.INPUT) or end
        how: _How = {
            "seconds": seconds,
            "fps": fps,
            "width": width,
            "height": height,
            "seed": seed,
            "end": end[0] if end and start else None,
            "caption": bool(params.get("caption", False)),
        }
        motion = _motion(payload)
        clip = (
            draft.draw_clip(pictures[0], motion, **how) if pictures else draft.draw_text_clip(motion, **how)
        )
        notes.extend(clip.notes)
        first: list[Image] = []
        video.encode_video(_watched(clip, first), path, fps=Fraction(fps))
        return Output(path=path, still=first[0])

    def _pictures(self, payload: Mapping[str, Json], role: Role) -> list[Image]:
        from ai_content_pipeline.media import images, video

        files = cast(dict[str, list[str]], payload["files"]).get(role.value, [])
        found = []
        for url in files:
            path = self._locate(url.removeprefix(_SCHEME))
            video_file = path.suffix in (".mp4", ".webm", ".mov")
            found.append(video.frame(path, Frame.FIRST) if video_file else images.open_image(path))
        return found


def _preview(width: int, height: int) -> tuple[int, int]:
    """The clip's size, reduced to a preview's: a draft is made to be seen soon."""
    scale = min(1.0, _LONGEST_CLIP / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _watched(frames: Iterable[Image], first: list[Image]) -> Iterator[Image]:
    """The frames as they pass, the first of them kept."""
    for frame in frames:
        if not first:
            first.append(frame)
        yield frame


def _params(payload: Mapping[str, Json]) -> Params:
    return cast(dict[str, Json], payload["params"])


def _text(payload: Mapping[str, Json]) -> str:
    return cast(str, payload["prompt"])


def _seed(payload: Mapping[str, Json]) -> int:
    return cast(int, payload["seed"])


def _size(payload: Mapping[str, Json]) -> tuple[int, int]:
    return cast(int, payload["width"]), cast(int, payload["height"])


def _motion(payload: Mapping[str, Json]) -> str:
    """The prompt, and the camera motion asked for by name."""
    motion = _params(payload).get("motion")
    return f"{motion}. {_text(payload)}" if isinstance(motion, str) else _text(payload)


def _grid(payload: Mapping[str, Json]) -> Grid | None:
    grid = _params(payload).get("grid")
    if not isinstance(grid, str):
        return None
    from ai_content_pipeline.media.tiles import parse_grid

    try:
        return parse_grid(grid)
    except ValueError as error:
        raise BadMedia(str(error)) from error


def _number(value: Json, default: int) -> int:
    return (
        int(value)
        if isinstance(value, int | float | str) and str(value).isdigit() and int(value)
        else default
    )

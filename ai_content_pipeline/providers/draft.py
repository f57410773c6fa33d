"""The built-in free provider: `media/draft.py` draws, this file speaks its language to the money door.

There is no network and nothing to pay, so it is `repeatable`: a job that died with its process is drawn
again, with the same pixels. A job's handle holds all that is needed to draw it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from ai_content_pipeline.artifacts import SUFFIXES, Artifact, Frame, Kind, Role
from ai_content_pipeline.errors import BadMedia, Interrupted
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Handle,
    JobRequest,
    JobStatus,
    Output,
    Reason,
    Sightings,
    Succeeded,
    Task,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.draft_job import SCHEME, DraftJob, wire_of
from ai_content_pipeline.providers.protocol import Surroundings

if TYPE_CHECKING:
    from PIL.Image import Image

_VIDEOS = frozenset(suffix for media_type, suffix in SUFFIXES.items() if media_type.startswith("video/"))


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
    """Draws storyboard frames and animatics, and enlarges what is there."""

    name = "draft"
    repeatable = True
    soonest = 0.0

    def __init__(self, surroundings: Surroundings) -> None:
        self._scratch = surroundings.scratch
        self._locate = surroundings.locate
        self._detached = surroundings.detached

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        return Upload(f"{SCHEME}{artifact.sha256}")

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        return wire_of(request, uploads, seed)

    def submit(self, wire: WireRequest, key: str) -> Handle:
        return Handle(key, {"endpoint": wire.endpoint, "payload": dict(wire.payload)})

    def poll(self, handle: Handle) -> JobStatus:
        """Draws, in the calling thread; the answer is always final.

        Raises:
            Interrupted: nobody waits any more; asked again, it is drawn from the beginning.
        """
        job = DraftJob.read(handle)
        self._scratch.mkdir(parents=True, exist_ok=True)
        notes: list[str] = []
        try:
            outputs = tuple(
                self._draw(job, f"draft-{handle.request_id[:24]}-{index}", index, notes)
                for index in range(job.outputs)
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

    def _draw(self, job: DraftJob, name: str, index: int, notes: list[str]) -> Output:
        self._heed()
        if job.task is Task.UPSCALE:
            return self._larger(job, name)
        if job.task.makes is Kind.IMAGE:
            return self._still(job, self._scratch / f"{name}.png", index, notes)
        return self._clip(job, self._scratch / f"{name}.mp4", index, notes)

    def _still(self, job: DraftJob, path: Path, index: int, notes: list[str]) -> Output:
        from ai_content_pipeline.media import draft, images

        (width, height), seed = job.size, job.seed + index
        inputs, references = self._pictures(job, Role.INPUT), self._pictures(job, Role.REFERENCE)
        if job.task is Task.IMAGE_TO_IMAGE and inputs:
            others = inputs[1:] + references
            drawing = draft.draw_edit(
                inputs[0], job.prompt, width=width, height=height, seed=seed, references=others
            )
        else:
            shown = inputs + references
            drawing = draft.draw_still(
                job.prompt, width=width, height=height, seed=seed, grid=job.grid, references=shown
            )
        notes.extend(drawing.notes)
        images.save_png(drawing.image, path)
        return Output(path=path, still=drawing.image)

    def _larger(self, job: DraftJob, name: str) -> Output:
        """The input itself with more pixels, of the kind it is."""
        from ai_content_pipeline.media import images, upscale

        source = self._locate(job.files[Role.INPUT][0])
        if not _is_video(source):
            path = self._scratch / f"{name}.png"
            image = upscale.upscale_image(images.open_image(source), job.size)
            images.save_png(image, path)
            return Output(path=path, still=image)
        path, first = self._scratch / f"{name}.mp4", list["Image"]()
        upscale.upscale_video(source, path, job.size, watch=lambda frames: self._watched(frames, first))
        return Output(path=path, still=first[0])

    def _clip(self, job: DraftJob, path: Path, index: int, notes: list[str]) -> Output:
        from ai_content_pipeline.media import draft, video

        width, height = job.preview
        start, end = self._pictures(job, Role.START), self._pictures(job, Role.END)
        pictures = start or self._pictures(job, Role.INPUT) or end
        references = self._pictures(job, Role.REFERENCE)
        how: _How = {
            "seconds": job.seconds,
            "fps": job.fps,
            "width": width,
            "height": height,
            "seed": job.seed + index,
            "end": end[0] if end and start else None,
            "caption": bool(job.params.get("caption", False)),
        }
        clip = (
            draft.draw_clip(draft.with_subjects(pictures[0], references), job.motion, **how)
            if pictures
            else draft.draw_text_clip(job.motion, references=references, **how)
        )
        notes.extend(clip.notes)
        first: list[Image] = []
        video.encode_video(self._watched(clip, first), path, fps=Fraction(job.fps))
        return Output(path=path, still=first[0])

    def _watched(self, frames: Iterable[Image], first: list[Image]) -> Iterator[Image]:
        """The frames as they pass, the first of them kept, until nobody waits for them any more."""
        for frame in frames:
            self._heed()
            if not first:
                first.append(frame)
            yield frame

    def _heed(self) -> None:
        if self._detached.is_set():
            raise Interrupted("stopped while it was drawn")

    def _pictures(self, job: DraftJob, role: Role) -> list[Image]:
        from ai_content_pipeline.media import images, video

        return [
            video.frame(path, Frame.FIRST) if _is_video(path) else images.open_image(path)
            for path in map(self._locate, job.files.get(role, ()))
        ]


def _is_video(path: Path) -> bool:
    """Of a stored file, whose suffix is by its content."""
    return path.suffix in _VIDEOS

"""One job from its assignment to finished files: references, the provider, thumbnails. Runs in the child."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Role
from ai_content_pipeline.catalog import DRAFT
from ai_content_pipeline.catalog.catalogue import BUILT_IN
from ai_content_pipeline.catalog.names import find, model_of
from ai_content_pipeline.errors import AicpError, Interrupted
from ai_content_pipeline.jobs import (
    Failed,
    Gone,
    JobRequest,
    Json,
    Model,
    Output,
    Queued,
    Running,
    Succeeded,
    Task,
)
from ai_content_pipeline.providers.protocol import Provider
from ai_content_pipeline.worker.assignment import Assignment, Slot
from ai_content_pipeline.worker.faults import Code, Fault, of_status

_ASK = 0.05  # seconds between two looks at a job that runs
Step = Callable[[int, int], object]


class JobFailed(Exception):
    """The job ended without a result, and `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Bench:
    """What a job is made with. `step(k, n)` is told of progress; `stopped` set: nobody wants it any more."""

    provider: Provider
    folder: Path
    references: Mapping[Slot, tuple[Artifact, Path]]
    step: Step
    stopped: threading.Event


def make(assignment: Assignment, key: str, bench: Bench) -> list[dict[str, Json]]:
    """The job's files in `bench.folder`, `{index}.png` or `.mp4` and `{index}.thumb.webp`; what each is.

    Raises:
        JobFailed: the provider says no.
        AicpError: as the provider raises it.
    """
    assets: list[dict[str, Json]] = []
    batch = 1 if assignment.job_type.kind is Kind.VIDEO else assignment.job_type.batch
    for first in range(0, assignment.outputs, batch):
        count = min(batch, assignment.outputs - first)

        def step(share: float, first: int = first, count: int = count) -> None:
            done = (first + share * count) / assignment.outputs
            bench.step(max(1, round(done * _steps(assignment))), _steps(assignment))

        for offset, output in enumerate(_pass(assignment, f"{key}-{first}", first, count, bench, step)):
            assets.append(_asset(assignment, output, first + offset, bench.folder))
        step(1.0)
    return assets


def _steps(assignment: Assignment) -> int:
    """How many steps are counted: those of the model, for every output."""
    return max(1, assignment.steps_run) * assignment.outputs


def _pass(
    assignment: Assignment, key: str, first: int, count: int, bench: Bench, step: Callable[[float], None]
) -> tuple[Output, ...]:
    """The outputs of one request to the provider."""
    if bench.stopped.is_set():
        raise Interrupted("cancelled")
    provider = bench.provider
    request = _request(assignment, first, count, bench)
    uploads = {
        role: tuple(provider.upload(*found) for found in bench.references.values() if found[0] in artifacts)
        for role, artifacts in request.inputs.items()
    }
    handle = provider.submit(provider.wire(request, uploads, request.seed), key)
    while isinstance(status := provider.poll(handle), Queued | Running):
        if isinstance(status, Running) and status.progress is not None:
            step(status.progress)
        if bench.stopped.wait(_ASK):
            provider.cancel(handle)
            raise Interrupted("cancelled")
    if isinstance(status, Failed):
        raise JobFailed(of_status(status))
    if isinstance(status, Gone):
        raise JobFailed(Fault.of(Code.PROVIDER, status.message))
    assert isinstance(status, Succeeded)
    if len(status.outputs) < count:
        raise JobFailed(Fault.of(Code.PROVIDER, f"{len(status.outputs)} of {count} outputs were made"))
    return status.outputs[:count]


def _request(assignment: Assignment, first: int, count: int, bench: Bench) -> JobRequest:
    model, roles = _model(assignment, bench.provider.name)
    inputs = {roles[slot]: (artifact,) for slot, (artifact, _) in bench.references.items()}
    params = dict(_params(assignment, bench, model.provider))
    if count > 1 and model.count_field:
        params[model.count_field] = count
    return JobRequest(model, assignment.prompt, params, inputs, seed=assignment.seed + first, outputs=count)


def _model(assignment: Assignment, provider: str) -> tuple[Model, Mapping[Slot, Role]]:
    """The model, and the role that each reference has there."""
    roles: dict[Slot, Role] = {
        "reference": Role.INPUT,
        "single": Role.INPUT,
        "start": Role.START,
        "end": Role.END,
    }
    task = _task(assignment)
    if provider == DRAFT.provider:
        return model_of(DRAFT, DRAFT.key, task), roles
    name = f"{provider}:{assignment.job_type.model}"
    card = find(name, BUILT_IN, task)
    if card.roles:
        wanted = (Role.REFERENCE, Role.INPUT, Role.START)
        roles["single"] = next((role for role in wanted if role in card.roles), Role.START)
    if roles["single"] is Role.REFERENCE and "single" in assignment.references:
        task = Task.REFERENCE_TO_VIDEO if Task.REFERENCE_TO_VIDEO in card.tasks else task
    return model_of(card, name, task), roles


def _task(assignment: Assignment) -> Task:
    if assignment.job_type.kind is Kind.IMAGE:
        return Task.IMAGE_TO_IMAGE if assignment.references else Task.TEXT_TO_IMAGE
    return Task.IMAGE_TO_VIDEO if assignment.references else Task.TEXT_TO_VIDEO


def _params(assignment: Assignment, bench: Bench, provider: str) -> Iterator[tuple[str, Json]]:
    width, height = assignment.width, assignment.height
    video = assignment.job_type.kind is Kind.VIDEO
    if provider == DRAFT.provider:
        if width is None or height is None:
            width, height = _fitted(assignment, bench)
        yield from (("width", width), ("height", height))
        if video:
            yield from (("duration", assignment.num_frames / assignment.fps), ("fps", assignment.fps))
        return
    if width is not None and height is not None:
        yield from (("width", width), ("height", height))
    if video:
        yield from (("num_frames", assignment.num_frames), ("fps", assignment.fps))
    yield "num_inference_steps", assignment.steps
    yield "guidance_scale", assignment.guidance_scale
    if assignment.negative_prompt is not None:
        yield "negative_prompt", assignment.negative_prompt
    if assignment.denoise_strength is not None:
        yield "denoise_strength", assignment.denoise_strength
    if assignment.exact_copy:
        yield "exact_copy_mode", True
    if assignment.job_type.profile:
        yield "profile", assignment.job_type.profile


def _fitted(assignment: Assignment, bench: Bench) -> tuple[int, int]:
    """The size in the shape of the first reference that has the type's number of pixels, or fewer."""
    artifact, _ = next(iter(bench.references.values()))
    usual, multiple = assignment.job_type.defaults, assignment.job_type.multiple
    ratio = artifact.info.height / artifact.info.width
    area = usual.width * usual.height
    if assignment.job_type.kind is Kind.IMAGE:
        area = min(area, artifact.info.width * artifact.info.height)
    sides = (round(sqrt(area / ratio)), round(sqrt(area * ratio)))
    width, height = (min(4096, max(multiple * 2, side // multiple * multiple)) for side in sides)
    return width, height


def _asset(assignment: Assignment, output: Output, index: int, folder: Path) -> dict[str, Json]:
    """Put one output and its thumbnail under their names, and say what it is."""
    from ai_content_pipeline.media import images, thumbnails, video
    from ai_content_pipeline.media.probe import probe

    if output.path is None:
        raise AicpError("the provider names a file that is not here")
    info = probe(output.path)
    still = output.still
    if info.kind is Kind.IMAGE:
        name = f"{index}.png"
        if info.media_type != "image/png":
            images.save_png(still or images.open_image(output.path), folder / name)
            output.path.unlink()
        else:
            output.path.replace(folder / name)
        still = still or images.open_image(folder / name)
    else:
        name = f"{index}.mp4"
        output.path.replace(folder / name)
        still = still or video.frame(folder / name, Frame.FIRST)
    thumb = f"{index}.thumb.webp"
    thumbnails.save_thumbnail(thumbnails.thumbnail(still), folder / thumb)
    seed = assignment.seed + index
    metadata: dict[str, Json] = {
        "width": info.width,
        "height": info.height,
        "format": "png" if info.kind is Kind.IMAGE else "mp4",
        "steps": assignment.steps,
        "steps_run": assignment.steps_run,
        "guidance_scale": assignment.guidance_scale,
        "seed": seed,
        "generation_seed": seed,
        "file_size_bytes": (folder / name).stat().st_size,
        "asset_index": index,
    }
    if assignment.denoise_strength is not None:
        metadata["denoise_strength"] = assignment.denoise_strength
    if info.kind is Kind.VIDEO:
        metadata["duration_seconds"] = None if info.seconds is None else round(info.seconds, 4)
        metadata["fps"] = assignment.fps
    return {"type": info.kind.value, "file": name, "thumbnail": thumb, "metadata": metadata}

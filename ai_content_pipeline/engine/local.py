"""Work done here: keyed by input, parameters and version, run once, and reused like paid results."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Role
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.stills import Stills
from ai_content_pipeline.generation.store import Store
from ai_content_pipeline.jobs import LocalWork, Workbench

if TYPE_CHECKING:
    from PIL.Image import Image

FRAME_VERSION = 1


@dataclass(frozen=True, slots=True)
class LocalRunner:
    store: Store
    artifacts: ArtifactStore
    stills: Stills
    detached: threading.Event = field(default_factory=threading.Event)

    def run(self, work: LocalWork) -> tuple[tuple[Artifact, ...], bool]:
        """The files of `work`, whose inputs exist, and whether they were there already.

        Raises:
            BadMedia: an input that cannot be worked on.
            Interrupted: nobody waits for it any more.
        """
        key = keys.local_key(work)
        known = self.known(key)
        if known is not None:
            return known, True
        from ai_content_pipeline.media.probe import probe

        with self.artifacts.workspace() as folder:
            bench = Workbench(_existing(work), Path(folder), self.picture, self.artifacts.path, self.detached)
            made = []
            for path, picture in work.run(bench):
                artifact = self.artifacts.put(path, probe(path))
                if picture is not None:
                    self.stills.keep(artifact, picture)
                made.append(artifact)
        self.store.local_done(key, made)
        return tuple(made), False

    def known(self, key: str) -> tuple[Artifact, ...] | None:
        """The stored files of a local key, if every one of them is intact."""
        found = self.store.local(key)
        return found if found is not None and all(map(self.artifacts.intact, found)) else None

    def picture(self, artifact: Artifact, frame: Frame = Frame.FIRST, edge: int | None = None) -> Image:
        """A picture, or a frame of a video; see `jobs.Pictures`."""
        if frame is Frame.FIRST and edge is not None:
            still = self.stills.find(artifact, edge)
            if still is not None:
                return still
        path = self.artifacts.path(artifact)
        if artifact.kind is Kind.VIDEO:
            from ai_content_pipeline.media import video

            return video.frame(path, frame)
        from ai_content_pipeline.media import images

        return images.open_image(path, at_least=None if edge is None else (edge, edge))


def frame_work(video: Artifact, frame: Frame) -> LocalWork:
    """A still of a clip, as a piece of local work like any other."""
    return LocalWork(
        "frame", FRAME_VERSION, {"frame": frame.value}, {Role.INPUT: (video,)}, partial(_frame, frame=frame)
    )


def with_inputs(work: LocalWork, inputs: dict[Role, tuple[Artifact, ...]]) -> LocalWork:
    return replace(work, inputs=inputs)


def _frame(bench: Workbench, *, frame: Frame) -> tuple[tuple[Path, Image], ...]:
    from ai_content_pipeline.media import images

    (artifact,) = bench.inputs[Role.INPUT]
    picture = bench.picture(artifact, frame)
    path = bench.folder / "frame.png"
    images.save_png(picture, path)
    return ((path, picture),)


def _existing(work: LocalWork) -> dict[Role, tuple[Artifact, ...]]:
    return {
        role: tuple(source for source in sources if isinstance(source, Artifact))
        for role, sources in work.inputs.items()
    }

"""From a finished job to a stored file: download, verify by decoding, sync, rename. Free, and repeatable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.generation.stills import Stills
from ai_content_pipeline.generation.store import Job, Store
from ai_content_pipeline.jobs import Billed, Output, Reason

Download = Callable[[str, Path], None]

#: A file that does not decode is asked for again this often: vendors' stores lag behind their queues.
_TRIES = 5


@dataclass
class Fetcher:
    """`download(url, path)` raises BadMedia for content, ProviderUnavailable for a network that may
    mend, and FileNotFoundError when the vendor has deleted the file."""

    store: Store
    artifacts: ArtifactStore
    clock: Clock
    download: Download
    verify: Callable[[Path], MediaInfo]
    stills: Stills

    def fetch(self, job: Job, outputs: tuple[Output, ...]) -> None:
        """Store every output of a FINISHED job, and record it as DONE, FAILED or GONE.

        Raises:
            ProviderUnavailable: not now; the job stays FINISHED.
        """
        with self.artifacts.workspace() as folder:
            try:
                stored = [self._one(job, output, Path(folder)) for output in outputs[: job.outputs]]
            except FileNotFoundError as error:
                self.store.gone(job.key, f"its file was deleted ({error})", self.clock.now())
                return
            except BadMedia as error:
                self.store.failed(job.key, Reason.BAD_OUTPUT, error.message, Billed.YES, self.clock.now())
                return
        if not stored:
            message = "the vendor reports success but returned no file"
            self.store.failed(job.key, Reason.BAD_OUTPUT, message, Billed.YES, self.clock.now())
            return
        self.store.done(job.key, stored, self.clock.now())

    def _one(self, job: Job, output: Output, folder: Path) -> Artifact:
        for left in reversed(range(_TRIES if output.url else 1)):
            path = output.path or folder / "download"
            try:
                if output.url:
                    self.download(output.url, path)
                info = self._verified(job, path)
            except BadMedia:
                if left:
                    continue
                if path.exists():
                    self.artifacts.quarantine(path, job.key[:16])
                raise
            artifact = self.artifacts.put(path, info)
            if output.still is not None:
                self.stills.keep(artifact, output.still)
            return artifact
        raise AssertionError("the last try returns or raises")

    def _verified(self, job: Job, path: Path) -> MediaInfo:
        info = self.verify(path)
        wanted = Kind(str(job.description["kind"]))
        if info.kind is not wanted:
            raise BadMedia(f"asked for {wanted.value}, got {info.media_type}")
        return info

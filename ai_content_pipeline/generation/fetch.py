"""From a finished job to a stored file: download, verify by decoding, sync, rename. Free, and repeatable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia, Interrupted, JournalError
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.generation.rhythm import retry_delays
from ai_content_pipeline.generation.stills import Stills
from ai_content_pipeline.generation.store import Ending, Job, Store
from ai_content_pipeline.jobs import Billed, Output, Reason
from ai_content_pipeline.media.blank import Blank

Download = Callable[[str, Path], None]

#: A file that does not decode is asked for again this often: vendors' stores lag behind their queues.
_TRIES = 5
#: So many results are brought home side by side. All at once, each would come as late as the last; so, the
#: first ones free their workers for what is next.
_AT_ONCE = 8
#: Seconds between two looks, while a turn is waited for, whether anybody still waits.
_HEED = 0.25


class Deleted(Exception):
    """The vendor no longer has a file of the job. `surely`: its host said so, and did not just refuse us."""

    def __init__(self, message: str, *, surely: bool = True) -> None:
        super().__init__(message)
        self.surely = surely


@dataclass
class Fetcher:
    """`download(url, path)` raises BadMedia for content, ProviderUnavailable for a network that may
    mend, and FileNotFoundError when the vendor has deleted the file.

    A result waits for its turn for `turn` seconds at most: what is before it may be slow for its own reasons.
    """

    store: Store
    artifacts: ArtifactStore
    clock: Clock
    download: Download
    verify: Callable[[Path, Blank | None], MediaInfo]
    stills: Stills
    detached: threading.Event = field(default_factory=threading.Event)
    turn: float = 2.0
    _turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))

    def fetch(self, job: Job, outputs: tuple[Output, ...], ending: Ending | None = None) -> Job:
        """Store every output of a FINISHED job, and record it as DONE or FAILED(bad output).

        Of several outputs the good ones are kept where one cannot be used. With `ending` the
        journal has not heard of the end yet, and does so with what follows.

        Raises:
            Deleted: the vendor no longer has a file; the job stays FINISHED.
            ProviderUnavailable: not now; the job stays FINISHED.
            JournalError: no room, or another fault of this machine; the job stays FINISHED.
        """
        mine = self._turn_taken()
        try:
            artifacts, fault, remarks = self._all(job, outputs[: job.outputs])
            return self.kept(job, artifacts, fault, ending, remarks)
        except OSError as error:
            raise JournalError(
                f"the result cannot be stored below .aicp: {error}",
                hint="make room and run the same command again: it is fetched at no cost",
            ) from error
        finally:
            if mine:
                self._turns.release()

    def _turn_taken(self) -> bool:
        """Whether it is this result's turn; False where it has waited long enough, or nobody waits for it."""
        for _ in range(max(1, round(self.turn / _HEED))):
            if self._turns.acquire(timeout=min(_HEED, self.turn)):
                return True
            if self.detached.is_set():
                break
        return False

    def kept(
        self,
        job: Job,
        artifacts: Sequence[Artifact | None],
        fault: BadMedia | None,
        ending: Ending | None,
        remarks: Sequence[str] = (),
    ) -> Job:
        """Record what there is of a job that has ended: DONE when nothing is missing. With `ending` the
        journal hears of that now. `remarks` join its notes."""
        good = [artifact for artifact in artifacts if artifact is not None]
        if fault is None or (good and len(good) == len(artifacts)):
            notes = tuple(dict.fromkeys((*job.notes, *remarks))) if remarks else None
            return self.store.done(job.key, good, self._ended(job), ending, notes)
        if ending is not None:
            self.store.finished(job.key, ending)
        return self.store.failed(
            job.key,
            Reason.BAD_OUTPUT,
            fault.message,
            Billed.YES,
            self._ended(job),
            artifacts if good else (),
        )

    def _all(
        self, job: Job, outputs: Sequence[Output]
    ) -> tuple[Sequence[Artifact | None], BadMedia | None, Sequence[str]]:
        """Every output, stored now or before, None for what cannot be used; the first thing wrong; and what
        is to be said of the good ones."""
        if not outputs:
            return job.artifacts, BadMedia("the vendor reports success but returned no file"), ()
        artifacts: list[Artifact | None] = []
        remarks: list[str] = []
        fault = None
        for index, output in enumerate(outputs):
            known = job.artifacts[index] if index < len(job.artifacts) else None
            if known is not None and self.artifacts.intact(known):
                artifacts.append(known)
                continue
            which = f"file {index + 1} of {len(outputs)}: " if len(outputs) > 1 else ""
            try:
                artifact, remark = self._one(job, output)
            except BadMedia as error:
                artifacts.append(known)  # what was stored once may come back from a backup
                fault = fault or BadMedia(f"{which}{error.message}")
            else:
                artifacts.append(artifact)
                remarks += [] if remark is None else [f"{which}{remark}"]
        return artifacts, fault, remarks

    def _ended(self, job: Job) -> datetime:
        """Now; but fetching again, days later, must not change how long the model took."""
        return job.ended_at or self.clock.now()

    def _one(self, job: Job, output: Output) -> tuple[Artifact, str | None]:
        if output.path is not None:
            return self._stored(job, output, output.path, last=True)
        for delay in retry_delays(_TRIES):
            with self.artifacts.temporary() as path:
                try:
                    return self._stored(job, output, path, last=delay is None)
                except BadMedia:
                    if delay is None:
                        raise
            self._pause(delay)
        raise AssertionError("retry_delays ends with None")

    def _stored(self, job: Job, output: Output, path: Path, *, last: bool) -> tuple[Artifact, str | None]:
        """One file, downloaded to `path` if it is not there yet; in quarantine if it stays unusable. And what
        is to be said of it."""
        blank = None if output.url is None else Blank()  # nothing is said of our own drawings
        try:
            if output.url is not None:
                self._download(output.url, path)
            info = self._verified(job, path, blank)
        except BadMedia:
            if last and path.exists():
                self.artifacts.quarantine(path, job.key[:16])
            raise
        artifact = self.artifacts.put(path, info)
        if output.still is not None:
            self.stills.keep(artifact, output.still)
        return artifact, None if blank is None else blank.remark

    def _download(self, url: str, path: Path) -> None:
        try:
            self.download(url, path)
        except FileNotFoundError as error:
            if not path.parent.is_dir():  # it is our own folder that is missing
                raise
            raise Deleted(str(error), surely=not isinstance(error, PermissionError)) from error

    def _verified(self, job: Job, path: Path, blank: Blank | None) -> MediaInfo:
        try:
            info = self.verify(path, blank)
        except BadMedia as error:
            # It lies under a temporary name of ours, which says nothing to anybody.
            words = error.message.replace(str(path), f"what {job.provider} sent")
            raise BadMedia(words, hint=error.hint) from error
        wanted = Kind(str(job.description["kind"]))
        if info.kind is not wanted:
            raise BadMedia(f"asked for {wanted.value}, got {info.media_type}")
        return info

    def _pause(self, seconds: float) -> None:
        if self.clock.wait(self.detached, seconds):
            raise Interrupted("detached: the result waits at the vendor", retry_with="aicp fetch")

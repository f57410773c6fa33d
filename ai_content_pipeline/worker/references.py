"""A job's reference pictures: fetched from public hosts within limits, verified by decoding, by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ai_content_pipeline.artifacts import SUFFIXES, Artifact
from ai_content_pipeline.errors import BadMedia, ProviderUnavailable
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.media.download import Limits, download
from ai_content_pipeline.media.hosts import HostRule, check_url
from ai_content_pipeline.media.images import verify_image
from ai_content_pipeline.worker.assignment import Asked, Slot
from ai_content_pipeline.worker.faults import Code, Fault
from ai_content_pipeline.worker.inference import JobFailed

#: A picture, not a film: small, soon there, and given up early.
LIMITS = Limits(size=32 << 20, inline=32 << 20, seconds=60.0, idle=10.0, patience=5.0, tries=3)


def check(asked: Asked, allow: HostRule) -> None:
    """What can be said against a reference before it is asked for. Raises BadMedia."""
    if asked.url[:5].lower() != "data:":
        check_url(asked.url, allow)


def fetch(
    references: Mapping[Slot, Asked],
    folder: Path,
    allow: HostRule,
    stopped: Callable[[], bool],
    limits: Limits = LIMITS,
) -> dict[Slot, tuple[Artifact, Path]]:
    """Every reference as a picture in `folder`.

    Raises:
        JobFailed: one cannot be had, or is no picture that can be used; the fault names its field.
        Interrupted: `stopped` said so.
    """
    return {
        slot: _fetched(asked, folder / f"reference-{slot}", allow, stopped, limits)
        for slot, asked in references.items()
    }


def _fetched(
    asked: Asked, path: Path, allow: HostRule, stopped: Callable[[], bool], limits: Limits
) -> tuple[Artifact, Path]:
    name = ".".join(asked.path)
    try:
        download(asked.url, path, allow=allow, stopped=stopped, limits=limits)
        info = verify_image(path)
    except BadMedia as error:
        words = error.message.replace(str(path), "the file").replace("the vendor's ", "the ")
        raise JobFailed(Fault.of(Code.DOWNLOAD, f"{name}: {words}", retryable=False)) from error
    except FileNotFoundError as error:
        raise JobFailed(Fault.of(Code.DOWNLOAD, f"{name}: {error}", retryable=False)) from error
    except ProviderUnavailable as error:
        raise JobFailed(Fault.of(Code.DOWNLOAD, f"{name}: {error.message}", retryable=True)) from error
    stored = path.with_suffix(SUFFIXES[info.media_type])
    path.replace(stored)
    return Artifact(hash_file(stored), stored.stat().st_size, info), stored

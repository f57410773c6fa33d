"""Models in memory: what each needs, how it is loaded, and what running out of memory looks like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ai_content_pipeline.catalog import local
from ai_content_pipeline.errors import AicpError, OutOfMemory
from ai_content_pipeline.providers.local import sdxl, wan
from ai_content_pipeline.providers.local.asked import PROFILES
from ai_content_pipeline.providers.local.machine import Machine, Offload
from ai_content_pipeline.providers.local.made import Resident, Work

_AREA = 480 * 832  # of a Wan model that nobody described
_NEEDS_GB = 24.0, 12.0  # of a model that nobody described
_BATCH = {"sdxl": 4, "wan_t2v": 2}  # the others' pipelines take one request at a time


@dataclass(frozen=True, slots=True)
class Place:
    """A model where it lies, and how it is run. Equal places are one model in memory."""

    folder: Path
    family: str
    variant: str


def load(place: Place, machine: Machine, offload: Offload) -> Resident:
    if place.family == "sdxl":
        return sdxl.Sdxl(place.folder, machine, offload)
    profile = next(profile for profile in PROFILES if profile == place.variant)
    return wan.Wan(place.folder, place.family, machine, offload, profile)


def needs_of(place: Place) -> tuple[float, float]:
    key = place.folder.name
    if not local.has(key):
        return _NEEDS_GB
    known = local.load(key).local
    return (known.vram_gb, known.vram_offload_gb) if known else _NEEDS_GB


def batch_of(place: Place) -> int:
    """How many outputs one pass may make."""
    key = place.folder.name
    known = local.load(key).local if local.has(key) else None
    return known.max_batch if known else _BATCH.get(place.family, 1)


def area_of(key: str) -> int:
    known = local.load(key).local if local.has(key) else None
    return known.area if known else _AREA


def is_memory(error: BaseException) -> bool:
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words


def too_large(work: Work, offload: Offload) -> OutOfMemory:
    """`offload`: how the model was spread when memory ran out for the last time."""
    facts = work.facts
    tried = ", also with parts of the model set aside" if offload is not Offload.NONE else ""
    lower = "num_frames, or width and height" if "num_frames" in facts else "width and height, or num_images"
    further = "" if offload is Offload.GROUP else "; or set AICP_DIFFUSERS_OFFLOAD=group"
    return OutOfMemory(
        f"out of memory at {facts['width']}x{facts['height']} pixels{tried}", hint=f"lower {lower}{further}"
    )


def broken(error: Exception, work: Work, resident: Resident | None) -> AicpError:
    """What a library raised, in our words."""
    if resident is not None and is_memory(error):
        return too_large(work, resident.offload)
    lines = str(error).strip().splitlines()
    return AicpError(f"the model failed: {type(error).__name__}: {lines[0][:300] if lines else ''}")

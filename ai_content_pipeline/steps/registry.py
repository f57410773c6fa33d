"""Every step type there is. A type's file is imported when a pipeline uses it, not before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ai_content_pipeline.steps.fields import StepFields

#: YAML name → class, in the file of the same name.
STEP_TYPES: dict[str, str] = {
    "text_to_image": "TextToImage",
    "image_to_image": "ImageToImage",
    "split_image": "SplitImage",
    "text_to_video": "TextToVideo",
    "image_to_video": "ImageToVideo",
    "upscale": "Upscale",
    "concat": "Concat",
    "thumbnail": "Thumbnail",
}


def step_type(name: str) -> type[StepFields]:
    """The class of a step type. KeyError for a name that is none."""
    module = import_module(f"ai_content_pipeline.steps.{name}" if name in STEP_TYPES else "")
    return cast("type[StepFields]", getattr(module, STEP_TYPES[name]))


def default_names(steps: Sequence[object]) -> tuple[str, ...]:
    """The name of each raw step: its own, else ``<type>_<n>``; empty where it has neither name nor type."""
    numbers: Counter[str] = Counter()
    names = []
    for step in steps:
        raw = step if isinstance(step, dict) else {}
        kind, name = raw.get("type"), raw.get("name")
        kind = kind if isinstance(kind, str) else ""
        numbers[kind] += 1
        names.append(name if isinstance(name, str) else f"{kind}_{numbers[kind]}" if kind else "")
    return tuple(names)

"""Every step type there is. A type's file is imported when a pipeline uses it, not before."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from ai_content_pipeline.steps.fields import StepFields

#: YAML name → class, in the file of the same name.
STEP_TYPES: dict[str, str] = {
    "text_to_image": "TextToImage",
    "split_image": "SplitImage",
    "image_to_video": "ImageToVideo",
    "thumbnail": "Thumbnail",
}


def step_type(name: str) -> type[StepFields]:
    """The class of a step type. KeyError for a name that is none."""
    module = import_module(f"ai_content_pipeline.steps.{name}" if name in STEP_TYPES else "")
    return cast(type[StepFields], getattr(module, STEP_TYPES[name]))

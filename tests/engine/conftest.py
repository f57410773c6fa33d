"""Pipelines that several files of this folder run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest


@pytest.fixture
def pictures() -> Callable[..., str]:
    """A pipeline of one step, with a picture for each prompt; `top` goes above the steps."""

    def text(*prompts: object, top: str = "", step: str = "", **params: object) -> str:
        return f"""
name: pictures
output_dir: output
{top}
steps:
  - name: pictures
    type: text_to_image
    model: nano_banana_pro
    {step}
    params: {json.dumps({"parallel": True, "prompts": list(prompts), **params})}
"""

    return text


@pytest.fixture
def story() -> str:
    """One sheet, four panels, four clips, four thumbnails, as the design draws it."""
    return """
name: love_story
prompt: A 2x2 grid of panels
output_dir: output/love_story
steps:
  - {name: storyboard, type: text_to_image, model: nano_banana_pro}
  - {name: scenes, type: split_image, params: {grid: "2x2", naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {parallel: true, prompts: [one, two, three, four]}
  - {type: thumbnail}
"""

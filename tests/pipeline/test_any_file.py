"""Whatever a file says, it is planned or refused in words: never a traceback, never a file left behind."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_content_pipeline.errors import InvalidPipeline, UsageError
from ai_content_pipeline.pipeline.expansion import Expansion, expand
from ai_content_pipeline.pipeline.layers import apply_layers
from ai_content_pipeline.pipeline.load import check_pipeline
from ai_content_pipeline.pipeline.overrides import apply_overrides
from ai_content_pipeline.pipeline.source import loads

SOUND: dict[str, Any] = {
    "name": "film",
    "prompt": "A 2x2 grid",
    "output_dir": "output/film",
    "seed": 7,
    "max_cost": 5.5,
    "env": {"STYLE": "ink"},
    "input_image": "files/small.png",
    "defaults": {"image_to_video": {"params": {"duration": 5}}, "thumbnail": {"params": {"quality": 80}}},
    "profiles": {
        "fast": {
            "seed": 8,
            "text_to_image": {"params": {"resolution": "1K"}, "model_params": {"y": 2}},
            "clips": {"model_params": {"z": 1}},
            "thumbnail_1": {"enabled": False},
        }
    },
    "steps": [
        {"name": "board", "type": "text_to_image", "model": "nano_banana_pro", "params": {"num_images": 2}},
        {"name": "scenes", "type": "split_image", "params": {"grid": "2x2", "naming": "s_{n}", "gutter": 2}},
        {
            "name": "clips",
            "type": "image_to_video",
            "model": "kling_2_6_pro",
            "input": {"start": "scenes", "end": ["scenes[1:]"]},
            "on_error": "stop",
            "enabled": True,
            "model_params": {"x": 1},
            "params": {
                "parallel": True,
                "max_workers": 4,
                "prompt": "Go",
                "prompts": [
                    "One",
                    None,
                    {"prompt": "Two", "params": {"duration": "10"}, "end": "scenes/s_1"},
                    {"start": "previous.last_frame", "model": "seedance_1_lite"},
                    {"file": "files/clip.mp4"},
                ],
            },
        },
        {"type": "thumbnail", "input": ["scenes", "clips"], "params": {"size": 128, "format": "png"}},
    ],
}

WORDS = st.sampled_from(
    ["scenes", "clips", "scenes[0]", "scenes[9:]", "clips/s_1.last_frame", "previous.last_frame", "4x4",
     "16x16", "files/small.png", "files/*.png", "files/folder.png", "files/text.png", "draft", "local",
     "fal:a/b", "sdxl", "kling_2_6_pro", "{row}", "../x", "con", "-1", "5", "true", "${STYLE}", "$$", "", " ",
     "é\u0301", "x" * 300]
)  # fmt: skip
KEYS = st.sampled_from(
    ["name", "type", "model", "input", "params", "prompt", "prompts", "seed", "start", "end", "files", "grid",
     "file", "parallel", "strategy", "batch_size", "duration", "num_images", "items", "aspect_ratio",
     "image_size"]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-2, 20), st.sampled_from([10**6, 10**12, 2**63, -(2**63)]), st.floats(-1e6, 1e6)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | WORDS, inner, max_size=4),
    max_leaves=6,
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A sound file in which one to three values were replaced, removed or added. JSON is YAML."""
    data = copy.deepcopy(SOUND)
    places = [data, *data["steps"], data["defaults"], data["profiles"]["fast"]]
    for _ in range(draw(st.integers(1, 3))):
        here: Any = draw(st.sampled_from(places))
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(here[key], dict | list) or draw(st.integers(0, 4)) == 0:
                break
            here = here[key]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "add" or key is None:
            if isinstance(here, dict):
                here[draw(KEYS)] = draw(VALUES)
            else:
                here.append(draw(VALUES))
        elif change == "replace":
            here[key] = draw(VALUES)
        else:
            del here[key]
    return json.dumps(data, ensure_ascii=False)


def planned(text: str, *, draft: bool = False, profile: str | None = None) -> Expansion:
    """The items of a file beside those of `bad`."""
    source = loads(text, name=str(Path(__file__).with_name("bad") / "film.yaml"))
    layered = apply_layers(source, profile)
    return expand(check_pipeline(layered.source, layered.problems), draft=draft)


@given(files(), st.booleans(), st.sampled_from([None, "fast"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_file_is_planned_or_refused_in_words(text: str, draft: bool, profile: str | None) -> None:
    """Hostile and careless files alike end in a plan or in problems that each name their place."""
    try:
        expansion = planned(text, draft=draft, profile=profile)
    except InvalidPipeline as error:
        refused = error.problems
    except UsageError:
        refused = ()  # the profile is gone
    else:
        refused = ()
        _work(expansion)
    assert all(problem.message and problem.line and problem.column for problem in refused)


def _work(expansion: Expansion) -> None:
    for step in expansion.steps:
        for item in step.items:
            assert item.given or step.verbs.work(item, step.setting)


@given(
    st.lists(
        st.one_of(KEYS, st.sampled_from(["steps", "clips", "0", "1", "3", "-1", "thumbnail_1", ""])),
        max_size=5,
    ),
    WORDS,
)
@settings(max_examples=150, deadline=None)
def test_any_override_is_used_or_refused_in_words(path: list[str], value: str) -> None:
    """--set never crashes, whatever path and value are given."""
    bad = Path(__file__).with_name("bad")
    source = loads(json.dumps(SOUND), name=str(bad / "film.yaml"))
    try:
        expand(check_pipeline(apply_overrides(source, [f"{'.'.join(path)}={value}"])))
    except (UsageError, InvalidPipeline) as error:
        said = str(error)
    else:
        said = "it fits"
    assert said


def test_the_sound_file_is_sound() -> None:
    """What the tests above break is whole before, apart from one end picture the second model cannot take."""
    with pytest.raises(InvalidPipeline):
        planned("{}")
    assert len(planned(json.dumps(SOUND)).steps) == 4
    assert len(planned(json.dumps(SOUND), profile="fast").steps) == 3

"""The resolved file: it is a pipeline itself, means the same, and says where everything comes from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ai_content_pipeline.generation import keys
from ai_content_pipeline.pipeline.checked import Pipeline
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.resolved import resolved_text
from ai_content_pipeline.pipeline.source import loads

INPUT = Path(__file__).parents[2] / "input"
PIPELINES = sorted((INPUT / "pipelines").rglob("*.yaml"))

FILM = """env: {STYLE: ink}
defaults:
  image_to_video: {model: kling_2_6_pro, params: {duration: 5}}
profiles:
  final: {max_cost: 20, image_to_video: {params: {duration: 10}}}
steps:
  - type: text_to_image
    model: draft
    params:
      prompt: |
        A board in ${STYLE}
        for $$5
  - {name: scenes, type: split_image, params: {grid: "2x2"}}
  - name: clips
    type: image_to_video
    input: {start: scenes, end: "scenes[1:]"}
    params: {prompts: [Go, "a: b", {prompt: "null", seed: 3}]}
"""

RESOLVED = """\
name: film  # default
max_cost: 20  # profile final, film.yaml:5
output_dir: output/film  # default
steps:
  - name: text_to_image_1  # default
    type: text_to_image  # film.yaml:7
    model: draft  # film.yaml:8
    params:
      prompt: |  # film.yaml:10
        A board in ink
        for $5
  - name: scenes  # film.yaml:13
    type: split_image  # film.yaml:13
    params:
      grid: "2x2"  # film.yaml:13
  - name: clips  # film.yaml:14
    type: image_to_video  # film.yaml:15
    model: kling_2_6_pro  # defaults, film.yaml:3
    input:
      start: scenes  # film.yaml:16
      end: "scenes[1:]"  # film.yaml:16
    params:
      prompts:
        - Go  # film.yaml:17
        - "a: b"  # film.yaml:17
        - prompt: "null"  # film.yaml:17
          seed: 3  # film.yaml:17
      duration: 10  # profile final, film.yaml:5
      negative_prompt: blur  # --set clips.params.negative_prompt
"""


def requests(pipeline: Pipeline) -> Iterator[str]:
    """What the keys of all jobs are made of."""
    for step in expand(pipeline).steps:
        for item in step.items:
            if item.given is None:
                yield keys.symbol(step.verbs.work(item, step.setting), {})


def written(folder: Path, text: str, name: str = "film.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_it_shows_every_value_with_its_origin(tmp_path: Path) -> None:
    """Defaults, profile, --set and variables are worked in; names that nobody wrote stand there too."""
    path = written(tmp_path, FILM)
    overrides = ["clips.params.negative_prompt=blur"]
    pipeline = load_pipeline(path, environ={}, profile="final", overrides=overrides)
    assert resolved_text(pipeline) == RESOLVED


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_a_resolved_file_is_the_same_pipeline(path: Path, tmp_path: Path) -> None:
    """Read again, beside its input files, it holds the same values and asks for exactly the same work."""
    shutil.copytree(INPUT, tmp_path / "input")
    folder = tmp_path / "input" / path.parent.relative_to(INPUT)
    pipeline = load_pipeline(folder / path.name, environ={})
    resolved = load_pipeline(written(folder, resolved_text(pipeline), "resolved.yaml"), environ={})
    merged_in = ("steps", "env", "defaults", "profiles")
    before = {key: value for key, value in pipeline.source.data.items() if key not in merged_in}
    assert before.items() <= resolved.source.data.items()
    assert [step.fields for step in resolved.steps] == [step.fields for step in pipeline.steps]
    assert list(requests(resolved)) == list(requests(pipeline))


_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=30)
_lines = st.lists(_texts, min_size=1, max_size=4).map("\n".join)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _lines
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["${X}", "$$", "$5", "null", "1.0", "- x", "# no", "a #b", "yes", "a: b", "'", " x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=_values)
@example("two lines,\nand a space at the end ")
@example("a line of spaces\n\n  indented ")
def test_any_value_survives(tmp_path: Path, value: Any) -> None:
    """Whatever a value is, the printed file holds the very same one."""
    pipeline = load_pipeline(
        written(tmp_path, "steps: [{type: text_to_image, model: draft, params: {prompt: Go}}]"), environ={}
    )
    pipeline.source.data["steps"][0]["model_params"] = {"value": value}  # type: ignore[index,call-overload]
    again = loads(resolved_text(pipeline)).data
    found = again["steps"][0]["model_params"]["value"]  # type: ignore[index,call-overload]
    assert json.dumps(found) == json.dumps(value)


_PLACES = ("defaults.type", "defaults.name", "profile.type", "profile.name", "step")
_placed = st.dictionaries(
    st.sampled_from(["prompt", "duration", "camera_fixed", "seed", "parallel"]),
    st.dictionaries(st.sampled_from(_PLACES), st.integers(0, 1), min_size=1),
    min_size=1,
)
_CHOICES: dict[str, tuple[Any, Any]] = {
    "prompt": ("A boat", "A house"),
    "duration": (5, 10),
    "camera_fixed": (True, False),
    "seed": (3, 4),
    "parallel": (True, False),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(placed=_placed)
def test_defaults_resolved_by_hand_have_the_same_keys(tmp_path: Path, placed: dict[str, Any]) -> None:
    """Values spread over all layers ask for the same work as the winners written on the step itself.

    A profile's block for the step leaves away what the step states, which is refused.
    """
    layers: dict[str, dict[str, Any]] = {place: {} for place in _PLACES}
    for key, at in placed.items():
        for place, choice in at.items():
            if not (place == "profile.name" and "step" in at):
                layers[place][key] = _CHOICES[key][choice]
    by_hand: dict[str, Any] = {"prompt": "Go"}
    for place in _PLACES:
        by_hand |= layers[place]
    head = {
        "defaults": {
            "image_to_video": {"params": {"prompt": "Go", **layers["defaults.type"]}},
            "clips": {"params": layers["defaults.name"]},
        },
        "profiles": {
            "p": {
                "image_to_video": {"params": layers["profile.type"]},
                "clips": {"params": layers["profile.name"]},
            }
        },
    }
    layered = load_pipeline(
        written(tmp_path, film(head, layers["step"]), "layered.yaml"), environ={}, profile="p"
    )
    plain = load_pipeline(written(tmp_path, film({}, by_hand), "plain.yaml"), environ={})
    assert list(requests(layered)) == list(requests(plain))
    resolved = load_pipeline(written(tmp_path, resolved_text(layered), "resolved.yaml"), environ={})
    assert list(requests(resolved)) == list(requests(plain))


def film(head: dict[str, Any], params: dict[str, Any]) -> str:
    steps = [
        {"name": "board", "type": "text_to_image", "model": "draft", "params": {"prompt": "A board"}},
        {"name": "clips", "type": "image_to_video", "model": "seedance_1_lite", "params": params},
    ]
    return json.dumps({**head, "steps": steps})

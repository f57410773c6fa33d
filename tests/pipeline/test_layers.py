"""``defaults:`` and ``profiles:``: what wins, what is merged, and where each value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.errors import InvalidPipeline, UsageError
from ai_content_pipeline.pipeline import nodes
from ai_content_pipeline.pipeline.blocks import merged
from ai_content_pipeline.pipeline.checked import Pipeline
from ai_content_pipeline.pipeline.lines import Position
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.nodes import Entry, MappingNode, Node, ScalarNode

FILM = """name: film
seed: 7
max_cost: 5
defaults:
  image_to_video: {model: kling_2_6_pro, params: {duration: 5, parallel: true, max_workers: 3}}
  clips: {params: {max_workers: 2}}
  thumbnail: {params: {size: 128}}
profiles:
  fast:
    max_cost: 1
    seed: 8
    image_to_video: {model: seedance_1_lite, params: {max_workers: 9}}
    thumbnail_1: {enabled: false}
  long:
    clips: {params: {duration: 10, seed: 3}}
steps:
  - {name: board, type: text_to_image, model: draft, params: {prompt: A 2x2 grid}}
  - {name: scenes, type: split_image, params: {grid: 2x2}}
  - name: clips
    type: image_to_video
    params:
      prompts: [One, {prompt: Two, seed: 4}]
      prompt: Go
  - {name: again, type: image_to_video, model: draft, input: scenes, params: {prompt: Go, duration: 3}}
  - {type: thumbnail}
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.yaml"
    path.write_text(FILM, encoding="utf-8")
    return path


def read(path: Path, profile: str | None = None, *overrides: str) -> Pipeline:
    return load_pipeline(path, environ={}, profile=profile, overrides=overrides)


def step(pipeline: Pipeline, name: str) -> dict[str, Any]:
    return next(each for each in pipeline.steps if each.name == name).fields.model_dump(exclude_unset=True)


def params(path: Path, name: str, profile: str | None = None, *overrides: str) -> dict[str, Any]:
    found = step(read(path, profile, *overrides), name)["params"]
    return {key: value for key, value in found.items() if key not in ("prompt", "prompts")}


def test_defaults_by_type_and_by_name_fill_what_a_step_leaves_out(film: Path) -> None:
    """A type's block reaches every step of the type; the block of a step is laid over it; the step wins."""
    assert step(read(film), "clips")["model"] == "kling_2_6_pro"
    assert params(film, "clips") == {"duration": 5, "parallel": True, "max_workers": 2}
    assert step(read(film), "again")["model"] == "draft"
    assert params(film, "again") == {"duration": 3, "parallel": True, "max_workers": 3}
    assert params(film, "thumbnail_1") == {"size": 128}


def test_a_profile_wins_over_defaults_and_loses_to_the_step(film: Path) -> None:
    """Even a profile's block for a type is stronger than the defaults of one step."""
    fast = read(film, "fast")
    assert step(fast, "clips")["model"] == "seedance_1_lite"
    assert params(film, "clips", "fast") == {"duration": 5, "parallel": True, "max_workers": 9}
    assert step(fast, "again")["model"] == "draft"
    assert [each.name for each in fast.steps] == ["board", "scenes", "clips", "again"]
    assert (fast.top.seed, str(fast.top.max_cost)) == (8, "1")


def test_the_command_line_wins_over_everything(film: Path) -> None:
    """--set reaches values that only a layer states, and the profile's values of the top."""
    overrides = ("clips.params.duration=3", "clips.model=draft", "seed=1")
    pipeline = read(film, "long", *overrides)
    assert step(pipeline, "clips")["model"] == "draft"
    assert params(film, "clips", "long", *overrides) == {
        "duration": 3, "parallel": True, "max_workers": 2, "seed": 3,
    }  # fmt: skip
    assert pipeline.top.seed == 1
    assert read(film, "fast", "max_cost=3").top.max_cost == 3


def test_entries_win_over_the_profile(film: Path) -> None:
    """A profile's seed for a step is the step's; an entry keeps its own."""
    found = step(read(film, "long"), "clips")["params"]
    assert (found["seed"], found["prompts"][1]["seed"]) == (3, 4)


@pytest.mark.parametrize(
    ("path", "profile", "words"),
    [
        (("seed",), None, "film.yaml:2"),
        (("seed",), "fast", "profile fast, film.yaml:11"),
        (("steps", 2, "model"), None, "defaults, film.yaml:5"),
        (("steps", 2, "model"), "fast", "profile fast, film.yaml:12"),
        (("steps", 2, "params", "max_workers"), None, "defaults, film.yaml:6"),
        (("steps", 2, "params", "duration"), "long", "profile long, film.yaml:15"),
        (("steps", 2, "params", "prompts", 1, "seed"), "long", "film.yaml:22"),
        (("steps", 3, "params", "duration"), None, "film.yaml:24"),
        (("steps", 4, "name"), None, "default"),
    ],
)
def test_every_value_keeps_its_origin(
    film: Path, path: tuple[str | int, ...], profile: str | None, words: str
) -> None:
    """Merged or not, a value knows its layer and its line."""
    assert read(film, profile).source.origin(path) == words


def test_an_override_is_its_own_origin(film: Path) -> None:
    """What was set on the command line, and what stands below it, comes from there."""
    source = read(film, "fast", "clips.params={prompt: Go, duration: 5}").source
    for path in (("steps", 2, "params"), ("steps", 2, "params", "duration")):
        assert source.origin(path).startswith("--set clips.params=")
    assert source.origin(("steps", 2, "model")) == "profile fast, film.yaml:12"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("fats", "did you mean 'fast'?"), ("zzz", "there are fast, long"), ("", "there are fast, long")],
)
def test_an_unknown_profile_is_wrong_usage(film: Path, name: str, hint: str) -> None:
    """The name on the command line is checked, and the ones there are, are told."""
    with pytest.raises(UsageError) as caught:
        read(film, name)
    assert caught.value.hint == hint


def test_a_profile_of_a_file_without_profiles_is_wrong_usage(tmp_path: Path) -> None:
    """A profile that cannot be there is not simply left away: it may have been the cheap one."""
    path = tmp_path / "plain.yaml"
    path.write_text("steps: [{type: text_to_image, model: draft, params: {prompt: Go}}]", encoding="utf-8")
    with pytest.raises(UsageError, match="has no profiles"):
        read(path, "fast")


def test_a_profile_without_effect_on_a_step_is_pointed_out(film: Path) -> None:
    """Where a step states the model itself, the profile for its type says that it does not change it."""
    (warning,) = read(film, "fast").warnings
    assert warning == (
        "profile fast does not change 'model' of again: the step states it itself (line 24);"
        " a profile changes what stands under 'defaults:'"
    )
    assert read(film).warnings == read(film, "long").warnings == ()


@pytest.mark.parametrize(
    ("below", "above", "wanted"),
    [
        ("{grid: 2x2}", "{rows: 1, cols: 4}", {"rows": 1, "cols": 4}),
        ("{rows: 1, cols: 4, naming: 'p_{n}'}", "{grid: 2x2}", {"grid": "2x2", "naming": "p_{n}"}),
    ],
)
def test_one_way_to_say_something_replaces_the_others(
    tmp_path: Path, below: str, above: str, wanted: dict[str, Any]
) -> None:
    """A step that states its grid takes no part of another one from its defaults."""
    path = tmp_path / "film.yaml"
    path.write_text(
        f"defaults: {{split_image: {{params: {below}}}}}\nsteps:\n"
        "  - {type: text_to_image, model: draft, params: {prompt: A grid}}\n"
        f"  - {{name: scenes, type: split_image, params: {above}}}\n",
        encoding="utf-8",
    )
    assert params(path, "scenes") == wanted


def test_strategy_and_parallel_replace_each_other(tmp_path: Path) -> None:
    """How the items of a step run is one decision, whichever keys say it."""
    path = tmp_path / "film.yaml"
    path.write_text(
        "defaults: {text_to_image: {model: draft, params: {strategy: batch, batch_size: 3}}}\nsteps:\n"
        "  - {name: a, type: text_to_image, params: {prompt: Go, parallel: true}}\n"
        "  - {name: b, type: text_to_image, params: {prompt: Go, batch_size: 4}}\n",
        encoding="utf-8",
    )
    assert params(path, "a") == {"parallel": True}
    assert params(path, "b") == {"strategy": "batch", "batch_size": 4}


def test_model_params_are_merged_key_by_key(tmp_path: Path) -> None:
    """Each key has its own winner; a value that is a mapping is replaced as a whole."""
    path = tmp_path / "film.yaml"
    path.write_text(
        "defaults: {text_to_image: {model: draft, model_params: {a: 1, b: {x: 1}, c: 1}}}\n"
        "profiles: {p: {text_to_image: {model_params: {b: {y: 2}, c: 2}}}}\n"
        "steps: [{name: a, type: text_to_image, params: {prompt: Go}, model_params: {c: 3}}]\n",
        encoding="utf-8",
    )
    assert step(read(path, "p"), "a")["model_params"] == {"a": 1, "b": {"y": 2}, "c": 3}


def test_a_step_named_like_a_type_is_reached_by_its_type_only(tmp_path: Path) -> None:
    """A key that is a step type always means the type."""
    path = tmp_path / "film.yaml"
    path.write_text(
        "defaults: {thumbnail: {params: {size: 99}}}\nsteps:\n"
        "  - {name: thumbnail, type: text_to_image, model: draft, params: {prompt: Go}}\n"
        "  - {name: small, type: thumbnail}\n",
        encoding="utf-8",
    )
    assert params(path, "thumbnail") == {}
    assert params(path, "small") == {"size": 99}


def test_every_profile_is_checked_chosen_or_not(film: Path) -> None:
    """A wrong value in a profile that nobody chose today is found today."""
    film.write_text(FILM.replace("seed: 3", "seed: x"), encoding="utf-8")
    with pytest.raises(InvalidPipeline, match=r"film.yaml:15:42: 'seed' must be a whole number"):
        read(film)


# -- laws --------------------------------------------------------------------------------------------------

_NOWHERE = Position(1, 1)
_scalars = st.sampled_from(["1", "2", "3"])
_keys = st.sampled_from(["grid", "rows", "cols", "strategy", "parallel", "batch_size", "max_workers", "seed"])
_blocks = st.fixed_dictionaries(
    {},
    optional={
        "params": st.dictionaries(_keys, _scalars, max_size=5),
        "model_params": st.dictionaries(_keys, _scalars, max_size=2),
        "model": _scalars,
        "on_error": _scalars,
    },
)


def node(value: Any) -> Node:
    if isinstance(value, dict):
        return MappingNode(_NOWHERE, {key: Entry(_NOWHERE, node(each)) for key, each in value.items()})
    return ScalarNode(_NOWHERE, value, plain=True)


def block(value: dict[str, Any]) -> MappingNode:
    made = node(value)
    assert isinstance(made, MappingNode)
    return made


@given(_blocks, _blocks, _blocks)
def test_merging_is_associative(low: Any, middle: Any, high: Any) -> None:
    """It does not matter which layers are merged first, only which is above which."""
    a, b, c = block(low), block(middle), block(high)
    left, right = merged(merged(a, b), c), merged(a, merged(b, c))
    assert nodes.value(left, []) == nodes.value(right, [])


@given(_blocks)
def test_merging_with_nothing_or_itself_changes_nothing(values: Any) -> None:
    """An empty layer is neutral, and a layer twice is the layer."""
    once = nodes.value(block(values), [])
    for low, high in ((values, {}), ({}, values), (values, values)):
        assert nodes.value(merged(block(low), block(high)), []) == once


@given(_blocks, _blocks)
def test_what_is_above_always_stands(low: Any, high: Any) -> None:
    """Every value of the upper block is in the result as it was."""
    found: Any = nodes.value(merged(block(low), block(high)), [])
    upper: Any = nodes.value(block(high), [])
    for key, value in upper.items():
        kept = {part: found[key][part] for part in value} if isinstance(value, dict) else found[key]
        assert kept == value

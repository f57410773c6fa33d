"""--set: what it reaches, what it refuses, and what is said of a wrong value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.errors import InvalidPipeline, UsageError
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.overrides import apply_overrides
from ai_content_pipeline.pipeline.source import load, loads

TEXT = """name: film
seed: 7
steps:
  - {name: board, type: text_to_image, model: draft, params: {prompt: Go}}
  - name: clips
    type: image_to_video
    model: draft
    params:
      duration: 5
      prompts: [One, {prompt: Two}]
  - {type: thumbnail}
"""


def changed(*overrides: str) -> dict[str, Any]:
    return apply_overrides(loads(TEXT), overrides).data


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=8", ["seed"], 8),
        ("prompt=A board: in ink", None, None),
        ("prompt='A board: in ink'", ["prompt"], "A board: in ink"),
        ("max_cost=2.50", ["max_cost"], 2.5),
        ("description=", ["description"], None),
        ("clips.params.duration=10", ["steps", 1, "params", "duration"], 10),
        ("steps.clips.params.duration=10", ["steps", 1, "params", "duration"], 10),
        ("steps.1.params.duration=10", ["steps", 1, "params", "duration"], 10),
        ("clips.params.parallel=true", ["steps", 1, "params", "parallel"], True),
        ("clips.params.prompts.0=New", ["steps", 1, "params", "prompts", 0], "New"),
        ("clips.params.prompts.1.seed=3", ["steps", 1, "params", "prompts", 1, "seed"], 3),
        ("clips.params.prompts=[A, B]", ["steps", 1, "params", "prompts"], ["A", "B"]),
        ("thumbnail_1.params.size=128", ["steps", 2, "params", "size"], 128),
        ("clips.model_params.a=b=c", ["steps", 1, "model_params", "a"], "b=c"),
        ("board.params.prompt=a.b=c", ["steps", 0, "params", "prompt"], "a.b=c"),
    ],
)
def test_a_path_reaches_its_value(override: str, path: list[str | int] | None, value: object) -> None:
    """Top-level keys, steps by name, default name or place, keys that are not there yet; YAML values."""
    if path is None:
        with pytest.raises(UsageError):
            changed(override)
        return
    here: Any = changed(override)
    for part in path:
        here = here[part]
    assert here == value
    assert type(here) is type(value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed", "write it as path=value"),
        ("=5", "write it as path=value"),
        ("clip.params.duration=5", "did you mean 'clips'"),
        ("sede=5", "did you mean 'seed'"),
        ("steps.9.enabled=false", "there is no '9'"),
        ("clips.params.prompts.2=x", "no place in a list of 2"),
        ("clips.params.prompts.-1=x", "no place in a list of 2"),
        ("clips.params.prompts.0.seed=3", "holds a single value"),
        ("env.STYLE=ink", "'env' is read before"),
        ("seed=[1", "never closed"),
        ("seed=1\nname: other", "one line"),
        ("seed=!!python/name:os.system", "tag"),
        ("prompt=${HOME}", "HOME"),
        ("seed=1e999", "out of range"),
    ],
)
def test_a_path_that_leads_nowhere_is_wrong_usage(override: str, words: str) -> None:
    """Mistakes on the command line end with exit code 2, and say what is there instead."""
    with pytest.raises(UsageError) as caught:
        changed(override)
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.exit_code == 2


def test_the_later_one_wins_and_the_source_stays() -> None:
    """Overrides apply in order, and do not touch what was read."""
    source = loads(TEXT)
    assert apply_overrides(source, ["seed=8", "seed=9"]).data["seed"] == 9
    assert source.data["seed"] == 7
    assert apply_overrides(source, []) is source


def test_an_override_wins_over_the_file_and_its_entries(tmp_path: Path) -> None:
    """What is set on the command line is what is checked and run."""
    path = tmp_path / "film.yaml"
    path.write_text(TEXT, encoding="utf-8")
    pipeline = load_pipeline(path, environ={}, overrides=["clips.params.prompts.1.prompt=Other", "seed=0"])
    assert pipeline.top.seed == 0
    assert pipeline.steps[1].verbs.models == {("model",): "draft"}
    assert pipeline.steps[1].fields.model_dump()["params"]["prompts"][1]["prompt"] == "Other"


def test_a_wrong_value_is_blamed_on_the_command_line(tmp_path: Path) -> None:
    """A problem with an overridden value names the override; one with the file names the line."""
    path = tmp_path / "film.yaml"
    path.write_text(TEXT.replace("duration: 5", "max_workers: 0"), encoding="utf-8")
    with pytest.raises(InvalidPipeline) as caught:
        load_pipeline(path, environ={}, overrides=["clips.params.batch_size=x", "output_dir=../x"])
    assert sorted(str(problem) for problem in caught.value.problems) == [
        "--set clips.params.batch_size=x: 'batch_size' must be a whole number, not 'x'",
        "--set output_dir=../x: output_dir '../x' leaves the project; remove '..'",
        f"{path}:9:20: 'max_workers' must be at least 1, not 0",
    ]


def test_values_are_read_from_files_as_well(tmp_path: Path) -> None:
    """Overrides apply to what `load` read, variables replaced."""
    path = tmp_path / "film.yaml"
    path.write_text("env: [N]\nname: x\nseed: ${N}\nsteps: []\n", encoding="utf-8")
    assert apply_overrides(load(path, environ={"N": "4"}), ["name=y"]).data["seed"] == 4

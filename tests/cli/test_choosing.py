"""--profile, --only, --from, --until and --show-resolved as a user types them; commands that repeat them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.cli.execute import Wish
from ai_content_pipeline.cli.options import Showing

FILM = """
name: film
defaults:
  image_to_video: {model: kling_2_6_pro, params: {duration: 10}}
profiles:
  quick: {image_to_video: {params: {duration: 5}}, text_to_image: {model: draft}}
  free: {max_cost: 0, image_to_video: {model: draft, params: {duration: 1}}}
steps:
  - {name: board, type: text_to_image, model: draft, params: {prompt: "A 1x2 grid", width: 640, height: 320}}
  - {name: scenes, type: split_image, params: {grid: "1x2"}}
  - {name: clips, type: image_to_video, params: {prompts: [One, Two]}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a film, which is also the working folder."""
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.yaml").write_text(FILM, encoding="utf-8")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The envelope on stdout."""
    envelope: dict[str, Any] = json.loads(capsys.readouterr().out)
    return envelope


def test_a_profile_changes_models_and_prices(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan of a profile is the plan of what it changes."""
    totals = []
    for words in ([], ["--profile", "quick"], ["--profile", "free"]):
        assert run_app(["plan", "film.yaml", "--json", *words]) == 0
        totals.append(float(told(capsys)["data"]["total_usd"]))
    assert totals[0] == 2 * totals[1] > totals[2] == 0


def test_dry_run_and_plan_choose_alike(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same options mean the same to both commands."""
    found = []
    for command in (["plan", "film.yaml"], ["run-chain", "film.yaml", "--dry-run"]):
        assert run_app([*command, "--until", "scenes", "--json"]) == 0
        found.append([(item["label"], item["state"]) for item in told(capsys)["data"]["items"]])
    assert found[0] == found[1]
    assert [state for _, state in found[0]] == ["run"] * 3 + ["not asked for"] * 2


def test_a_missing_input_names_the_command_that_makes_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed command works as it stands, and after it so does the refused one."""
    wanted = [
        "run-chain",
        "film.yaml",
        "--profile",
        "free",
        "--set",
        "clips.params.prompts.0=A b",
        "--only",
        "clips",
    ]
    assert run_app([*wanted, "--json"]) == 2
    error = told(capsys)["error"]
    assert error["retry_with"] == (
        "aicp run-chain film.yaml --until scenes --profile free --set 'clips.params.prompts.0=A b'"
    )
    assert not (project / "output").exists()
    assert run_app(shlex.split(error["retry_with"])[1:]) == 0
    assert not (project / "output/film/clips").exists()
    assert run_app(wanted) == 0
    assert len(list((project / "output/film/clips").iterdir())) == 2


@pytest.mark.parametrize(
    "words", [["--profile", "fre"], ["--only", "clip"], ["--from", "x"], ["--until", ""]]
)
def test_wrong_names_are_wrong_usage(project: Path, words: list[str]) -> None:
    """Exit code 2, and nothing is written."""
    assert run_app(["run-chain", "film.yaml", *words]) == 2
    assert not (project / "output").exists()


def test_printed_commands_repeat_what_was_chosen() -> None:
    """A resume goes on with the same part; the redo of an item needs its profile, and no selection."""
    options = {"profile": "a b", "only": ("clips", "x/y"), "overrides": ("seed=3",)}
    wish = Wish.of("run-chain", Path("film.yaml"), None, Showing(), **options)
    assert wish.retry(None) == (
        "aicp run-chain film.yaml --only clips --only x/y --profile 'a b' --set seed=3"
    )
    assert wish.retry("clips/scene_1") == "aicp redo film.yaml clips/scene_1 --profile 'a b' --set seed=3"
    wish = Wish.of("run-chain", Path("film.yaml"), None, Showing(), start="a", until="b", draft=True)
    assert wish.retry(None) == "aicp run-chain film.yaml --from a --until b --draft"


def test_the_resolved_file_is_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands on stdout alone, and is a pipeline; with --json it stands in the envelope."""
    words = ["plan", "film.yaml", "--profile", "free", "--set", "clips.params.duration=2", "--show-resolved"]
    assert run_app(words) == 0
    text = capsys.readouterr().out
    assert "      duration: 2  # --set clips.params.duration\n" in text
    assert "    model: draft  # profile free, film.yaml:7\n" in text
    (project / "resolved.yaml").write_text(text, encoding="utf-8")
    assert run_app(["validate", "resolved.yaml"]) == 0
    capsys.readouterr()
    assert run_app([*words, "--json"]) == 0
    assert told(capsys)["data"] == {"resolved": text}


def test_validate_tries_every_profile(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile whose model does not take the file's parameters is found before anybody chooses it."""
    assert run_app(["validate", "film.yaml"]) == 0
    bad = FILM.replace("params: {duration: 10}", "params: {duration: 10, negative_prompt: blur}").replace(
        "  free:", "  lite: {image_to_video: {model: seedance_1_lite}}\n  free:"
    )
    (project / "bad.yaml").write_text(bad, encoding="utf-8")
    capsys.readouterr()
    assert run_app(["validate", "bad.yaml"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("bad.yaml:4:82: with profile lite: ")
    assert "negative_prompt" in said
    assert run_app(["plan", "bad.yaml"]) == 0


def test_redo_takes_a_profile(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The item of a profile's run is redone with that profile: no other model is asked."""
    assert run_app(["run-chain", "film.yaml", "--profile", "free"]) == 0
    assert run_app(["redo", "film.yaml", "clips/panel_1", "--profile", "free"]) == 0
    capsys.readouterr()
    assert run_app(["plan", "film.yaml", "--profile", "free", "--json"]) == 0
    assert {item["state"] for item in told(capsys)["data"]["items"]} == {"cached"}

"""aicp models list and show: filters, what is shown, and the project's own cards."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ai_content_pipeline import catalog
from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.jobs import Task

_OWN = """
[my_model]
title = "Mine [bold]<b>\\u001b[31m"
provider = "fal"
endpoint = "me/my-model"
tasks = ["image_to_video"]
note = "::error::no command"
[my_model.roles]
start = {name = "first_url", required = true}
[my_model.price]
unit = "video"
rates = [{usd = "0.01"}]
date = "2026-11-20"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, which is also the working folder."""
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """The data of a command that succeeds."""
    assert run_app(["models", *words, "--json"]) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert (envelope["ok"], envelope["command"]) == (True, f"models {words[0]}")
    return envelope["data"]


def test_the_whole_catalogue_is_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every card has its line, in order, on stdout; the count is talk."""
    assert [model["key"] for model in data(capsys, "list")["models"]] == list(catalog.keys())
    assert run_app(["models", "list"]) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == list(catalog.keys())
    assert f"{len(catalog.keys())} of {len(catalog.keys())} models" in said.err
    assert not list((project / ".aicp").iterdir())


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        (["--task", "image_to_video"], lambda model: "image_to_video" in model["tasks"]),
        (["--provider", "replicate"], lambda model: model["provider"] == "replicate"),
        (["--accepts", "end"], lambda model: "end" in model["accepts"]),
        (["--max-price", "0.10"], lambda model: Decimal(model["one_usd"] or "9") <= Decimal("0.10")),
        (
            ["--task", "text_to_image", "--provider", "fal", "--max-price", "$0.05"],
            lambda model: (
                model["provider"] == "fal"
                and "text_to_image" in model["tasks"]
                and Decimal(model["one_usd"] or "9") <= Decimal("0.05")
            ),
        ),
    ],
)
def test_filters_keep_what_fits_and_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], fits: Any
) -> None:
    """Each filter holds for every model that is listed and for none that is not; filters add up."""
    found = data(capsys, "list", *words)["models"]
    everything = data(capsys, "list")["models"]
    assert 0 < len(found) < len(everything)
    assert found == [model for model in everything if fits(model)]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["list", "--task", "image_to_vidoe"], "did you mean image_to_video?"),
        (["list", "--accepts", "picture"], "there are input, start, end, reference, mask"),
        (["list", "--provider", "runway"], "there are fal, replicate"),
        (["list", "--max-price", "cheap"], "--max-price 2.50"),
        (["show", "kling26"], "did you mean kling_2_6_pro?"),
        (["show", "kling_2_6_pro", "--task", "image_to_vidoe"], "did you mean image_to_video?"),
    ],
)
def test_a_wrong_word_is_wrong_usage(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    """What is no task, role, provider, amount or model is exit 2 with what was meant."""
    assert run_app(["models", *words]) == 2
    assert hint in capsys.readouterr().err


def test_show_says_everything_of_a_model(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Parameters with what they take, files with their fields, the price with its day, and an example."""
    assert run_app(["models", "show", "kling_2_6_pro"]) == 0
    out = capsys.readouterr().out
    for said in (
        "fal:fal-ai/kling-video/v2.6/pro/image-to-video",
        'duration         string   "5", "10"  5',
        "start  start_image_url  required; one of images; at least 300 pixels a side",
        "$0.14 per second  (generate_audio true)",
        "unknown with voice_ids",
        "second-hand, 2026-11-01",
        "- type: image_to_video",
    ):
        assert said in out
    shown = data(capsys, "show", "kling_2_6_pro")
    assert shown["parameters"]["duration"] == {
        "type": "string",
        "enum": ["5", "10"],
        "default": "5",
        "deprecated": False,
    }
    assert shown["roles"]["start"]["name"] == "start_image_url"
    assert shown["price"]["rates"][0] == {"usd": "0.07", "when": {"generate_audio": False}}


@pytest.mark.parametrize(
    "key", ["kling_2_6_pro", "nano_banana_pro", "wan_2_1", "sdxl", "veo_3_1_flf", "veo_3_1_ref"]
)
def test_the_example_of_a_model_is_valid(project: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    """The example that `show` prints passes `validate` as it stands, beside the files that it names."""
    shown = yaml.safe_load(data(capsys, "show", key)["example"])
    for name in ("picture.png", "start.png", "end.png", "keeper.png"):
        Image.new("RGB", (1024, 1024)).save(project / name)
    (project / "shown.yaml").write_text(
        yaml.safe_dump(shown if isinstance(shown, dict) else {"steps": shown})
    )
    assert run_app(["validate", "shown.yaml"]) == 0


def test_every_model_can_be_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No card is too odd to be shown, to people or to programs; each task has at least one example."""
    shown = [data(capsys, "show", key) for key in catalog.keys()]  # noqa: SIM118 - a function
    assert all(run_app(["models", "show", key, "-q"]) == 0 for key in catalog.keys())  # noqa: SIM118
    with_example = {task for one in shown if one["example"] for task in one["tasks"]}
    assert set(Task) <= with_example


def test_the_projects_own_cards_are_shown_as_such(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A card of aicp.models.toml is listed and shown with the rest; its text is never markup or a command."""
    (project / "aicp.models.toml").write_text(_OWN + "[sdxl]\nseconds = 3\n")
    models = {model["key"]: model for model in data(capsys, "list")["models"]}
    assert {key for key, model in models.items() if model["own"]} == {"my_model", "sdxl"}
    assert models["my_model"]["one_usd"] == "0.01"
    assert run_app(["models", "show", "my_model"]) == 0
    out = capsys.readouterr().out
    assert "Mine [bold]<b>" in out
    assert "\x1b" not in out
    assert not any(line.startswith("::") for line in out.splitlines())


@pytest.mark.parametrize(
    "words",
    [["models", "list"], ["models", "show", "sdxl"], ["models", "check", "sdxl"], ["validate", "x.yaml"]],
)
def test_a_wrong_overlay_is_exit_3_everywhere(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Whatever reads the project's cards refuses a wrong file, with its place and the line itself."""
    (project / "x.yaml").write_text("steps:\n  - {type: text_to_image, model: draft, params: {prompt: x}}\n")
    (project / "aicp.models.toml").write_text("[sdxl]\nsecnds = 3\n")
    assert run_app(words) == 3
    err = capsys.readouterr().err
    assert "aicp.models.toml:2:1: unknown key 'secnds'; did you mean 'seconds'?" in err
    assert "2 | secnds = 3" in err
    assert run_app([*words, "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["line"], error["column"]) == ("invalid_pipeline", 2, 1)

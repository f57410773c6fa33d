"""Whole pipelines on local models, as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.catalog import local
from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.providers.local.machine import Machine, Offload
from ai_content_pipeline.providers.local.residents import Place, load

HOUSE = Path(__file__).parents[2] / "input/pipelines"
SMALL = ["num_inference_steps=2", "width=48", "height=32"]


@pytest.fixture
def project(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with tiny weights beside it."""
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AICP_MODELS_DIR", str(models))
    return tmp_path


def set_to(step: str, *values: str) -> list[str]:
    return [word for value in values for word in ("--set", f"{step}.params.{value}")]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run_app(["run-chain", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_love_story_runs_from_words_to_clips(project: Path, capsys: Any) -> None:
    """SDXL draws four scenes, Wan moves them, nothing is paid, and a second run makes nothing."""
    shutil.copy(HOUSE / "local/love_story.yaml", project)
    words = ["love_story.yaml", *set_to("scenes", *SMALL), *set_to("clips", *SMALL, "num_frames=5")]
    code, told = run(capsys, *words)
    assert code == 0, told
    output = project / "output/local_love_story"
    clips = sorted((output / "clips").iterdir())
    assert [path.name for path in clips] == [f"scenes_{number}.mp4" for number in (1, 2, 3, 4)]
    assert {verify(path).width for path in clips} == {48}
    assert len(list((output / "thumbnail_1").iterdir())) == 4
    assert told["cost"]["spent_usd"] == "0"
    stamps = [path.stat().st_mtime_ns for path in clips]
    assert run(capsys, *words)[0] == 0
    assert [path.stat().st_mtime_ns for path in clips] == stamps


def test_panels_are_changed_and_joined_by_clips(project: Path, capsys: Any) -> None:
    """A sheet, its panels, an edit of each, and clips from one to the next: the report says what was used."""
    shutil.copy(HOUSE / "local/sheet_and_ends.yaml", project)
    code, told = run(
        capsys,
        "sheet_and_ends.yaml",
        *set_to("sheet", "num_inference_steps=2", "width=128", "height=96"),
        *set_to("changed", "num_inference_steps=4"),
        *set_to("clips", *SMALL, "num_frames=5"),
    )
    assert code == 0, told
    output = project / "output/local_sheet"
    assert len(list((output / "changed").iterdir())) == 4
    assert len(list((output / "clips").iterdir())) == 3
    report = (output / "report.json").read_text()
    assert "denoise_strength 0.4: 1 of 4 steps were run" in report
    assert "denoise_strength 0.1: the pictures count 0.9" in report


def test_the_embeddings_example_runs(project: Path, capsys: Any) -> None:
    """A subject's pictures are encoded here and kept over three scenes, which become clips."""
    shutil.copytree(HOUSE / "references", project, dirs_exist_ok=True)
    clips = set_to("clips", *SMALL, "num_frames=5")
    code, told = run(capsys, "embeddings.yaml", *set_to("pictures", *SMALL), *clips)
    assert code == 0, told
    output = project / "output/references_embeddings"
    assert len(list((output / "pictures").iterdir())) == 3
    assert {verify(path).media_type for path in (output / "clips").iterdir()} == {"video/mp4"}
    assert len(list((output / "clips").iterdir())) == 3


def test_seconds_of_the_gpu_are_paid_at_the_users_price(project: Path, capsys: Any) -> None:
    """What the owner says that a second costs is planned with, spent and reported; else nothing is."""
    (project / "two.yaml").write_text(TWO)
    assert Decimal(run(capsys, "two.yaml")[1]["cost"]["spent_usd"]) == 0
    (project / "aicp.models.toml").write_text(
        '["diffusers:sdxl"]\nseconds = 4\n["diffusers:sdxl".price]\nunit = "compute second"\n'
        'rates = [{usd = "0.5"}]\ndate = "2026-11-21"\n'
    )
    priced = ["two.yaml", "--set", "seed=2", "--max-cost", "9"]
    capsys.readouterr()
    assert run_app(["plan", *priced[:3], "--json"]) == 0
    assert Decimal(json.loads(capsys.readouterr().out)["data"]["total_usd"]) == 4
    code, told = run(capsys, *priced)
    assert code == 0, told
    assert 0 < float(told["cost"]["spent_usd"]) < 9
    assert run(capsys, "two.yaml", "--set", "seed=3", "--max-cost", "1")[0] == 5


TWO = """
name: two
seed: 1
steps:
  - name: scenes
    type: text_to_image
    model: diffusers:sdxl
    params: {num_inference_steps: 2, prompts: ["a boat", "a bridge"]}
"""


def test_the_old_name_is_warned_of_once(project: Path, capsys: Any) -> None:
    """However many items a step has, its run says so in one line."""
    (project / "old.yaml").write_text(
        TWO + "  - {name: changed, type: image_to_image, model: 'diffusers:sdxl', input: scenes,\n"
        "     params: {num_inference_steps: 4, prompt: x, reference_strength: 0.3}}\n"
    )
    capsys.readouterr()
    assert run_app(["run-chain", "old.yaml"]) == 0
    captured = capsys.readouterr()
    (line,) = [line for line in (captured.out + captured.err).splitlines() if "deprecated" in line]
    assert line.endswith(
        "changed/scenes_1 and 1 more: reference_strength is deprecated: write 'denoise_strength: 0.7'"
    )


def test_a_run_never_asks_the_network(project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is loaded and run without a single connection or look-up of a name."""
    import socket

    asked: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        asked.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for key in local.keys():  # noqa: SIM118 - a module is no dict
        needs = local.load(key).local
        assert needs is not None
        folder = Path(os.environ["AICP_MODELS_DIR"]) / key
        load(Place(folder, needs.family, "fast"), Machine("cpu", "cpu"), Offload.NONE)
    shutil.copytree(HOUSE / "references", project, dirs_exist_ok=True)
    assert run(capsys, "embeddings.yaml", "--only", "pictures", *set_to("pictures", *SMALL))[0] == 0
    assert asked == []


def test_missing_weights_are_found_before_anything_runs(
    project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4 with the command that gets them, and nothing is written."""
    shutil.copy(HOUSE / "local/love_story.yaml", project)
    monkeypatch.setenv("AICP_MODELS_DIR", str(project / "none"))
    code, told = run(capsys, "love_story.yaml")
    assert code == 4
    assert told["error"]["message"] == f"the weights of sdxl are not in {project / 'none/sdxl'}"
    assert told["error"]["hint"] == "aicp models pull sdxl"
    assert not (project / "output").exists()


def test_a_killed_run_is_simply_made_again(project: Path, capsys: Any, models: Path) -> None:
    """kill -9 in the middle of a scene; the same command ends the work, and nothing is in doubt."""
    text = """
name: killed
seed: 1
steps:
  - name: scenes
    type: text_to_image
    model: diffusers:sdxl
    params: {num_inference_steps: STEPS, prompt: "a boat"}
"""
    (project / "long.yaml").write_text(text.replace("STEPS", "200"))
    environ = {**os.environ, "AICP_MODELS_DIR": str(models)}
    words = [sys.executable, "-m", "ai_content_pipeline", "run-chain", "long.yaml", "--json-stream"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environ, cwd=project, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "progress" in line:
                break
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    code, told = run(capsys, "long.yaml")
    assert code == 0, told
    assert len(list((project / "output/killed/scenes").iterdir())) == 1

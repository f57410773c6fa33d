"""What `aicp doctor` says of local models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.catalog import local
from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.cli.checkup.finding import Level
from ai_content_pipeline.cli.checkup.local_models import fitting, gpu, local_models, weights_here
from ai_content_pipeline.providers.local.machine import Machine, Offload


@pytest.mark.parametrize(
    ("memory", "whole", "parts"),
    [
        (141, "wan2.1_i2v_14b_720p", None),
        (80, "wan2.1_i2v_14b_720p", None),
        (48, "sdxl", "wan2.1_i2v_14b_480p"),
    ],
)
def test_a_gpu_is_told_with_the_models_that_fit(memory: float, whole: str, parts: str | None) -> None:
    """Whole, one part at a time, or block by block, by the needs on their cards."""
    machine = Machine("mps", "A card", memory)
    assert gpu(machine).says == f"A card, {memory} GB"
    groups = dict(group.split(": ") for group in fitting(machine).says.split("; "))
    assert whole in groups["whole"]
    assert parts is None or parts in groups["one part at a time"]
    assert sum(len(names.split(", ")) for names in groups.values()) == len(local.keys())


def test_a_small_gpu_runs_large_models_block_by_block() -> None:
    """Nothing is called impossible that offloading makes possible; the setting wins over the guess."""
    assert "block by block, slowly: wan2.1_flf2v_14b" in fitting(Machine("mps", "small", 16.0)).says
    assert Machine("mps", "small", 16.0, Offload.NONE).offload_for(60, 40) is Offload.NONE


def test_no_gpu_is_a_warning_and_wrong_settings_a_problem(tmp_path: Path) -> None:
    """The rest of aicp works without one."""
    found = list(local_models({"AICP_DIFFUSERS_DEVICE": "cpu", "AICP_MODELS_DIR": str(tmp_path)}))
    assert [(one.check, one.level) for one in found] == [("GPU", Level.WARNING), ("weights", Level.OK)]
    (wrong,) = local_models({"AICP_DIFFUSERS_DEVICE": "tpu"})
    assert (wrong.level, wrong.exit_code) == (Level.PROBLEM, 4)


def test_weights_are_listed_and_damaged_ones_named(models: Path, tmp_path: Path) -> None:
    """What a run would find, and what it would refuse."""
    says = weights_here({"AICP_MODELS_DIR": str(models)}).says
    assert "sdxl" in says
    assert "wan2.1_vace_14b" in says
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/model_index.json").write_text('{"_class_name": "Odd"}')
    finding = weights_here({"AICP_MODELS_DIR": str(tmp_path)})
    assert finding.level is Level.WARNING
    assert "holds a Odd" in finding.says


def test_local_models_can_be_listed(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a price of nothing, unless the project sets one per second of its GPU."""
    monkeypatch.chdir(tmp_path)
    assert run_app(["models", "list", "--provider", "diffusers"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    names = local.keys()
    assert [line.split()[0] for line in lines] == [f"diffusers:{key}" for key in names]
    assert all("$0" in line for line in lines)
    (tmp_path / "aicp.models.toml").write_text(
        '["diffusers:sdxl"]\nseconds = 80\n["diffusers:sdxl".price]\nunit = "compute second"\n'
        'rates = [{usd = "0.0005"}]\ndate = "2026-11-21"\n'
    )
    assert run_app(["models", "list", "--provider", "diffusers"]) == 0
    (sdxl,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("diffusers:sdxl ")]
    assert "$0.0005 per compute second" in sdxl
    assert sdxl.endswith("$0.04")

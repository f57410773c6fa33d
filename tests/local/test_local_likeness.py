"""The metric `clip`: pictures compared by the vision tower beside a local model, of tiny random weights."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.providers.local.machine import Machine
from ai_content_pipeline.providers.local.vision import device_for
from ai_content_pipeline.references import metrics
from benchmarks.subjects import scene

TOWER = Path("sdxl/ip_adapter/image_encoder")


@pytest.fixture
def environ(models: Path) -> Mapping[str, str]:
    return {"AICP_MODELS_DIR": str(models)}


@pytest.fixture
def project(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two pictures of a subject, and tiny weights beside it."""
    (tmp_path / ".aicp").mkdir()
    for number in (1, 2):
        scene(1, f"there {number}").save(tmp_path / f"mia_{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AICP_MODELS_DIR", str(models))
    return tmp_path


def text(rule: str, model: str = "diffusers:sdxl", **params: Any) -> str:
    own = "".join(f", {key}: {value}" for key, value in params.items())
    return f"""
name: seen
references: {{mia: {{images: [mia_1.png, mia_2.png], strength: 0.6}}}}
steps:
  - name: scenes
    type: text_to_image
    model: {model}
    references: [mia]
    consistency: {{metric: clip, {rule}}}
    params: {{prompts: [one, two, three]{own}}}
"""


SMALL = {"num_inference_steps": 2, "width": 48, "height": 32}


def run(project: Path, capsys: Any, file: str, *words: str) -> tuple[int, dict[str, Any]]:
    (project / "seen.yaml").write_text(file, encoding="utf-8")
    capsys.readouterr()
    code = run_app(["run-chain", "seen.yaml", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_picture_is_wholly_like_itself_and_less_like_others(environ: Mapping[str, str]) -> None:
    """Equal pictures score 1 and others less, within 0 to 1; the same pictures always score the same."""
    metric = metrics.metric("clip", environ)
    looks = [metric.look(scene(number, "here")) for number in range(4)]
    for number, look in enumerate(looks):
        assert metric.alike(look, look) == pytest.approx(1.0)
        assert all(0 <= metric.alike(look, other) < 1 for other in looks[number + 1 :])
    assert metrics.metric("clip", environ).look(scene(0, "here")) == looks[0]


def test_it_is_the_towers_own_projection_that_is_compared(environ: Mapping[str, str], models: Path) -> None:
    """A look is the image embedding of the model's own code, at its own size, of length 1."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    picture = scene(2, "here")
    tower = CLIPVisionModelWithProjection.from_pretrained(models / TOWER).eval()
    side = tower.config.image_size
    pixels = CLIPImageProcessorPil(size=side, crop_size=side)(picture, return_tensors="pt").pixel_values
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(tower(pixel_values=pixels).image_embeds[0], dim=0)
    look = metrics.metric("clip", environ).look(picture)
    assert look == pytest.approx(wanted.tolist(), abs=1e-6)
    assert sum(one * one for one in look) == pytest.approx(1.0)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_any_kind_of_picture_can_be_looked_at(environ: Mapping[str, str], mode: str) -> None:
    """Grey, palette and transparent pictures are looked at as others are."""
    metric = metrics.metric("clip", environ)
    look = metric.look(scene(1, "here").convert(mode))
    assert metric.alike(look, look) == pytest.approx(1.0)


def test_opposite_pictures_have_nothing_in_common(environ: Mapping[str, str]) -> None:
    """A negative cosine is a score of 0: scores run from 0 to 1."""
    metric = metrics.metric("clip", environ)
    assert metric.alike((1.0, 0.0), (-1.0, 0.0)) == 0.0
    assert metric.alike((1.0, 0.0), (0.6, 0.8)) == pytest.approx(0.6)


def test_scenes_are_scored_beside_their_reference(project: Path, capsys: Any) -> None:
    """A run on a local model: each scene has its score against the named reference, in JSON and report."""
    code, told = run(project, capsys, text("on_low: stop, min_score: 0", **SMALL))
    assert code == 0, told
    report = json.loads((project / "output/seen/report.json").read_text())
    found = [item["consistency"] for item in report["steps"][0]["items"]]
    assert [(one["metric"], one["accepted"]) for one in found] == [("clip", True)] * 3
    assert all(0 < one["score"] < 1 for one in found)
    (reference,) = found[0]["references"]
    assert (reference["name"], len(reference["sha256"])) == ("mia", 2)


def test_a_low_score_stops_before_the_next_scene(project: Path, capsys: Any) -> None:
    """The gate works by this metric as by any other."""
    code, told = run(project, capsys, text("on_low: stop, min_score: 1", **SMALL))
    assert (code, len(list((project / "output/seen/scenes").iterdir()))) == (1, 1), told


def test_a_retry_raises_the_strength_of_a_local_model(project: Path, capsys: Any) -> None:
    """IP-Adapter's scale is what a retry turns up; the result says with which it was made."""
    rule = "on_low: retry, min_score: 1, max_retries: 2, raise_strength: 0.2"
    run(project, capsys, text(rule, **SMALL))
    report = json.loads((project / "output/seen/report.json").read_text())
    made = report["steps"][0]["items"][0]
    assert made["params"]["reference_scale"] in (0.6, 0.8, 1)
    with sqlite3.connect(project / ".aicp/journal.sqlite3") as journal:
        rows = journal.execute("SELECT description FROM job").fetchall()
    scales = sorted(json.loads(row)["params"]["reference_scale"] for (row,) in rows)
    assert scales == [0.6, 0.8, 1.0]


def test_weights_that_are_missing_are_found_before_anything_is_made(
    project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4 with the command that gets them, also for a step that a paid vendor makes; nothing is sent."""
    monkeypatch.setenv("AICP_MODELS_DIR", str(project / "none"))
    monkeypatch.setenv("FAL_KEY", "fal-key")
    code, told = run(project, capsys, text("on_low: stop", "nano_banana_pro_edit"), "--yes")
    assert code == 4
    assert told["error"]["message"] == f"the IP-Adapter weights of sdxl are not in {project / 'none/sdxl'}"
    assert told["error"]["hint"] == "aicp models pull sdxl"
    assert not [path for path in (project / "output").rglob("*") if path.is_file()]


def test_a_draft_needs_no_weights(project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft is scored by colour: it is drawn, and whoever has no weights can look at it all the same."""
    monkeypatch.setenv("AICP_MODELS_DIR", str(project / "none"))
    code, told = run(project, capsys, text("on_low: stop"), "--draft")
    assert code == 0, told
    report = json.loads((project / "output/seen.draft/report.json").read_text())
    assert {item["consistency"]["metric"] for item in report["steps"][0]["items"]} == {"color"}


@pytest.mark.parametrize("harm", ["cut", "config", "gone"])
def test_a_damaged_tower_is_refused(tmp_path: Path, models: Path, harm: str) -> None:
    """Weights that are cut short or do not fit their configuration are named, and never guessed at."""
    shutil.copytree(models / TOWER, tmp_path / TOWER)
    (file,) = (tmp_path / TOWER).glob("*.safetensors")
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif harm == "config":
        config = tmp_path / TOWER / "config.json"
        config.write_text(config.read_text().replace('"hidden_size": 8', '"hidden_size": 12'))
    else:
        file.unlink()
    with pytest.raises(ConfigurationError) as caught:
        metrics.metric("clip", {"AICP_MODELS_DIR": str(tmp_path)})
    assert caught.value.exit_code == 4
    assert "sdxl" in caught.value.message


def test_to_ask_for_it_imports_no_torch(models: Path) -> None:
    """Whether it can be used is known without loading anything: plans stay quick."""
    code = (
        "import sys; from ai_content_pipeline.references import metrics;"
        f" metrics.require('clip', {{'AICP_MODELS_DIR': {str(models)!r}}});"
        " print([name for name in ('torch', 'transformers', 'diffusers', 'PIL') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(("free", "device"), [(None, "cpu"), (3.9, "cpu"), (4.0, "cuda")])
def test_the_gpu_is_used_where_there_is_room(free: float | None, device: str) -> None:
    """Beside a model that fills the GPU the tower works on the CPU, and never pushes the model out."""

    class Gpu(Machine):
        def free_gb(self) -> float | None:
            return free

    assert device_for(Gpu("cuda", "a GPU", 80.0)) == device


def test_one_tower_looks_at_everything(environ: Mapping[str, str]) -> None:
    """Worker threads share the tower, and see what one alone sees."""
    from concurrent.futures import ThreadPoolExecutor

    metric = metrics.metric("clip", environ)
    pictures: list[Image.Image] = [scene(number, "here") for number in range(8)]
    alone = [metric.look(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(metric.look, pictures)) == alone


def test_the_bytes_of_a_reference_are_part_of_the_key(project: Path, capsys: Any) -> None:
    """By the route of embeddings: one pixel makes every scene anew, other names make none."""
    file = text("on_low: warn, min_score: 0", **SMALL)

    def states(file: str) -> set[str]:
        code, told = run(project, capsys, file)
        assert code == 0, told
        return {item["state"] for item in told["data"]["steps"][0]["items"]}

    assert states(file) == {"done"}
    (project / "mia_1.png").rename(project / "front.png")
    renamed = file.replace("mia_1.png", "front.png").replace("mia:", "eva:").replace("[mia]", "[eva]")
    assert states(renamed) == {"cached"}
    with Image.open(project / "front.png") as picture:
        picture.putpixel((3, 3), (1, 2, 3))
        picture.save(project / "front.png")
    assert states(renamed) == {"done"}

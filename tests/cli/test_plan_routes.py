"""Routes in a plan: for people a line each, for programs with every item."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ai_content_pipeline.cli.app import run_app

FILE = """
name: kept
references:
  mia: {images: [mia.png], description: a woman}
steps:
  - name: clips
    type: text_to_video
    model: kling_2_6_pro
    references: [mia]
    params: {duration: 5, generate_audio: false, prompts: ["@mia walks", "@mia sits"]}
  - {name: pictures, type: text_to_image, model: flux_pulid, references: [mia], params: {prompt: "@mia"}}
  - {name: plain, type: text_to_image, model: nano_banana_pro, params: {prompt: "nobody"}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".aicp").mkdir()
    Image.new("RGB", (400, 400), "red").save(tmp_path / "mia.png")
    (tmp_path / "kept.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", [["plan", "kept.yaml"], ["run-chain", "kept.yaml", "--dry-run"]])
def test_people_see_route_reason_and_price(
    project: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for the items of a step that take one route for one reason, with what they cost."""
    assert run_app(command) == 0
    said = capsys.readouterr()
    lines = [line for line in (said.out + said.err).splitlines() if line.startswith("route")]
    assert lines == [
        "route   clips_keyframes (2 items): server for mia, ~$0.30; the first stage of clips",
        "route   clips (2 items): keyframe for mia, ~$0.70; kling_2_6_pro takes no reference pictures;"
        " nano_banana_pro_edit puts them into a still first",
        "route   pictures/pictures_1: server for mia, unknown; flux_pulid takes reference pictures"
        " (reference_image_url)",
    ]


def test_programs_see_them_with_every_item(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Route, reason and references of each item that keeps some; the total has both stages."""
    assert run_app(["plan", "kept.yaml", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    items = {(item["step"], item["label"]): item for item in data["items"]}
    still, clip = items["clips_keyframes", "clips_keyframes_1"], items["clips", "clips_1"]
    assert (still["route"], still["why"], still["references"]) == (
        "server",
        "the first stage of clips",
        ["mia"],
    )
    assert clip["route"] == "keyframe"
    assert "nano_banana_pro_edit" in clip["why"]
    assert "route" not in items["plain", "plain_1"]
    assert data["total_usd"] == "1.15"

"""One of four clips fails: what a user sees of it, everywhere it is shown."""

from __future__ import annotations

import json

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox.actions import Reject

_STORY = """
name: story
seed: 1
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: "a sheet of panels"}}
  - {name: scenes, type: split_image, params: {grid: "2x2", naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {parallel: true, prompts: ["one", "two", "three", "four"]}
"""


@pytest.mark.parametrize("failing", [0, 1, 2, 3])
def test_a_failed_clip_is_a_hole_with_its_reason_and_its_command(tmp_path, monkeypatch, capsys, failing):
    """Three clips, a hole at its index, exit 7; reason and redo command on the terminal, in JSON and HTML."""
    prompt = ["one", "two", "three", "four"][failing]
    address = f"clips/scene_{failing + 1}"
    redo = f"aicp redo story.yaml {address}"
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "story.yaml").write_text(_STORY)
    monkeypatch.chdir(tmp_path)
    settings = Settings(look="plain", image_seconds=0.01, video_seconds=0.01, image_px=640, video_px=64)
    with Sandbox(settings) as sandbox:
        for name, value in sandbox.environ().items():
            monkeypatch.setenv(name, value)
        sandbox.script(Rule(match=Match(vendor="fal", prompt=prompt), action=Reject()))
        assert run_app(["run-chain", "story.yaml", "--yes"]) == 7
        said = capsys.readouterr().err
        assert run_app(["run-chain", "story.yaml", "--yes", "--json"]) == 7
        envelope = json.loads(capsys.readouterr().out)
    clips = envelope["data"]["steps"][2]["items"]
    report = json.loads((tmp_path / "output/story/report.json").read_text())
    page = (tmp_path / "output/story/report.html").read_text()
    names = [f"clips/scene_{n}.mp4" if n != failing + 1 else None for n in (1, 2, 3, 4)]
    assert [item["file"] for item in clips] == names
    assert [item["file"] for item in report["steps"][2]["items"]] == names
    assert sorted(path.name for path in (tmp_path / "output/story/clips").iterdir()) == [
        name.split("/")[1] for name in names if name
    ]
    assert clips[failing]["error"]["retry_with"] == redo
    for text in (said, clips[failing]["error"]["message"], page):
        assert "content" in text.lower()
    for text in (said, page):
        assert redo in text

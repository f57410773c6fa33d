"""What a sandbox made is never taken for the real thing."""

from __future__ import annotations

import json

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.sandbox import Sandbox, Settings

_STORY = """
name: story
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: "a boat"}}
"""


def test_a_sandbox_run_leaves_the_real_one_to_be_made(tmp_path, monkeypatch, capsys):
    """After a run against the sandbox, the plan without it still has everything to run and to pay."""
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "story.yaml").write_text(_STORY)
    monkeypatch.chdir(tmp_path)
    settings = Settings(look="plain", image_seconds=0.01, image_px=64)
    with Sandbox(settings) as sandbox, monkeypatch.context() as patch:
        for name, value in sandbox.environ().items():
            patch.setenv(name, value)
        assert run_app(["run-chain", "story.yaml", "--yes", "--quiet"]) == 0
        assert len(sandbox.charges()) == 1
    capsys.readouterr()
    assert run_app(["run-chain", "story.yaml", "--dry-run", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["data"]["items"]
    assert item["state"] == "run"

"""aicp graph: the chain as a Mermaid flowchart."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.cli.mermaid import _escaped

_CHAIN = """
name: chain
prompt: Four panels
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {resolution: 4K}}
  - {name: scenes, type: split_image, params: {grid: "2x2"}}
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    input: {start: scenes, end: "scenes[1:]"}
    params: {prompt: go}
  - {type: thumbnail}
"""
_OWN = """
name: own
steps:
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    input: {files: ["*.png"]}
    params:
      prompts: [a, {prompt: b, start: previous.last_frame}]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        Image.new("RGB", (320, 320), (number, 2, 3)).save(tmp_path / f"{number}.png")
    return tmp_path


def graph(project, capsys, text: str, *words: str) -> str:
    (project / "file.yaml").write_text(text)
    capsys.readouterr()
    assert run_app(["graph", "file.yaml", *words]) == 0
    return capsys.readouterr().out


def test_steps_and_what_flows_between_them(project, capsys):
    """A node a step with type, model and count; an arrow a role; nothing is written."""
    before = sorted(path.name for path in project.rglob("*"))
    assert graph(project, capsys, _CHAIN).splitlines() == [
        "flowchart LR",
        '    s0["board<br/>text_to_image<br/>nano_banana_pro<br/>1 item"]',
        '    s1["scenes<br/>split_image<br/>4 items"]',
        '    s2["clips<br/>image_to_video<br/>kling_2_6_pro<br/>3 items"]',
        '    s3["thumbnail_1<br/>thumbnail<br/>3 items"]',
        '    s0 -->|"input"| s1',
        '    s1 -->|"start"| s2',
        '    s1 -->|"end"| s2',
        '    s2 -->|"input"| s3',
    ]
    assert sorted(path.name for path in project.rglob("*")) == sorted([*before, "file.yaml"])


def test_own_files_and_chained_clips_are_drawn(project, capsys):
    """The user's files are a node, and a clip that starts from the one before is an arrow to itself."""
    lines = graph(project, capsys, _OWN).splitlines()
    assert lines[1] == '    own[/"files<br/>2 files"/]'
    assert '    own -->|"start"| s1' in lines
    assert '    s1 -->|"start, last_frame"| s1' in lines


def test_the_same_for_programs(project, capsys):
    """The envelope has the text and what it was drawn from."""
    data = json.loads(graph(project, capsys, _CHAIN, "--json"))["data"]
    assert data["mermaid"].startswith("flowchart LR\n")
    assert data["nodes"][2] == {
        "name": "clips", "type": "image_to_video", "models": ["kling_2_6_pro"], "count": 3
    }  # fmt: skip
    assert data["edges"][1] == {
        "source": "scenes", "target": "clips", "role": "start", "frame": None, "count": 3
    }  # fmt: skip


def test_options_count(project, capsys):
    """--set changes the diagram as it changes the run."""
    assert "seedance_1_lite" in graph(project, capsys, _CHAIN, "--set", "clips.model=seedance_1_lite")


def test_a_wrong_file_is_exit_3(project, capsys):
    """What cannot be planned cannot be drawn, and says where."""
    (project / "wrong.yaml").write_text(_CHAIN.replace("split_image", "split_imag"))
    assert run_app(["graph", "wrong.yaml"]) == 3
    assert "wrong.yaml:6:" in capsys.readouterr().err


@given(st.text(max_size=80))
def test_no_text_breaks_a_label(text):
    """Whatever a name holds: no quote, bracket, tag or line end, only Mermaid's number codes."""
    label = _escaped(text)
    assert re.fullmatch(r"(?:[A-Za-z0-9 .,:_-]|#[0-9]+;)*", label)


@pytest.mark.parametrize(
    "hostile", ['"]; click s0 call evil()', "<script>alert(1)</script>", "end", "%%{init}%%"]
)
def test_hostile_models_stay_labels(hostile):
    """Markup, directives and keywords are words between quotes."""
    assert not set(_escaped(hostile)) & set('"<>[]{}()%`|')

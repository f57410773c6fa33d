"""Words that a shell offers: asked for as the shells ask, and by a real bash."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from ai_content_pipeline.cli.app import COMMANDS, run_app

_STORY = """
name: story
profiles: {quick: {}, fine: {}}
steps:
  - {name: board, type: text_to_image, model: draft, params: {prompt: "A 1x2 grid of 2 panels"}}
  - {name: scenes, type: split_image, params: {grid: "1x2"}}
  - {type: thumbnail}
"""
_OVERLAY = """
[my_kling]
provider = "fal"
endpoint = "me/kling"
tasks = ["image_to_video"]
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pipeline, another one below, and other files."""
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "story.yaml").write_text(_STORY)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/other.YML").write_text(_STORY)
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass(frozen=True)
class Said:
    code: object
    out: str


def asked(line: str, shell: str = "bash") -> Said:
    """The program as a completion script calls it; the last word of `line` is the one to be completed."""
    words = line.split(" ")
    last = words[-1] if shell == "fish" else str(len(words) - 1)
    environ = {"_AICP_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": last}
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in environ.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as exit_:
            run_app([])
    said, complaints = (stream.buffer.getvalue().decode() for stream in (out, err))
    assert complaints == ""
    return Said(exit_.value.code, said)


def offered(line: str) -> list[str]:
    """The words themselves, from bash's ``type,word`` lines."""
    return [row.partition(",")[2] for row in asked(line).out.splitlines() if row]


def test_commands_and_options() -> None:
    """Every command, the options of one, and the choices of an option."""
    assert offered("aicp ") == list(COMMANDS)
    assert offered("aicp re") == ["redo", "resume"]
    assert "--profile" in offered("aicp run-chain --pro")
    assert offered("aicp resume --in-doubt ") == ["wait", "resubmit", "abandon"]
    assert offered("aicp models sh") == ["show"]


def test_pipeline_files(project: Path) -> None:
    """YAML files and the folders on the way to one, wherever a pipeline is asked for; nothing hidden."""
    (project / ".hidden.yaml").touch()
    for command in ("run-chain", "plan", "redo", "validate", "run-chain --config"):
        assert offered(f"aicp {command} ") == ["story.yaml", "sub/"], command
    assert offered("aicp run-chain sub/") == ["sub/other.YML"]
    assert offered("aicp run-chain no") == []
    assert offered("aicp run-chain .h") == [".hidden.yaml"]
    assert offered("aicp run-chain nowhere/") == []
    assert asked("aicp run-chain su").out == "dir,su\n"


@pytest.mark.parametrize("option", ["--only", "--from", "--until"])
def test_steps_of_the_file_on_the_line(option: str) -> None:
    """The names of steps, given or made up; after a slash the items of one."""
    assert offered(f"aicp run-chain story.yaml {option} ") == ["board", "scenes", "thumbnail_1"]
    assert offered(f"aicp plan --config story.yaml {option} th") == ["thumbnail_1"]
    assert offered(f"aicp plan story.yaml {option} scenes/") == ["scenes/panel_1", "scenes/panel_2"]
    assert offered(f"aicp run-chain {option} ") == []


def test_items_for_redo() -> None:
    """Every address of the file that is named."""
    assert offered("aicp redo story.yaml board") == ["board/board_1"]
    assert offered("aicp redo story.yaml scenes/") == ["scenes/panel_1", "scenes/panel_2"]


def test_profiles() -> None:
    """The names of the file's profiles."""
    assert offered("aicp plan story.yaml --profile ") == ["quick", "fine"]


def test_models(project: Path) -> None:
    """The catalogue's keys, and the project's own ones where it has any."""
    expected = ["kling_2_6_pro", "kling_2_6_pro_t2v", "kling_2_6_replicate"]
    assert offered("aicp models show kling_2_6") == expected
    assert offered("aicp models check nano_banana_2 kling_2_6") == expected
    assert offered("aicp models show my_") == []
    (project / "aicp.models.toml").write_text(_OVERLAY)
    assert offered("aicp models show my_") == ["my_kling"]
    (project / "aicp.models.toml").write_text("no = toml = at all")
    assert offered("aicp models show kling_2_6") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "steps: [",
        "steps: 5",
        "- a list",
        "\x00\x01",
        'steps: [{type: 3}, 7, null, {name: [a]}, {name: "a\\nplain,b"}, {name: "\\u001b[31m"}]',
        "&a [*a, *a]",
        "steps: " + "[" * 5000,
    ],
    ids=["empty", "unclosed", "number", "list", "control", "odd steps", "cycle", "deep"],
)
def test_a_file_that_is_wrong_offers_nothing_and_says_nothing(project: Path, text: str) -> None:
    """Whatever is in the file: no word, no message, no control character reaches the prompt."""
    (project / "story.yaml").write_text(text)
    for line in ("run-chain story.yaml --only ", "redo story.yaml ", "plan story.yaml --profile "):
        done = asked(f"aicp {line}")
        assert (done.code, done.out) == (0, "\n")


def test_what_is_no_file_is_not_waited_for(project: Path) -> None:
    """A pipe that nobody writes into does not hold up the prompt; nor does a folder."""
    os.mkfifo(project / "pipe.yaml")
    assert offered("aicp run-chain pipe.yaml --only ") == []
    assert offered("aicp redo sub ") == []


@pytest.mark.parametrize(
    "line", ["aicp ", "aicp run-chain ", "aicp run-chain story.yaml --only ", "aicp models show k"]
)
def test_completion_imports_little(line: str) -> None:
    """Everything but items needs neither pydantic nor any vendor's, picture's or video's library."""
    words = line.split(" ")
    code = (
        "import sys, runpy\n"
        "try:\n    runpy.run_module('ai_content_pipeline', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'pydantic', 'httpx', 'PIL', 'av', 'rich', 'numpy', 'fal_client'} & set(sys.modules)),"
        " file=sys.stderr)"
    )
    environ = {"_AICP_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, text=True
    )
    assert done.stdout
    assert done.stderr.strip() == "[]"


# -- the scripts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_data(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script alone is on stdout, or in the envelope; other shells are refused by name."""
    assert run_app(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"_AICP_COMPLETE={shell}_complete" in out
    assert run_app(["completion", shell, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["script"].strip() == out.strip()
    assert run_app(["completion", "tcsh"]) == 2


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_protocols(shell: str) -> None:
    """zsh and fish ask in their own ways and get the same words."""
    line = "aicp redo story.yaml scenes/" if shell == "zsh" else "aicp redo story.yaml "
    assert "scenes/panel_1" in asked(line, shell).out


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which this checkout is called aicp."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "aicp"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ai_content_pipeline "$@"\n')
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["aicp", "sta"], ["status"]),
        (["aicp", "run-chain", "st"], ["story.yaml"]),
        (["aicp", "redo", "story.yaml", "scenes/"], ["scenes/panel_1", "scenes/panel_2"]),
        (["aicp", "run-chain", "story.yaml", "--only", "b"], ["board"]),
    ],
)
def test_a_real_bash(path: str, words: list[str], replies: list[str]) -> None:
    """The script, loaded by bash, fills COMPREPLY with the right words."""
    script = subprocess.run(
        ["aicp", "completion", "bash"], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    line = " ".join(f"'{word}'" for word in words)
    program = (
        f"{script.stdout}\ncompopt() {{ :; }}\n"
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}\n"
        "function_name=$(complete -p aicp | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
        '"$function_name" aicp\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == replies

"""Every command with --json: one envelope on stdout and nothing else, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.cli.app import COMMANDS, run_app
from ai_content_pipeline.cli.execute import invocation
from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox.actions import Reject

KEYS = {"schema", "ok", "command", "run_id", "data", "error", "cost"}
ERROR_KEYS = {"code", "message", "file", "line", "column", "hint", "retry_with", "problems"}
GOOD = """
name: good
steps:
  - {name: pictures, type: text_to_image, model: draft, params: {prompt: a boat, width: 64, height: 48}}
  - {type: thumbnail}
"""
BAD = "name: bad\nsteps:\n  - {type: thumbnail, modle: draft}\n"
PAID = """
name: paid
steps:
  - {name: pictures, type: text_to_image, model: nano_banana_pro, params: {prompts: [a boat, a house]}}
"""
#: Each command as it goes well, and as many ways to go wrong as it has. The project has run good.yaml once.
LINES = {
    "run-chain good.yaml": 0,
    "run-chain good.yaml --dry-run": 0,
    "run-chain bad.yaml": 3,
    "run-chain none.yaml": 3,
    "run-chain": 2,
    "run-chain paid.yaml --yes": 4,
    "run-chain good.yaml --only nothing": 2,
    "run-chain good.yaml --plan bad.yaml": 2,
    "run-chain good.yaml --output-dir .aicp/artifacts": 2,
    "plan good.yaml": 0,
    "plan good.yaml --show-resolved": 0,
    "plan bad.yaml": 3,
    "plan good.yaml -o nowhere/plan.json": 1,
    "plan paid.yaml --profile none": 2,
    "graph good.yaml": 0,
    "graph bad.yaml": 3,
    "redo good.yaml pictures/pictures_1": 0,
    "redo good.yaml pictures/pictures_9": 2,
    "redo good.yaml": 2,
    "status": 0,
    "fetch": 0,
    "resume --in-doubt wait": 0,
    "resume": 2,
    "cancel": 0,
    "cost": 0,
    "models list": 0,
    "models list --task sing": 2,
    "models show kling_2_6_pro": 0,
    "models show kling": 2,
    "models check kling_2_6_pro": 75,
    "models check kling": 2,
    "models sing": 2,
    "sandbox exec": 2,
    "sandbox exec -- python -c raise(SystemExit(3))": 3,
    "sandbox serve --port many": 2,
    "validate good.yaml": 0,
    "validate good.yaml bad.yaml": 3,
    "init": 0,
    "init good.yaml": 2,
    "schema": 0,
    "doctor": 0,
    "completion bash": 0,
    "completion cmd": 2,
    "sing": 2,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which nobody answers at the vendors' addresses."""
    (tmp_path / ".aicp").mkdir()
    for name, text in {"good": GOOD, "bad": BAD, "paid": PAID}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AICP_FAL_URL", "https://127.0.0.1:9")
    return tmp_path


def said(capfd: pytest.CaptureFixture[str], code: int) -> dict[str, Any]:
    """The one envelope on stdout, sound and in agreement with the exit code."""
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    assert out.count("\n") == 1
    envelope: dict[str, Any] = json.loads(out)
    assert set(envelope) == KEYS
    assert envelope["ok"] is (code == 0)
    assert (envelope["error"] is None) is envelope["ok"]
    if envelope["error"] is not None:
        assert set(envelope["error"]) == ERROR_KEYS
        assert envelope["error"]["code"]
        assert envelope["error"]["message"]
    return envelope


def with_json(line: str) -> list[str]:
    """--json before the -- where there is one: what follows belongs to another program."""
    words = [sys.executable if word == "python" else word for word in line.split(" ")]
    place = words.index("--") if "--" in words else len(words)
    return [*words[:place], "--json", *words[place:]]


@pytest.mark.parametrize("line", LINES)
def test_one_envelope_and_nothing_else(project: Path, capfd: pytest.CaptureFixture[str], line: str) -> None:
    """Any command, well or not: one line of JSON, `ok` exactly with exit code 0, and `error` exactly else."""
    assert run_app(["run-chain", "good.yaml", "--quiet"]) == 0
    capfd.readouterr()
    code = run_app(with_json(line))
    assert code == LINES[line]
    assert line.startswith(said(capfd, code)["command"])


def test_every_command_is_tried() -> None:
    """No command without at least one line above."""
    assert {line.split()[0] for line in LINES} - {"sing"} >= set(COMMANDS) - {"worker"}


def test_a_partly_failed_run_has_an_error_too(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 7 comes with `partly_done`, how much of it is there, and the command that goes on."""
    with Sandbox(Settings(look="plain", image_seconds=0.01, image_px=64)) as sandbox:
        for name, value in sandbox.environ().items():
            monkeypatch.setenv(name, value)
        sandbox.script(Rule(match=Match(vendor="fal", prompt="house"), action=Reject()))
        assert run_app(["run-chain", "paid.yaml", "--yes", "--json"]) == 7
    error = said(capfd, 7)["error"]
    assert error["code"] == "partly_done"
    assert error["message"] == "Partly done: 1 of 2 files are there; 1 failed"
    assert error["retry_with"] == "aicp run-chain paid.yaml"


def test_an_interrupted_command_still_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    """^C while a command plans or asks: exit code 130, and the envelope that a program waits for."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with invocation("plan", Showing(json=True)) as (_, outcome):
        interrupted()
    assert outcome.exit_code == 130
    assert said(capfd, 130)["error"]["code"] == "interrupted"


def test_interrupted_while_a_command_loads(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """^C while a command's own module is imported ends in an envelope as well."""

    class Interrupting:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "ai_content_pipeline.cli.schema":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "ai_content_pipeline.cli.schema", raising=False)
    assert run_app(["schema", "--json"]) == 130
    assert said(capfd, 130)["error"]["code"] == "interrupted"


def test_interrupted_before_anything_is_loaded() -> None:
    """^C in the first moments of the program is one word and exit code 130, not a traceback."""
    code = """
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from ai_content_pipeline.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(project: Path, closed: str) -> None:
    """Whoever starts the program without an input or output gets the work done, and no traceback."""
    line = f'exec "$0" -m ai_content_pipeline run-chain good.yaml {closed}'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (project / "output/good/pictures/pictures_1.png").is_file()


def test_links_in_a_circle_are_a_file_that_cannot_be_read(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A pipeline that is a link to itself is an invalid pipeline, not an internal error."""
    (project / "circle.yaml").symlink_to("circle.yaml")
    for command in ("validate", "plan", "run-chain"):
        assert run_app([command, "circle.yaml", "--json"]) == 3
        assert said(capfd, 3)["error"]["file"] == "circle.yaml"


@pytest.mark.parametrize("folder", [".aicp", ".aicp/artifacts", "output/../.aicp/x"])
def test_results_never_go_into_the_memory(
    project: Path, capfd: pytest.CaptureFixture[str], folder: str
) -> None:
    """--output-dir may lie anywhere but in the project's memory, whatever the way there."""
    (project / "output").mkdir()
    assert run_app(["run-chain", "good.yaml", "--output-dir", folder]) == 2
    assert "memory" in capfd.readouterr().err
    assert list((project / ".aicp").iterdir()) == []

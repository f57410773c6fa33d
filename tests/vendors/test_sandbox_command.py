"""`aicp sandbox exec` and `serve`: a pipeline against a fault script, with no key and at no cost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
AICP = [sys.executable, "-m", "ai_content_pipeline"]
_FAULTS = """
rules:
  - match: {vendor: fal, route: [submit], nth: 2, times: 1}
    action: {kind: drop}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "pics.yaml").write_text(
        "name: pics\nsteps:\n  - {name: pics, type: text_to_image, model: nano_banana_pro,"
        " params: {parallel: true, prompts: [one, two, three]}}\n"
    )
    (tmp_path / "faults.yaml").write_text(_FAULTS)
    return tmp_path


def aicp(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"AICP_RECONCILE_GRACE": "3", "CI": "1"}
    return subprocess.run(
        [*AICP, *words], cwd=project, env=env, capture_output=True, text=True, timeout=90, check=False
    )


def test_exec_runs_a_command_against_a_fresh_sandbox(project: Path) -> None:
    """No key is needed; the lost answer of the script is adopted; the charges are printed: three, $0.45."""
    run = ("run-chain", "pics.yaml", "--max-cost", "1")
    done = aicp(project, "sandbox", "exec", "--faults", "faults.yaml", "--", *AICP, *run)
    assert done.returncode == 0, done.stderr
    assert "the sandbox charged 3 jobs, $0.45" in done.stderr
    assert len(list((project / "output").rglob("*.png"))) == 3


def test_the_exit_code_of_exec_is_the_commands(project: Path) -> None:
    """So a failing pipeline fails its CI job."""
    done = aicp(project, "sandbox", "exec", "--", sys.executable, "-c", "raise SystemExit(7)")
    assert done.returncode == 7


def test_a_command_that_does_not_exist(project: Path) -> None:
    """Exit 2 and its name."""
    done = aicp(project, "sandbox", "exec", "--", "no-such-command-anywhere")
    assert done.returncode == 2
    assert "no-such-command-anywhere" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{action: {kind: explode}}]", "explode"),
        ("rules: [{", "cannot be read"),
        ("rule: []", "rule"),
    ],
)
def test_a_fault_script_that_is_none(project: Path, text: str, says: str) -> None:
    """Exit 2 and what is wrong with it; nothing was started."""
    (project / "bad.yaml").write_text(text)
    done = aicp(project, "sandbox", "exec", "--faults", "bad.yaml", "--", *AICP, "--version")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_serve_prints_the_variables_that_lead_there(project: Path) -> None:
    """What stands on stdout is all that another shell needs; SIGINT ends it with 0."""
    server = subprocess.Popen(
        [*AICP, "sandbox", "serve", "--image-seconds", "0.02"],
        cwd=project, env=os.environ | {"CI": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout
    lines = [server.stdout.readline().strip().removeprefix("export ") for _ in range(4)]
    environ = dict(line.split("=", 1) for line in lines)
    assert environ.keys() == {"AICP_FAL_URL", "REPLICATE_BASE_URL", "FAL_KEY", "REPLICATE_API_TOKEN"}
    env = os.environ | environ | {"CI": "1"}
    done = subprocess.run(
        [*AICP, "run-chain", "pics.yaml", "--yes"],
        cwd=project, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=20)
    assert server.returncode == 0


def test_serve_on_a_port_that_is_taken(project: Path) -> None:
    """Exit 2, the port, and what to do instead."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = aicp(project, "sandbox", "serve", "--port", str(port))
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert "--port" in done.stderr


def test_the_example_for_ci_runs_as_it_stands(project: Path) -> None:
    """Every command of it, on the pipelines that come with the project: exit 0, without a key."""
    workflow = yaml.safe_load((ROOT / "docs/ci/github-actions.yml").read_text("utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["draft"]["steps"] if "aicp" in step.get("run", "")]
    assert any("sandbox exec" in command for command in commands)
    shutil.copytree(ROOT / "input", project / "input")
    env = {**os.environ, "CI": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
    assert list((project / "output").rglob("*.mp4"))

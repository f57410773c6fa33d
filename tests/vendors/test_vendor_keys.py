"""A key is found nowhere but at its vendor: not in a file, an output, an error or a process's arguments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.sandbox import actions as do

KEY = "canary-key-7d2b90ce"
STORY = """
name: clips
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: a grid}}
  - {name: clip, type: image_to_video, model: MODEL, params: {prompt: waves}}
"""
ECHO = do.Fail(code=422, reason=f"bad credentials canary-id:{KEY} and r8_{KEY}")
FAULTS = {
    "none": None,
    "echoed": ECHO,
    "refused": do.Status(code=401),
    "dropped": do.Drop(),
    "gateway": do.Status(code=502, body="nginx"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("how", [["-vv"], ["--json"], ["--json-stream", "-vv"]], ids=lambda how: how[0])
@pytest.mark.parametrize("model", ["kling_2_6_pro", "seedance_1_lite"])
def test_no_way_of_running_shows_a_key(account: Any, model: str, how: list[str], fault: str) -> None:
    """Whatever goes wrong and however much is said. The fixture reads every file and every word for it."""
    account.write(STORY.replace("MODEL", model))
    if FAULTS[fault] is not None:
        account.script(FAULTS[fault], route=("submit",), times=1)
    account.chain(*how)
    for command in (["status"], ["cost"], ["fetch"], ["run-chain", "pipeline.yaml", "--dry-run"]):
        account.aicp(*command, *how)
    assert any(said.text for said in account.said)
    if how == ["--json"]:
        json.loads(account.said[0].out)


def test_the_process_that_runs_shows_no_key_in_its_arguments(account: Any) -> None:
    """Neither it nor a child of it: keys travel in the environment alone."""
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("needs /proc")
    account.script(do.RunTime(seconds=20.0), route=("submit",))
    account.write(account.pictures("fal", ["a cup"]))
    process = account.start("run-chain", "pipeline.yaml", "--yes", "-vv")
    seen = b""
    while account.sandbox.counts().get("fal.status", 0) < 2:
        assert process.poll() is None
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                seen += (folder / "cmdline").read_bytes()
            except OSError:
                continue
    process.kill()
    out, err = process.communicate()
    assert b"run-chain" in seen
    assert KEY.encode() not in seen
    assert KEY not in out + err


def test_a_key_in_a_pipeline_is_not_resolved(account: Any) -> None:
    """``${FAL_KEY}`` in a prompt is an error before anything runs, and its value is not in it."""
    account.extra["SOME_API_TOKEN"] = KEY
    for name in ("FAL_KEY", "REPLICATE_API_TOKEN", "SOME_API_TOKEN"):
        account.write(account.pictures("fal", [f"${{{name}}}"]))
        said = account.chain()
        assert said.code == 3, said.text
        assert name in said.text
    assert account.sandbox.counts() == {}


def test_a_pipeline_cannot_send_a_key_elsewhere(account: Any) -> None:
    """No key of the file names an address; an address without TLS is refused unless it is this machine."""
    account.write(account.pictures("fal", ["a cup"], top="base_url: https://evil.example"))
    assert account.chain().code == 3
    account.write(account.pictures("fal", ["a cup"]))
    account.extra["AICP_FAL_URL"] = "http://evil.example"
    said = account.chain()
    assert said.code == 4
    assert "unencrypted" in said.text


def test_an_env_file_sets_keys_and_no_addresses(account: Any) -> None:
    """--env-file gives the keys; AICP_FAL_URL, proxies and loader paths in it are refused with exit 4."""
    environ = account.sandbox.environ()
    account.extra["FAL_KEY"] = ""
    keys = account.root.parent / f"{account.root.name}.env"
    keys.write_text(f"# keys\nexport FAL_KEY='{environ['FAL_KEY']}'\n")
    account.write(account.pictures("fal", ["a cup"]))
    os_environ = {k: v for k, v in {**os.environ, **account.environ, "CI": "1"}.items() if k != "FAL_KEY"}
    command = [sys.executable, "-m", "ai_content_pipeline", "run-chain", "pipeline.yaml", "--yes"]
    done = subprocess.run(
        [*command, "--env-file", str(keys)], cwd=account.root, env=os_environ,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("AICP_FAL_URL", "REPLICATE_BASE_URL", "HTTPS_PROXY", "LD_PRELOAD", "PYTHONPATH"):
        keys.write_text(f"{name}=https://evil.example\n")
        said = account.chain("--env-file", str(keys))
        assert said.code == 4
        assert name in said.text
    keys.unlink()

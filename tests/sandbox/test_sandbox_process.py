"""Starting, steering and stopping a sandbox, in a thread and as a child process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.sandbox import Clock, Sandbox, Settings, run
from ai_content_pipeline.sandbox import actions as act
from ai_content_pipeline.sandbox import faults as f

NANO = "fal-ai/nano-banana-pro"
KEY = "canary-id:canary-secret"
SETTINGS = Settings(image_seconds=0.0, look="plain", fal_key=KEY)


ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def submit(sandbox: Sandbox, client: httpx.Client) -> httpx.Response:
    headers = {"Authorization": f"Key {sandbox.settings.fal_key}"}
    return client.post(f"{sandbox.url}/{NANO}", json={"prompt": "x"}, headers=headers)


def accepts(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize("child", [False, True])
def test_a_sandbox_is_steered_over_http(client: httpx.Client, *, child: bool) -> None:
    """Charges, jobs, counts, script, clock and reset work alike in a thread and in a process."""
    with Sandbox(SETTINGS, child=child) as sandbox:
        sandbox.script(act.Status(code=503))
        assert submit(sandbox, client).status_code == 503
        sandbox.script()
        job = submit(sandbox, client).json()["request_id"]
        (charge,) = sandbox.charges()
        (row,) = sandbox.jobs()
        assert (charge.job, str(charge.usd), charge.billed) == (job, "0.15", True)
        assert (row.id, row.prompt, row.payload, row.status) == (job, "x", {"prompt": "x"}, "succeeded")
        assert sandbox.counts() == {"fal.submit": 2}
        sandbox.advance(100)
        assert submit(sandbox, client).status_code == 200
        assert sandbox.jobs()[1].created - row.created >= 100
        sandbox.reset()
        assert (sandbox.charges(), sandbox.jobs(), sandbox.counts()) == ((), (), {})
    assert not accepts(sandbox.url)


def test_the_environment_points_at_the_sandbox() -> None:
    """Addresses and keys of both vendors, so that real keys stay out."""
    with Sandbox(SETTINGS) as sandbox:
        assert sandbox.environ() == {
            "AICP_FAL_URL": sandbox.url,
            "REPLICATE_BASE_URL": sandbox.url,
            "FAL_KEY": KEY,
            "REPLICATE_API_TOKEN": "r8_sandbox",
        }


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """Even one killed with -9 leaves no server behind; and no key is on any command line."""
    code = (
        "from ai_content_pipeline.sandbox import Sandbox, Settings\n"
        f"with Sandbox(Settings(fal_key={KEY!r}), child=True) as s:\n"
        "    print(s.url, s._host._process.pid, flush=True)\n"
        "    input()\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENV,
    )
    assert parent.stdin
    assert parent.stdout
    url, pid = parent.stdout.readline().split()
    assert accepts(url)
    assert b"canary" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while accepts(url) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not accepts(url)


@pytest.mark.parametrize("child", [False, True])
def test_a_taken_port_is_a_usage_error(*, child: bool) -> None:
    """With the port, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}") as caught, Sandbox(port=port, child=child):
            pass
    assert "--port" in str(caught.value.hint)


def test_serving_in_the_foreground_ends_with_an_interrupt() -> None:
    """The address is told once clients may connect; ^C is the ordinary end; a taken port is an error."""
    code = (
        "from ai_content_pipeline.sandbox import Settings, run\n"
        "run(Settings(), 0, lambda url: print(url, flush=True))\n"
        "print('ended', flush=True)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=ENV)
    assert server.stdout
    url = server.stdout.readline().strip()
    assert accepts(url)
    with pytest.raises(UsageError, match="cannot listen"):
        run(SETTINGS, int(url.rpartition(":")[2]), lambda url: None)
    server.send_signal(signal.SIGINT)
    assert server.stdout.read() == "ended\n"
    assert server.wait() == 0
    server.stdout.close()


def test_only_this_machine_is_answered(sandbox: Sandbox, client: httpx.Client) -> None:
    """It listens on loopback, and refuses what a web page's script could send through another name."""
    listening = sandbox.url.removeprefix("http://").split(":")[0]
    assert listening == "127.0.0.1"
    assert client.get(f"{sandbox.url}/_sandbox/jobs", headers={"Host": "evil.example"}).status_code == 421
    assert client.post(f"{sandbox.url}/{NANO}", headers={"Host": "evil.example:80"}).status_code == 421
    simple = {"Content-Type": "text/plain"}
    assert client.post(f"{sandbox.url}/_sandbox/reset", content="{}", headers=simple).status_code == 415


def test_the_admin_interface_refuses_nonsense(sandbox: Sandbox, client: httpx.Client) -> None:
    """Unknown names, wrong methods, bad scripts and bad numbers leave everything as it was."""
    assert client.get(f"{sandbox.url}/_sandbox/nothing").status_code == 404
    assert client.get(f"{sandbox.url}/_sandbox/reset").status_code == 404
    assert client.get(f"{sandbox.url}/nothing").status_code == 404
    for name, body in (("script", {"rules": [{}]}), ("advance", {}), ("advance", {"seconds": "x"})):
        assert client.post(f"{sandbox.url}/_sandbox/{name}", json=body).status_code == 422
    sandbox.script()


def test_settings_reach_the_child_whole() -> None:
    """A script with endless times survives the way there."""
    rule = f.Rule(match=f.Match(nth=2), action=act.RunTime(seconds=act.Lognormal(median=1)))
    settings = SETTINGS.model_copy(
        update={"script": f.Script(rules=(rule,)), "replicate_keeps": float("inf")}
    )
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_a_child_keeps_its_own_time() -> None:
    """A clock cannot be handed to another process."""
    with pytest.raises(ValueError, match="clock"):
        Sandbox(child=True, clock=Clock())


def test_no_key_is_shown() -> None:
    """Settings can be printed."""
    assert "canary" not in repr(SETTINGS)
    assert "r8_" not in repr(SETTINGS)


def test_many_clients_at_once_each_on_one_connection(sandbox: Sandbox) -> None:
    """Keep-alive, and 128 connections open at the same time."""
    headers = {"Authorization": f"Key {sandbox.settings.fal_key}", "Content-Type": "application/json"}
    clients = [http.client.HTTPConnection(sandbox.url.removeprefix("http://")) for _ in range(128)]
    for client in clients:
        client.request("POST", f"/{NANO}", "{}", headers)
    paths = [json.loads(client.getresponse().read())["status_url"] for client in clients]
    sockets = [client.sock for client in clients]
    for client, path in zip(clients, paths, strict=True):
        client.request("GET", path, headers=headers)
    assert {client.getresponse().status // 100 for client in clients} == {2}
    assert [client.sock for client in clients] == sockets
    for client in clients:
        client.close()
    assert sandbox.counts() == {"fal.submit": 128, "fal.status": 128}

"""aicp worker, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.worker import server
from ai_content_pipeline.worker.outbox import Outbox
from ai_content_pipeline.worker.queue import Queue
from ai_content_pipeline.worker.rows import Bounds, Ending, New, State
from tests.worker.conftest import SECRET, SMALL, TOKEN, Receiver

JOB = {"id": "job-1", "type": "sdxl_image_fast", "prompt": "a cup", "user_id": "u", "config": SMALL}


def run_job(folder: Path, job: object, *words: str) -> int:
    (folder / "job.json").write_text(json.dumps(job))
    return run_app(
        ["worker", "run", str(folder / "job.json"), "--workspace", str(folder), "--provider", "draft", *words]
    )


def test_one_job_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its files lie in the workspace, stdout is the callback's body, and no queue is left behind."""
    assert run_job(tmp_path, JOB) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["job_id"], body["status"]) == ("job-1", "completed")
    assert (tmp_path / body["assets"][0]["url"]).is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"job.json", "workspace-temp"}


def test_its_callback_is_delivered(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed, once, before the command ends."""
    monkeypatch.setenv("AICP_WORKER_CALLBACK_SECRET", SECRET)
    assert run_job(tmp_path, {**JOB, "callback_url": f"{receiver.url}/x"}, "--allow-private-hosts") == 0
    assert [one.id for one in receiver.deliveries] == ["msg_job-1"]
    assert receiver.deliveries[0].body == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({**JOB, "config": {"num_images": 99}}, "config.num_images: "),
        ({**JOB, "wat": 1}, "wat: "),
        ({**JOB, "type": "nothing"}, "type: must be one of "),
        (
            {**JOB, "metadata": {"reference_image_url": "https://127.0.0.1/a.png"}},
            "metadata.reference_image_url: ",
        ),
        ("text", "job.json"),
    ],
)
def test_a_job_that_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], job: object, said: str
) -> None:
    """Exit code 3, the path of the field, and no file."""
    assert run_job(tmp_path, job) == 3
    assert said in capsys.readouterr().err
    assert not (tmp_path / "workspace-temp").exists()


def test_a_job_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the body says why."""
    broken = {**JOB, "metadata": {"reference_image_url": "data:image/png;base64,AAAA"}}
    assert run_job(tmp_path, broken) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "download"


@pytest.mark.parametrize("words", [["serve"], ["run", "job.json"]])
def test_without_the_extra(tmp_path: Path, words: list[str]) -> None:
    """Exit code 4, and the command that installs it."""
    script = (
        "import sys; sys.modules['fastapi'] = None; sys.modules['prometheus_client'] = None\n"
        f"from ai_content_pipeline.cli.app import run_app; sys.exit(run_app(['worker', *{words!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "fastapi, prometheus_client" in done.stderr
    assert "pip install 'ai-content-pipeline[worker]'" in done.stderr


def test_help_imports_no_server() -> None:
    """`aicp worker --help` and `serve --help` load neither FastAPI nor the worker."""
    for words in (["worker", "--help"], ["worker", "serve", "--help"]):
        script = (
            f"import sys; from ai_content_pipeline.cli.app import run_app; run_app({words!r})\n"
            "sys.exit(any(name in sys.modules for name in ('fastapi', 'uvicorn', 'httpx', 'pydantic')))"
        )
        assert (
            subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
        )


def test_an_open_network_needs_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond loopback without AICP_WORKER_TOKEN: exit code 4, and nothing listens."""
    assert run_app(["worker", "serve", "--host", "0.0.0.0", "--workspace", str(tmp_path), "--port", "0"]) == 4
    assert "AICP_WORKER_TOKEN" in capsys.readouterr().err


def test_the_token_may_come_from_a_file(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--env-file gives token and secret, to `serve` and to `run`; neither is shown, nor known to a child."""
    (tmp_path / "env").write_text(f"AICP_WORKER_TOKEN={TOKEN}\nAICP_WORKER_CALLBACK_SECRET={SECRET}\n")
    words = ("--allow-private-hosts", "--env-file", str(tmp_path / "env"))
    assert run_job(tmp_path, {**JOB, "callback_url": f"{receiver.url}/x"}, *words) == 0
    assert [one.id for one in receiver.deliveries] == ["msg_job-1"]  # verified with SECRET
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    seen = []

    def listener(service: Any) -> None:
        seen.append(service.settings)
        service.close()
        raise ConfigurationError("far enough")

    monkeypatch.setattr(server, "Listener", listener)
    words = ("--host", "0.0.0.0", "--env-file", str(tmp_path / "env"), "--workspace", str(tmp_path))
    assert (
        run_app(["worker", "serve", "--provider", "draft", *words, "--keep-days", "7", "--keep-jobs", "9"])
        == 4
    )
    assert seen[0].access.token == TOKEN
    assert (seen[0].retention.days, seen[0].retention.jobs, seen[0].retention.delete_results) == (7, 9, False)


def test_dead_callbacks_are_redelivered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """list shows what was given up; redeliver has it sent again, by job, by id or all."""
    now, folder = datetime.now(UTC), tmp_path / ".aicp-worker"
    folder.mkdir()
    queue = Queue(folder / "queue.sqlite3")
    for job_id in ("a", "b"):
        queue.put(
            New(job_id, "u", "t", 0, job_id, "{}", "none", (), "https://x.example/h?t=secret"), Bounds(), now
        )
        queue.claim(Bounds(), now)
        queue.end(job_id, Ending(State.COMPLETED), now)
    for callback in Outbox(queue).due(now, 9, frozenset()):
        Outbox(queue).failed(callback, "the receiver answers 500", None, now)
    queue.close()
    place = ("--workspace", str(tmp_path))
    assert run_app(["worker", "callbacks", "list", *place]) == 0
    shown = capsys.readouterr().out
    assert "msg_a  dead  1 tries  https://x.example/h  the receiver answers 500" in shown
    assert run_app(["worker", "callbacks", "redeliver", "a", *place]) == 0
    assert capsys.readouterr().out.split() == ["msg_a"]
    assert run_app(["worker", "callbacks", "redeliver", "--all", *place]) == 0
    assert capsys.readouterr().out.split() == ["msg_b"]
    assert run_app(["worker", "callbacks", "redeliver", *place]) == 2
    assert run_app(["worker", "callbacks", "list", "--workspace", str(tmp_path / "none")]) == 2


def test_a_port_that_is_taken(tmp_path: Path, receiver: Receiver) -> None:
    """Exit code 4 with the reason; the workspace is free again."""
    port = receiver.url.rpartition(":")[2]
    words = ["worker", "serve", "--provider", "draft", "--workspace", str(tmp_path), "--port", port]
    done = subprocess.run(
        [sys.executable, "-m", "ai_content_pipeline", *words],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 4
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr

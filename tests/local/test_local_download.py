"""`aicp models pull` against a publisher of our own that speaks the hub's protocol."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

from ai_content_pipeline.catalog import local
from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.providers.local.weights import MANIFEST, find

KEY = "wan2.1_t2v_1.3b"


@dataclass
class Hub:
    """What it publishes at one commit, and was asked for. It breaks off after `cut` bytes; it may `lie`."""

    files: dict[str, bytes]
    commit: str
    cut: int | None = None
    lie: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def listing(self) -> dict[str, Any]:
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "blobId": "0" * 40,
                "lfs": {
                    "sha256": ("0" * 64 if self.lie else hashlib.sha256(data).hexdigest()),
                    "size": len(data),
                    "pointerSize": 1,
                },
            }
            for name, data in self.files.items()
        ]
        return {"id": "a/b", "sha": self.commit, "siblings": siblings, "private": False, "tags": []}


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_HEAD(self) -> None:
            self._send(head=True)

        def do_GET(self) -> None:
            if self.path.startswith("/api/"):
                body = json.dumps(hub.listing()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self._send(head=False)

        def _send(self, *, head: bool) -> None:
            name = self.path.partition(f"/resolve/{hub.commit}/")[2]
            data = hub.files[name]
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            if not head:
                hub.asked.append(f"{name}+{start}")
            self.send_response(206 if start else 200)
            self.send_header("X-Repo-Commit", hub.commit)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if head:
                return
            rest = data[start:]
            if hub.cut is not None and len(rest) > hub.cut:
                self.wfile.write(rest[: hub.cut])
                self.close_connection = True
                return
            self.wfile.write(rest)

    return Handler


@pytest.fixture
def hub(models: Path) -> Iterator[Hub]:
    """It publishes the tiny model under the pinned commit, and a pickle that nobody wants."""
    folder = models / KEY
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files["text_encoder/pytorch_model.bin"] = b"a pickle"
    needs = local.load(KEY).local
    assert needs is not None
    hub = Hub(files, needs.weights[0].revision)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("AICP_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def test_a_model_is_pulled_and_ready(hub: Hub, place: Path, capsys: Any) -> None:
    """Everything it needs, no pickle, in diffusers' layout; a second pull asks for nothing."""
    assert run_app(["models", "pull", f"diffusers:{KEY}"]) == 0
    folder = find(place, KEY)
    assert json.loads((folder / MANIFEST).read_text())["from"] == [
        f"Wan-AI/Wan2.1-T2V-1.3B-Diffusers@{hub.commit}"
    ]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {*hub.files, MANIFEST} - {"text_encoder/pytorch_model.bin"}
    assert not (place / ".downloads" / KEY).exists()
    said = capsys.readouterr().err
    assert "license Apache-2.0" in said
    assert f"downloaded to {folder}" in said
    hub.asked.clear()
    assert run_app(["models", "pull", KEY]) == 0
    assert hub.asked == []


def test_a_pull_that_broke_off_goes_on(hub: Hub, place: Path, capsys: Any) -> None:
    """Exit 75 and nothing in place; the same command fetches only what is missing."""
    hub.cut = 60_000
    assert run_app(["models", "pull", KEY]) == 75
    assert not (place / KEY).exists()
    assert "goes on where it was broken off" in capsys.readouterr().err
    done = {one.split("+")[0] for one in hub.asked if one.endswith("+0")}
    hub.cut = None
    hub.asked.clear()
    assert run_app(["models", "pull", KEY]) == 0
    assert find(place, KEY)
    again = {one.split("+")[0] for one in hub.asked}
    assert len(again & done) <= 1  # the one that was cut


def test_a_file_that_is_not_what_was_published_is_refused(hub: Hub, place: Path) -> None:
    """Its sha256 decides."""
    hub.lie = True
    assert run_app(["models", "pull", KEY]) == 75
    assert not (place / KEY).exists()


def test_another_commit_is_refused(hub: Hub, place: Path, capsys: Any) -> None:
    """A mutable name cannot slip in other weights."""
    hub.commit = "0" * 40
    assert run_app(["models", "pull", KEY]) == 75
    assert "another commit" in capsys.readouterr().err


def test_a_listing_that_leaves_its_folder_is_refused(hub: Hub, place: Path, tmp_path: Path) -> None:
    """Nothing is written outside."""
    hub.files["x/../../evil.json"] = b"{}"
    assert run_app(["models", "pull", KEY]) != 0
    assert not list(tmp_path.rglob("evil.json"))


def test_a_folder_of_ones_own_is_left_alone(hub: Hub, place: Path, capsys: Any) -> None:
    """What aicp did not put there it does not replace."""
    (place / KEY).mkdir(parents=True)
    (place / KEY / "mine.txt").write_text("mine")
    assert run_app(["models", "pull", KEY]) == 4
    assert (place / KEY / "mine.txt").read_text() == "mine"
    assert "was not made by aicp" in capsys.readouterr().err


def test_a_wrong_key_is_answered_with_the_nearest(place: Path, capsys: Any) -> None:
    """Exit 2."""
    assert run_app(["models", "pull", "sdxxl"]) == 2
    assert "did you mean sdxl?" in capsys.readouterr().err

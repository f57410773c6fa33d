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
from ai_content_pipeline.providers.local.download import download
from ai_content_pipeline.providers.local.weights import MANIFEST, find

KEY = "wan2.1_t2v_1.3b"


@dataclass
class Hub:
    """What it publishes at one commit, and was asked for. It breaks off each answer after `cut` bytes, and is
    gone after `left` bytes; it may `lie`."""

    files: dict[str, bytes]
    commit: str
    cut: int | None = None
    left: int | None = None
    lie: bool = False
    empty: bool = False  # it answers with nothing at all
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
            self.send_header("Content-Length", "0" if hub.empty else str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if head or hub.empty:
                return
            rest = data[start:]
            sent = rest[: hub.cut] if hub.left is None else rest[: min(len(rest), hub.left)]
            if hub.left is not None:
                hub.left -= len(sent)
            self.wfile.write(sent)
            self.close_connection = len(sent) < len(rest)

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
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
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


def test_a_publisher_that_sends_nothing_is_given_up(hub: Hub, place: Path, capsys: Any) -> None:
    """An answer that is whole and empty brings a file no further: it is not asked for again and again."""
    hub.empty = True
    assert run_app(["models", "pull", f"diffusers:{KEY}"]) == 75
    assert "sends no more of" in capsys.readouterr().err
    assert len(hub.asked) == 1


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
    """Exit 75 and nothing in place; the same command fetches what is missing, from where it ended."""
    hub.left = sum(map(len, hub.files.values())) // 2
    assert run_app(["models", "pull", KEY]) == 75
    assert not (place / KEY).exists()
    assert "goes on where it was broken off" in capsys.readouterr().err
    (part,) = (place / ".downloads").rglob("*.part")
    had, name = part.stat().st_size, part.name.removesuffix(".part")
    assert had > 0
    done = {str(path.relative_to(part.parents[1])) for path in part.parents[1].rglob("*") if path.is_file()}
    hub.left = None
    hub.asked.clear()
    assert run_app(["models", "pull", KEY]) == 0
    assert find(place, KEY)
    assert hub.asked[0].endswith(f"{name}+{had}")
    assert not {one.split("+")[0] for one in hub.asked} & done


def test_a_connection_that_breaks_is_made_anew(hub: Hub, place: Path) -> None:
    """As long as it brings something: one command, and each byte once."""
    hub.cut = 20_000
    assert run_app(["models", "pull", KEY]) == 0
    largest = max(
        (name for name in hub.files if name.endswith(".safetensors")), key=lambda n: len(hub.files[n])
    )
    starts = [int(one.split("+")[1]) for one in hub.asked if one.startswith(f"{largest}+")]
    assert starts == list(range(0, len(hub.files[largest]), 20_000))


def test_progress_is_told(hub: Hub, place: Path, capsys: Any) -> None:
    """Which file of how many, and how large it is."""
    assert run_app(["models", "pull", KEY]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " of " in line and "GB" in line]
    number = len(hub.files) - 1  # all but the pickle
    assert [line.split("  ")[0] for line in lines] == [f"{n} of {number}" for n in range(1, number + 1)]


def test_bars_are_drawn_for_people(hub: Hub, place: Path, capsys: Any) -> None:
    """Of bytes, where the error stream is a terminal."""
    download(KEY, place, lambda words: None, {"HF_ENDPOINT": hub.url}, bars=True)
    shown = capsys.readouterr().err
    assert "diffusion_pytorch_model" in shown
    assert "100%" in shown


def test_no_download_where_the_network_is_forbidden(
    hub: Hub, place: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HF_HUB_OFFLINE is heeded; exit 4."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert run_app(["models", "pull", KEY]) == 4
    assert "HF_HUB_OFFLINE forbids downloads" in capsys.readouterr().err
    assert hub.asked == []


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

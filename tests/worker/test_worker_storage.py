"""Results stay in their folder, whole; logs and stored copies hold no secret and no prompt (P and S)."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.worker.logs import logger
from ai_content_pipeline.worker.redaction import redacted_url
from ai_content_pipeline.worker.storage import LocalFolder
from tests.worker.conftest import TOKEN, Open, Pictures, Receiver, picture


def stage(folder: Path, media: bytes = b"media") -> Path:
    """What a process has made for a job, and a reference that was fetched for it."""
    folder.mkdir()
    (folder / "0.png").write_bytes(media)
    (folder / "0.thumb.webp").write_bytes(b"thumb")
    (folder / "reference-single.png").write_bytes(b"a secret of the sender")
    return folder


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return stage(tmp_path / "staged")


@pytest.fixture(params=["the same disk", "another disk"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where results and what is staged for them lie; another disk is one between which nothing is renamed."""
    if request.param == "another disk":
        rename = os.rename

        def refused(old: Any, new: Any, **folders: Any) -> None:
            if "dst_dir_fd" in folders:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            rename(old, new)

        monkeypatch.setattr(os, "rename", refused)
    return request.param


@pytest.mark.usefixtures("disk")
def test_a_second_try_replaces_the_first(tmp_path: Path) -> None:
    """What an attempt left that was cut off is gone: one set of files, no part of another, no reference."""
    storage = LocalFolder(tmp_path)
    home = tmp_path / "workspace-temp/u/j"
    home.mkdir(parents=True)
    for stale in ("0.png", "1.png", ".1.png.part"):
        (home / stale).write_bytes(b"old")
    for media in (b"first", b"second"):
        staged = stage(tmp_path / media.decode(), media)
        storage.publish(staged, "u", "j", ["0.png", "0.thumb.webp"])
        assert {path.name: path.read_bytes() for path in home.iterdir()} == {
            "0.png": media,
            "0.thumb.webp": b"thumb",
        }
    storage.remove("u", "j")
    storage.remove("u", "j")
    assert not home.exists()


def test_results_are_on_the_disk_before_anybody_is_told(
    tmp_path: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file, the folder it lies in and the folder that names that one are synced (I4), the files before
    they have their place."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc here")
    done, sync, rename = list[str](), os.fsync, os.rename

    def told(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def moved(old: Any, new: Any, **folders: Any) -> None:
        done.append("rename")
        rename(old, new, **folders)

    monkeypatch.setattr(os, "fsync", told)
    monkeypatch.setattr(os, "rename", moved)
    LocalFolder(tmp_path).publish(staged, "u", "j", ["0.png", "0.thumb.webp"])
    assert done == ["0.png", "0.thumb.webp", "staged", "rename", "u"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("part", ["workspace-temp", "workspace-temp/u", "workspace-temp/u/j"])
def test_no_link_leads_out(tmp_path: Path, staged: Path, part: str) -> None:
    """A symbolic link anywhere on the way is refused; what it points to is not touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "0.png").write_bytes(b"mine")
    link = tmp_path / part
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside, target_is_directory=True)
    storage = LocalFolder(tmp_path)
    with pytest.raises(AicpError, match="symbolic link"):
        storage.publish(staged, "u", "j", ["0.png"])
    assert [path.read_bytes() for path in outside.iterdir()] == [b"mine"]


@pytest.mark.parametrize("part", ["workspace-temp", "workspace-temp/u"])
def test_no_link_that_is_swapped_in_leads_out(
    tmp_path: Path, staged: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """A folder that becomes a link after it was looked at is refused as well (P3)."""
    outside = tmp_path / "outside"
    (outside / "u").mkdir(parents=True)
    storage, home = LocalFolder(tmp_path), LocalFolder._home

    def swapped(self: LocalFolder, user_id: str) -> Any:
        (tmp_path / part).rename(tmp_path / "aside")
        (tmp_path / part).symlink_to(outside, target_is_directory=True)
        return home(self, user_id)

    monkeypatch.setattr(LocalFolder, "_home", swapped)
    with pytest.raises(OSError, match=r"symbolic|directory"):
        storage.publish(staged, "u", "j", ["0.png"])
    assert [path.name for path in outside.rglob("*")] == ["u"]


@pytest.mark.usefixtures("disk")
def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path, staged: Path) -> None:
    """The file takes the place of the link, not of what the link points to."""
    home = tmp_path / "workspace-temp/u/j"
    home.mkdir(parents=True)
    (tmp_path / "precious").write_bytes(b"mine")
    for name in ("0.png", ".0.png.part"):
        (home / name).symlink_to(tmp_path / "precious")
    LocalFolder(tmp_path).publish(staged, "u", "j", ["0.png"])
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert not (home / "0.png").is_symlink()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://x.example/a.png?X-Sig=1#f", "https://x.example/a.png"),
        ("https://user:pass@x.example:8443/a", "https://x.example:8443/a"),
        ("data:image/png;base64,AAAA", "data:(26 characters)"),
        ("https://[::1", "(an impossible URL)"),
    ],
)
def test_urls_are_kept_without_their_secrets(url: str, kept: str) -> None:
    """No query, fragment, user or content of a data: URI."""
    assert redacted_url(url) == kept


def test_logs_and_stored_copies_hold_no_secret(
    open_office: Open, pictures: Pictures, receiver: Receiver
) -> None:
    """A job's whole life: no prompt, signature, token or secret in a log line, a file or an answer."""
    office = open_office(allow=HostRule.of(pictures.url, receiver.url))
    stream = io.StringIO()
    office.service.log = office.service.courier.log = logger(stream)
    canaries = {
        "prompt": "canary-of-a-prompt",
        "signature": "canary-of-a-signature",
        "hook": "canary-of-a-hook",
    }
    office.put(
        "one",
        prompt=canaries["prompt"],
        metadata={"reference_image_url": pictures.put("a.png", picture()) + f"?sig={canaries['signature']}"},
        callback_url=f"{receiver.url}/h?token={canaries['hook']}",
    )
    office.end("one")
    receiver.wait()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines if line["event"].startswith("job_")] == [
        "job_queued",
        "job_started",
        "job_ended",
    ]
    said = stream.getvalue() + office.client.get("/v1/jobs/one").text + office.client.get("/metrics").text
    assert not any(canary in said for canary in (*canaries.values(), TOKEN))
    for path in (office.workspace / "workspace-temp").rglob("*"):
        assert path.is_dir() or not any(canary.encode() in path.read_bytes() for canary in canaries.values())


def test_prompts_are_logged_only_when_asked_for() -> None:
    """--log-prompts shows them, on one line, without control characters."""
    quiet, loud = io.StringIO(), io.StringIO()
    logger(quiet)("job_queued", job_id="a", prompt="a cup")
    logger(loud, prompts=True)("job_queued", job_id="a", prompt="a\x1b[31m cup\n{}")
    assert "cup" not in quiet.getvalue()
    assert loud.getvalue().count("\n") == 1
    assert "\x1b" not in json.loads(loud.getvalue())["prompt"]

"""Both files are written whole or not at all, and never outside their folder."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_content_pipeline import report
from ai_content_pipeline.engine.results import RunResult
from ai_content_pipeline.errors import AicpError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() or path.is_symlink()}


def test_both_files_are_there(film: Callable[..., RunResult], tmp_path: Path) -> None:
    """write() says where they are; others may read them; nothing else is left."""
    data, html = report.write(film(), tmp_path)
    assert json.loads(data.read_text("utf-8"))["schema"] == "aicp/report/1"
    assert html.read_text("utf-8").startswith("<!doctype html>")
    assert names(tmp_path) == {"report.json", "report.html"}
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(data.stat().st_mode) == 0o644 & ~mask


def test_writing_again_replaces_them(film: Callable[..., RunResult], tmp_path: Path) -> None:
    """The report is that of the last run."""
    report.write(film(fail=1), tmp_path)
    data, html = report.write(film(), tmp_path)
    assert json.loads(data.read_text("utf-8"))["exit_code"] == 0
    assert "failed" not in html.read_text("utf-8").partition("<main")[2]


def test_a_link_in_its_place_is_replaced_not_followed(film: Callable[..., RunResult], tmp_path: Path) -> None:
    """A symbolic link that leads out of the folder costs the file behind it nothing."""
    result = film()
    outside = tmp_path.parent / "precious.txt"
    outside.write_text("mine")
    for name in ("report.json", "report.html"):
        (tmp_path / name).symlink_to(outside)
    report.write(result, tmp_path)
    assert outside.read_text() == "mine"
    assert not any((tmp_path / name).is_symlink() for name in ("report.json", "report.html"))


def test_a_link_that_waits_under_the_temporary_name_is_not_followed(
    film: Callable[..., RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with the random name guessed, nothing is written through a link, and the link stays."""
    result = film()
    outside = tmp_path.parent / "precious.txt"
    outside.write_text("mine")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    trap = tmp_path / f".report.json.{'0' * 12}.part"
    trap.symlink_to(outside)
    with pytest.raises(AicpError, match="cannot be written: File exists"):
        report.write(result, tmp_path)
    assert outside.read_text() == "mine"
    assert trap.is_symlink()


def test_a_full_disk_leaves_the_old_report(
    film: Callable[..., RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file is whole, no fragment is left, and the error says what to do."""
    report.write(film(), tmp_path)
    before = (tmp_path / "report.json").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AicpError, match=r"report\.json cannot be written: No space left") as caught:
        report.write(film(fail=1), tmp_path)
    assert caught.value.hint is not None
    assert (tmp_path / "report.json").read_bytes() == before
    assert names(tmp_path) == {"report.json", "report.html"}


def test_the_bytes_are_on_disk_before_the_name(
    film: Callable[..., RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync comes before the rename: a crash leaves the old report or the new one, never an empty one."""
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        order.append("fsync")
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        order.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    report.write(film(), tmp_path)
    assert order == ["fsync", "replace"] * 2


def test_a_missing_folder_is_said(film: Callable[..., RunResult], tmp_path: Path) -> None:
    """The report makes no folder: whoever makes it decides whether output may go there."""
    with pytest.raises(AicpError, match="cannot be written: No such file"):
        report.write(film(), tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """Importing the report costs neither Jinja nor the engine."""
    code = (
        "import sys, ai_content_pipeline.report;"
        "sys.exit(any(name in sys.modules for name in ('jinja2', 'ai_content_pipeline.engine.results')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""A hostile project may bring its own `.aicp`: nothing outside of its folders is removed or believed (P9)."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from ai_content_pipeline.generation.artifact_store import hash_file

PICTURE = """
name: pictures
output_dir: output/pictures
steps:
  - {name: pictures, type: text_to_image, model: nano_banana_pro, params: {prompt: a}}
"""


@pytest.fixture
def victim(studio) -> Path:
    """A file of the user's outside of the project."""
    path = studio.root / "victim" / "precious.lock"
    path.parent.mkdir()
    path.write_text("precious")
    return path


def craft(studio, query: str, *values: object) -> None:
    with sqlite3.connect(studio.root / "project/.aicp/journal.sqlite3") as journal:
        journal.execute(query, values)
    journal.close()


@pytest.fixture
def project(studio, victim):
    """A studio whose project is a folder beside the victim's."""
    inner = type(studio)(studio.root / "project", studio.vendor)
    (inner.root / ".aicp").mkdir(parents=True)
    assert inner.run(PICTURE).exit_code == 0
    return inner


@pytest.mark.parametrize(
    "path",
    ["../../../victim/precious.lock", "{absolute}", "pictures/../../../../victim/precious.lock"],
)
def test_a_delivered_file_outside_is_not_removed(studio, project, victim, path):
    """The list of what was delivered names a file elsewhere, with its true hash, size and time."""
    stat = victim.stat()
    row = (path.format(absolute=victim), hash_file(victim), stat.st_size, stat.st_mtime_ns)
    craft(studio, "INSERT INTO delivered VALUES ('output/pictures', ?, 'pipeline.yaml', ?, ?, ?)", *row)
    assert project.run(PICTURE).exit_code == 0
    assert victim.read_text() == "precious"


def test_a_linked_step_folder_is_not_tidied(studio, project, victim):
    """The list names a file below a step that is a link to somewhere else by now."""
    stat = victim.stat()
    (project.root / "output/pictures/old").symlink_to(victim.parent)
    row = ("old/precious.lock", hash_file(victim), stat.st_size, stat.st_mtime_ns)
    craft(studio, "INSERT INTO delivered VALUES ('output/pictures', ?, 'pipeline.yaml', ?, ?, ?)", *row)
    assert project.run(PICTURE).exit_code == 0
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("owner", ["../../../victim/precious", "{absolute}", ""])
def test_a_job_of_a_crafted_owner_removes_no_lock_elsewhere(studio, project, victim, owner):
    """A job's owner is the name of a lock file, which goes when its process is gone: only one of ours."""
    name = owner.format(absolute=os.fspath(victim).removesuffix(".lock"))
    craft(studio, "UPDATE job SET owner=?, state='submitted'", name)
    assert project.run(PICTURE).exit_code == 0
    assert victim.read_text() == "precious"
    assert project.vendor.submits == 1


def test_a_stored_result_elsewhere_is_not_believed(studio, project, victim):
    """A finished job whose file is said to be outside is not delivered from there."""
    with sqlite3.connect(project.root / ".aicp/journal.sqlite3") as journal:
        (stored,) = journal.execute("SELECT artifacts FROM job").fetchone()
    sha256 = next(path.stem for path in (project.root / ".aicp/artifacts").rglob("*.png"))
    assert sha256 in stored
    outside = "../" * 5 + "victim/precious"
    craft(studio, "UPDATE job SET artifacts=?", stored.replace(sha256, outside))
    project.run(PICTURE)
    delivered = [path.read_bytes() for path in (project.root / "output").rglob("*.png")]
    assert b"precious" not in delivered
    assert victim.read_text() == "precious"


def test_a_crafted_key_puts_no_paid_file_elsewhere(studio, project):
    """What cannot be used is kept in the quarantine, whatever name the journal has for its job."""
    craft(studio, "UPDATE job SET key='../../../victim/' || key, state='submitted'")
    for stored in (project.root / ".aicp/artifacts").rglob("*.png"):
        stored.unlink()
    project.vendor.draw = lambda wire, path: path.write_bytes(b"no picture") and path
    project.run(PICTURE.replace("prompt: a", "prompt: b"))
    assert [path.name for path in (studio.root / "victim").iterdir()] == ["precious.lock"]
    assert len(list((project.root / ".aicp/quarantine").iterdir())) == 2

"""The output folder: nothing of the user's is ever lost, and nothing is ever written outside of it."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from ai_content_pipeline.engine.delivery import Delivery
from ai_content_pipeline.engine.safe_folder import SafeFolder
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.generation.sqlite import SqliteStore

OWNER = "0123456789abcdef"


@pytest.fixture
def store():
    store = SqliteStore(None)
    yield store
    store.close()


@pytest.fixture
def deliver(tmp_path, store):
    """A new delivery into the same folder, as another run of the same pipeline would open it."""

    def make(pipeline: str = "a.yaml", **changes: object) -> Delivery:
        arguments = {
            "store": store,
            "root": tmp_path,
            "parts": ("output",),
            "name": "output",
            "pipeline": pipeline,
            "owner": OWNER,
        }
        return Delivery(**(arguments | changes))

    return make


@pytest.fixture
def source(tmp_path):
    """A stored result with that content, and its hash."""

    def make(content: str) -> tuple[Path, str]:
        folder = tmp_path / "stored"
        folder.mkdir(exist_ok=True)
        path = folder / content.replace(" ", "_")
        path.write_text(content)
        return path, hash_file(path)

    return make


def place(delivery: Delivery, source: tuple[Path, str], relative: str = "clips/scene_1.mp4") -> Path:
    path = delivery.place(*source, relative)
    delivery.flush()
    return path


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- what is ours, and what is the user's --------------------------------------------------------------


def test_the_same_content_is_not_written_again(deliver, source, tmp_path):
    """A file that is there and ours is left alone, to its time stamp and its place on the disk."""
    path = place(deliver(), source("one"))
    before = path.stat()
    assert place(deliver(), source("one")) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_new_content_replaces_ours(deliver, source, tmp_path):
    """A new take takes the place of the old one."""
    place(deliver(), source("one"))
    place(deliver(), source("two"))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "two"}


def test_a_file_the_user_edited_survives_with_ours_beside_it(deliver, source, tmp_path):
    """The edited file stays, the new one is written beside it, and a note says so."""
    path = place(deliver(), source("one"))
    path.write_text("edited")
    delivery = deliver()
    assert place(delivery, source("two")).name == "scene_1.new.mp4"
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "edited", "clips/scene_1.new.mp4": "two"}
    (note,) = delivery.notes
    assert "clips/scene_1.mp4" in note
    assert "clips/scene_1.new.mp4" in note


def test_repeated_runs_make_no_more_copies(deliver, source, tmp_path):
    """With an edited file in the way, the second and third run find their own file beside it."""
    place(deliver(), source("one")).write_text("edited")
    for content in ("one", "one", "two", "two", "one"):
        place(deliver(), source(content))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "edited", "clips/scene_1.new.mp4": "one"}


def test_also_the_file_beside_may_be_edited(deliver, source, tmp_path):
    """Every file that the user changed survives, whatever it is called."""
    place(deliver(), source("one")).write_text("edited")
    place(deliver(), source("two")).write_text("edited too")
    place(deliver(), source("three"))
    assert files(tmp_path / "output") == {
        "clips/scene_1.mp4": "edited",
        "clips/scene_1.new.mp4": "edited too",
        "clips/scene_1.new2.mp4": "three",
    }


def test_a_file_of_the_users_own_is_not_overwritten(deliver, source, tmp_path):
    """What stood there before we came is the user's."""
    (tmp_path / "output/clips").mkdir(parents=True)
    (tmp_path / "output/clips/scene_1.mp4").write_text("mine")
    place(deliver(), source("one"))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "mine", "clips/scene_1.new.mp4": "one"}


def test_a_users_copy_of_the_very_same_content_is_enough(deliver, source, tmp_path):
    """Nothing is written beside a file that is what we would write, and it stays the user's."""
    (tmp_path / "output/clips").mkdir(parents=True)
    (tmp_path / "output/clips/scene_1.mp4").write_text("one")
    delivery = deliver()
    assert place(delivery, source("one")).name == "scene_1.mp4"
    assert delivery.notes == ()
    later = deliver()
    later.prune()
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "one"}


def test_a_restored_older_take_is_the_users_choice(deliver, source, tmp_path):
    """Copying an old result back over the new one is an edit like any other."""
    old = tmp_path / "old.mp4"
    path = place(deliver(), source("one"))
    shutil.copyfile(path, old)
    place(deliver(), source("two"))
    shutil.copyfile(old, path)
    assert place(deliver(), source("two")).name == "scene_1.new.mp4"
    assert path.read_text() == "one"


def test_touching_a_file_does_not_make_it_the_users(deliver, source, tmp_path):
    """A backup program that sets other times has changed nothing."""
    path = place(deliver(), source("one"))
    os.utime(path, (1, 1))
    place(deliver(), source("two"))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "two"}


def test_a_file_of_ours_is_known_without_the_journal(deliver, source, tmp_path):
    """Killed between writing and telling the journal: the file is ours all the same, by its time stamp."""
    deliver().place(*source("one"), "clips/scene_1.mp4")  # never flushed
    place(deliver(), source("two"))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "two"}
    deliver().place(*source("three"), "clips/scene_1.mp4")
    assert place(deliver(), source("three")).name == "scene_1.mp4"
    deliver().prune()
    assert files(tmp_path / "output") == {}


def test_an_empty_file_is_nobodys(deliver, source, tmp_path):
    """What a power cut left is written again."""
    path = place(deliver(), source("one"))
    path.write_bytes(b"")
    assert place(deliver(), source("one")) == path
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "one"}


def test_a_deleted_file_is_restored(deliver, source, tmp_path):
    """A file that the user deleted comes back with the next run."""
    place(deliver(), source("one")).unlink()
    place(deliver(), source("one"))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "one"}


# -- tidying up ------------------------------------------------------------------------------------------


def test_prune_removes_only_what_is_ours_untouched_and_no_longer_made(deliver, source, tmp_path):
    """Files of a removed step go, with their folder; edited ones, and the user's own, stay."""
    first = deliver()
    place(first, source("a"), "old/a.mp4")
    place(first, source("b"), "old/b.mp4").write_text("edited")
    place(first, source("c"), "gone/c.mp4")
    (tmp_path / "output/old/notes.txt").write_text("mine")
    second = deliver()
    place(second, source("new"), "clips/new.mp4")
    second.prune()
    assert files(tmp_path / "output") == {
        "clips/new.mp4": "new",
        "old/b.mp4": "edited",
        "old/notes.txt": "mine",
    }
    assert not (tmp_path / "output/gone").exists()


def test_two_pipelines_in_one_folder_do_not_prune_each_other(deliver, source, tmp_path):
    """Each knows its own files only, also where both made the same one."""
    for pipeline, content in (("a.yaml", "a"), ("b.yaml", "b")):
        delivery = deliver(pipeline)
        place(delivery, source(content), f"{content}/{content}.mp4")
        place(delivery, source("shared"), "both/shared.mp4")
        delivery.prune()
    after = deliver("b.yaml")
    after.prune()
    assert files(tmp_path / "output") == {"a/a.mp4": "a", "both/shared.mp4": "shared"}


def test_two_pipelines_do_not_overwrite_each_others_files(deliver, source, tmp_path):
    """A file of another pipeline's is treated like one of the user's."""
    place(deliver("a.yaml"), source("a"))
    place(deliver("b.yaml"), source("b"))
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "a", "clips/scene_1.new.mp4": "b"}


def test_prune_never_follows_a_link(deliver, source, tmp_path):
    """A folder that was moved away and linked back is no longer tidied up."""
    place(deliver(), source("one"))
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "output/clips").rename(elsewhere)
    (tmp_path / "output/clips").symlink_to(elsewhere)
    deliver().prune()
    assert files(elsewhere) == {"scene_1.mp4": "one"}
    assert deliver()._known == {}


def test_a_file_that_cannot_be_removed_is_left_for_a_later_run(deliver, source, tmp_path, monkeypatch):
    """A folder that has become read-only ends no run; what is in it is tidied up later."""
    place(deliver(), source("one"))

    def refused(self, name):
        raise PermissionError(errno.EACCES, "not allowed", name)

    with monkeypatch.context() as patch:
        patch.setattr(SafeFolder, "discard", refused)
        deliver().prune()
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "one"}
    deliver().prune()
    assert files(tmp_path / "output") == {}


def test_leftovers_of_the_dead_are_cleared_and_those_of_the_living_kept(deliver, source, tmp_path):
    """Half-written files of processes that are gone are removed before a run; nothing else is."""
    folder = tmp_path / "output/clips"
    folder.mkdir(parents=True)
    dead, alive = ".00000000000000aa-3.part", ".00000000000000bb-0.part"
    for name in (dead, alive, ".hidden", ".zz-1.part", "scene_1.mp4.part"):
        (folder / name).write_text(name)
    deliver().open(["clips", "not_there"], lambda owner: owner.endswith("bb"))
    assert set(files(tmp_path / "output")) == {
        f"clips/{name}" for name in (alive, ".hidden", ".zz-1.part", "scene_1.mp4.part")
    }


# -- links -------------------------------------------------------------------------------------------------


def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "scene_1.mp4").write_text("precious")
    return folder


@pytest.mark.parametrize("where", ["output", "output/clips"])
def test_a_link_in_place_of_a_folder_is_refused(deliver, source, tmp_path, where):
    """Neither the output folder nor a step's may be a symbolic link: nothing is written through it."""
    target = outside(tmp_path)
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).symlink_to(target)
    with pytest.raises(AicpError, match="symbolic link"):
        deliver().open(["clips"], lambda owner: True)
    with pytest.raises(AicpError, match="symbolic link"):
        deliver().place(*source("one"), "clips/scene_1.mp4")
    assert files(target) == {"scene_1.mp4": "precious"}


@pytest.mark.parametrize("target", ["file", "folder", "nowhere"])
def test_a_link_in_place_of_a_file_is_left_alone(deliver, source, tmp_path, target):
    """What the link points to is neither read as ours nor written; ours goes beside it."""
    folder = outside(tmp_path)
    (tmp_path / "output/clips").mkdir(parents=True)
    link = tmp_path / "output/clips/scene_1.mp4"
    link.symlink_to({"file": folder / "scene_1.mp4", "folder": folder, "nowhere": tmp_path / "x"}[target])
    assert place(deliver(), source("one")).name == "scene_1.new.mp4"
    assert link.is_symlink()
    assert files(folder) == {"scene_1.mp4": "precious"}


def test_a_hard_link_in_place_of_a_file_is_left_alone(deliver, source, tmp_path):
    """A file planted as a second name of another is not written into."""
    folder = outside(tmp_path)
    (tmp_path / "output/clips").mkdir(parents=True)
    (tmp_path / "output/clips/scene_1.mp4").hardlink_to(folder / "scene_1.mp4")
    place(deliver(), source("one"))
    assert files(folder) == {"scene_1.mp4": "precious"}


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_left_alone(deliver, source, tmp_path, kind):
    """A folder or a pipe under our name is the user's, and is never waited for."""
    (tmp_path / "output/clips").mkdir(parents=True)
    odd = tmp_path / "output/clips/scene_1.mp4"
    odd.mkdir() if kind == "folder" else os.mkfifo(odd)
    assert place(deliver(), source("one")).name == "scene_1.new.mp4"


def test_a_link_swapped_in_while_we_write_leads_nowhere(deliver, source, tmp_path):
    """A thread that flips the step's folder to a link and back never gets a file to the other side."""
    target = tmp_path / "outside"
    target.mkdir()
    clips, aside = tmp_path / "output/clips", tmp_path / "output/aside"
    clips.mkdir(parents=True)
    done = threading.Event()

    def flip() -> None:
        while not done.is_set():
            for step in (
                lambda: clips.rename(aside),
                lambda: clips.symlink_to(target),
                clips.unlink,
                lambda: aside.rename(clips),
                lambda: shutil.rmtree(aside),
            ):
                with suppress(OSError):  # the other thread makes the folder anew, in between
                    step()

    flipper = threading.Thread(target=flip)
    flipper.start()
    refused = written = 0
    try:
        for number in range(300):
            try:
                deliver().place(*source("one"), f"clips/scene_{number}.mp4")
                written += 1
            except (AicpError, OSError):
                refused += 1
    finally:
        done.set()
        flipper.join()
    assert list(target.iterdir()) == []
    assert (written > 0, written + refused) == (True, 300)


# -- a disk that fails -----------------------------------------------------------------------------------


class FullDisk:
    """A file on a disk that is full after a few bytes."""

    def __init__(self, file: object) -> None:
        self._file = file

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *arguments: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: bytes) -> int:
        self._file.write(data[:1])
        raise OSError(errno.ENOSPC, "no space left on device")


def test_a_full_disk_leaves_nothing_half_written(deliver, source, tmp_path, monkeypatch):
    """No partial file under a final name, no temporary one left; the old file is as it was."""
    place(deliver(), source("one"))
    create = SafeFolder.create
    monkeypatch.setattr(SafeFolder, "create", lambda self, name: FullDisk(create(self, name)))
    delivery = deliver(_reflinks=False)
    with pytest.raises(OSError, match="no space"):
        delivery.place(*source("two"), "clips/scene_1.mp4")
    assert files(tmp_path / "output") == {"clips/scene_1.mp4": "one"}


def test_the_source_is_copied_and_never_linked(deliver, source, tmp_path):
    """Editing a delivered file must not edit the stored result."""
    stored = source("one")
    path = place(deliver(), stored)
    assert path.stat().st_nlink == 1
    with path.open("a") as file:
        file.write("edited")
    assert stored[0].read_text() == "one"


def test_records_are_told_in_batches(deliver, source, tmp_path, store, monkeypatch):
    """A thousand files are not a thousand waits for the disk."""
    calls: list[int] = []
    original = SqliteStore.deliver
    monkeypatch.setattr(
        SqliteStore,
        "deliver",
        lambda self, folder, pipeline, records: (
            calls.append(len(records)),
            original(self, folder, pipeline, records),
        ),
    )
    delivery = deliver()
    for number in range(200):
        delivery.place(*source("one"), f"clips/scene_{number}.mp4")
    delivery.flush()
    assert sum(calls) == 200
    assert len(calls) <= 4
    assert len(deliver()._known) == 200

"""Every result ever paid for: stored by content, checked when used, never thrown away."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.generation.artifact_store import ArtifactStore, hash_file

INFO = MediaInfo(Kind.IMAGE, "image/png", 8, 8)


@pytest.fixture
def store(tmp_path):
    (tmp_path / ".aicp").mkdir()
    return ArtifactStore(tmp_path / ".aicp")


def a_file(store: ArtifactStore, content: bytes = b"picture", name: str = "new.png") -> Path:
    store.scratch.mkdir(exist_ok=True)
    path = store.scratch / name
    path.write_bytes(content)
    return path


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_stored_under_its_hash(store):
    """A stored file is moved to a name that is its content, and found by it."""
    path = a_file(store)
    artifact = store.put(path, INFO)
    assert artifact == Artifact(hashlib.sha256(b"picture").hexdigest(), 7, INFO)
    assert not path.exists()
    assert store.path(artifact).read_bytes() == b"picture"
    assert store.path(artifact).name == f"{artifact.sha256}.png"
    assert store.locate(artifact.sha256) == store.path(artifact)
    assert store.intact(artifact)


def test_the_same_content_is_stored_once(store):
    """A second file of the same content leaves the first one alone, and is gone itself."""
    artifact = store.put(a_file(store), INFO)
    inode = store.path(artifact).stat().st_ino
    again = a_file(store)
    assert store.put(again, INFO) == artifact
    assert not again.exists()
    assert store.path(artifact).stat().st_ino == inode
    assert len(files_below(store.path(artifact).parent)) == 1


def test_the_users_file_is_copied_once(store, tmp_path, monkeypatch):
    """A file of the user's stays where it is, and is copied only when its content is not stored yet."""
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"picture")
    artifact = store.add(mine, INFO)
    assert mine.read_bytes() == b"picture"
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: pytest.fail("copied again"))
    assert store.add(mine, INFO) == artifact
    assert files_below(store.scratch) == []


def test_an_unknown_hash_is_not_located(store):
    """Looking for content that was never stored is a typed error."""
    with pytest.raises(FileNotFoundError):
        store.locate("ab" * 32)


def change_content(path: Path) -> None:
    path.write_bytes(b"damaged")


def change_content_and_size(path: Path) -> None:
    """And give it the time stamp it had, as a restored backup or a bad disk would."""
    stat = path.stat()
    path.write_bytes(b"more than there was")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def make_a_folder_of_it(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [change_content, change_content_and_size, truncate, remove, make_a_folder_of_it]
)
def test_damage_is_seen(store, damage):
    """A stored file that was changed, cut, removed or replaced is not intact."""
    artifact = store.put(a_file(store), INFO)
    damage(store.path(artifact))
    assert not store.intact(artifact)


@pytest.mark.parametrize("damage", [change_content, change_content_and_size, truncate, remove])
def test_a_damaged_file_is_replaced_by_a_good_one(store, damage):
    """Storing the same content again mends the store."""
    artifact = store.put(a_file(store), INFO)
    damage(store.path(artifact))
    assert store.put(a_file(store), INFO) == artifact
    assert store.intact(artifact)
    assert store.path(artifact).read_bytes() == b"picture"


def test_a_touched_file_is_hashed_once(store, monkeypatch):
    """Only a file whose time stamp is not ours is read; if it is sound it gets our stamp back."""
    read = []
    monkeypatch.setattr(
        "ai_content_pipeline.generation.artifact_store.hash_file",
        lambda path: read.append(path) or hash_file(path),
    )
    artifact = store.put(a_file(store), INFO)
    read.clear()
    assert store.intact(artifact)
    assert read == []
    os.utime(store.path(artifact))
    assert store.intact(artifact)
    assert store.intact(artifact)
    assert len(read) == 1


def test_an_unusable_file_is_kept(store):
    """What was paid for and cannot be used is moved to quarantine under a name of ours."""
    first = store.quarantine(a_file(store, b"<html>"), "key")
    second = store.quarantine(a_file(store, b"<xml>"), "key")
    assert (first.read_bytes(), second.read_bytes()) == (b"<html>", b"<xml>")
    assert first.parent == second.parent != store.scratch
    assert first.name.startswith("key-")
    assert files_below(store.scratch) == []


def test_a_workspace_is_gone_afterwards(store):
    """Files on their way have a folder of their own, on the store's file system, which does not last."""
    with store.workspace() as one, store.workspace() as two:
        assert one != two
        assert Path(one).stat().st_dev == store.scratch.stat().st_dev
        Path(one, "half").write_bytes(b"...")
    assert list(store.scratch.iterdir()) == []


def test_a_temporary_file_is_gone_afterwards(store):
    """Each is another one on the store's file system; what is left of it goes, what was stored stays."""
    with store.temporary() as one, store.temporary() as two:
        assert one != two
        assert one.parent.stat().st_dev == store.scratch.stat().st_dev
        one.write_bytes(b"half")
        two.write_bytes(b"whole")
        kept = store.put(two, INFO)
    assert list(store.scratch.iterdir()) == []
    assert store.intact(kept)


def test_many_threads_store_the_same_files(store):
    """Whoever stores what at once: every file is there, once, and whole."""

    def put(i: int) -> Artifact:
        return store.put(a_file(store, b"content %d" % (i % 5), f"new-{i}.png"), INFO)

    with ThreadPoolExecutor(16) as pool:
        artifacts = list(pool.map(put, range(200)))
    assert len(set(artifacts)) == 5
    assert all(store.intact(artifact) for artifact in artifacts)
    assert all(hash_file(store.path(artifact)) == artifact.sha256 for artifact in artifacts)
    stored = files_below(store.path(artifacts[0]).parent.parent)
    assert len(stored) == 5
    assert files_below(store.scratch) == []


def test_a_stored_file_reached_the_disk_before_it_is_named(store, monkeypatch):
    """Content is flushed, then renamed, then the folders are flushed: no name without its bytes."""
    order = []
    fsync, replace = os.fsync, Path.replace

    def logged_fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        order.append(("fsync", name.name))
        fsync(descriptor)

    def logged_replace(self: Path, target: Path) -> Path:
        order.append(("rename", self.name))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(Path, "replace", logged_replace)
    artifact = store.put(a_file(store), INFO)
    folder = artifact.sha256[:2]
    done = [step for step in order if step != ("rename", "new.png")]
    assert order[0] == ("fsync", "new.png")
    assert order.index(("fsync", "new.png")) < order.index(("rename", "new.png"))
    assert order[-1] == ("fsync", folder)
    assert ("fsync", "artifacts") in done  # its new folder's own name
    assert ("fsync", ".aicp") in done


def test_a_full_disk_leaves_no_half_file(store, monkeypatch):
    """When the bytes cannot be flushed, nothing appears under the final name."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(a_file(store), INFO)
    assert [path for path in files_below(store.scratch.parent) if path.parent != store.scratch] == []

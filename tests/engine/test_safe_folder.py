"""A folder that no symbolic link leads out of, by descriptor where the system can, by path elsewhere."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from ai_content_pipeline.engine import safe_folder
from ai_content_pipeline.engine.safe_folder import SafeFolder
from ai_content_pipeline.errors import AicpError

OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture(params=["by descriptor", "by path"])
def both_ways(request, monkeypatch):
    """The way of Linux and macOS, and that of Windows."""
    if request.param == "by path":
        monkeypatch.setattr(safe_folder, "_BY_DESCRIPTOR", False)


@pytest.mark.usefixtures("both_ways")
class TestBothWays:
    def test_it_makes_its_folders_and_writes_into_them(self, tmp_path):
        """All parts are made; a new file is created once, renamed, looked at, hashed and removed."""
        with SafeFolder(tmp_path / "new" / "root", ("a", "b")) as folder:
            with folder.create("x") as file:
                file.write(b"content")
            with pytest.raises(FileExistsError):
                folder.create("x")
            folder.rename("x", "y")
            folder.stamp("y", 1_700_000_000_123_456_700)
            assert folder.names() == ["y"]
            assert folder.stat("x") is None
            assert folder.stat("y").st_mtime_ns == 1_700_000_000_123_456_700
            assert folder.sha256("y").startswith("ed7002b439e9ac84")
            folder.discard("y")
            folder.discard("y")
        with SafeFolder(tmp_path / "new" / "root", ("a",)) as folder:
            folder.discard_empty("b")
            folder.discard_empty("b")
        assert list((tmp_path / "new/root/a").iterdir()) == []

    def test_without_make_a_missing_folder_stays_missing(self, tmp_path):
        """Looking makes nothing."""
        for root in (tmp_path, tmp_path / "none"):
            with pytest.raises(FileNotFoundError):
                SafeFolder(root, ("a", "b"), make=False)
        assert list(tmp_path.iterdir()) == []

    def test_a_link_that_leads_out_is_refused(self, tmp_path):
        """The error names the link and what to do."""
        (tmp_path / "outside").mkdir()
        (tmp_path / "root").mkdir()
        (tmp_path / "root/a").symlink_to(tmp_path / "outside")
        with pytest.raises(AicpError, match=r"root/a.* is a symbolic link or no folder") as caught:
            SafeFolder(tmp_path / "root", ("a", "b"))
        assert "--output-dir" in caught.value.hint
        assert list((tmp_path / "outside").iterdir()) == []

    def test_the_root_itself_may_be_a_link(self, tmp_path):
        """Whoever types --output-dir may mean a link."""
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with SafeFolder(tmp_path / "link", ("a",)):
            pass
        assert (tmp_path / "real/a").is_dir()


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    """A part that is a plain file is said so, not worked around."""
    (tmp_path / "a").write_text("a file")
    with pytest.raises(AicpError, match="no folder"):
        SafeFolder(tmp_path, ("a", "b"))


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="this system does not list open files")
def test_every_descriptor_is_given_back(tmp_path):
    """Hundreds of folders later no more files are open than before, refused ones included."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to(tmp_path)
    gc.collect()  # what other tests left behind
    before = len(list(OPEN_FILES.iterdir()))
    for _ in range(200):
        with SafeFolder(tmp_path, ("a", "b", "c")):
            pass
        with pytest.raises(AicpError):
            SafeFolder(tmp_path, ("a", "link", "x"))
    assert len(list(OPEN_FILES.iterdir())) <= before


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("part", ["..", ".", "", "a/b", "../b", "/etc"])
def test_a_part_is_one_plain_name(tmp_path, part):
    """Whatever a crafted list names, no part of a path climbs out or stands for several."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/b").mkdir()
    with pytest.raises(AicpError):
        SafeFolder(tmp_path / "root", ("a", part), make=False)

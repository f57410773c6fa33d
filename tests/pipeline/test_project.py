"""Where a pipeline lives, and where its output may go."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.pipeline.own_files import OwnFiles
from ai_content_pipeline.pipeline.project import check_output_dir, find_project
from ai_content_pipeline.pipeline.top import file_name

FILES = Path(__file__).with_name("bad") / "files"


@pytest.mark.parametrize("marker", [".aicp", ".git", "pyproject.toml"])
def test_the_nearest_marked_folder_is_the_project(marker: str, tmp_path: Path) -> None:
    """Upwards from the file, the first folder with a marker."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "a" / marker).mkdir()
    assert find_project(deep / "film.yaml").root == tmp_path / "a"
    assert find_project(deep).root == tmp_path / "a"
    assert find_project(tmp_path / "film.yaml").root == tmp_path


def test_without_any_marker_the_files_own_folder_is_the_project(tmp_path: Path) -> None:
    """A lone file is a project of its own; symbolic links are followed first."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    if find_project(tmp_path).root != tmp_path:
        pytest.skip("the temporary folder lies inside a project")
    assert find_project(tmp_path / "link" / "film.yaml").root == tmp_path / "real"


def test_paths_are_named_relative_to_the_project(tmp_path: Path) -> None:
    """Inside, the relative path with slashes; outside, the whole path."""
    (tmp_path / ".aicp").mkdir()
    project = find_project(tmp_path)
    assert project.relative(tmp_path / "a" / "b.png") == "a/b.png"
    assert project.relative(Path("/elsewhere/b.png")) == "/elsewhere/b.png"
    assert project.journal == tmp_path / ".aicp" / "journal.sqlite3"


@pytest.mark.parametrize(
    "text", ["out", "output/story", "out put", "a/b/c", "🎬/пленка", "...a", ".hidden", "con1"]
)
def test_folders_that_exist_everywhere_pass(text: str) -> None:
    """Any script, emoji, spaces inside and hidden folders are fine."""
    assert check_output_dir(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "./", "/", "/etc", "//host/share", "~/x", "~", "..", "../x", "a/../b", "a/..", "C:\\x", "C:/x",
     "C:x", "a\\b", "..\\x", "a:b", "a/b::$DATA", "con", "a/NUL", "aux.txt", "com1", "LPT9.log", "com¹",
     "con .txt", "a.", "a /b", "a/b ", "...", "a\x00b", "a\nb", "a*b", "a?b", 'a"b', "<a>", "a|b",
     "x" * 201, "é" * 128, ".aicp", ".AICP/x", "a/.git/hooks"],
)  # fmt: skip
def test_what_is_no_folder_below_the_project_everywhere_is_refused(text: str) -> None:
    """Absolute paths, parents, devices, alternate streams, trailing dots, and our own memory."""
    with pytest.raises(ValueError):
        check_output_dir(text)


@given(st.text(max_size=300))
def test_whatever_passes_stays_inside(text: str) -> None:
    """The output folder of a checked text lies below the project, and is not the project."""
    try:
        checked = check_output_dir(text)
    except ValueError:
        return
    root = Path("/project")
    assert root in (root / checked).parents
    assert ".." not in Path(checked).parts


@given(st.text(max_size=300))
def test_a_name_always_makes_a_folder(name: str) -> None:
    """Every name of a pipeline gives a default output folder that passes the check."""
    assert check_output_dir(f"output/{file_name(name)}")


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("scene 1.png", "scene_1"),
        ("../../x.png", "x"),
        ("con.png", "con_1"),
        ("Ω.png", "file"),
        ("a.b.c.png", "a_b_c"),
        ("x" * 100 + ".png", "x" * 64),
        ("-rf.png", "-rf"),
    ],
)
def test_labels_of_own_files_are_safe(file: str, label: str, tmp_path: Path) -> None:
    """A label is made of the file's name and safe as a name everywhere."""
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    target = folder / file
    target.write_bytes((FILES / "small.png").read_bytes())
    assert OwnFiles(folder).read(file).label == label


def test_globs_are_in_natural_order_and_read_once(tmp_path: Path) -> None:
    """2 comes before 10, folders are passed over, and equal content has one address."""
    for name in ("p10.png", "p2.png", "p1.png"):
        (tmp_path / name).write_bytes((FILES / "small.png").read_bytes())
    (tmp_path / "p3.png").mkdir()
    files = OwnFiles(tmp_path)
    found = files.glob("p*.png")
    assert [entry.label for entry in found] == ["p1", "p2", "p10"]
    assert files.glob("p1.png") == [found[0]]
    assert len(files.paths) == 1


@pytest.mark.parametrize("name", ["a\x00b.png", "x" * 5000 + ".png", "small.png/x.png", "", ".", "loop.png"])
def test_odd_names_are_said_and_never_crash(name: str, tmp_path: Path) -> None:
    """Names that no system can hold, or that lead nowhere, are problems like others."""
    (tmp_path / "small.png").write_bytes((FILES / "small.png").read_bytes())
    (tmp_path / "loop.png").symlink_to("loop.png")
    for read in (OwnFiles(tmp_path).read, OwnFiles(tmp_path).glob):
        with pytest.raises(LookupError):
            read(name)
    with pytest.raises(LookupError):
        OwnFiles(tmp_path).glob(f"{name}*" if name not in ("", ".") else "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:4010", " HTTP://localhost:4010/"])
def test_a_sandbox_has_a_memory_of_its_own(url: str, tmp_path: Path) -> None:
    """What a stand-in made is never taken for the real thing, however its address is written."""
    project = find_project(tmp_path)
    assert project.seen_from({"AICP_FAL_URL": url}).state == project.state / "sandbox"
    assert project.seen_from({"AICP_FAL_URL": "https://proxy.example"}) == project

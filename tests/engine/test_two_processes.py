"""Several processes in one project at the same time: all end well, and each job is paid once."""

from __future__ import annotations

import signal

import pytest

SIDE_BY_SIDE = """
name: {name}
seed: 11
output_dir: output/{name}
steps:
  - name: pictures
    type: text_to_image
    model: nano_banana_pro
    params: {{parallel: true, prompts: {prompts}}}
  - {{type: thumbnail}}
"""


def test_two_processes_on_one_pipeline(nursery, small_story, undisturbed):
    """Both have all the files in the end, whoever made them; every prompt was paid once."""
    nursery.write(small_story)
    first = nursery.start(seconds=1.0)
    second = nursery.start(seconds=1.0)
    assert (first.end(), second.end()) == (0, 0)
    assert sorted(nursery.charges) == ["Two panels", "one", "two"]
    assert nursery.tree() == undisturbed(small_story)
    assert nursery.leftovers == []


def test_the_later_process_waits_for_the_jobs_of_the_earlier(nursery, pictures):
    """A job that another process has at a vendor is waited for, not bought again."""
    nursery.write(pictures("a", "b"))
    first = nursery.start(seconds=3.0)
    first.wait_for("ItemProgress", 2)
    code, second = nursery.run(seconds=3.0)
    assert (code, first.end(), sorted(nursery.charges)) == (0, 0, ["a", "b"])
    assert set(second.result["states"].values()) <= {"done", "cached"}


def test_a_process_takes_over_the_jobs_of_one_that_died(nursery, pictures):
    """It was waiting for the other's jobs when that was killed: it finishes them, paid once."""
    nursery.write(pictures("a", "b"))
    first = nursery.start(seconds=4.0)
    first.wait_for("ItemProgress", 2)
    second = nursery.start(seconds=4.0)
    second.wait_for("ItemStarted", 2)
    first.signal(signal.SIGKILL)
    first.end()
    assert (second.end(), sorted(nursery.charges)) == (0, ["a", "b"])
    assert set(second.result["states"].values()) == {"done"}
    assert (nursery.run()[0], nursery.leftovers) == (0, []), "what the dead left is cleared away"


def test_the_same_redo_twice_at_once_is_one_take(nursery, small_story):
    """Two terminals, one redo: one new take, paid once, and both show it."""
    nursery.write(small_story)
    assert nursery.run()[0] == 0
    both = [nursery.start(redo="clips/scene_2", seconds=1.5) for _ in range(2)]
    assert [child.end() for child in both] == [0, 0]
    assert [child.result["takes"]["clips/scene_2"] for child in both] == [1, 1]
    assert sorted(nursery.charges) == ["Two panels", "one", "two", "two"]


def test_two_pipelines_of_one_project(nursery):
    """Side by side they share what they both ask for, and neither removes the other's files."""
    nursery.write(SIDE_BY_SIDE.format(name="one", prompts='["shared", "only one"]'), "one.yaml")
    nursery.write(SIDE_BY_SIDE.format(name="two", prompts='["shared", "only two"]'), "two.yaml")
    both = [nursery.start(name, seconds=1.0) for name in ("one.yaml", "two.yaml")]
    assert [child.end() for child in both] == [0, 0]
    assert sorted(nursery.charges) == ["only one", "only two", "shared"]
    tree = nursery.tree()
    assert len(tree) == 8
    assert tree["one/pictures/pictures_1.png"] == tree["two/pictures/pictures_1.png"]
    assert nursery.leftovers == []


@pytest.mark.parametrize("folders", ["one", "two"])
def test_many_processes_open_a_new_project_at_once(nursery, pictures, folders):
    """The first ones make the memory together; nobody sees half of it, and a prompt is paid once."""
    (nursery.root / ".aicp").rmdir()
    text = pictures("a", "b", "c")
    nursery.write(text, "one.yaml")
    nursery.write(text.replace("output_dir: output", "output_dir: output/other"), "two.yaml")
    children = [nursery.start("one.yaml" if n % 2 else f"{folders}.yaml", seconds=0.5) for n in range(5)]
    assert [child.end() for child in children] == [0] * 5
    assert sorted(nursery.charges) == ["a", "b", "c"]
    assert nursery.leftovers == []

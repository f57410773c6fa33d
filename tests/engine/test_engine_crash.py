"""kill -9 at any moment, then the same command: the same files, and nothing paid or made twice.

The sweep over both vendors is `python -m benchmarks.chaos`. Here each process dies a step of the journal
later than the one before it, so that a run goes through all of its steps, and each start through its own.
"""

from __future__ import annotations

import io
import random
import signal
import time

import pytest
from PIL import Image, ImageChops, ImageStat

PROMPTS = ["Two panels", "one", "two"]

DRAFT = """
name: drafted
seed: 3
prompt: "Panel 1: a cup. Panel 2: a tree"
output_dir: output
steps:
  - {name: board, type: text_to_image, model: draft, params: {width: 128, height: 64, grid: "1x2"}}
  - {name: scenes, type: split_image, params: {rows: 1, cols: 2, naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: draft
    params: {parallel: true, prompt: zoom in, width: 64, height: 48, duration: 0.5, fps: 8}
  - {type: thumbnail}
"""


def killed_at_each_step(nursery, when: str, stride: int = 1, **settings: object):
    """Run until a process reaches its end, each dying `stride` steps later than the one before it."""
    for step in range(1, 60, stride):
        code, child = nursery.run(kill=[when, step], **settings)
        if code == 0:
            assert step > 5, "there were no steps to die at"
            return child
        assert code == -signal.SIGKILL, child.told
    raise AssertionError("it never ended")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_step_in_turn(nursery, small_story, undisturbed, when):
    """Every process goes on from where the one before it was killed: one charge a prompt, the same files."""
    nursery.write(small_story)
    child = killed_at_each_step(nursery, when)
    assert sorted(nursery.charges) == PROMPTS
    assert nursery.tree() == undisturbed(small_story)
    assert nursery.leftovers == []
    assert child.result["spent"] == child.result["costs"]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments(nursery, small_story, undisturbed, seed):
    """Wherever it was, the next process goes on from there."""
    nursery.write(small_story)
    chance = random.Random(seed)
    for _ in range(5):
        child = nursery.start(seconds=0.3)
        child.wait_for("RunStarted")
        time.sleep(chance.uniform(0.0, 0.5))
        child.signal(signal.SIGKILL)
        child.end()
    code, child = nursery.run()
    assert code == 0, child.told
    assert sorted(nursery.charges) == PROMPTS
    assert nursery.tree() == undisturbed(small_story)
    assert nursery.leftovers == []


def test_killed_at_random_moments_while_it_draws(nursery, undisturbed):
    """A frame or a clip that was half drawn is drawn again, with the same pixels."""
    nursery.write(DRAFT)
    chance = random.Random(3)
    for _ in range(6):
        child = nursery.start(draft=True)
        child.wait_for("RunStarted")
        time.sleep(chance.uniform(0.0, 0.4))
        child.signal(signal.SIGKILL)
        child.end()
    assert nursery.run(draft=True)[0] == 0
    assert_same_pictures(nursery.tree(), undisturbed(DRAFT, draft=True))
    assert nursery.leftovers == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_draft_renderer_survives_it_too(nursery, undisturbed, when):
    """Killed at every step in turn, a draft ends with the pixels of one that was left in peace."""
    nursery.write(DRAFT)
    killed_at_each_step(nursery, when, 2, draft=True)
    assert_same_pictures(nursery.tree(), undisturbed(DRAFT, draft=True))
    assert nursery.leftovers == []


def assert_same_pictures(made: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    """The very same files, but for a thumbnail of a clip: it is made of the frame in memory, or of the
    decoded one in a process that did not draw the clip, which is the same picture a little blurred."""
    assert made.keys() == wanted.keys()
    for name, content in wanted.items():
        if name.startswith("thumbnail"):
            assert difference(made[name], content) < 6, name  # of 255
        else:
            assert made[name] == content, name


def difference(one: bytes, other: bytes) -> float:
    """How far two pictures of one size are apart, in levels, on average."""
    with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(other)) as second:
        assert first.size == second.size
        return max(ImageStat.Stat(ImageChops.difference(first.convert("RGB"), second.convert("RGB"))).mean)


def test_a_killed_redo_goes_on_with_the_same_take(nursery, small_story):
    """However often the same redo is killed, it is one new take, paid once."""
    nursery.write(small_story)
    assert nursery.run()[0] == 0
    for step in (2, 3, 3, 2, 4):
        code, _ = nursery.run(redo="clips/scene_2", kill=["after", step])
        assert code == -signal.SIGKILL
    code, child = nursery.run(redo="clips/scene_2")
    assert (code, child.result["takes"]["clips/scene_2"]) == (0, 1)
    assert sorted(nursery.charges) == sorted([*PROMPTS, "two"])
    code, child = nursery.run()
    assert (code, set(child.result["states"].values())) == (0, {"cached"})
    assert child.result["takes"]["clips/scene_2"] == 1


def test_what_was_finished_is_not_done_again(nursery, small_story):
    """After a kill, items that were done come from the cache, local ones too."""
    nursery.write(small_story)
    child = nursery.start(seconds=0.5)
    child.wait_for("ItemEnded", 3)  # the board and both panels
    child.wait_for("ItemProgress", 3)  # and a clip at its vendor, so that the journal has heard of them
    child.signal(signal.SIGKILL)
    child.end()
    code, child = nursery.run()
    states = child.result["states"]
    assert code == 0
    assert {states["board/board_1"], states["scenes/scene_1"], states["scenes/scene_2"]} == {"cached"}
    started = {told["address"] for told in child.told if told["event"] == "ItemStarted"}
    assert not started & {"board/board_1", "scenes/scene_1", "scenes/scene_2"}

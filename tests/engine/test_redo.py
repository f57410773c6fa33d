"""aicp redo: a new take of one item becomes the current one, with what depends on it and nothing else."""

from __future__ import annotations

import pytest

from ai_content_pipeline.engine.plan import PlanState
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.jobs import Billed
from ai_content_pipeline.providers.fake import Act

CLIP = "clips/scene_2"


def hashes(result) -> dict[str, str]:
    return {item.address: item.artifact.sha256 for item in result.items if item.artifact}


def changed(before, after) -> set[str]:
    old = hashes(before)
    return {address for address, sha256 in hashes(after).items() if old.get(address) != sha256}


@pytest.fixture
def seeded(story) -> str:
    """The story on a video model that takes a seed, so that a new take looks different."""
    return story.replace("kling_2_6_pro", "veo_3_1")


def test_a_redo_makes_a_new_take_and_what_depends_on_it(studio, seeded):
    """One new job; the clip and its thumbnail are new, its siblings and ancestors are untouched."""
    first = studio.run(seeded)
    result = studio.run(seeded, redo=CLIP)
    clip = result.step("clips").items[1]
    assert (result.exit_code, studio.vendor.submits, clip.take, clip.state.value) == (0, 6, 1, "done")
    assert changed(first, result) == {CLIP, "thumbnail_1/scene_2"}
    assert clip.file.name == "scene_2.mp4"
    assert hash_file(clip.file) == clip.artifact.sha256


def test_the_new_take_stays_the_current_one(studio, seeded):
    """The plain command afterwards shows the new take, from the cache, and again after that."""
    studio.run(seeded)
    redone = studio.run(seeded, redo=CLIP)
    for _ in range(2):
        plain = studio.run(seeded)
        assert {item.state.value for item in plain.items} == {"cached"}
        assert changed(redone, plain) == set()
    assert studio.vendor.submits == 6


def test_redo_again_is_another_take(studio, seeded):
    """Each finished redo is one more take: three takes, three jobs of three keys."""
    studio.run(seeded)
    takes = [studio.run(seeded, redo=CLIP).step("clips").items[1].take for _ in range(3)]
    assert takes == [1, 2, 3]
    assert len({job.key for job in studio.vendor.jobs}) == studio.vendor.submits == 8


def test_a_redo_sends_another_seed(studio, seeded):
    """Also where the user gave the seed: the same seed would bring the same clip back."""
    text = seeded.replace("output_dir", "seed: 7\noutput_dir")
    studio.run(text)
    studio.run(text, redo=CLIP)
    seeds = [job.wire.payload["seed"] for job in studio.vendor.jobs if job.wire.payload["prompt"] == "two"]
    assert seeds[0] == 7
    assert seeds[1] not in (7, None)


def test_a_failed_redo_leaves_the_old_take_current(studio, seeded):
    """The plain command shows the take that is good; the same redo tries again and pays once."""
    first = studio.run(seeded)
    studio.vendor.script = lambda wire: Act(end="failed")
    failed = studio.run(seeded, redo=CLIP)
    assert failed.step("clips").items[1].state.value == "failed"
    assert failed.exit_code == 7
    assert (studio.root / "output/love_story/clips/scene_2.mp4").exists()
    studio.vendor.script = lambda wire: Act()
    plain = studio.run(seeded)
    assert (plain.exit_code, changed(first, plain)) == (0, set())
    again = studio.run(seeded, redo=CLIP)
    assert (again.exit_code, again.step("clips").items[1].take) == (0, 1)
    assert changed(first, again) == {CLIP, "thumbnail_1/scene_2"}


def test_a_redo_of_what_failed_unbilled_takes_no_new_number(studio, seeded):
    """Nothing was paid for the take, so it is simply made."""
    studio.vendor.script = lambda wire: Act(end="failed" if wire.payload["prompt"] == "two" else "done")
    studio.run(seeded)
    studio.vendor.script = lambda wire: Act()
    result = studio.run(seeded, redo=CLIP)
    assert (result.exit_code, result.step("clips").items[1].take) == (0, 0)


def test_a_redo_of_what_failed_billed_is_a_new_take(studio, seeded):
    """What was billed and failed is made anew only by a redo, as a new take."""
    studio.vendor.script = lambda wire: Act(
        end="failed" if wire.payload["prompt"] == "two" else "done", billed=Billed.YES
    )
    studio.run(seeded)
    studio.vendor.script = lambda wire: Act()
    result = studio.run(seeded, redo=CLIP)
    assert (result.exit_code, result.step("clips").items[1].take) == (0, 1)


def test_ancestors_that_are_missing_are_made_and_siblings_are_not(studio, seeded):
    """In an empty project a redo makes the item, what it needs, and leaves the rest for later."""
    result = studio.run(seeded, redo=CLIP)
    states = {item.address: item.state.value for item in result.items}
    assert {name for name, state in states.items() if state == "done"} == {
        "storyboard/storyboard_1",
        *(f"scenes/scene_{n}" for n in (1, 2, 3, 4)),
        CLIP,
        "thumbnail_1/scene_2",
    }
    assert states["clips/scene_1"] == states["thumbnail_1/scene_1"] == "not_run"
    assert (result.exit_code, studio.vendor.submits) == (0, 2)


def test_a_redo_of_an_ancestor_makes_everything_below_it(studio, seeded):
    """A new board is new panels, new clips and new thumbnails."""
    first = studio.run(seeded)
    result = studio.run(seeded, redo="storyboard/storyboard_1")
    assert changed(first, result) == set(hashes(first))
    assert studio.vendor.submits == 10


def test_items_of_one_job_are_redone_together(studio, pictures):
    """num_images: the redo of any of them is a new take of all, because they are one request."""
    text = pictures("a", "b", num_images=3)
    first = studio.run(text)
    result = studio.run(text, redo="pictures/pictures_2")
    assert [item.take for item in result.items] == [1, 1, 1, 0, 0, 0]
    assert changed(first, result) == {f"pictures/pictures_{n}" for n in (1, 2, 3)}
    assert studio.vendor.submits == 3


@pytest.mark.parametrize(
    ("address", "message", "hint"),
    [
        ("clips/scene_9", "there is no item 'clips/scene_9'", "clips/scene_"),
        ("nonsense", "there is no item 'nonsense'", "storyboard/storyboard_1"),
        ("scenes/scene_2", "made without a model", "redo storyboard/storyboard_1 instead"),
        ("thumbnail_1/scene_2", "made without a model", "redo clips/scene_2 instead"),
    ],
)
def test_what_cannot_be_redone_is_refused_with_a_hint(studio, story, address, message, hint):
    """Nothing runs, and the hint names what can be done instead. The plan refuses it as well."""
    for ask in (studio.run, studio.plan):
        with pytest.raises(UsageError, match=message) as caught:
            ask(story, redo=address)
        assert hint in caught.value.hint
    assert studio.vendor.submits == 0


def test_own_footage_cannot_be_redone(studio, pictures):
    """A file of the user's own is replaced by the user."""
    from PIL import Image

    Image.new("RGB", (320, 320)).save(studio.root / "own.png")
    with pytest.raises(UsageError, match="file of your own"):
        studio.run(pictures("a", {"file": "own.png"}), redo="pictures/pictures_2")


def test_the_plan_of_a_redo_is_what_the_redo_does(studio, seeded):
    """Its price is that of the new take; what stays away is not priced; states agree with the run."""
    plan = studio.plan(seeded, redo=CLIP)
    result = studio.run(seeded, redo=CLIP)
    names = {PlanState.RUN: "done", PlanState.CACHED: "cached", PlanState.NOT_ASKED: "not_run"}
    assert {item.address: names[item.state] for item in plan.items} == {
        item.address: item.state.value for item in result.items
    }
    assert plan.price.usd == result.spent > 0
    studio.run(seeded)
    plan = studio.plan(seeded, redo=CLIP)
    result = studio.run(seeded, redo=CLIP)
    assert {item.address for item in plan.items if item.state is PlanState.RUN} == {
        CLIP,
        "thumbnail_1/scene_2",
    }
    assert plan.price.usd == result.spent > 0


def test_the_redo_of_a_chained_clip_makes_the_clips_after_it(studio, seeded):
    """previous.last_frame: a new clip 2 has another last frame, so clip 3 is made anew, and clip 1 is not."""
    text = seeded.replace(
        "[one, two, three, four]",
        "[one, two, {prompt: three, start: previous.last_frame}, four]",
    )
    first = studio.run(text)
    result = studio.run(text, redo=CLIP)
    after = result.step("clips").items[2].address
    assert {name for name in changed(first, result) if name.startswith("clips")} == {CLIP, after}


def test_a_redo_prunes_nothing(studio, seeded):
    """What was not asked for stays in the output folder."""
    studio.run(seeded)
    before = studio.tree()
    studio.run(seeded, redo=CLIP)
    assert studio.tree() == before

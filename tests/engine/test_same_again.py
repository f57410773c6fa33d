"""The same command again: what is there is reused, and only what really changed is made anew."""

from __future__ import annotations

import pytest
from PIL import Image

from ai_content_pipeline.engine.plan import PlanState
from ai_content_pipeline.providers.fake import sketch


def stamps(studio) -> dict[str, tuple[int, int]]:
    """When each file of the output was last changed, and its number on the disk."""
    base = studio.root / "output"
    return {
        path.relative_to(base).as_posix(): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in base.rglob("*")
        if path.is_file()
    }


def states(result) -> set[str]:
    return {item.state.value for item in result.items}


def test_everything_is_cached_and_nothing_is_touched(studio, story):
    """The second run submits nothing, spends nothing, says cached, and leaves every file as it was."""
    studio.run(story)
    before = stamps(studio)
    uploads = len(studio.vendor.uploads)
    result = studio.run(story)
    assert (result.exit_code, states(result), result.spent) == (0, {"cached"}, 0)
    assert (studio.vendor.submits, len(studio.vendor.uploads)) == (5, uploads)
    assert stamps(studio) == before


def test_the_plan_says_so_too(studio, story):
    """After a run the plan shows every item as cached, at no price, and what that saves."""
    first = studio.plan(story)
    studio.run(story)
    again = studio.plan(story)
    assert {item.state for item in again.items} == {PlanState.CACHED}
    assert (again.price.usd, again.seconds_parallel) == (0, 0.0)
    assert again.saved.usd == first.price.usd > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: clips", "name: films"),
        ("name: storyboard", "name: sheet"),
        ("name: love_story", "name: another_name"),
        ("output/love_story", "output/elsewhere"),
        ("parallel: true", "parallel: false"),
        ("parallel: true", "parallel: true, max_workers: 2"),
        ("naming: scene_{n}", "naming: tile_{n}"),
        ('"scene_{n}"', '"tile_{row}_{col}"'),
        ('grid: "2x2"', "rows: 2, cols: 2"),
    ],
)
def test_what_things_are_called_changes_no_job(studio, story, old, new):
    """Names, workers and folders reach no model, so changing them submits nothing."""
    studio.run(story)
    result = studio.run(story.replace(old, new))
    assert (result.exit_code, states(result), studio.vendor.submits) == (0, {"cached"}, 5)


def test_renamed_steps_move_their_files(studio, story):
    """After a renaming the files lie under the new names only; the old ones were ours, and untouched."""
    studio.run(story)
    studio.run(story.replace("name: clips", "name: films"))
    assert {name.split("/")[0] for name in studio.tree("output/love_story")} == {
        "storyboard",
        "scenes",
        "films",
        "thumbnail_1",
    }


@pytest.mark.parametrize("at", range(5))
def test_an_inserted_prompt_is_one_job(studio, pictures, at):
    """Wherever a prompt is put in, only its own picture is made; the others keep theirs, in order."""
    prompts = ["a", "b", "c", "d"]
    before = {item.prompt: item.artifact.sha256 for item in studio.run(pictures(*prompts)).items}
    prompts.insert(at, "new")
    result = studio.run(pictures(*prompts))
    assert studio.prompts[4:] == ["new"]
    assert [item.prompt for item in result.items] == prompts
    assert {item.prompt: item.artifact.sha256 for item in result.items if item.prompt != "new"} == before


def test_a_changed_prompt_is_one_job_and_what_depends_on_it(studio, story):
    """One new clip and its thumbnail; a new board is everything below it."""
    studio.run(story)
    result = studio.run(story.replace("three", "drei"))
    made = [item.address for item in result.items if item.state.value == "done"]
    assert (studio.prompts[5:], made) == (["drei"], ["clips/scene_3", "thumbnail_1/scene_3"])
    result = studio.run(story.replace("A 2x2 grid of panels", "Another 2x2 grid"))
    assert states(result) == {"done"}
    assert len(studio.prompts) == 6 + 5


def test_going_back_is_free(studio, story):
    """Undoing a change finds the first results again, and puts them back into the folder."""
    studio.run(story)
    first = {path.name: path.read_bytes() for path in (studio.root / "output/love_story/clips").iterdir()}
    studio.run(story.replace("three", "drei"))
    submits = studio.vendor.submits
    result = studio.run(story)
    assert (states(result), studio.vendor.submits) == ({"cached"}, submits)
    assert {
        path.name: path.read_bytes() for path in (studio.root / "output/love_story/clips").iterdir()
    } == first


def test_identical_prompts_are_jobs_of_their_own(studio, pictures):
    """Three times the same prompt is three pictures, told apart by their place, and found again so."""
    first = studio.run(pictures("a", "a", "a"))
    assert studio.vendor.submits == 3
    assert len({job.key for job in studio.vendor.jobs}) == 3
    again = studio.run(pictures("a", "a", "b", "a", "a"))
    assert sorted(studio.prompts[3:]) == ["a", "b"]
    kept = [again.items[at].artifact.sha256 for at in (0, 1, 3)]
    assert kept == [item.artifact.sha256 for item in first.items]


def test_byte_identical_inputs_with_one_prompt_are_one_job(studio):
    """Two tiles that are the same pixels, with the same prompt, are one request: paid once, shown twice."""

    def draw(wire, path):
        if "video" in wire.endpoint:
            return sketch(wire, path)
        Image.new("RGB", (96, 96), (9, 9, 9)).save(path, "PNG")
        return path

    studio.vendor.draw = draw
    text = """
name: twins
prompt: a sheet
output_dir: output
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro}
  - {name: tiles, type: split_image, params: {rows: 1, cols: 2}}
  - {name: clips, type: image_to_video, model: kling_2_6_pro, params: {parallel: true, prompt: move}}
"""
    result = studio.run(text)
    assert (result.exit_code, studio.vendor.submits) == (0, 2)
    clips = result.step("clips").items
    assert clips[0].artifact == clips[1].artifact
    assert sum(item.cost for item in clips) == clips[0].estimate.usd
    assert [file.name for file in result.step("clips").outputs] == ["panel_1.mp4", "panel_2.mp4"]


def test_a_failed_unbilled_item_is_tried_again(studio, pictures):
    """Nothing was paid for it, so the same command makes it, and nothing else."""
    from ai_content_pipeline.providers.fake import Act

    studio.vendor.script = lambda wire: Act(end="failed" if wire.payload["prompt"] == "b" else "done")
    studio.run(pictures("a", "b"))
    studio.vendor.script = lambda wire: Act()
    result = studio.run(pictures("a", "b"))
    assert [item.state.value for item in result.items] == ["cached", "done"]
    assert studio.prompts == ["a", "b", "b"] or studio.prompts == ["b", "a", "b"]


def test_a_failed_billed_item_is_not_tried_again(studio, pictures):
    """What was paid for is not paid for again unless the user says so; the plan calls it blocked."""
    from ai_content_pipeline.jobs import Billed
    from ai_content_pipeline.providers.fake import Act

    studio.vendor.script = lambda wire: Act(end="failed", billed=Billed.YES)
    studio.run(pictures("a"))
    studio.vendor.script = lambda wire: Act()
    assert studio.plan(pictures("a")).items[0].state is PlanState.BLOCKED
    result = studio.run(pictures("a"))
    assert (result.items[0].state.value, studio.vendor.submits) == ("failed", 1)
    assert "aicp redo pictures/pictures_1" in result.items[0].error.retry_with


def test_a_lost_output_file_is_put_back(studio, story):
    """A file that the user deleted from the folder is restored from the store, for nothing."""
    studio.run(story)
    victim = studio.root / "output/love_story/clips/scene_2.mp4"
    content = victim.read_bytes()
    victim.unlink()
    result = studio.run(story)
    assert (states(result), studio.vendor.submits) == ({"cached"}, 5)
    assert victim.read_bytes() == content


def test_a_damaged_stored_result_is_not_paid_for_again(studio, pictures):
    """A stored file that no longer hashes right is blocked, or fetched again; never submitted again."""
    studio.vendor.links = True
    result = studio.run(pictures("a"))
    assert result.exit_code == 0, result.items[0].error
    stored = next((studio.root / ".aicp/artifacts").rglob("*.png"))
    stored.write_bytes(b"damaged")
    studio.plan(pictures("a"))
    again = studio.run(pictures("a"))
    assert (again.exit_code, studio.vendor.submits) == (0, 1)
    studio.vendor.deleted.add("fake://0/0")
    stored.write_bytes(b"damaged")
    blocked = studio.run(pictures("a"))
    assert (blocked.items[0].state.value, studio.vendor.submits) == ("failed", 1)
    assert studio.plan(pictures("a")).items[0].state is PlanState.BLOCKED


def test_the_plan_is_what_the_run_does(studio, story):
    """State by state and price by price: what would run is run at that price, what is cached stays cached."""
    for change in ("", "three", "grid"):
        text = story.replace("three", "drei") if change == "three" else story
        text = text.replace("A 2x2 grid", "A fine 2x2 grid") if change == "grid" else text
        plan = studio.plan(text)
        result = studio.run(text)
        planned = {item.address: item.state.value.replace("run", "done") for item in plan.items}
        assert planned == {item.address: item.state.value for item in result.items}
        assert plan.price.usd == result.spent == sum(item.cost for item in result.items)


def test_an_edited_own_file_is_a_new_input(studio):
    """The user's file counts by its content: edited, it is made anew; moved or renamed, it is not."""
    text = """
name: own
output_dir: output
input_image: own.png
steps:
  - {name: clip, type: image_to_video, model: kling_2_6_pro, params: {prompt: move}}
"""
    Image.new("RGB", (320, 320), (1, 2, 3)).save(studio.root / "own.png")
    studio.run(text)
    (studio.root / "own.png").rename(studio.root / "renamed.png")
    assert states(studio.run(text.replace("own.png", "renamed.png"))) == {"cached"}
    Image.new("RGB", (320, 320), (3, 2, 1)).save(studio.root / "renamed.png")
    assert states(studio.run(text.replace("own.png", "renamed.png"))) == {"done"}


def test_a_moved_project_pays_nothing_again(studio, story, tmp_path_factory):
    """The project's folder may be moved: the journal names everything relative to it."""
    studio.run(story)
    elsewhere = tmp_path_factory.mktemp("moved") / "project"
    studio.root.rename(elsewhere)
    studio.root = elsewhere
    before = stamps(studio)
    result = studio.run(story)
    assert (states(result), studio.vendor.submits) == ({"cached"}, 5)
    assert stamps(studio) == before
    studio.run(story.replace("name: clips", "name: films"))
    assert not (elsewhere / "output/love_story/clips").exists()

"""What earlier processes left at a vendor comes home by the journal alone."""

from __future__ import annotations

import threading

import pytest
from PIL import Image

from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.collect import cancel_jobs, collect_all, collect_jobs, orphaned
from ai_content_pipeline.errors import OutcomeUnknown
from ai_content_pipeline.generation.store import State
from ai_content_pipeline.jobs import CancelAnswer
from ai_content_pipeline.providers.fake import Act

OWN = """
name: own
output_dir: output
input_image: own.png
steps:
  - {name: clip, type: image_to_video, model: kling_2_6_pro, params: {prompt: move}}
"""


@pytest.fixture
def abandon(studio):
    """Run a pipeline until all `jobs` of it are at the vendor, then drop it as a crash would."""

    def run(text: str, jobs: int) -> None:
        studio.vendor.script = lambda wire: Act(0.3)
        before = studio.vendor.submits

        def emit(event: events.Event) -> None:
            if isinstance(event, events.ItemProgress) and studio.vendor.submits == before + jobs:
                raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            studio.run(text, emit=emit)

    return run


def collected(studio) -> dict[str, str | None]:
    with studio.workshop() as workshop:
        return {job.address: None if error is None else error.message for job, error in collect_all(workshop)}


def test_a_broken_pipeline_and_lost_inputs_lose_nothing(studio, abandon):
    """With the YAML broken and the input deleted everything that runs at a vendor still comes home."""
    picture = studio.root / "own.png"
    Image.new("RGB", (320, 320), (7, 7, 7)).save(picture)
    content = picture.read_bytes()
    abandon(OWN, 1)
    studio.write("name: [broken")
    picture.unlink()
    for stored in (studio.root / ".aicp/artifacts").rglob("*.png"):
        stored.unlink()  # not even the copy of it is needed
    assert collected(studio) == {"clip/own": None}
    assert collected(studio) == {}
    picture.write_bytes(content)
    result = studio.run(OWN)
    assert (result.exit_code, result.items[0].state.value, studio.vendor.submits) == (0, "cached", 1)


def test_a_run_collects_what_other_pipelines_left(studio, abandon, pictures):
    """Vendors delete results, so whoever comes first brings home what any pipeline of the project has."""
    abandon(pictures("a", "b"), 2)
    result = studio.run(pictures("c").replace("output_dir: output", "output_dir: other"))
    assert sorted(result.collected) == ["pictures/pictures_1", "pictures/pictures_2"]
    assert {event.address for event in studio.events if isinstance(event, events.Collected)} == {
        "pictures/pictures_1",
        "pictures/pictures_2",
    }
    assert studio.run(pictures("a", "b")).exit_code == 0
    assert studio.vendor.submits == 3


def test_the_same_command_goes_on_with_what_it_left(studio, abandon, pictures):
    """Nothing is submitted twice, and the resumed run counts all that it spent."""
    abandon(pictures("a", "b"), 2)
    result = studio.run(pictures("a", "b", "c"))
    assert (result.exit_code, studio.vendor.submits, len(studio.vendor.charges)) == (0, 3, 3)
    assert result.spent == sum(item.cost for item in result.items)


def test_edited_prompts_are_collected_too(studio, abandon, pictures):
    """A job of a prompt that is no longer in the file comes home, and is there when the prompt is again."""
    abandon(pictures("a"), 1)
    result = studio.run(pictures("b"))
    assert result.collected == ("pictures/pictures_1",)
    assert studio.run(pictures("a")).items[0].state.value == "cached"
    assert studio.vendor.submits == 2


def test_what_cannot_be_collected_is_noted_once(studio, abandon, pictures):
    """A lost job of another pipeline is a note of the run, not an error of its items."""
    abandon(pictures("a"), 1)
    studio.vendor.script = lambda wire: Act()
    job = studio.vendor.jobs[0]
    job.act = Act(end="failed")
    result = studio.run(pictures("b"))
    assert (result.exit_code, result.collected) == (0, ())
    (note,) = [note for note in result.notes if "pictures/pictures_1" in note]
    assert "failed" in note


def test_an_item_in_doubt_is_asked_about_once_a_run(studio, pictures):
    """The collector and the item do not both sit out the grace period."""
    studio.vendor.listing = "none"
    studio.vendor.script = lambda wire: Act(answer="lost")
    studio.run(pictures("a"))
    looks: list[str] = []
    find = type(studio.factories["fal"](_surroundings(studio))).find

    def counted(self, wire, since):
        looks.append(wire.endpoint)
        return find(self, wire, since)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ai_content_pipeline.providers.fake.FakeProvider.find", counted)
        result = studio.run(pictures("a"))
    assert result.items[0].state.value == "in_doubt"
    assert len(looks) == 2
    assert studio.vendor.submits == 1


def _surroundings(studio):
    from ai_content_pipeline.providers.protocol import Surroundings

    return Surroundings({}, studio.root, lambda sha256: studio.root)


def test_jobs_of_living_processes_are_left_to_them(studio, abandon, pictures):
    """An orphan is a job whose process is gone, and no other."""
    studio.vendor.script = lambda wire: Act(1.0)
    seen: list[list[str]] = []

    def emit(event: events.Event) -> None:
        if isinstance(event, events.ItemProgress) and not seen:
            with studio.workshop() as other:
                seen.append([job.address for job in orphaned(other)])

    assert studio.run(pictures("a"), emit=emit).exit_code == 0
    assert seen == [[]]


def test_collecting_ends_early_when_the_listener_goes(studio, abandon, pictures):
    """A loop that is left (^C, a broken pipe) leaves the rest to a later command, at once."""
    abandon(pictures("a", "b", "c"), 3)
    for job in studio.vendor.jobs[1:]:
        job.act = Act(60.0)
    with studio.workshop() as workshop:
        jobs = orphaned(workshop)
        loop = collect_jobs(workshop, jobs)
        first, error = next(loop)
        assert (first.key, error) == (studio.vendor.jobs[0].key, None)
        loop.close()
        assert workshop.detached.is_set()
        assert {job.state for job in workshop.store.jobs(tuple(State))} == {State.DONE, State.SUBMITTED}
    assert not [thread for thread in threading.enumerate() if "aicp-collect" in thread.name]


def test_a_result_that_did_not_decode_is_asked_for_again(studio, pictures):
    """fetch tries once more what was paid and could not be used, at no cost."""
    good = studio.vendor.draw
    studio.vendor.draw = lambda wire, path: path.write_bytes(b"no picture") and path
    result = studio.run(pictures("a"))
    assert result.items[0].error.code == "bad_media"
    assert list((studio.root / ".aicp/quarantine").iterdir())
    studio.vendor.draw = good
    assert collected(studio) == {"pictures/pictures_1": None}
    assert (studio.run(pictures("a")).exit_code, studio.vendor.submits) == (0, 1)


def test_cancelling_asks_for_every_job_and_pays_for_none(studio, abandon, pictures):
    """Each submitted job is cancelled at its vendor; the same command makes it anew afterwards."""
    abandon(pictures("a", "b"), 2)
    for job in studio.vendor.jobs:
        job.act = Act(60.0)
    with studio.workshop() as workshop:
        answers = cancel_jobs(workshop, ["pictures/pictures_2"])
        assert [(job.address, answer) for job, answer, *_ in answers] == [
            ("pictures/pictures_2", CancelAnswer.CANCELLED)
        ]
        assert len(cancel_jobs(workshop)) == 2
    studio.vendor.script = lambda wire: Act()
    result = studio.run(pictures("a", "b"))
    assert (result.exit_code, len(studio.vendor.charges), studio.vendor.submits) == (0, 2, 4)


def test_outcome_unknown_of_a_collector_reaches_the_user(studio, pictures):
    """`fetch` says what is in doubt and what to decide."""
    studio.vendor.listing = "none"
    studio.vendor.script = lambda wire: Act(answer="lost")
    studio.run(pictures("a"))
    with studio.workshop() as workshop:
        ((job, error),) = collect_all(workshop)
    assert job.state is State.IN_DOUBT
    assert isinstance(error, OutcomeUnknown)
    assert "--in-doubt" in error.hint

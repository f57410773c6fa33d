"""--only, --from and --until: what is made, what is used as it is, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_content_pipeline.engine.graph import Graph, build
from ai_content_pipeline.engine.plan import Plan, PlanState, make_plan
from ai_content_pipeline.engine.pricing import PriceBook
from ai_content_pipeline.engine.selection import EVERYTHING, InputMissing, Selection
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.providers.fake import Act, FakeVendor


def plan(studio, text: str, selection: Selection = EVERYTHING) -> Plan:
    expansion = studio.expand(text)
    with studio.workshop() as workshop:
        return make_plan(expansion, workshop.store, workshop.artifacts, selection=selection)


def graph(studio, text: str) -> Graph:
    expansion = studio.expand(text)
    with studio.workshop() as workshop:
        return build(expansion, PriceBook(workshop.store))


def chosen(found: Graph, selection: Selection) -> set[str]:
    wanted = selection.units(found)
    assert wanted is not None
    return {item.address for unit in found.units if unit.number in wanted for item in unit.items}


def steps(addresses: set[str]) -> list[str]:
    return sorted({address.partition("/")[0] for address in addresses})


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(only=("scenes",)), ["scenes"]),
        (Selection(only=("storyboard", "clips")), ["clips", "storyboard"]),
        (Selection(until="scenes"), ["scenes", "storyboard"]),
        (Selection(start="clips"), ["clips", "thumbnail_1"]),
        (Selection(start="scenes", until="clips"), ["clips", "scenes"]),
        (Selection(start="storyboard"), ["clips", "scenes", "storyboard", "thumbnail_1"]),
    ],
)
def test_steps_are_chosen_by_what_depends_on_what(
    studio, story: str, selection: Selection, wanted: list[str]
) -> None:
    """--until takes what a step is made of, --from what is made of it, both together what lies between."""
    found = chosen(graph(studio, story), selection)
    assert steps(found) == wanted
    assert len([address for address in found if address.startswith("clips/")]) in (0, 4)


def test_items_are_chosen_by_address(studio, story: str) -> None:
    """One clip is one item, with its own thumbnail below and its own panel's sheet above."""
    found = graph(studio, story)
    assert chosen(found, Selection(only=("clips/scene_2",))) == {"clips/scene_2"}
    assert chosen(found, Selection(start="clips/scene_2")) == {"clips/scene_2", "thumbnail_1/scene_2"}
    above = chosen(found, Selection(until="clips/scene_2"))
    assert above == {"storyboard/storyboard_1", "clips/scene_2", *(f"scenes/scene_{n}" for n in range(1, 5))}


def test_everything_is_no_selection(studio, story: str) -> None:
    """Without options nothing is left away."""
    assert EVERYTHING.units(graph(studio, story)) is None


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(only=("clip",)), "did you mean 'clips'?"),
        (Selection(until="clips/scene_9"), "did you mean 'clips/scene_4'?"),
        (Selection(start="zzzzz"), "the steps are storyboard, scenes, clips, thumbnail_1"),
        (Selection(only=("clips",), until="clips"), "use one or the other"),
        (Selection(start="clips", until="scenes"), "turn them round"),
    ],
)
def test_a_wrong_selection_is_wrong_usage(studio, story: str, selection: Selection, words: str) -> None:
    """Names that are not there, and choices that contradict each other, say what to write instead."""
    with pytest.raises(UsageError) as caught:
        plan(studio, story, selection)
    assert words in str(caught.value.hint)


def test_the_plan_shows_what_is_left_away(studio, story: str) -> None:
    """What is not selected is there, without a price; what is selected costs what it costs in the whole."""
    whole = plan(studio, story)
    part = plan(studio, story, Selection(until="scenes"))
    assert [item.address for item in part.items] == [item.address for item in whole.items]
    assert {item.step: item.state for item in part.items} == {
        "storyboard": PlanState.RUN,
        "scenes": PlanState.RUN,
        "clips": PlanState.NOT_ASKED,
        "thumbnail_1": PlanState.NOT_ASKED,
    }
    assert 0 < part.price.usd < whole.price.usd
    assert part.seconds_sequential < whole.seconds_sequential


def test_an_input_that_is_not_there_is_named_before_anything_runs(studio, story: str) -> None:
    """--only never pays for a step that was not named: the plan and the run refuse alike."""
    for ask in (plan, lambda studio, text, wanted: studio.run(text, selection=wanted)):
        with pytest.raises(InputMissing) as caught:
            ask(studio, story, Selection(only=("clips",)))
        assert caught.value.message == (
            "clips/scene_1 needs scenes/scene_1, which is not made yet (3 more inputs are missing)"
        )
        assert caught.value.step == "scenes"
    assert (studio.vendor.submits, studio.root.joinpath("output").exists()) == (0, False)


def test_a_run_in_parts_is_the_run_of_the_whole(studio, story: str) -> None:
    """First the stills, then two clips, then the rest: each job once, and the whole finds all of them."""
    first = studio.run(story, selection=Selection(until="scenes"))
    assert (first.exit_code, studio.vendor.submits) == (0, 1)
    assert "love_story/clips" not in " ".join(studio.tree())
    second = studio.run(story, selection=Selection(only=("clips/scene_2", "clips/scene_4")))
    assert (second.exit_code, studio.vendor.submits) == (0, 3)
    assert sorted(studio.prompts[1:]) == ["four", "two"]
    states = {item.address: item.state.value for item in second.items}
    assert (states["clips/scene_1"], states["clips/scene_2"]) == ("not_run", "done")
    assert (states["scenes/scene_1"], states["thumbnail_1/scene_2"]) == ("cached", "not_run")
    third = studio.run(story)
    assert (third.exit_code, studio.vendor.submits) == (0, 5)
    assert {item.state.value for item in plan(studio, story).items} == {"cached"}


def test_an_item_that_failed_and_is_left_away_stays_as_it_is(studio, story: str) -> None:
    """A selection retries only what it names."""
    studio.vendor.script = lambda wire: Act(end="failed") if wire.payload["prompt"] == "one" else Act()
    studio.run(story)
    studio.vendor.script = lambda wire: Act()
    before = studio.vendor.submits
    result = studio.run(story, selection=Selection(only=("clips/scene_2",)))
    assert (result.exit_code, studio.vendor.submits) == (0, before)


def test_a_part_of_a_run_removes_no_files_of_the_rest(studio, story: str) -> None:
    """With save_intermediates: false, a selected still is delivered, and the clips of before stay."""
    text = story.replace("output_dir:", "save_intermediates: false\noutput_dir:")
    studio.run(text)
    before = set(studio.tree())
    assert not any("scenes/" in name for name in before)
    studio.run(text, selection=Selection(until="scenes"))
    assert before < set(studio.tree())
    assert any("scenes/scene_1.png" in name for name in studio.tree())


_NAMES = [
    "storyboard",
    "scenes",
    "clips",
    "thumbnail_1",
    "clips/scene_2",
    "scenes/scene_3",
    "thumbnail_1/scene_1",
]
_selections = st.builds(
    Selection, only=st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3).map(tuple)
) | st.builds(Selection, start=st.none() | st.sampled_from(_NAMES), until=st.none() | st.sampled_from(_NAMES))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12)
@given(asked=st.lists(_selections, min_size=1, max_size=3))
def test_plan_and_run_agree_on_every_selection(studio, tmp_path_factory, asked) -> None:
    """Whatever was made before: the jobs that the plan shows are the ones that the run pays, no others."""
    root = tmp_path_factory.mktemp("selection")
    (root / ".aicp").mkdir()
    studio = replace(studio, root=root, vendor=FakeVendor())
    text = _STORY
    for selection in asked:
        try:
            planned = plan(studio, text, selection)
        except UsageError:
            with pytest.raises(UsageError):
                studio.run(text, selection=selection)
            continue
        expected = {
            item.address
            for item in planned.items
            if item.state is PlanState.RUN and isinstance(item.unit.work, JobRequest)
        }
        before = studio.vendor.submits
        result = studio.run(text, selection=selection)
        made = {item.address for item in result.items if item.state.value == "done" and item.model}
        assert (made, studio.vendor.submits - before) == (expected, len(expected))
        assert result.exit_code == 0


_STORY = """
name: love_story
prompt: A 2x2 grid of panels
output_dir: output/love_story
steps:
  - {name: storyboard, type: text_to_image, model: nano_banana_pro}
  - {name: scenes, type: split_image, params: {grid: "2x2", naming: "scene_{n}"}}
  - {name: clips, type: image_to_video, model: kling_2_6_pro, params: {parallel: true, prompt: Go}}
  - {type: thumbnail}
"""

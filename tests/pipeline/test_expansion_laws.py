"""Laws of static expansion, over generated pipelines."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Kind, Pending
from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline.expansion import Expansion, expand
from ai_content_pipeline.pipeline.load import check_pipeline
from ai_content_pipeline.pipeline.source import loads
from ai_content_pipeline.steps.fields import is_name, reserved
from ai_content_pipeline.steps.protocol import MAX_ITEMS

Grid = tuple[int, int]

GRIDS = st.tuples(st.integers(1, 4), st.integers(1, 4))
IMAGES = st.integers(1, 4)


def expanded(text: str) -> Expansion:
    return expand(check_pipeline(loads(text, name="film.yaml")))


@st.composite
def films(draw: st.DrawFn) -> tuple[str, int, list[Grid], str]:
    """A pipeline of boards, splits, clips and thumbnails; with its counts, and how its clips are chosen."""
    images, grids = draw(IMAGES), draw(st.lists(GRIDS, min_size=1, max_size=2))
    lines = [
        "steps:",
        f"  - {{name: b, type: text_to_image, model: draft, params: {{prompt: Go, num_images: {images}}}}}",
    ]
    lines += [
        f'  - {{name: s{n}, type: split_image, params: {{grid: "{rows}x{cols}"}}}}'
        for n, (rows, cols) in enumerate(grids)
    ]
    last = f"s{len(grids) - 1}"
    chosen = draw(st.sampled_from([last, f"{last}/panel_1", f'"{last}[0]"', f'"{last}[:]"', f"[b, {last}]"]))
    lines.append(
        f"  - {{name: c, type: image_to_video, model: draft, input: {chosen}, params: {{prompt: Go}}}}"
    )
    lines.append(f"  - {{type: thumbnail, input: [{last}, c, b]}}")
    return "\n".join(lines), images, grids, chosen


@given(films())
@settings(deadline=None)
def test_addresses_are_unique_safe_and_in_order(film: tuple[str, int, list[Grid], str]) -> None:
    """Every item has one address of its own, step/label, also where upper and lower case are one."""
    expansion = expanded(film[0])
    assert len({item.address.casefold() for item in expansion.items}) == len(expansion.items)
    for step in expansion.steps:
        assert [item.index for item in step.items] == list(range(len(step.items)))
        for item in step.items:
            assert item.address == f"{step.name}/{item.label}"
            assert is_name(item.label)
            assert not reserved(item.label)


@given(films())
@settings(deadline=None)
def test_items_are_counted_by_multiplication(film: tuple[str, int, list[Grid], str]) -> None:
    """A step has as many items as its input times its fan-out."""
    text, images, grids, chosen = film
    steps = {step.name: len(step.items) for step in expanded(text).steps}
    tiles = images * prod(rows * cols for rows, cols in grids)
    assert steps["b"] == images
    assert steps[f"s{len(grids) - 1}"] == tiles
    one = "/" in chosen or "[0]" in chosen
    assert steps["c"] == (1 if one else tiles + images if chosen.startswith("[b") else tiles)
    assert steps["thumbnail_1"] == tiles + steps["c"] + images


@given(films())
@settings(deadline=None)
def test_inputs_come_from_earlier_items(film: tuple[str, int, list[Grid], str]) -> None:
    """Every promised file that an item waits for is made by an item before it."""
    seen: dict[str, Pending] = {}
    for item in expanded(film[0]).items:
        for sources in item.inputs.values():
            for source in sources:
                assert isinstance(source, Pending)
                assert source.address in seen
                made = seen[source.address]
                assert (source.width, source.height) == (made.width, made.height)
                assert source.kind is (Kind.IMAGE if source.frame else made.kind)
        seen[item.address] = item.makes


@given(films())
@settings(deadline=None)
def test_expansion_is_a_function_of_the_file(film: tuple[str, int, list[Grid], str]) -> None:
    """The same file gives the same items and the same requests, however often it is read."""
    first, second = expanded(film[0]), expanded(film[0])
    assert first.items == second.items
    for one, other in zip(first.steps, second.steps, strict=True):
        for item in one.items:
            a, b = one.verbs.work(item, one.setting), other.verbs.work(item, other.setting)
            assert (a.params, a.inputs, a.outputs) == (b.params, b.inputs, b.outputs)


@given(films(), st.text(max_size=20))
@settings(deadline=None)
def test_a_comment_changes_nothing(film: tuple[str, int, list[Grid], str], words: str) -> None:
    """What a file says decides, not how it is laid out."""
    comment = "".join(char for char in words if char.isprintable())
    assert expanded(f"# {comment}\n{film[0]}\n").items == expanded(film[0]).items


def test_labels_travel_along_the_chain() -> None:
    """A clip and its thumbnail are called as their panel; of two with one name the second gets a number."""
    text = """
steps:
  - {name: b, type: text_to_image, model: draft, params: {prompt: Go}}
  - {name: s, type: split_image, params: {grid: "1x2", naming: "scene_{n}"}}
  - {name: c, type: image_to_video, model: draft, params: {prompt: Go}}
  - {name: t, type: thumbnail, input: [s, c]}
"""
    steps = {step.name: [item.label for item in step.items] for step in expanded(text).steps}
    assert steps["c"] == ["scene_1", "scene_2"]
    assert steps["t"] == ["scene_1", "scene_2", "scene_1_2", "scene_2_2"]


@pytest.mark.parametrize(
    "text",
    [
        f"steps: [{{type: text_to_image, model: draft, params: {{prompts: [{'Go, ' * 10_001}]}}}}]",
        "steps:\n"
        + f"  - {{type: text_to_image, model: draft, params: {{prompts: [{'G, ' * 300}]}}}}\n" * 40,
    ],
)
def test_fan_out_is_bounded(text: str) -> None:
    """More than ten thousand items are refused before they are all built, in one step and over many."""
    with pytest.raises(InvalidPipeline, match=r"items (up to here )?are more than the limit of 10,000"):
        expanded(text)


def test_ten_thousand_items_are_no_problem() -> None:
    """The limit itself is reachable, in little time: counting is linear in the items."""
    half = "Go, " * (MAX_ITEMS // 2)
    text = f"""
steps:
  - {{name: b, type: text_to_image, model: nano_banana_pro, params: {{prompts: [{half}]}}}}
  - {{type: thumbnail}}
"""
    assert len(expanded(text).items) == MAX_ITEMS


def test_a_file_of_endless_steps_is_refused_at_once() -> None:
    """A megabyte of steps costs no more time than a thousand."""
    with pytest.raises(InvalidPipeline, match="40,000 steps are more than the limit of 1,000"):
        expanded("steps:\n" + "  - {type: thumbnail}\n" * 40_000)
    chain = (
        "steps:\n  - {type: text_to_image, model: draft, params: {prompt: Go}}\n"
        + "  - {type: thumbnail}\n" * 999
    )
    assert len(expanded(chain).steps) == 1000

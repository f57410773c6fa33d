"""text_to_image: which pictures there will be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline import catalog
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.steps.protocol import Faults, Input, Item, Setting
from ai_content_pipeline.steps.text_to_image import TextToImage


def items(params: dict[str, object], card: Card | None = None) -> tuple[Item, ...]:
    step = TextToImage.model_validate(
        {"name": "board", "type": "text_to_image", "model": "nano_banana_pro", "params": params}
    )
    card = card or catalog.resolve("nano_banana_pro", Task.TEXT_TO_IMAGE)
    return step.items({}, Setting("board", {"nano_banana_pro": card}, _nothing, _nothing))


def _nothing(name: str) -> Input:
    raise LookupError(f"no {name}")


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_items_are_numbered_over_all_jobs(counts: list[int]) -> None:
    """Each prompt is a job of num_images items; their names count on over the jobs."""
    found = items({"prompts": [{"prompt": "Go", "params": {"num_images": count}} for count in counts]})
    assert [item.label for item in found] == [f"board_{n + 1}" for n in range(sum(counts))]
    assert [sum(item.job == job for item in found) for job in range(len(counts))] == counts
    assert [item.index for item in found] == list(range(sum(counts)))


def test_the_size_is_known_before() -> None:
    """What a model will make is known from its card and the parameters."""
    makes = items({"prompt": "Go", "aspect_ratio": "16:9", "resolution": "2K"})[0].makes
    assert (makes.width, makes.height) == (2752, 1536)


def test_a_fan_out_bomb_is_refused_before_it_is_built() -> None:
    """A billion pictures are a slip of the keyboard."""
    with pytest.raises(Faults, match="1,000,000,000 items"):
        items({"prompt": "Go", "num_images": 1_000_000_000})


def test_every_problem_of_the_files_is_reported() -> None:
    """Each entry's file and its needless start or end are faults of their own."""
    with pytest.raises(Faults) as caught:
        items({"prompts": [{"file": "a.png"}, {"prompt": "Go", "end": "b.png"}, {"file": "c.png"}]})
    paths = [fault.path[-2:] for fault in caught.value.faults]
    assert paths == [(0, "file"), (1, "end"), (2, "file")]

"""thumbnail: what it will be, before it is made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.steps.protocol import Input, Item, Setting
from ai_content_pipeline.steps.thumbnail import Thumbnail


def made(
    labels: list[str], width: int | None = None, height: int | None = None, **params: object
) -> list[Item]:
    step = Thumbnail.model_validate({"name": "small", "type": "thumbnail", "params": params})
    inputs = [
        Input(Pending(f"clips/{n}", Kind.VIDEO, width, height), label) for n, label in enumerate(labels)
    ]
    return list(step.items({Role.INPUT: inputs}, Setting("small", {}, _nothing, _nothing)))


def _nothing(name: str) -> Input:
    raise LookupError(name)


@given(width=st.integers(1, 8000), height=st.integers(1, 8000), size=st.integers(1, 4096))
def test_fits_and_is_never_enlarged(width: int, height: int, size: int) -> None:
    """The longest edge is at most `size`, no edge grows, and none vanishes."""
    (item,) = made(["a"], width, height, size=size)
    w, h = item.makes.width or 0, item.makes.height or 0
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert max(w, h) == min(size, max(width, height))
    assert item.makes.kind is Kind.IMAGE


@given(st.lists(st.sampled_from(["a", "A", "a_2", "A_2", "b", "x" * 64, "X" * 64]), max_size=12))
def test_labels_are_carried_along_and_never_collide(labels: list[str]) -> None:
    """The same labels give the same names, each once, also where upper and lower case are one; the first
    of each keeps its own."""
    found = [item.label for item in made(labels)]
    assert len({label.casefold() for label in found}) == len(labels)
    assert found == [item.label for item in made(labels)]
    assert all(len(label) <= 64 for label in found)
    assert not labels or found[0] == labels[0]


@pytest.mark.parametrize(
    "params", [{"size": 0}, {"size": 4097}, {"quality": 101}, {"format": "gif"}, {"w": 1}]
)
def test_wrong_fields_are_refused(params: dict[str, object]) -> None:
    """Sizes, qualities and formats have limits."""
    with pytest.raises(ValidationError):
        made(["a"], **params)

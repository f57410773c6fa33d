"""Results that decode and yet show nothing are remarked upon, and others are not."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ai_content_pipeline.media.blank import Blank
from ai_content_pipeline.media.encode import encode_video
from ai_content_pipeline.media.images import save_png
from ai_content_pipeline.media.probe import verify

Frames = Callable[[int], Image.Image]


def remark(path: Path) -> str | None:
    blank = Blank()
    verify(path, blank)
    return blank.remark


def black(_: int) -> Image.Image:
    return Image.new("RGB", (96, 64))


def still(_: int) -> Image.Image:
    return Image.linear_gradient("L").resize((96, 64)).convert("RGB")


def moving(number: int) -> Image.Image:
    image = still(number)
    ImageDraw.Draw(image).rectangle((8 * number, 8, 8 * number + 16, 40), "red")
    return image


def dark(number: int) -> Image.Image:
    image = black(number)
    ImageDraw.Draw(image).rectangle((30, 20, 70, 50), (90, 60, 30))
    return image


@pytest.mark.parametrize(("draw", "says"), [(black, "all black"), (still, None), (dark, None)])
def test_a_black_picture_is_remarked_upon(tmp_path: Path, draw: Frames, says: str | None) -> None:
    """Black all over: the vendor may have blacked it out. A dark scene is a picture."""
    save_png(draw(0), tmp_path / "a.png")
    found = remark(tmp_path / "a.png")
    assert (found is None) if says is None else (found is not None and says in found)


@pytest.mark.parametrize(
    ("draw", "says"),
    [(black, "all black"), (still, "nothing moves"), (moving, None), (dark, "nothing moves")],
)
@pytest.mark.parametrize("size", [(96, 64), (50, 34)])  # the second with padded rows
def test_a_black_or_frozen_clip_is_remarked_upon(
    tmp_path: Path, draw: Frames, says: str | None, size: tuple[int, int]
) -> None:
    """Every frame is looked at: one that moves is enough."""
    frames = (draw(number).resize(size) for number in range(8))
    encode_video(frames, tmp_path / "a.mp4", fps=Fraction(8))
    found = remark(tmp_path / "a.mp4")
    assert (found is None) if says is None else (found is not None and says in found)


def test_a_clip_of_one_frame_is_not_frozen(tmp_path: Path) -> None:
    """One picture cannot move."""
    encode_video(iter([still(0)]), tmp_path / "a.mp4", fps=Fraction(8))
    assert remark(tmp_path / "a.mp4") is None

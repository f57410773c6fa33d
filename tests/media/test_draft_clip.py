from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat

from ai_content_pipeline.media import captions
from ai_content_pipeline.media.animatic import fitted
from ai_content_pipeline.media.camera import Move, choose_move, path
from ai_content_pipeline.media.captions import TITLE_SAFE
from ai_content_pipeline.media.draft import Clip, draw_clip, draw_text_clip, with_subjects
from ai_content_pipeline.media.video import encode_video, verify_video

SIZE = {"width": 320, "height": 180}
Box = tuple[int, int, int, int]


def target(size: tuple[int, int] = (320, 180)) -> Image.Image:
    """A white square in the middle of black."""
    image = Image.new("RGB", size, "black")
    x, y = size[0] // 2, size[1] // 2
    ImageDraw.Draw(image).rectangle((x - 20, y - 20, x + 19, y + 19), fill="white")
    return image


def square(image: Image.Image) -> Box:
    box = image.convert("L").point(lambda level: 255 * (level > 127)).getbbox()
    assert box is not None
    return box


def ends(prompt: str, **options: object) -> tuple[Box, Box]:
    """Where the square is in the first and the last frame."""
    first, *_, last = draw_clip(target(), prompt, seconds=1, seed=1, **SIZE, **options)  # type: ignore[arg-type]
    return square(first), square(last)


def width(box: Box) -> int:
    return box[2] - box[0]


def distance(a: Image.Image, b: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) / 3


# The camera does what it is told


def test_zoom_in_makes_things_larger_and_zoom_out_smaller() -> None:
    """Around the middle, from or to the whole picture."""
    first, last = ends("slow zoom in")
    assert first == square(target())
    assert width(last) > 1.15 * width(first)
    assert ends("zoom out") == (last, first)


def test_pans_move_things_the_other_way() -> None:
    """A camera that turns right sees things drift to the left, at the same size."""
    first, last = ends("pan right")
    assert last[0] < first[0] - 15
    assert abs(width(first) - width(last)) <= 1
    assert (first[1], first[3]) == (last[1], last[3])
    left_first, left_last = ends("pan left")
    assert left_last[0] > left_first[0] + 15


def test_tilts_move_things_the_other_way() -> None:
    """A camera that tilts up sees things sink."""
    first, last = ends("tilt up")
    assert last[1] > first[1] + 10
    assert abs(first[0] - last[0]) <= 1
    down_first, down_last = ends("tilt down")
    assert down_last[1] < down_first[1] - 10


def test_static_never_moves() -> None:
    """Every frame is the start picture."""
    frames = list(draw_clip(target(), "static shot", seconds=0.5, seed=1, **SIZE))
    assert all(frame.tobytes() == target().tobytes() for frame in frames)


def test_hand_held_wanders_without_getting_anywhere() -> None:
    """Small moves in both directions, never a jump."""
    boxes = [square(frame) for frame in draw_clip(target(), "hand-held", seconds=3, seed=1, **SIZE)]
    xs, ys = [box[0] for box in boxes], [box[1] for box in boxes]
    assert max(xs) - min(xs) >= 5
    assert max(ys) - min(ys) >= 3
    assert max(abs(a - b) for a, b in pairwise(xs)) <= 4
    assert any(b > a for a, b in pairwise(xs))
    assert any(b < a for a, b in pairwise(xs))


def test_moves_are_smooth() -> None:
    """No jitter: every step goes on in the same direction, and none is large."""

    def middle(frame: Image.Image) -> float:
        columns = frame.convert("L").resize((frame.width, 1), Image.Resampling.BOX).tobytes()
        return sum(x * level for x, level in enumerate(columns)) / sum(columns)

    middles = [middle(frame) for frame in draw_clip(target(), "pan right", seconds=2, seed=1, **SIZE)]
    steps = [a - b for a, b in pairwise(middles)]
    assert all(-0.02 < step < 1.5 for step in steps)
    assert max(abs(a - b) for a, b in pairwise(steps)) < 0.15


@pytest.mark.parametrize(
    ("prompt", "move"),
    [
        ("Slow zoom in on her face", Move.ZOOM_IN),
        ("camera pushes slowly in", Move.ZOOM_IN),
        ("dolly in, then pan left", Move.ZOOM_IN),
        ("a dramatic push-in", Move.ZOOM_IN),
        ("zooms out to reveal the city", Move.ZOOM_OUT),
        ("the camera pulls back", Move.ZOOM_OUT),
        ("dolly out", Move.ZOOM_OUT),
        ("PAN LEFT across the table", Move.PAN_LEFT),
        ("pans slowly to the left", Move.PAN_LEFT),
        ("pan from right to left", Move.PAN_LEFT),
        ("pans from left to right", Move.PAN_RIGHT),
        ("panning shot", Move.PAN_RIGHT),
        ("tracking right with the runner", Move.PAN_RIGHT),
        ("tilt up to the sky", Move.TILT_UP),
        ("crane shot", Move.TILT_UP),
        ("tilts down", Move.TILT_DOWN),
        ("static camera", Move.STATIC),
        ("locked-off shot", Move.STATIC),
        ("no camera movement", Move.STATIC),
        ("handheld documentary", Move.HAND_HELD),
        ("shaky cam", Move.HAND_HELD),
    ],
)
def test_camera_words_are_understood(prompt: str, move: Move) -> None:
    """The first move that a prompt names is made."""
    assert choose_move(prompt, random.Random(1)) is move


@pytest.mark.parametrize("prompt", ["a company of statisticians", "pancakes", "eyes meet, gentle smile", ""])
def test_without_camera_words_the_seed_chooses_a_gentle_move(prompt: str) -> None:
    """Always some motion, and not always the same."""
    moves = {choose_move(prompt, random.Random(seed)) for seed in range(30)}
    assert moves == {Move.ZOOM_IN, Move.ZOOM_OUT, Move.PAN_LEFT, Move.PAN_RIGHT}


@given(st.sampled_from(Move), st.floats(0, 1), st.integers())
def test_no_move_leaves_the_picture_or_cuts_a_caption(move: Move, share: float, seed: int) -> None:
    """The view lies inside the picture, and the title-safe area inside the view."""
    view = path(move, 5, random.Random(seed))(share)
    left, top, right, bottom = view.box(1, 1)
    assert -1e-9 <= left < TITLE_SAFE
    assert -1e-9 <= top < TITLE_SAFE
    assert 1 - TITLE_SAFE < right <= 1 + 1e-9
    assert 1 - TITLE_SAFE < bottom <= 1 + 1e-9


# Frames


@pytest.mark.parametrize(
    ("seconds", "fps", "count"), [(5, 24, 120), (2.5, 30, 75), (0.05, 24, 1), (1, Fraction(30000, 1001), 30)]
)
def test_clips_have_exactly_their_frames(tmp_path: Path, seconds: float, fps: Fraction, count: int) -> None:
    """round(seconds x fps), in the clip and in the file."""
    clip = draw_clip(target((64, 36)), "zoom in", seconds=seconds, fps=fps, width=64, height=36, seed=1)
    assert len(clip) == clip.count == sum(1 for _ in clip) == count
    encode_video(clip, tmp_path / "clip.mp4", fps=fps)
    assert verify_video(tmp_path / "clip.mp4").seconds == pytest.approx(count / fps)


@pytest.mark.parametrize("seconds", [0, -1, 0.01])
def test_less_than_a_frame_is_refused(seconds: float) -> None:
    """At once, not when the first frame is taken."""
    with pytest.raises(ValueError, match="less than one frame"):
        draw_clip(target(), "", seconds=seconds, seed=1, **SIZE)


@pytest.mark.parametrize("prompt", ["zoom in", "zoom out", "pan left", "tilt up", "hand-held", "static"])
def test_the_clip_begins_with_its_start_picture(prompt: str) -> None:
    """Recognisably: a vendor's clip begins there too."""
    start = Image.effect_mandelbrot((320, 180), (-2, -1.2, 1, 1.2), 40).convert("RGB")
    other = start.transpose(Image.Transpose.ROTATE_180)
    first = next(iter(draw_clip(start, prompt, seconds=1, seed=1, **SIZE)))
    assert distance(first, start) < 0.7 * distance(first, other)


@pytest.mark.parametrize("prompt", ["zoom in", "pan left", "hand-held", "static"])
def test_the_last_frame_is_the_end_picture(prompt: str) -> None:
    """Exactly; the way there is a steady dissolve that begins with the start picture alone."""
    end = Image.new("RGB", (320, 180), (200, 40, 90))
    frames = list(draw_clip(target(), prompt, seconds=1, seed=1, end=end, **SIZE))
    assert frames[-1].tobytes() == end.tobytes()
    assert frames[0].getpixel((3, 3)) == (0, 0, 0)
    distances = [distance(frame, end) for frame in frames[10:]]
    assert all(later <= earlier + 0.01 for earlier, later in pairwise(distances))


@pytest.mark.parametrize("size", [(320, 320), (180, 320), (640, 90), (50, 40), (2000, 1500)])
def test_other_shapes_are_cropped_never_stretched(size: tuple[int, int]) -> None:
    """A square stays a square, in the middle."""
    image = Image.new("RGB", size, "black")
    side = min(size) // 4
    x, y = size[0] // 2, size[1] // 2
    ImageDraw.Draw(image).rectangle((x - side, y - side, x + side - 1, y + side - 1), fill="white")
    frame = next(iter(draw_clip(image, "static", seconds=1, seed=1, **SIZE)))
    assert frame.size == (320, 180)
    left, top, right, bottom = square(frame)
    assert abs((right - left) - (bottom - top)) <= 1
    assert abs(left + right - 320) <= 1
    assert abs(top + bottom - 180) <= 1


@example(7, 1, 41, 1)  # rounding puts the crop a hair outside
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90))
def test_fitted_pictures_have_the_size_asked_for(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    """Whatever the two shapes."""
    assert fitted(Image.new("RGBA", (width, height)), to_width, to_height).size == (to_width, to_height)


def test_same_arguments_same_frames_in_another_process() -> None:
    """The seeded moves too; and iterating a clip again shows the same."""
    code = (
        "import hashlib; from ai_content_pipeline.media.draft import draw_text_clip\n"
        "clip = draw_text_clip('a park, hand-held', seconds=0.5, width=96, height=54, seed=5)\n"
        "print(hashlib.sha256(b''.join(frame.tobytes() for frame in clip)).hexdigest())"
    )
    clip = draw_text_clip("a park, hand-held", seconds=0.5, width=96, height=54, seed=5)
    here = [hashlib.sha256(b"".join(frame.tobytes() for frame in clip)).hexdigest() for _ in range(2)]
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert here == [there.strip()] * 2


@pytest.mark.parametrize("size", [(64_000, 64_000), (0, 10), (10, -1)])
def test_absurd_sizes_are_refused_for_clips(size: tuple[int, int]) -> None:
    """Before any memory is taken."""
    with pytest.raises(ValueError, match="pixels"):
        draw_text_clip("a park", seconds=1, width=size[0], height=size[1], seed=1)
    with pytest.raises(ValueError, match="pixels"):
        draw_clip(target(), "", seconds=1, width=size[0], height=size[1], seed=1)


def test_text_clips_draw_their_prompt() -> None:
    """Different prompts, different clips; a list of scenes in it is still one picture."""

    def first(prompt: str) -> Image.Image:
        return next(iter(draw_text_clip(prompt, seconds=1, width=160, height=90, seed=1)))

    assert distance(first("a park at noon, static"), first("a kitchen, static")) > 10
    assert distance(first("Scene 1: a park Scene 2: a park, static"), first("a park, static")) < 60


# Captions of clips


def lower_third(frame: Image.Image) -> Image.Image:
    return frame.crop((0, frame.height * 2 // 3, frame.width, frame.height))


def test_captions_are_drawn_on_request_and_stand_still() -> None:
    """Over the moving picture, in its lower third only."""
    plain = draw_clip(target(), "zoom in on tea", seconds=0.5, seed=1, **SIZE)
    captioned = draw_clip(target(), "zoom in on tea", seconds=0.5, seed=1, caption=True, **SIZE)
    assert plain.notes == captioned.notes == ()
    strips = set()
    for bare, frame in zip(plain, captioned, strict=True):
        assert ImageChops.difference(bare, frame).getbbox()[1] >= 120  # type: ignore[index]
        strips.add(lower_third(frame).point(lambda level: 255 * (level > 200)).tobytes())
    assert len(strips) == 1, "the words do not move"


def test_a_clips_caption_covers_the_one_of_its_picture() -> None:
    """Two captions on top of each other could not be read."""
    white = Image.new("RGB", (320, 180), "white")
    frame = next(iter(draw_clip(white, "static", seconds=1, seed=1, caption=True, **SIZE)))
    assert max(frame.getpixel((2, 175))) < 25  # type: ignore[type-var,arg-type]


def test_captions_do_not_pile_up() -> None:
    """A camera that stands still shows one frame many times, and its caption once in each."""
    clip = draw_clip(
        Image.new("RGB", (320, 180), "white"), "static", seconds=0.2, seed=1, caption=True, **SIZE
    )
    assert len({frame.tobytes() for frame in clip}) == 1


def test_a_clip_without_a_font_has_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its frames are those without a caption."""
    monkeypatch.setattr(captions, "face_for", lambda text: None)
    clip: Clip = draw_clip(target(), "नमस्ते", seconds=0.1, seed=1, caption=True, **SIZE)
    plain = draw_clip(target(), "नमस्ते", seconds=0.1, seed=1, **SIZE)
    assert len(clip.notes) == 1
    assert [frame.tobytes() for frame in clip] == [frame.tobytes() for frame in plain]


def _redness(clip: Clip) -> float:
    """How much redder than blue the frames are, in levels."""
    means = [ImageStat.Stat(frame).mean for frame in clip]
    return sum(red - blue for red, _, blue in means) / len(means)


@pytest.mark.parametrize("number", [1, 3])
def test_a_clip_shows_its_references(number: int) -> None:
    """Clips from words and from a picture take on the colours of their references; without any, nothing
    changes."""
    red, blue = (Image.new("RGB", (64, 64), color) for color in ((255, 0, 0), (0, 0, 255)))
    how = {"seconds": 1, "fps": 2, "seed": 3, **SIZE}
    warm, cold = (
        draw_text_clip("a house by the sea", references=[one] * number, **how) for one in (red, blue)
    )
    assert _redness(warm) > _redness(cold) + 60
    warm, cold = (draw_clip(with_subjects(target(), [one] * number), "still", **how) for one in (red, blue))
    assert _redness(warm) > _redness(cold) + 60
    assert with_subjects(target(), []).tobytes() == target().tobytes()

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from ai_content_pipeline.media import captions, draft
from ai_content_pipeline.media.animatic import seeded
from ai_content_pipeline.media.draft import MAX_PIXELS, draw_still
from ai_content_pipeline.media.storyboard import picture
from ai_content_pipeline.media.storyboard.people import cast
from ai_content_pipeline.media.storyboard.scene import _PLACES
from ai_content_pipeline.media.tiles import Grid, tile_boxes

LOVE_STORY = """\
A 2x2 grid of 4 cinematic panels telling a love story:
Panel 1: Coffee shop meet-cute
Panel 2: Walking in the park
Panel 3: Cooking dinner together
Panel 4: Stargazing on rooftop
Style: cinematic, warm lighting
"""


def distance(a: Image.Image, b: Image.Image) -> float:
    """Mean difference of the pixels, in levels."""
    return sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) / 3


def panels(image: Image.Image, grid: Grid) -> list[Image.Image]:
    return [image.crop(box) for box in tile_boxes(*image.size, grid)]


# Sheets


def test_the_love_story_is_four_distinct_panels_with_their_captions() -> None:
    """The sheet of the main example: clean tiles, each its own picture."""
    drawing = draw_still(LOVE_STORY, width=688, height=384, seed=7)
    assert drawing.captions == (
        "Panel 1: Coffee shop meet-cute",
        "Panel 2: Walking in the park",
        "Panel 3: Cooking dinner together",
        "Panel 4: Stargazing on rooftop",
    )
    assert drawing.notes == ()
    assert drawing.image.size == (688, 384)
    for one, other in combinations(panels(drawing.image, Grid(2, 2)), 2):
        assert distance(one, other) > 15


@pytest.mark.parametrize("size", [(1376, 768), (1001, 701), (50, 97)])
def test_panels_meet_exactly_where_a_sheet_is_cut(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gutter, no remainder: every tile of the sheet is one panel and nothing of its neighbours."""
    colors = [(n * 25, 255 - n * 25, n * n * 3) for n in range(9)]
    paint = iter(colors)
    monkeypatch.setattr(draft, "paint", lambda scene, size, *_: Image.new("RGB", size, next(paint)))
    sheet = draw_still("3x3 grid", width=size[0], height=size[1], seed=1, caption=False).image
    tiles = panels(sheet, Grid(3, 3))
    assert [tile.getcolors() for tile in tiles] == [
        [(tile.width * tile.height, color)] for tile, color in zip(tiles, colors, strict=True)
    ]


def test_a_grid_by_parameter_makes_a_sheet() -> None:
    """The prompt need not ask for it."""
    drawing = draw_still("a quiet lake", width=640, height=360, seed=1, grid=Grid(1, 2))
    assert drawing.captions == ("Panel 1: a quiet lake", "Panel 2: a quiet lake")
    one, other = panels(drawing.image, Grid(1, 2))
    assert distance(one, other) > 1


# Same in, same out


def test_same_arguments_same_pixels_in_another_process() -> None:
    """Nothing but the arguments decides: no hash seed, no clock, no global randomness."""
    code = (
        "import hashlib; from ai_content_pipeline.media.draft import draw_still;"
        f"image = draw_still({LOVE_STORY!r}, width=344, height=192, seed=7).image;"
        "print(hashlib.sha256(image.tobytes()).hexdigest())"
    )
    here = draw_still(LOVE_STORY, width=344, height=192, seed=7).image.tobytes()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there.strip() == hashlib.sha256(here).hexdigest()


def test_threads_do_not_disturb_each_other() -> None:
    """Several panels at once are the panels one after the other."""
    prompts = [f"{text} at night" for text in ("a park", "a street", "a kitchen", "a beach")] * 3
    alone = [draw_still(prompt, width=240, height=135, seed=1).image.tobytes() for prompt in prompts]
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(
                lambda prompt: draw_still(prompt, width=240, height=135, seed=1).image.tobytes(), prompts
            )
        )
    assert together == alone


def test_other_prompts_and_seeds_give_other_pictures() -> None:
    """Each word and each seed changes the composition, of known and unknown words alike."""
    prompts = ["a beach", "a beach at night", "a kitchen", "quarterly revenue", "quarterly losses"]
    images = [
        draw_still(prompt, width=240, height=135, seed=seed, caption=False).image
        for prompt, seed in product(prompts, (1, 2))
    ]
    assert min(distance(one, other) for one, other in combinations(images, 2)) > 1


# What is in the picture


@pytest.mark.parametrize("place", list(_PLACES))
def test_every_place_can_be_drawn_in_every_shape(place: str) -> None:
    """At every hour, in all weathers, with people and animals, in wide, square and tall pictures."""
    word = {"street": "street", "hills": "hills", "space": "planet"}.get(place, place)
    for size, time, crowd in (
        ((320, 180), "night", "a couple with a dog, rain"),
        ((180, 320), "sunset", "close-up of a woman with a cat, snow"),
        ((200, 200), "noon", "wide shot of a man, birds, mist"),
        ((400, 100), "dawn", "two friends, autumn leaves"),
    ):
        image = draw_still(
            f"{word} {word} {word} at {time}, {crowd}", width=size[0], height=size[1], seed=3
        ).image
        assert image.size == size
        assert image.mode == "RGB"
        assert min(ImageStat.Stat(image.crop((0, 0, size[0], size[1] // 2))).stddev) > 3, "nothing in it"


def test_places_of_the_lexicon_are_the_places_that_are_drawn() -> None:
    """A new place needs words and a drawing."""
    assert set(_PLACES) == set(picture._PLACES)


@pytest.mark.parametrize("seed", [1, 2])
def test_people_are_the_same_in_every_panel(seed: int) -> None:
    """The cast belongs to the seed: both people's clothes are in every frame, by day unshaded."""
    people = cast(seeded("cast", seed))
    for place in ("street", "beach", "mountain", "hills"):
        image = draw_still(
            f"a couple, {place} at noon", width=640, height=360, seed=seed, caption=False
        ).image
        middle = image.crop((160, 90, 480, 300))
        colors = {color for _, color in middle.getcolors(1 << 17) or ()}
        assert {person.top for person in people} <= colors


def test_another_seed_is_another_cast() -> None:
    """Or every story would be about the same two."""
    assert len({cast(seeded("cast", seed)) for seed in range(10)}) > 5


def test_references_tint_the_picture_and_are_shown() -> None:
    """A red reference makes the picture redder and stands in its corner."""
    red = Image.new("RGB", (50, 80), (230, 20, 20))
    plain = draw_still("a lake at noon", width=640, height=360, seed=1)
    tinted = draw_still("a lake at noon", width=640, height=360, seed=1, references=[red])
    redness = [ImageStat.Stat(drawing.image.crop((0, 0, 320, 180))) for drawing in (plain, tinted)]
    assert redness[1].mean[0] - redness[1].mean[2] > redness[0].mean[0] - redness[0].mean[2] + 20
    corner = tinted.image.crop((480, 36, 576, 100))
    assert (230, 20, 20) in {color for _, color in corner.getcolors(1 << 16) or ()}


# Words


def test_the_caption_stands_at_the_bottom_and_can_be_left_out() -> None:
    """It changes nothing above itself."""
    captioned = draw_still("a park", width=640, height=360, seed=1)
    bare = draw_still("a park", width=640, height=360, seed=1, caption=False)
    assert (captioned.captions, bare.captions) == (("a park",), ())
    changed = ImageChops.difference(captioned.image, bare.image).getbbox()
    assert changed is not None
    assert changed[1] > 240
    assert changed[3] == 360


@pytest.mark.parametrize("prompt", ["こんにちは、公園で", "नमस्ते दुनिया", "مرحبا بالعالم"])
def test_a_script_without_a_font_costs_the_caption_only(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is there, with a note; no boxes, no crash."""
    monkeypatch.setattr(captions, "face_for", lambda text: None)
    drawing = draw_still(prompt, width=320, height=180, seed=1)
    assert drawing.captions == ()
    assert len(drawing.notes) == 1
    assert "font" in drawing.notes[0]
    assert drawing.image.size == (320, 180)


def test_a_sheet_says_a_note_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four panels without a font are one message."""
    monkeypatch.setattr(captions, "face_for", lambda text: None)
    assert len(draw_still(LOVE_STORY, width=688, height=384, seed=7).notes) == 1


HOSTILE = {
    "long": "a very long word-" * 6000,
    "one word": "x" * 100_000,
    "control": "\x00\x1b[2J\x07\r\n\t\x7f park",
    "bidi": "\u202egnp.exe\u202c \u2066a\u2069",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 at the \U0001f3d6️",
    "zalgo": "p" + "\u0301\u0327\u0338" * 300 + "ark",
    "private": "\ue000\uf8ff\U000f0000",
    "format": "{0.__class__} ${HOME} %s %n [red]",
    "lone surrogate": "park \ud800",
    "empty": "",
    "spaces": " \n\t ",
}


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_prompts_are_drawn(prompt: str) -> None:
    """Whatever the text, there is a picture, and no control character in its caption."""
    drawing = draw_still(prompt, width=320, height=180, seed=1)
    assert drawing.image.size == (320, 180)
    assert all(caption.isprintable() or "\u200d" in caption for caption in drawing.captions)
    assert sum(map(len, drawing.captions)) <= 1000


@given(st.integers(1, 90), st.integers(1, 90), st.integers(), st.sampled_from(list(_PLACES)))
@settings(deadline=None, max_examples=40)
def test_any_size_and_seed_can_be_drawn(width: int, height: int, seed: int, place: str) -> None:
    """One pixel is enough, and every integer is a seed."""
    drawing = draw_still(f"a couple and a cat, {place}", width=width, height=height, seed=seed)
    assert drawing.image.size == (width, height)


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (MAX_PIXELS, 2)])
def test_absurd_sizes_are_refused(size: tuple[int, int]) -> None:
    """Before any memory is taken."""
    with pytest.raises(ValueError, match="pixels"):
        draw_still("a park", width=size[0], height=size[1], seed=1)

"""Tiles cover the picture once; separators are trimmed where there are some, and only there."""

from __future__ import annotations

import io
import random
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.tiles import (
    Box,
    Grid,
    find_separators,
    parse_grid,
    split,
    tile_boxes,
)

SIDES = st.integers(1, 16)
LENGTHS = st.integers(1, 5000)
PAINTS = ["white", "black", "#c81e3c", "#808080"]


@pytest.mark.parametrize(("text", "grid"), [("2x2", Grid(2, 2)), ("1X16", Grid(1, 16)), ("03x1", Grid(3, 1))])
def test_a_grid_is_rows_by_columns(text: str, grid: Grid) -> None:
    """Rows come first, either x will do, and a grid reads as it is written."""
    assert parse_grid(text) == grid
    assert str(Grid(2, 3)) == "2x3"


@pytest.mark.parametrize(
    "text", ["", "2", "x", "2x", "4by4", "2x2x2", " 2x2", "2 x 2", "2x2\n", "-1x2", "2.0x2", "２x２", "²x2"]
)
def test_what_is_no_grid_is_refused_with_an_example(text: str) -> None:
    """Nothing is guessed; the message shows the right form."""
    with pytest.raises(ValueError, match=r"is not a grid; write rows x columns, for example 2x2 or 3x4"):
        parse_grid(text)


@pytest.mark.parametrize("text", ["0x2", "2x0", "17x1", "1x17", "100x100"])
def test_grids_end_at_16(text: str) -> None:
    """A fan-out of thousands is a mistake, and the limit is named."""
    with pytest.raises(ValueError, match=f"{text} is out of range; rows and columns go from 1 to 16"):
        parse_grid(text)


def test_a_long_wrong_grid_is_not_repeated_in_full() -> None:
    """The message stays readable whatever was written."""
    with pytest.raises(ValueError) as caught:
        parse_grid("9" * 100_000)
    assert len(str(caught.value)) < 150


@given(width=LENGTHS, height=LENGTHS, rows=SIDES, cols=SIDES)
@settings(max_examples=300)
def test_tiles_cover_the_picture_exactly_once(width: int, height: int, rows: int, cols: int) -> None:
    """Row by row, without a gap, an overlap or a lost pixel, and even to within one pixel."""
    assume(cols <= width and rows <= height)
    boxes = tile_boxes(width, height, Grid(rows, cols))
    assert len(boxes) == rows * cols
    for row in range(rows):
        line = boxes[row * cols : (row + 1) * cols]
        assert [box[0] for box in line] == [0, *(box[2] for box in line[:-1])]
        assert line[-1][2] == width
        assert {(box[1], box[3]) for box in line} == {(line[0][1], line[0][3])}
    column = boxes[::cols]
    assert [box[1] for box in column] == [0, *(box[3] for box in column[:-1])]
    assert column[-1][3] == height
    for sizes in ([right - left for left, _, right, _ in boxes], [low - top for _, top, _, low in boxes]):
        assert min(sizes) >= 1
        assert max(sizes) - min(sizes) <= 1


@given(length=LENGTHS, parts=SIDES, gutter=st.integers(0, 200))
@settings(max_examples=300)
def test_a_gutter_is_dropped_between_neighbours_only(length: int, parts: int, gutter: int) -> None:
    """Neighbours are `gutter` apart, the first and the last tile touch the rim, all are even."""
    assume(length - gutter * (parts - 1) >= parts)
    boxes = tile_boxes(length, 7, Grid(1, parts), gutter)
    assert boxes[0][0] == 0
    assert boxes[-1][2] == length
    assert all(after[0] - before[2] == gutter for before, after in pairwise(boxes))
    sizes = [right - left for left, _, right, _ in boxes]
    assert max(sizes) - min(sizes) <= 1
    assert {(top, low) for _, top, _, low in boxes} == {(0, 7)}


@given(width=LENGTHS, height=LENGTHS, rows=SIDES, cols=SIDES, gutter=st.integers(0, 500))
def test_a_tile_has_at_least_one_pixel(width: int, height: int, rows: int, cols: int, gutter: int) -> None:
    """Where a tile would be empty the picture is refused; where none is, it is cut."""
    small = width - gutter * (cols - 1) < cols or height - gutter * (rows - 1) < rows
    if small:
        with pytest.raises(BadMedia, match=f"a {width}x{height} picture is too small for a {rows}x{cols}"):
            tile_boxes(width, height, Grid(rows, cols), gutter)
    else:
        assert len(tile_boxes(width, height, Grid(rows, cols), gutter)) == rows * cols


def test_a_negative_gutter_is_a_mistake() -> None:
    """Overlapping tiles are not on offer."""
    with pytest.raises(ValueError, match="gutter: -1 is negative"):
        tile_boxes(100, 100, Grid(2, 2), -1)


def test_split_returns_the_pixels_of_each_box() -> None:
    """Put together again the tiles are the picture, transparency included."""
    image = Image.frombytes("RGBA", (13, 7), random.Random(1).randbytes(13 * 7 * 4))
    boxes = tile_boxes(13, 7, Grid(3, 4))
    tiles = split(image, boxes)
    again = Image.new("RGBA", image.size)
    for tile, box in zip(tiles, boxes, strict=True):
        again.paste(tile, box[:2])
    assert again.tobytes() == image.tobytes()


def panel(width: int, height: int, seed: int) -> Image.Image:
    """A picture with soft areas and a little grain."""
    source = random.Random(seed)
    coarse = (max(2, width // 24), max(2, height // 24))
    soft = Image.frombytes("RGB", coarse, source.randbytes(coarse[0] * coarse[1] * 3))
    grain = Image.frombytes("RGB", (width, height), source.randbytes(width * height * 3))
    return Image.blend(soft.resize((width, height), Image.Resampling.BICUBIC), grain, 0.1)


def board(
    size: tuple[int, int], grid: Grid, *, line: int, border: int, paint: str, shift: int = 0
) -> tuple[Image.Image, tuple[Box, ...]]:
    """A grid picture drawn with separators and a border; `shift` moves the first column's right edge."""
    width, height = size
    image, boxes = Image.new("RGB", size, paint), []
    for left_, top_, right_, low_ in tile_boxes(width - 2 * border, height - 2 * border, grid, line):
        left, top, right, low = left_ + border, top_ + border, right_ + border, low_ + border
        left += shift if left_ else 0
        right += 0 if right_ == width - 2 * border else shift
        image.paste(panel(right - left, low - top, left * 7 + top), (left, top))
        boxes.append((left, top, right, low))
    return image, tuple(boxes)


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def off(found: tuple[Box, ...], drawn: tuple[Box, ...]) -> int:
    assert len(found) == len(drawn)
    return max(
        abs(a - b) for one, other in zip(found, drawn, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("paint", PAINTS)
@pytest.mark.parametrize("grid", [Grid(2, 2), Grid(3, 3), Grid(2, 4), Grid(1, 1)], ids=str)
@pytest.mark.parametrize(
    ("line", "border"), [(1, 0), (2, 2), (5, 0), (8, 8), (8, 13), (20, 0), (25, 20), (3, 25)]
)
def test_separators_and_borders_are_found_exactly(grid: Grid, line: int, border: int, paint: str) -> None:
    """Lines and borders of any flat colour, up to 8 % thick, are trimmed to the pixel."""
    image, drawn = board((400, 320), grid, line=line, border=border, paint=paint)
    assert find_separators(image, grid) == drawn


@pytest.mark.parametrize("paint", PAINTS)
@pytest.mark.parametrize("quality", [75, 90])
@pytest.mark.parametrize(("line", "border"), [(6, 0), (6, 6), (16, 10)])
def test_jpeg_noise_does_not_hide_them(line: int, border: int, paint: str, quality: int) -> None:
    """After lossy compression they are found to within the two pixels that it blurs."""
    image, drawn = board((700, 500), Grid(2, 3), line=line, border=border, paint=paint)
    assert off(find_separators(as_jpeg(image, quality), Grid(2, 3)), drawn) <= 2


@pytest.mark.parametrize("shift", [-14, -5, 5, 14])
@pytest.mark.parametrize("line", [2, 8, 16])
def test_separators_may_lie_beside_the_exact_grid(line: int, shift: int) -> None:
    """Generated grids are not exact: a line 2 % off is still the line."""
    image, drawn = board((640, 640), Grid(2, 2), line=line, border=0, paint="white", shift=shift)
    assert find_separators(image, Grid(2, 2)) == drawn


def test_border_and_separators_of_different_colours() -> None:
    """A black frame around white lines: both go."""
    inner, drawn = board((600, 400), Grid(2, 2), line=8, border=0, paint="white")
    image = Image.new("RGB", (640, 440), "black")
    image.paste(inner, (20, 20))
    assert find_separators(image, Grid(2, 2)) == tuple(
        (left + 20, top + 20, right + 20, low + 20) for left, top, right, low in drawn
    )


def test_a_single_border_needs_a_separator_of_its_colour() -> None:
    """A white strip on the left goes where white lines say that it is paint."""
    lines, drawn = board((600, 400), Grid(1, 2), line=8, border=0, paint="white")
    image = Image.new("RGB", (612, 400), "white")
    image.paste(lines, (12, 0))
    assert off(find_separators(image, Grid(1, 2)), tuple((a + 12, b, c + 12, d) for a, b, c, d in drawn)) == 0
    alone = panel(600, 400, 3)
    alone.paste("white", (0, 0, 12, 400))
    assert find_separators(alone, Grid(1, 1)) == ((0, 0, 600, 400),)


def test_a_dark_side_does_not_hide_the_line() -> None:
    """A strip that may be a border, but is none, moves nothing."""
    image = panel(640, 320, 3)
    image.paste((9, 8, 12), (0, 0, 50, 320))
    image.paste("white", (312, 0, 328, 320))
    assert find_separators(image, Grid(1, 2)) == ((0, 0, 312, 320), (328, 0, 640, 320))


def test_two_lines_side_by_side_leave_a_tile_between_them() -> None:
    """One line cannot serve the cut to its left and its neighbour the cut to its right."""
    image = panel(128, 64, 3)
    image.paste("black", (0, 0, 5, 64))
    image.paste("white", (21, 0, 26, 64))
    image.paste("black", (26, 0, 31, 64))
    boxes = find_separators(image, Grid(1, 8))
    assert all(right - left >= 3 for left, _, right, _ in boxes)


def test_a_picture_of_few_rows_has_no_flat_columns() -> None:
    """In a picture one pixel high every column has one colour; that says nothing."""
    image = panel(600, 3, 1)
    image.paste("white", (296, 0, 304, 3))
    assert find_separators(image, Grid(1, 2)) == tile_boxes(600, 3, Grid(1, 2))


def test_the_blur_of_a_line_belongs_to_it() -> None:
    """A column that is more paint than picture is not left as a pale edge on the tile."""
    image = panel(600, 300, 2)
    image.paste("white", (294, 0, 306, 300))
    for column in (293, 306):
        box = (column, 0, column + 1, 300)
        image.paste(Image.blend(image.crop(box), Image.new("RGB", (1, 300), "white"), 0.8), box)
    assert find_separators(image, Grid(1, 2)) == ((0, 0, 293, 300), (307, 0, 600, 300))


def test_only_one_of_two_lines_is_there() -> None:
    """Where a line is missing the cut is where it would be without trimming; the other is trimmed."""
    image = panel(900, 300, 1)
    image.paste("black", (596, 0, 604, 300))
    assert find_separators(image, Grid(1, 3)) == ((0, 0, 300, 300), (300, 0, 596, 300), (604, 0, 900, 300))


def test_transparent_separators() -> None:
    """Lines that show nothing are separators, whatever is stored beneath."""
    opaque, drawn = board((400, 400), Grid(2, 2), line=10, border=10, paint="black")
    image = panel(400, 400, 4).convert("RGBA")
    image.putalpha(0)
    for box in drawn:
        image.paste(opaque.crop(box), box[:2])
    assert find_separators(image, Grid(2, 2)) == drawn


def fading(width: int, height: int, reach: int) -> Image.Image:
    """A picture that fades to black at its left within `reach` pixels."""
    ramp = Image.new("L", (width, 1))
    ramp.putdata([min(255, 255 * x // reach) for x in range(width)])
    return Image.composite(
        panel(width, height, 5), Image.new("RGB", (width, height)), ramp.resize((width, height))
    )


def content() -> dict[str, Image.Image]:
    """Pictures without any separator that might be taken for one with some."""
    width, height = size = 640, 480
    half = width // 2
    pictures = {f"fades within {reach}": fading(width, height, reach) for reach in (15, 40, 120, 400)}
    for name, box in {
        "dark at the left": (0, 0, 40, height),
        "dark at the bottom": (0, 450, width, height),
        "dark wall left of the middle": (half - 24, 0, half, height),
        "dark wall right of the middle": (half, 0, half + 40, height),
        "wide dark middle": (half - 80, 0, half + 80, height),
        "middle a little wider than a separator": (half - 30, 0, half + 30, height),
    }.items():
        pictures[name] = panel(width, height, 7)
        pictures[name].paste((9, 8, 12), box)
    night = panel(width, height, 8)
    night.paste(panel(40, height, 2).point(lambda level: level // 8), (0, 0))
    fence = panel(width, 8 * height, 6)
    fence.paste(Image.effect_noise((30, 8 * height), 20).convert("RGB"), (half - 15, 0))
    stripe = Image.new("RGB", size, (200, 200, 200))
    stripe.paste((216, 216, 216), (half - 4, 0, half + 4, height))
    slope = Image.linear_gradient("L").rotate(90).resize((40, height)).convert("RGB")
    falling = Image.new("RGB", size, "white")
    falling.paste(slope, (0, 0))
    falling.paste((3, 3, 3), (width - 12, 0, width, height))
    vignette = Image.radial_gradient("L").resize(size)
    pictures |= {
        "night at the left": night,
        "grain at the middle of a tall picture": fence,
        "faint stripe": stripe,
        "flat, falling off to dark, and dark at the other side": falling,
        "vignette": Image.composite(Image.new("RGB", size), panel(width, height, 4), vignette),
        "white": Image.new("RGB", size, "white"),
        "gradient": Image.linear_gradient("L").resize(size).convert("RGB"),
        "radial": Image.radial_gradient("L").resize(size).convert("RGB"),
        "product on white": Image.new("RGB", size, "white"),
        "grain": panel(width, height, 9),
    }
    ImageDraw.Draw(pictures["product on white"]).ellipse((80, 80, 400, 400), fill="navy")
    return pictures


CONTENT = content()


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(2, 2), Grid(3, 3)], ids=str)
def test_content_is_never_trimmed(name: str, grid: Grid) -> None:
    """Dark sides, walls, fades and white backgrounds stay whole, also as JPEG: the plain cut is made."""
    image = CONTENT[name]
    plain = tile_boxes(*image.size, grid)
    assert find_separators(image, grid) == plain
    assert find_separators(as_jpeg(image, 85), grid) == plain


def test_too_small_for_the_grid() -> None:
    """Trimming refuses what cutting refuses."""
    with pytest.raises(BadMedia, match="a 5x5 picture is too small for a 2x6 grid"):
        find_separators(Image.new("RGB", (5, 5)), Grid(2, 6))


@given(
    width=st.integers(1, 120),
    height=st.integers(1, 60),
    rows=st.integers(1, 8),
    cols=st.integers(1, 8),
    lines=st.lists(st.tuples(st.integers(0, 119), st.integers(1, 12), st.sampled_from(PAINTS)), max_size=30),
    turned=st.booleans(),
)
@settings(deadline=None, max_examples=200)
def test_trimmed_tiles_are_always_sound(
    width: int, height: int, rows: int, cols: int, lines: list[tuple[int, int, str]], turned: bool
) -> None:
    """Whatever stripes a picture has, tiles lie inside it, have pixels and do not overlap."""
    assume(cols <= width and rows <= height)
    image = panel(width, height, width)
    for start, thickness, paint in lines:
        image.paste(paint, (start, 0, start + thickness, height))
    if turned:
        image, rows, cols = image.transpose(Image.Transpose.TRANSPOSE), cols, rows
    boxes = find_separators(image, Grid(rows, cols))
    assert len(boxes) == rows * cols
    covered = Image.new("L", image.size)
    for left, top, right, low in boxes:
        assert 0 <= left < right <= image.width
        assert 0 <= top < low <= image.height
        assert covered.crop((left, top, right, low)).getbbox() is None
        covered.paste(255, (left, top, right, low))

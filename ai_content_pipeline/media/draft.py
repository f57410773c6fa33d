"""The free built-in renderer: a storyboard frame from a prompt, an animatic from a picture.

Everything is decided by the arguments: same inputs and seed, same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from ai_content_pipeline.media.animatic import MAX_PIXELS, Clip, check_size, draw_clip, fitted, seeded
from ai_content_pipeline.media.captions import TITLE_SAFE, clean, make_caption
from ai_content_pipeline.media.panels import Board, read_board, titled
from ai_content_pipeline.media.storyboard.palette import grade
from ai_content_pipeline.media.storyboard.people import Person, cast
from ai_content_pipeline.media.storyboard.picture import paint, repaint
from ai_content_pipeline.media.storyboard.scene import read_edit, read_scene
from ai_content_pipeline.media.tiles import Grid, tile_boxes

__all__ = [
    "MAX_PIXELS",
    "Clip",
    "Drawing",
    "draw_clip",
    "draw_edit",
    "draw_still",
    "draw_text_clip",
    "panel_prompts",
    "with_subjects",
]

_PRINTS = 4
_PAPER = (250, 248, 242)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn picture, RGB; the caption of each panel, row by row; notes for people."""

    image: Image.Image
    captions: tuple[str, ...]
    notes: tuple[str, ...] = ()


def draw_still(
    prompt: str,
    *,
    width: int,
    height: int,
    seed: int,
    grid: Grid | None = None,
    caption: bool = True,
    references: Sequence[Image.Image] = (),
) -> Drawing:
    """Draw what a prompt says, `width` x `height` pixels.

    A prompt that asks for a grid of panels, or `grid`, gives a sheet without gutters that
    `tiles.tile_boxes` cuts into clean panels, the same people in each. `references` tint the picture
    and are shown small in a corner. Raises ValueError above MAX_PIXELS, BadMedia for a sheet too small
    for its panels.
    """
    check_size(width, height)
    artist = _Artist(seed, caption, references)
    board = read_board(prompt, grid)
    if board is None:
        return artist.panel((width, height), prompt)
    return artist.sheet((width, height), board)


def draw_edit(
    image: Image.Image,
    prompt: str,
    *,
    width: int,
    height: int,
    seed: int,
    caption: bool = True,
    references: Sequence[Image.Image] = (),
) -> Drawing:
    """A picture changed as far as a draft can: hour, weather and mood are the prompt's, the rest is its own.

    `width` x `height` pixels, cropped around the middle; the prompt is the caption. Raises ValueError
    above MAX_PIXELS.
    """
    check_size(width, height)
    return _Artist(seed, caption, references).edit(fitted(image, width, height), prompt)


def with_subjects(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """A picture tinted by its references, which are shown small in a corner; without any, itself."""
    if not references:
        return image
    changed = grade(image.convert("RGB"), "", references)
    _inset(changed, references)
    return changed


def panel_prompts(prompt: str) -> tuple[Grid, list[str]] | None:
    """The grid a prompt asks for and the caption of each panel ("Panel 1: …"); None for one picture."""
    board = read_board(prompt)
    return (board.grid, [clean(caption) for caption in board.captions]) if board else None


def draw_text_clip(
    prompt: str,
    *,
    seconds: float,
    fps: float | Fraction = 24,
    width: int,
    height: int,
    seed: int,
    end: Image.Image | None = None,
    caption: bool = False,
    references: Sequence[Image.Image] = (),
) -> Clip:
    """A clip without a start picture: the prompt is drawn, then moved over, as `draw_clip` does."""
    check_size(width, height)
    still = _Artist(seed, False, references).panel((width, height), prompt).image
    return draw_clip(
        still,
        prompt,
        seconds=seconds,
        fps=fps,
        width=width,
        height=height,
        seed=seed,
        end=end,
        caption=caption,
    )


class _Artist:
    """Draws the panels of one picture: one seed, one cast, one set of references."""

    def __init__(self, seed: int, caption: bool, references: Sequence[Image.Image]) -> None:
        self.seed, self.caption, self.references = seed, caption, references
        self.people: tuple[Person, Person] = cast(seeded("cast", seed))

    def sheet(self, size: tuple[int, int], board: Board) -> Drawing:
        sheet = Image.new("RGB", size)
        drawings = []
        for box, label, text in zip(tile_boxes(*size, board.grid), board.labels, board.texts, strict=True):
            tile = (box[2] - box[0], box[3] - box[1])
            drawing = self.panel(tile, text, label, board.shared)
            sheet.paste(drawing.image, box[:2])
            drawings.append(drawing)
        captions = tuple(caption for drawing in drawings for caption in drawing.captions)
        notes = dict.fromkeys(note for drawing in drawings for note in drawing.notes)
        return Drawing(sheet, captions, tuple(notes))

    def panel(self, size: tuple[int, int], text: str, label: str = "", shared: str = "") -> Drawing:
        rng = seeded(self.seed, label, text, shared)
        scene = read_scene(text, shared, rng)
        image = paint(scene, size, rng, self.people, self.references)
        return self._finished(image, text, label)

    def edit(self, image: Image.Image, text: str) -> Drawing:
        rng = seeded(self.seed, "edit", text)
        changed = repaint(image, read_edit(text), rng, self.people, self.references)
        return self._finished(changed, text, cover=True)

    def _finished(self, image: Image.Image, text: str, label: str = "", *, cover: bool = False) -> Drawing:
        _inset(image, self.references)
        if not self.caption:
            return Drawing(image, ())
        caption = make_caption(image.size, text, label=label, cover=cover)
        if caption.strip is None:
            return Drawing(image, (), (caption.note,) if caption.note else ())
        caption.draw_on(image)
        return Drawing(image, (clean(titled(label, text)),))


def _inset(image: Image.Image, references: Sequence[Image.Image]) -> None:
    """Show up to four references as small prints in the upper right corner, in place."""
    side, border = round(min(image.size) * 0.17), max(1, round(min(image.size) * 0.008))
    right, top = image.width - round(image.width * TITLE_SAFE), round(image.height * TITLE_SAFE)
    for number, reference in enumerate(references[:_PRINTS], start=1):
        left = right - number * side - (number - 1) * 2 * border
        if side <= 2 * border or left < 0:
            return
        image.paste(_PAPER, (left, top, left + side, top + side))
        inner = side - 2 * border
        image.paste(fitted(reference, inner, inner), (left + border, top + border))

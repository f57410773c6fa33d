"""What a finished job returns: real pictures and clips, small and drawn once.

A `Media` value says all that its bytes depend on (prompt, inputs, seed, size), so equal jobs share
one file and the same job gives the same pixels in every run.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypedDict

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.errors import BadMedia

from .inputs import clip_size, first_frame, opened
from .quantities import Source

if TYPE_CHECKING:
    from PIL.Image import Image

#: What there is to see: what was asked for, or what a fault puts in its place.
Shows = Literal["subject", "off_subject", "black"]
KEPT = 1024  # files kept in memory; one that was dropped is drawn again


@dataclass(frozen=True, slots=True)
class Media:
    """One output file. Sizes in pixels, `seconds` 0 for a picture; `inputs` are files or other outputs."""

    kind: Kind
    prompt: str
    width: int
    height: int
    seconds: float
    fps: int
    seed: int
    inputs: tuple[bytes | Media, ...] = ()
    shows: Shows = "subject"

    @property
    def content_type(self) -> str:
        return "video/mp4" if self.kind is Kind.VIDEO else "image/png"

    @property
    def suffix(self) -> str:
        return ".mp4" if self.kind is Kind.VIDEO else ".png"

    def digest(self) -> bytes:
        """32 bytes that depend on everything the pixels depend on."""
        parts = [source if isinstance(source, bytes) else source.digest() for source in self.inputs]
        known: tuple[object, ...] = (self.kind.value, self.prompt, self.width, self.height)
        known += (self.seconds, self.fps, self.seed)
        known += () if self.shows == "subject" else (self.shows,)
        return hashlib.sha256(repr((known, [hashlib.sha256(p).digest() for p in parts])).encode()).digest()


class Renderer:
    """Draws media in the background and keeps the files. `start` is cheap; `get` waits."""

    def __init__(self, look: Literal["draft", "plain"]) -> None:
        self._draw = draw_plain if look == "plain" else draw_draft
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="sandbox-media")
        self._files: OrderedDict[Media, Future[bytes]] = OrderedDict()

    def start(self, media: Media) -> Future[bytes]:
        future = self._files.get(media)
        if future is None:
            draw = _INSTEAD.get(media.shows, self._draw)
            future = self._files[media] = self._pool.submit(draw, media)
            if len(self._files) > KEPT:
                self._files.popitem(last=False)
        else:
            self._files.move_to_end(media)
        return future

    async def get(self, media: Media) -> bytes:
        return await asyncio.wrap_future(self.start(media))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


# ---- sizes ------------------------------------------------------------------------------------------

_NAMED_SIZES = {
    "square_hd": (1, 1),
    "square": (1, 1),
    "portrait_4_3": (3, 4),
    "portrait_16_9": (9, 16),
    "landscape_4_3": (4, 3),
    "landscape_16_9": (16, 9),
}


def size_of(
    payload: Mapping[str, object], kind: Kind, source: Source | None, longest: int
) -> tuple[int, int]:
    """Width and height, both even: the aspect that was asked for, else the input's, else the usual."""
    asked = _ratio(payload.get("aspect_ratio"), ":") or _image_size(payload.get("image_size"))
    usual = (16, 9) if kind is Kind.VIDEO else (1, 1)
    width, height = asked or ((source.width, source.height) if source else usual)
    scale = longest / max(width, height)
    return tuple(max(16, round(side * scale / 2) * 2) for side in (width, height))  # type: ignore[return-value]


def _image_size(value: object) -> tuple[int, int] | None:
    if isinstance(value, Mapping):
        return _ratio(f"{value.get('width')}:{value.get('height')}", ":")
    return _NAMED_SIZES.get(value) if isinstance(value, str) else None


def _ratio(value: object, mark: str) -> tuple[int, int] | None:
    parts = value.split(mark) if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and int(part[:6]) for part in parts):
        return None
    width, height = (int(part[:6]) for part in parts)
    return (width, height) if max(width, height) <= 16 * min(width, height) else None


def measured(source: bytes | Media) -> Source | None:
    """Size and length of an input; None for what is neither a picture nor a clip."""
    if isinstance(source, Media):
        return Source(source.width, source.height, source.seconds)
    image = opened(source)
    return Source(*image.size) if image else clip_size(source)


def data_uri(text: str) -> bytes | None:
    """The bytes of a ``data:…;base64,`` URI; None for any other text."""
    head, mark, body = text.partition(";base64,")
    if not mark or not head.startswith("data:"):
        return None
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        return None


_STRONG = ((230, 20, 20), (20, 200, 20), (20, 20, 230), (20, 200, 200), (200, 20, 200), (210, 210, 0))

# ---- drawing ----------------------------------------------------------------------------------------


def draw_plain(media: Media) -> bytes:
    """One colour, different for every digest."""
    from PIL import Image

    red, green, blue = media.digest()[:3]
    image = Image.new("RGB", (media.width, media.height), (red, green, blue))
    return _plain(image, media)


def _plain(image: Image, media: Media) -> bytes:
    if media.kind is Kind.IMAGE:
        return as_bytes(image, "PNG")
    return _encoded((image for _ in range(max(1, round(media.seconds * media.fps)))), media)


def draw_off_subject(media: Media) -> bytes:
    """Of some strong colours the one that is furthest from what the inputs show on the whole."""
    from PIL import Image

    means = [image.resize((1, 1)).getpixel((0, 0)) for source in media.inputs if (image := _picture(source))]
    shown = [mean for mean in means if isinstance(mean, tuple)] or [(128, 128, 128)]

    def distance(colour: tuple[int, int, int]) -> float:
        return min(sum((one - other) ** 2 for one, other in zip(colour, mean, strict=True)) for mean in shown)

    return _plain(Image.new("RGB", (media.width, media.height), max(_STRONG, key=distance)), media)


def draw_black(media: Media) -> bytes:
    from PIL import Image

    return _plain(Image.new("RGB", (media.width, media.height)), media)


_INSTEAD: Mapping[Shows, Callable[[Media], bytes]] = {"off_subject": draw_off_subject, "black": draw_black}


def draw_draft(media: Media) -> bytes:
    """The built-in renderer's frame or animatic; one colour for a board whose panels are too small."""
    from ai_content_pipeline.media.draft import draw_clip, draw_still, draw_text_clip

    width, height = media.width, media.height
    seed = int.from_bytes(media.digest()[:6])  # so that every input changes the picture
    pictures = [image for source in media.inputs if (image := _picture(source))]
    if media.kind is Kind.IMAGE:
        try:
            drawing = draw_still(media.prompt, width=width, height=height, seed=seed, references=pictures)
        except BadMedia:
            return draw_plain(media)
        return as_bytes(drawing.image, "PNG")
    about: _Clip = {
        "seconds": media.seconds,
        "fps": media.fps,
        "width": width,
        "height": height,
        "seed": seed,
    }
    if pictures:
        return _encoded(draw_clip(pictures[0], media.prompt, **about), media)
    return _encoded(draw_text_clip(media.prompt, **about), media)


class _Clip(TypedDict):
    seconds: float
    fps: int
    width: int
    height: int
    seed: int


def _picture(source: bytes | Media) -> Image | None:
    """The input as a picture, a clip's first frame; None for a damaged file or an address elsewhere."""
    data = draw_draft(source) if isinstance(source, Media) else source
    image = opened(data)
    try:
        return image.convert("RGB") if image else first_frame(data)
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for damaged files
        return None


def _encoded(frames: Iterable[Image], media: Media) -> bytes:
    from ai_content_pipeline.media.video import encode_video

    with TemporaryDirectory(prefix="aicp-sandbox-") as folder:
        path = Path(folder) / "clip.mp4"
        encode_video(frames, path, fps=media.fps)
        return path.read_bytes()


def as_bytes(image: Image, image_format: str) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, compress_level=1)  # other formats ignore the PNG option
    return out.getvalue()


def another_format(data: bytes, image_format: str) -> bytes:
    """A small picture in `image_format`, in place of `data` whatever that was."""
    from PIL import Image

    red, green, blue = hashlib.sha256(data).digest()[:3]
    return as_bytes(Image.new("RGB", (32, 32), (red, green, blue)), image_format)

"""How alike a picture is to a reference, by a named measure. The names say what is looked at, and no more.

``color``
    Lab a,b histograms, blurred, compared by the Bhattacharyya coefficient. A colour counts the more the
    stronger it is, because walls, sky and streets are in most scenes and belong to no subject. Blind to
    shape: another person in the same coat scores well.
``color+orb``
    ``color``, raised by the share of ORB features that one similarity transform maps onto the reference.
    Needs OpenCV.
``clip``
    Cosine of the image embeddings of a local model's vision tower: what is shown, more than how it is
    coloured. Needs torch and the tower's weights.

Scores run from 0 to 1 and are comparable only within one metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from ai_content_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

#: What a metric sees in a picture; it is handed to nobody but that metric.
Look = Any

_EDGE = 128  # pixels of the longest side that colours are counted on
_BINS = 16  # a side: 16 x 16 bins are the 256 that Pillow counts in one go
_REACH = 80.0  # a and b beyond this fall into the outermost bins
_STRONG = 60.0  # a chroma from which on a colour counts in full
_FAINT = 0.01  # what a grey counts, so that black and white pictures compare at all


class Metric(Protocol):
    """One way to compare pictures. `look` is what it sees in one, so that a reference is looked at once."""

    def look(self, picture: Image) -> Look: ...

    def alike(self, reference: Look, picture: Look) -> float:
        """0 (nothing in common) to 1."""
        ...


class Color:
    """``color``, with Pillow alone."""

    def look(self, picture: Image) -> tuple[float, ...]:
        """The shares of 16 x 16 bins of the a,b plane, a first; they add up to 1."""
        from PIL import ImageChops, ImageCms

        small = opaque(picture)
        small.thumbnail((_EDGE, _EDGE), reducing_gap=2.0)
        transformed = ImageCms.applyTransform(small, _to_lab())
        assert transformed is not None
        _, a, b = transformed.split()
        bins = [_bin(value) for value in range(256)]
        joint = ImageChops.add(a.point([_BINS * number for number in bins]), b.point(bins))
        blurred = _blurred(
            [count * weight for count, weight in zip(joint.histogram(), _weights(), strict=True)]
        )
        whole = sum(blurred)
        return tuple(share / whole for share in blurred)

    def alike(self, reference: tuple[float, ...], picture: tuple[float, ...]) -> float:
        shared = sum(math.sqrt(one * other) for one, other in zip(reference, picture, strict=True))
        return min(1.0, shared)


def score(metric: Metric, references: Sequence[Look], pictures: Sequence[Look]) -> float:
    """How alike the pictures of one result are to the reference pictures of one subject: of each the best
    match, and of a clip's frames the mean."""
    best = [max(metric.alike(reference, picture) for reference in references) for picture in pictures]
    return sum(best) / len(best)


def opaque(picture: Image) -> Image:
    """A copy as RGB; what is transparent becomes grey, which no metric takes much notice of."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB").copy()
    ground = Image.new("RGB", picture.size, (128, 128, 128))
    ground.paste(picture, mask=picture.convert("RGBA").getchannel("A"))
    return ground


# -- which there are -------------------------------------------------------------------------------------


def _color(environ: Mapping[str, str]) -> Metric:
    return Color()


def _color_and_orb(environ: Mapping[str, str]) -> Metric:
    from ai_content_pipeline.references.metrics_orb import ColorAndOrb

    return ColorAndOrb()


def _clip(environ: Mapping[str, str]) -> Metric:
    from ai_content_pipeline.references.metrics_clip import Clip

    return Clip(environ)


METRICS: Mapping[str, Callable[[Mapping[str, str]], Metric]] = {
    "color": _color,
    "color+orb": _color_and_orb,
    "clip": _clip,
}

#: The number of a metric grows when its scores change, so that remembered ones are not believed.
VERSIONS: Mapping[str, int] = {"color": 1, "color+orb": 1, "clip": 1}

#: The module that a metric needs, and the extra that brings it.
_NEEDS: Mapping[str, tuple[str, str]] = {"color+orb": ("cv2", "orb"), "clip": ("diffusers", "diffusers")}
_NOTHING: Mapping[str, str] = MappingProxyType({})


def require(name: str, environ: Mapping[str, str] = _NOTHING) -> None:
    """Find out before anything is paid whether a metric can be used; nothing heavy is imported. `environ`
    says where models lie.

    Raises:
        ConfigurationError: a package or weights are missing; the hint gets them.
    """
    module, extra = _NEEDS.get(name, (None, ""))
    if module is not None and find_spec(module) is None:
        raise ConfigurationError(
            f"the metric {name!r} needs a package that is not installed",
            hint=f"pip install 'ai-content-pipeline[{extra}]', or use 'metric: color'",
        )
    if name == "clip":
        from ai_content_pipeline.providers.local import vision

        vision.find(environ)


def metric(name: str, environ: Mapping[str, str] = _NOTHING) -> Metric:
    """The metric called `name`.

    Raises:
        ConfigurationError: it cannot be used here.
    """
    require(name, environ)
    return METRICS[name](environ)


# -- colours ---------------------------------------------------------------------------------------------


@cache
def _to_lab() -> ImageCmsTransform:
    from PIL import ImageCms

    return ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )


def _bin(value: int) -> int:
    """The bin of an a or b value; Pillow stores it plus 128."""
    place = (value - 128 + _REACH) * _BINS / (2 * _REACH)
    return max(0, min(_BINS - 1, int(place)))


@cache
def _weights() -> tuple[float, ...]:
    """By bin, how much a pixel of that colour counts."""
    centres = [(number + 0.5) * 2 * _REACH / _BINS - _REACH for number in range(_BINS)]
    return tuple(_FAINT + min(1.0, (math.hypot(a, b) / _STRONG) ** 2) for a in centres for b in centres)


def _blurred(bins: Sequence[float]) -> list[float]:
    """Each bin shared with its neighbours, so that a slight shift of colour is a slight loss."""
    rows = [_softened(bins[start : start + _BINS]) for start in range(0, _BINS * _BINS, _BINS)]
    columns = [_softened(column) for column in zip(*rows, strict=True)]
    return [share for row in zip(*columns, strict=True) for share in row]


def _softened(line: Sequence[float]) -> list[float]:
    padded = (line[0], *line, line[-1])
    return [(padded[at] + 2 * padded[at + 1] + padded[at + 2]) / 4 for at in range(len(line))]

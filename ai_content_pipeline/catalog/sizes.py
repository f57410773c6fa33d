"""Pixels: what a resolution and an aspect ratio come to, for each family of models.

Tables as the makers publish them; a rule where a family has one. Landscape and portrait mirror.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import log, sqrt

Size = tuple[int, int]

#: Labels that name a height of 16:9 in no obvious way.
_SHORT_SIDES = {"2k": 1440, "4k": 2160}

#: Pixels that local models were trained at, by label.
_AREAS = {"480p": 480 * 832, "720p": 720 * 1280, "1k": 1024 * 1024}

_GEMINI_3_1K = {
    "1:1": (1024, 1024),
    "3:2": (1264, 848),
    "4:3": (1200, 896),
    "5:4": (1152, 928),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
    "4:1": (2048, 512),
    "8:1": (3072, 384),
}
_FLUX = {
    "1:1": (1024, 1024),
    "5:4": (1088, 896),
    "4:3": (1152, 896),
    "3:2": (1216, 832),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
}


def _times(factor: float, table: Mapping[str, Size]) -> dict[str, Size]:
    return {ratio: (round(w * factor), round(h * factor)) for ratio, (w, h) in table.items()}


#: Family, resolution label (lower case), landscape aspect ratio.
_TABLES: Mapping[str, Mapping[str, Mapping[str, Size]]] = {
    # Google's image documentation; the larger sizes are exact multiples of 1K.
    "gemini_3": {
        "0.5k": _times(0.5, _GEMINI_3_1K),
        "1k": _GEMINI_3_1K,
        "2k": _times(2, _GEMINI_3_1K),
        "4k": _times(4, _GEMINI_3_1K),
    },
    "gemini_2_5": {
        "1k": {
            "1:1": (1024, 1024),
            "5:4": (1152, 896),
            "4:3": (1184, 864),
            "3:2": (1248, 832),
            "16:9": (1344, 768),
            "21:9": (1536, 672),
        }
    },
    # Black Forest Labs' sizes on Replicate, by the parameter `megapixels`.
    "flux": {"1": _FLUX, "0.25": _times(0.5, _FLUX)},
    "kontext": {
        "1k": {
            "1:1": (1024, 1024),
            "4:3": (1184, 880),
            "3:2": (1248, 832),
            "16:9": (1392, 752),
            "21:9": (1568, 672),
        }
    },
    # ByteDance's documentation of the Seedance series.
    "seedance_1": {
        "480p": {
            "1:1": (640, 640),
            "4:3": (736, 544),
            "16:9": (864, 480),
            "21:9": (960, 416),
        },
        "720p": {
            "1:1": (960, 960),
            "4:3": (1120, 832),
            "16:9": (1248, 704),
            "21:9": (1504, 640),
        },
        "1080p": {
            "1:1": (1440, 1440),
            "4:3": (1664, 1248),
            "16:9": (1920, 1088),
            "21:9": (2176, 928),
        },
    },
    "seedance_2": {
        "480p": {
            "1:1": (640, 640),
            "4:3": (752, 560),
            "16:9": (864, 496),
            "21:9": (992, 432),
        },
        "720p": {
            "1:1": (960, 960),
            "4:3": (1112, 834),
            "16:9": (1280, 720),
            "21:9": (1470, 630),
        },
        "1080p": {
            "1:1": (1440, 1440),
            "4:3": (1664, 1248),
            "16:9": (1920, 1080),
            "21:9": (2206, 946),
        },
    },
    # The Wan repository's supported sizes.
    "wan": {
        "480p": {"1:1": (624, 624), "16:9": (832, 480)},
        "720p": {"1:1": (960, 960), "4:3": (1088, 832), "16:9": (1280, 720)},
        "1080p": {"1:1": (1440, 1440), "4:3": (1632, 1248), "16:9": (1920, 1080)},
    },
    # Runway's Gen-4 Turbo.
    "runway": {
        "720p": {
            "1:1": (960, 960),
            "4:3": (1104, 832),
            "16:9": (1280, 720),
            "21:9": (1584, 672),
        }
    },
}


def ratio_of(text: str) -> Size | None:
    """``"16:9"`` as (16, 9); None for ``auto`` and other words."""
    match = re.fullmatch(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})", text)
    if match is None:
        return None
    return int(match[1]), int(match[2])


def nearest(ratio: Size, names: Iterable[str]) -> str | None:
    """The aspect ratio among `names` that is closest to `ratio`; other words are passed over."""
    known = {name: size for name in names if (size := ratio_of(name))}
    wanted = log(ratio[0] / ratio[1])
    return min(known, key=lambda name: abs(log(known[name][0] / known[name][1]) - wanted), default=None)


def pixels(sizes: str, label: str, ratio: Size) -> Size | None:
    """The size of `label` at `ratio` in a family; None where nobody says."""
    rule = _RULES.get(sizes)
    if rule is not None:
        return rule(label, ratio)
    table = _TABLES[sizes].get(label.lower())
    if table is None:
        return None
    landscape = max(ratio), min(ratio)
    width, height = table[nearest(landscape, tuple(table)) or "1:1"]
    return (width, height) if ratio[0] >= ratio[1] else (height, width)


def largest(sizes: str, label: str) -> int | None:
    """The most pixels that `label` comes to at any aspect ratio of a family's table."""
    table = _TABLES.get(sizes, {}).get(label.lower())
    return max(width * height for width, height in table.values()) if table else None


def short_side(label: str) -> int | None:
    """``720p`` is 720, ``4k`` is 2160."""
    match = re.fullmatch(r"([0-9]{2,4})p", label.lower())
    return int(match[1]) if match else _SHORT_SIDES.get(label.lower())


def _even(value: float) -> int:
    return 2 * round(value / 2)


def _short(label: str, ratio: Size) -> Size | None:
    """The short side has the label's length."""
    short = short_side(label)
    if short is None:
        return None
    long = _even(short * max(ratio) / min(ratio))
    return (long, short) if ratio[0] >= ratio[1] else (short, long)


def _area(label: str, ratio: Size) -> Size | None:
    """As many pixels as 16:9 has at that label."""
    wide = _short(label, (16, 9))
    if wide is None:
        return None
    width = sqrt(wide[0] * wide[1] * ratio[0] / ratio[1])
    return _even(width), _even(width * ratio[1] / ratio[0])


def fitted(area: int, ratio: Size, multiple: int = 16) -> Size:
    """The size of about `area` pixels in the shape of `ratio`, each side a multiple of `multiple`."""
    width = sqrt(area * ratio[0] / ratio[1])
    height = sqrt(area * ratio[1] / ratio[0])
    return _floored(width, multiple), _floored(height, multiple)


def _floored(side: float, multiple: int) -> int:
    return max(multiple, int(side + 1e-6) // multiple * multiple)


def _trained(label: str, ratio: Size) -> Size | None:
    """As many pixels as the model was trained at."""
    area = _AREAS.get(label.lower())
    return fitted(area, ratio) if area else None


def _draft(label: str, ratio: Size) -> Size | None:
    """Picture labels as Gemini's, video labels by their short side."""
    picture = label.lower() in _TABLES["gemini_3"]
    return pixels("gemini_3", label, ratio) if picture else _short(label, ratio)


_RULES: Mapping[str, Callable[[str, Size], Size | None]] = {
    "short": _short,
    "area": _area,
    "draft": _draft,
    "trained": _trained,
}

#: Every name a card may use for its sizes.
FAMILIES = frozenset(_TABLES) | frozenset(_RULES)

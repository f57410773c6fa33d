"""``color+orb``: colours, and features of the reference that are found again in the picture (OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_content_pipeline.references.metrics import Color, opaque

if TYPE_CHECKING:
    from PIL.Image import Image

_EDGE = 512  # pixels of the longest side that features are looked for on
_FEATURES = 500
_RATIO = 0.75  # a match must be so much nearer than the second best
_PIXELS = 3.0  # how far a feature may lie from where the transform puts it
_FEWEST = 12  # so many that agree are no accident
_PLENTY = 0.25  # the share of agreeing features at which a picture surely shows the reference itself


@dataclass(frozen=True, slots=True)
class _Seen:
    colors: tuple[float, ...]
    points: Any  # float array, (n, 2), in pixels
    features: Any  # uint8 array, (n, 32); None where there are none


class ColorAndOrb:
    def __init__(self) -> None:
        self._color = Color()

    def look(self, picture: Image) -> _Seen:
        import cv2
        import numpy as np

        grey = opaque(picture).convert("L")
        grey.thumbnail((_EDGE, _EDGE), reducing_gap=2.0)
        points, features = cv2.ORB.create(nfeatures=_FEATURES).detectAndCompute(np.asarray(grey), None)
        return _Seen(self._color.look(picture), np.float32([point.pt for point in points]), features)

    def alike(self, reference: _Seen, picture: _Seen) -> float:
        """The colours' score; what is missing from it to 1, times the share of features found again."""
        color = self._color.alike(reference.colors, picture.colors)
        return color + (1 - color) * min(1.0, _found(reference, picture) / _PLENTY)


def _found(reference: _Seen, picture: _Seen) -> float:
    """The share of the reference's features that one shift, turn and scaling maps onto the picture's."""
    import cv2
    import numpy as np

    if reference.features is None or picture.features is None or len(picture.features) < 2:
        return 0.0
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(reference.features, picture.features, k=2)
    good = [best for best, second in pairs if best.distance < _RATIO * second.distance]
    if len(good) < _FEWEST:
        return 0.0
    here = np.float32([reference.points[match.queryIdx] for match in good])
    there = np.float32([picture.points[match.trainIdx] for match in good])
    cv2.setRNGSeed(0)  # the same pictures always score the same
    _, kept = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=_PIXELS)
    agreeing = 0 if kept is None else int(kept.sum())
    return agreeing / len(reference.features) if agreeing >= _FEWEST else 0.0

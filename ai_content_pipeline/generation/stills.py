"""Pictures still in memory: the first frame of what was just made, so that nothing is decoded twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Artifact

if TYPE_CHECKING:
    from PIL.Image import Image

#: Longest edge in pixels: enough for any thumbnail, and 64 of them stay below 64 MB.
_EDGE = 512
_COUNT = 64


class Stills:
    """A small memory of reduced first frames, by content. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images: OrderedDict[str, Image] = OrderedDict()

    def keep(self, artifact: Artifact, image: Image) -> None:
        reduced = image.copy()
        reduced.thumbnail((_EDGE, _EDGE), reducing_gap=2.0)
        with self._lock:
            self._images[artifact.sha256] = reduced
            while len(self._images) > _COUNT:
                self._images.popitem(last=False)

    def find(self, artifact: Artifact, edge: int) -> Image | None:
        """The frame, if it is here with at least `edge` px on its longest side (or at full size)."""
        with self._lock:
            image = self._images.get(artifact.sha256)
        if image is None:
            return None
        whole = max(artifact.info.width, artifact.info.height)
        return image if max(image.size) >= min(edge, whole) else None

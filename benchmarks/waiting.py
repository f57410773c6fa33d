"""Waiting for jobs: what the engine adds to the time that they take."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fake import Act, sketch
from benchmarks.measure import Measure, run_fake

_NINE = """
name: nine
steps:
  - name: pictures
    type: text_to_image
    model: nano_banana_pro
    params: {parallel: true, max_workers: 9, prompts: [a, b, c, d, e, f, g, h, i]}
"""
_CHAIN = """
name: chain
steps:
  - {name: pictures, type: text_to_image, model: nano_banana_pro,
     params: {parallel: true, prompts: ["2.0", "0.5", "1.0", "1.5"]}}
  - {name: clips, type: image_to_video, model: kling_2_6_pro,
     params: {parallel: true, prompts: ["0.5", "2.0", "1.5", "1.0"]}}
  - {type: thumbnail}
"""
#: The longest way through the chain: each clip can start when its own picture is there.
_CRITICAL = 2.5


def benchmark() -> list[Measure]:
    nine = _seconds(_NINE, lambda wire: Act(0.5))
    chain = _seconds(_CHAIN, _as_told)
    return [
        Measure("9 items of 0.5 s at 9 workers, of the ideal", nine / 0.5, 1.15),
        Measure("4 items through 3 steps, of the critical path", chain / _CRITICAL, 1.1),
    ]


def _as_told(wire: WireRequest) -> Act:
    return Act(float(str(wire.payload["prompt"])))


def _seconds(text: str, script: Callable[[WireRequest], Act]) -> float:
    """Seconds of a whole run, the best of three."""
    best = float("inf")
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            result = run_fake(Path(folder), text, script, draw=draw_large)
            best = min(best, time.perf_counter() - started)
            assert result.exit_code == 0, result
    return best


def draw_large(wire: WireRequest, path: Path) -> Path:
    """Real media of a size that every model takes as input."""
    if "video" in wire.endpoint:
        return sketch(wire, path)
    from PIL import Image

    Image.new("RGB", (640, 360), "teal").save(path, "PNG", compress_level=1)
    return path

"""Pictures still in memory."""

from __future__ import annotations

import pytest
from PIL import Image

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.generation.stills import Stills


def artifact(name: str, width: int, height: int) -> Artifact:
    return Artifact(name, 1, MediaInfo(Kind.IMAGE, "image/png", width, height))


@pytest.mark.parametrize(("size", "kept"), [((1600, 800), (512, 256)), ((300, 200), (300, 200))])
def test_a_still_is_kept_small(size, kept):
    """What is kept is at most 512 px long, never enlarged, and the caller's picture is left alone."""
    stills, picture = Stills(), Image.new("RGB", size, "red")
    stills.keep(artifact("a", *size), picture)
    found = stills.find(artifact("a", *size), 256)
    assert found is not None
    assert (found.size, picture.size) == (kept, size)
    assert found.getpixel((0, 0)) == (255, 0, 0)


def test_a_still_is_given_only_if_it_is_large_enough():
    """A caller who needs more pixels than are kept gets none, unless there never were more."""
    stills = Stills()
    stills.keep(artifact("large", 1600, 800), Image.new("RGB", (1600, 800)))
    stills.keep(artifact("small", 300, 200), Image.new("RGB", (300, 200)))
    assert stills.find(artifact("large", 1600, 800), 512) is not None
    assert stills.find(artifact("large", 1600, 800), 513) is None
    assert stills.find(artifact("small", 300, 200), 2000) is not None
    assert stills.find(artifact("unknown", 8, 8), 8) is None


def test_only_so_many_are_kept():
    """The oldest are forgotten: a long run does not grow."""
    stills = Stills()
    for i in range(100):
        stills.keep(artifact(str(i), 8, 8), Image.new("RGB", (8, 8)))
    kept = [i for i in range(100) if stills.find(artifact(str(i), 8, 8), 8)]
    assert kept == list(range(36, 100))

"""References on the page: each with its picture, and beside it what scored how."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ai_content_pipeline.engine.results import ItemResult, Likeness, RunResult, Score
from ai_content_pipeline.report import page

SECTION = re.compile(r'<section aria-labelledby="references">.*?</section>', re.DOTALL)
PICTURE = re.compile(r'<img src="data:image/webp;base64,([^"]+)" alt="([^"]*)" width="(\d+)" height="(\d+)">')


@pytest.fixture
def scored(film: Callable[..., RunResult], tmp_path: Path) -> Callable[..., RunResult]:
    """The film whose clips were compared with a woman; the third does not show her."""

    def make(reference: str = "mia", file: str = "mia.png") -> RunResult:
        Image.new("RGB", (900, 1200), "red").save(tmp_path / "mia.png")

        def item(old: ItemResult) -> ItemResult:
            if old.step != "clips":
                return old
            score = Score(reference, 0.12 if old.index == 2 else 0.9, ("a" * 64,), (tmp_path / file,))
            return replace(old, likeness=Likeness("color", 0.5, (score,)))

        result = film()
        steps = tuple(replace(step, items=tuple(map(item, step.items))) for step in result.steps)
        return replace(result, steps=steps)

    return make


def section(result: RunResult) -> str:
    found = SECTION.findall(page.render(result, result.output_dir))
    assert len(found) == 1
    return str(found[0])


def test_scores_stand_beside_the_references_picture(scored: Callable[..., RunResult]) -> None:
    """One picture of each reference, small and inside the page, and every scene's score in order; a low one
    is called so."""
    text = section(scored())
    ((data, alt, width, height),) = PICTURE.findall(text)
    with Image.open(BytesIO(base64.b64decode(data))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (int(width), int(height))) == ("WEBP", (144, 192))
    assert alt == "Reference mia"
    lines = re.findall(r"<li><bdi>(.*?)</bdi> (\S+?)( <strong>low</strong>)?</li>", text)
    assert [(one, score, bool(low)) for one, score, low in lines] == [
        ("clips/scene_1", "0.90", False),
        ("clips/scene_2", "0.90", False),
        ("clips/scene_3", "0.12", True),
        ("clips/scene_4", "0.90", False),
    ]


def test_a_picture_that_is_gone_leaves_its_scores(scored: Callable[..., RunResult]) -> None:
    """What cannot be read any more is left out, and the report is written all the same."""
    text = section(scored(file="gone.png"))
    assert "<img" not in text
    assert "clips/scene_3" in text


def test_a_references_name_is_text(scored: Callable[..., RunResult]) -> None:
    """Whatever it is called, it changes nothing of the page."""
    text = section(scored(reference='"><script>alert(1)</script>'))
    assert "<script" not in text


def test_without_checks_there_is_no_such_section(film: Callable[..., RunResult]) -> None:
    """A run that compared nothing says nothing of references."""
    assert not SECTION.search(page.render(film(), film().output_dir))


def test_a_long_film_stays_a_page(scored: Callable[..., RunResult]) -> None:
    """Of hundreds of scenes the first are listed, and how many more there are."""
    result = scored()
    clips = result.step("clips")
    many = tuple(replace(clips.items[0], index=n, label=f"scene_{n + 1}") for n in range(250))
    steps = tuple(replace(step, items=many) if step is clips else step for step in result.steps)
    text = section(replace(result, steps=steps))
    assert text.count("<li><bdi>") == 200
    assert "50 more are in report.json" in text

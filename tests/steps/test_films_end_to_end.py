"""Clips, edits and films from the YAML to the output folder."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.engine.results import ItemState
from ai_content_pipeline.errors import Interrupted, InvalidPipeline
from ai_content_pipeline.jobs import Billed, Workbench
from ai_content_pipeline.media.probe import verify
from ai_content_pipeline.providers.fake import Act

FILM = """
name: film
output_dir: output
steps:
  - name: clips
    type: text_to_video
    model: kling_2_6_pro_t2v
    params: {{parallel: true, prompts: [{prompts}]}}
  - {{name: film, type: concat, params: {{{params}}}}}
  - {{type: thumbnail, params: {{size: 32}}}}
"""


def film(*prompts: str, params: str = "") -> str:
    return FILM.format(prompts=", ".join(prompts), params=params)


def states(result: Any, step: str) -> list[str]:
    return [item.state.value for item in result.step(step).items]


def test_a_film_of_all_clips_and_its_thumbnail(studio: Any) -> None:
    """One item, as long as its clips together (the fake's last a second each), delivered under its name."""
    result = studio.run(film("a", "b", "c"))
    assert result.exit_code == 0
    assert studio.tree() == [
        "clips/clips_1.mp4",
        "clips/clips_2.mp4",
        "clips/clips_3.mp4",
        "film/film.mp4",
        "thumbnail_1/film.webp",
    ]
    info = verify(studio.root / "output/film/film.mp4")
    assert (info.kind, info.seconds) == (Kind.VIDEO, 3.0)
    (item,) = result.step("film").items
    assert item.inputs == ("clips/clips_1", "clips/clips_2", "clips/clips_3")


def test_the_report_counts_no_clip_twice(studio: Any) -> None:
    """What a film shows is part of the film; without one, the clips count themselves."""
    from ai_content_pipeline.report import page

    result = studio.run(film("a", "b", "c"))
    assert "1 clip, 3 s" in page.render(result, studio.root)
    clips_alone = replace(result, steps=result.steps[:1])
    assert "3 clips, 3 s" in page.render(clips_alone, studio.root)


def test_the_same_command_makes_no_film_again(studio: Any) -> None:
    """Nothing is paid and nothing encoded; another fade is another film, from the same clips."""
    studio.run(film("a", "b"))
    again = studio.run(film("a", "b"))
    assert states(again, "film") == ["cached"]
    faded = studio.run(film("a", "b", params="crossfade: 0.4"))
    assert states(faded, "film") == ["done"]
    assert studio.vendor.submits == 2
    assert verify(studio.root / "output/film/film.mp4").seconds == pytest.approx(1.6)


def test_without_one_of_its_clips_there_is_no_film(studio: Any) -> None:
    """It is skipped and says which clip is missing; when that is there, the film is made."""
    studio.vendor.script = lambda wire: Act(
        end="failed" if wire.payload["prompt"] == "b" else "done", billed=Billed.NO
    )
    result = studio.run(film("a", "b", "c"))
    assert states(result, "clips") == ["done", "failed", "done"]
    assert states(result, "film") == states(result, "thumbnail_1") == ["skipped"]
    assert "clips/clips_2" in result.step("film").items[0].error.message
    studio.vendor.script = lambda wire: Act()
    later = studio.run(film("a", "b", "c"))
    assert states(later, "clips") == ["cached", "done", "cached"]
    assert states(later, "film") == ["done"]


def test_a_redone_clip_makes_another_film(studio: Any) -> None:
    """What depends on a new take is made anew, and the other clips are not touched."""
    text = film("a", "b").replace("kling_2_6_pro_t2v", "seedance_1_lite_fal_t2v")  # takes a seed
    first = studio.run(text).step("film").items[0]
    redone = studio.run(text, redo="clips/clips_2")
    assert redone.step("film").items[0].artifact != first.artifact
    assert sorted(studio.prompts) == ["a", "b", "b"]


def test_a_fade_longer_than_the_clips_turn_out_fails_in_words(studio: Any) -> None:
    """The card said five seconds, the vendor made one: the film fails, and its clips are there."""
    result = studio.run(film("a", "b", params="crossfade: 2"))
    (item,) = result.step("film").items
    assert item.state is ItemState.FAILED
    assert item.error.message == "clip 1 lasts 1 s, no longer than its crossfade"
    assert item.error.hint == "make the crossfade shorter"
    assert states(result, "clips") == ["done", "done"]


def test_a_film_is_left_when_nobody_waits_for_it(studio: Any, tmp_path: Path) -> None:
    """A second ^C does not wait for the encoding: nothing half done stays, and the next run makes it."""
    studio.run(film("a", "b", params="crossfade: 0.4"))
    with studio.workshop() as workshop:
        clips = tuple(result.artifact for result in studio.run(film("a", "b")).step("clips").items)
        step = studio.expand(film("a", "b", params="fps: 50")).steps[1]
        work = replace(step.verbs.work(step.items[0], step.setting), inputs={Role.INPUT: clips})
        heard = After(looks=20)
        bench = Workbench(
            work.inputs, tmp_path / "folder", workshop.local.picture, workshop.artifacts.path, heard
        )
        bench.folder.mkdir()
        with pytest.raises(Interrupted):
            work.run(bench)
        assert heard.looks == 0
        assert list(bench.folder.iterdir()) == []
        workshop.detached.set()
        with pytest.raises(Interrupted):
            workshop.local.run(work)
    assert states(studio.run(film("a", "b", params="fps: 50")), "film") == ["done"]


class After(threading.Event):
    """Is set when it was looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


def test_a_clip_of_another_kind_than_was_put_in_is_refused(studio: Any) -> None:
    """A vendor that answers an enlarged video with a picture has not delivered."""
    text = """
name: large
output_dir: output
steps:
  - {name: clips, type: text_to_video, model: kling_2_6_pro_t2v, params: {prompt: a}}
  - {name: large, type: upscale, model: topaz_video}
"""
    result = studio.run(text)
    assert states(result, "large") == ["done"]
    wrong = studio.vendor.draw

    def picture(wire: Any, path: Any) -> Any:
        from PIL import Image

        if "upscale" not in wire.endpoint:
            return wrong(wire, path)
        Image.new("RGB", (64, 64)).save(path, "PNG")
        return path

    studio.vendor.draw = picture
    result = studio.run(text, redo="large/clips_1")
    (item,) = result.step("large").items
    assert "asked for video, got image/png" in item.error.message


def test_several_edits_of_one_picture_are_paid_together(studio: Any) -> None:
    """num_images is one request; its items are delivered under the picture's name."""
    text = """
name: edits
output_dir: output
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: a}}
  - {name: edits, type: image_to_image, model: nano_banana_pro_edit, params: {prompt: b, num_images: 2}}
"""
    result = studio.run(text)
    assert result.exit_code == 0
    assert studio.vendor.submits == 2
    assert studio.tree() == ["board/board_1.png", "edits/board_1.png", "edits/board_1_2.png"]


@pytest.mark.parametrize(
    ("step", "at", "said"),
    [
        (
            "{type: concat, input: board}",
            "6:27",
            "concat takes videos, and 'board_1' is an image;"
            " name a step that makes videos, or files of your own",
        ),
        (
            "{type: concat, input: clips, params: {crossfade: 6}}",
            "6:54",
            "a crossfade of 6 s is not shorter than 'clips_1', which lasts 5 s;"
            " write a shorter one, or 0 for none",
        ),
        (
            '{type: concat, input: clips, params: {size: "1281x720"}}',
            "6:49",
            "size '1281x720' is odd, and a video has even sides; write \"1280x720\"",
        ),
        (
            "{type: upscale, model: clarity_upscaler, input: clips}",
            "6:53",
            "Clarity Upscaler takes an image as its input, and clips/clips_1 is a video (the same for 1 more"
            " item); give it an image, or use a model that takes a video: seedvr_video, topaz_video",
        ),
        (
            "{type: image_to_image, model: nano_banana_pro, input: board, params: {prompt: Go}}",
            "6:35",
            "nano_banana_pro does text_to_image, not image_to_image; for image_to_image use"
            " nano_banana_pro_edit, flux_kontext_pro or draft",
        ),
        (
            "{type: image_to_image, model: draft, input: {mask: board}, params: {prompt: Go}}",
            "6:49",
            "image_to_image needs an 'input' beside the mask; write 'input: {input: …, mask: …}'",
        ),
    ],
)
def test_what_fits_no_step_is_refused_at_its_place(studio: Any, step: str, at: str, said: str) -> None:
    """Line and column, what is wrong, what to write instead; nothing is spent."""
    text = f"""name: bad
output_dir: output
steps:
  - {{name: board, type: text_to_image, model: draft, params: {{prompt: A board}}}}
  - {{name: clips, type: text_to_video, model: kling_2_6_pro_t2v, params: {{prompts: [One, Two]}}}}
  - {step}
"""
    with pytest.raises(InvalidPipeline) as caught:
        studio.run(text)
    (problem,) = caught.value.problems
    assert f"{problem.line}:{problem.column}" == at
    assert "; ".join(filter(None, (problem.message, problem.hint))) == said
    assert studio.vendor.submits == 0

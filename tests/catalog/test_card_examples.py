"""The example of every card: a file that is valid as it stands, and shows what matters."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.example import Example, example
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.media.video import encode_video
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline

KEYS = catalog.keys()
EVERY = [(key, task) for key in KEYS for task in catalog.load(key).tasks]


def of(key: str, task: Task | None = None) -> Example:
    return example(catalog.load(key), task)


def needs_references(key: str, task: Task) -> bool:
    field = catalog.load(key).roles.get(Role.REFERENCE)
    return task is Task.REFERENCE_TO_VIDEO or (field is not None and field.required)


def write(folder: Path, shown: Example) -> Path:
    """The example and the files it names."""
    picture = Image.new("RGB", (640, 360), "teal")
    for name, kind in shown.files.items():
        if kind is Kind.IMAGE:
            picture.save(folder / name)
        else:
            encode_video([picture] * 3, folder / name, fps=3)
    path = folder / "example.yaml"
    path.write_text(shown.pipeline, encoding="utf-8")
    return path


def test_what_keeps_a_subject_is_shown_with_references() -> None:
    """The examples that declare references are those of models made for them, on a step of a type."""
    keeping = [pair for pair in EVERY if "references:" in of(*pair).pipeline]
    assert keeping == [pair for pair in EVERY if needs_references(*pair)]
    assert len(keeping) >= 14
    assert of("veo_3_1_ref").shown == of("veo_3_1_ref").pipeline
    assert of("kling_2_6_pro").shown == of("kling_2_6_pro").step


@pytest.mark.parametrize(("key", "task"), EVERY, ids=[f"{key}-{task}" for key, task in EVERY])
def test_an_example_is_a_valid_file(key: str, task: Task, tmp_path: Path) -> None:
    """It loads, fits its card, names its files, and asks for one output of that model."""
    shown = of(key, task)
    assert yaml.safe_load(shown.pipeline)["steps"] == yaml.safe_load(shown.step)
    expansion = expand(load_pipeline(write(tmp_path, shown), environ={}))
    assert [warning for warning in expansion.warnings if "is deprecated" not in warning] == []
    (item,) = expansion.items
    assert item.makes.kind is (Kind.VIDEO if Kind.VIDEO in shown.files.values() else task.makes)
    (step,) = expansion.steps
    assert [card.key for card in step.setting.cards.values()] == [key]


@pytest.mark.parametrize(
    ("key", "task", "lines"),
    [
        ("kling_2_6_pro", None, ['duration: "5"', "generate_audio: true", "input: {files: [picture.png]}"]),
        ("kling_2_1_replicate", None, ['mode: "standard"', "duration: 5"]),
        ("topaz_video", None, ["input: {files: [clip.mp4]}", "upscale_factor: 2", "target_fps: 30"]),
        ("wan_2_2_fast", None, ['resolution: "480p"']),
        ("seedance_1_lite", Task.TEXT_TO_VIDEO, ['aspect_ratio: "16:9"', "duration: 5"]),
        ("nano_banana_replicate", Task.TEXT_TO_IMAGE, ['aspect_ratio: "16:9"']),
        ("veo_3_1_flf", None, ["prompts:"]),
    ],
)
def test_what_is_shown(key: str, task: Task | None, lines: list[str]) -> None:
    """Length, size, shape, what the price depends on, and the files: in the model's own types."""
    assert set(lines) <= {line.strip() for line in of(key, task).step.splitlines()}


def test_what_is_not_shown() -> None:
    """Nothing that the model ignores, charges extra for or has by itself."""
    assert "aspect_ratio" not in of("seedance_1_lite", Task.IMAGE_TO_VIDEO).step
    assert "num_frames" not in of("wan_2_1").step
    assert "web_search" not in of("nano_banana_pro").step
    assert "prompt" not in of("seedvr_image").step


def test_both_ends_are_files_of_their_own() -> None:
    """A model that insists on a first and a last picture gets an entry with two files."""
    shown = of("veo_3_1_flf")
    (step,) = yaml.safe_load(shown.step)
    (entry,) = step["params"]["prompts"]
    assert (entry["start"], entry["end"]) == ("picture.png", "end.png")
    assert set(shown.files) == {"picture.png", "end.png"}
    assert "input" not in step


def test_the_first_task_that_can_be_shown_is() -> None:
    """Without a task, the card's first one is shown that is a step type by itself."""
    assert "references" not in of("minimax_video_01").step
    assert "type: text_to_video" in of("veo_3_1_ref").step
    assert "type: text_to_image" in of("flux_pulid").step

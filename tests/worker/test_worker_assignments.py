"""What a job comes to: the strengths, steps and sizes of the owner's document, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.worker.assignment import Assignment, Refused, assign
from ai_content_pipeline.worker.job_types import read_job_types
from ai_content_pipeline.worker.schema import AnyJob, Job, as_job

TABLE = read_job_types()
URL = "https://files.example/a.png"


def job(**fields: Any) -> Job:
    return as_job(
        TypeAdapter(AnyJob).validate_python({"user_id": "u", "id": "j", "prompt": "x", **fields}), TABLE.modes
    )


def image(config: dict[str, Any] | None = None, **metadata: Any) -> Assignment:
    return assign(
        job(type="sdxl_image_high", config=config or {}, metadata=metadata), TABLE.types["sdxl_image_high"]
    )


def video(config: dict[str, Any] | None = None, **metadata: Any) -> Assignment:
    return assign(job(type="video_fast", config=config or {}, metadata=metadata), TABLE.types["video_fast"])


@given(st.floats(0, 1))
def test_exact_copies_run_six_to_ten_effective_steps(strength: float) -> None:
    """exact_copy_mode: strength at most 0.05, guidance 1.0, no negative prompt, and steps that really run."""
    copied = image(
        {"negative_prompt": "blur"}, reference_image_url=URL, denoise_strength=strength, exact_copy_mode=True
    )
    assert copied.denoise_strength == min(strength, 0.05)
    assert (copied.guidance_scale, copied.negative_prompt) == (1.0, None)
    assert 6 <= copied.steps <= 10
    assert copied.steps_run == (copied.steps if strength else 0)


@given(st.floats(0, 1), st.integers(1, 200))
def test_other_jobs_get_what_they_ask_for(strength: float, steps: int) -> None:
    """Reference-modify mode: no value is clamped; the steps that run are what the strength leaves."""
    made = image(
        {"num_inference_steps": steps, "guidance_scale": 3.5},
        reference_image_url=URL,
        denoise_strength=strength,
    )
    assert (made.denoise_strength, made.steps, made.guidance_scale) == (strength, steps, 3.5)
    assert made.steps_run == int(steps * strength)


@pytest.mark.parametrize(
    ("metadata", "strength"),
    [
        ({}, 0.5),
        ({"reference_strength": 0.85}, 0.15),
        ({"reference_strength": 0.85, "denoise_strength": 0.3}, 0.3),
    ],
)
def test_the_old_strength_is_turned_over(metadata: dict[str, Any], strength: float) -> None:
    """denoise_strength wins; else it is 1 - reference_strength, with a warning; else 0.5."""
    made = image(reference_image_url=URL, **metadata)
    assert made.denoise_strength == pytest.approx(strength)
    assert any("deprecated" in words for words in made.warnings) is ("reference_strength" in metadata)


@pytest.mark.parametrize(
    ("config", "metadata", "mode", "slots"),
    [
        ({}, {}, "none", set()),
        ({"image": URL}, {}, "single", {"single"}),
        ({"first_frame": URL}, {}, "start", {"start"}),
        ({}, {"start_reference_url": URL}, "start", {"start"}),
        ({"last_frame": URL}, {}, "end", {"end"}),
        ({"first_frame": URL}, {"end_reference_url": URL}, "both", {"start", "end"}),
        ({"first_frame": URL}, {"start_reference_url": URL}, "start", {"start"}),
    ],
)
def test_reference_modes(
    config: dict[str, Any], metadata: dict[str, Any], mode: str, slots: set[str]
) -> None:
    """none, single, start, end and both, by either name of a field; videos keep 0.15 of their own."""
    made = video(config, **metadata)
    assert (made.mode, set(made.references)) == (mode, slots)
    assert made.denoise_strength == (0.15 if slots else None)


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: image(exact_copy_mode=True), "metadata.exact_copy_mode"),
        (lambda: image(start_reference_url=URL), "metadata.start_reference_url"),
        (lambda: image({"num_frames": 9}), "config.num_frames"),
        (lambda: image({"width": 1023, "height": 512}), "config.width"),
        (lambda: image({"width": 512}), "config.height"),
        (lambda: video({"num_frames": 10}), "config.num_frames"),
        (lambda: video({"first_frame": URL}, start_reference_url=URL + "2"), "config.first_frame"),
        (lambda: assign(job(type="video_fast", prompt=" "), TABLE.types["video_fast"]), "prompt"),
    ],
)
def test_contradictions_name_their_field(make: Any, path: str) -> None:
    """What one field alone cannot tell is refused by the path of the field at fault."""
    with pytest.raises(Refused) as caught:
        make()
    assert ".".join(caught.value.path) == path


@pytest.mark.parametrize(
    "fields",
    [
        {"config": {"num_images": 0}},
        {"config": {"num_images": "3"}},
        {"config": {"num_inference_steps": 1_000_000}},
        {"config": {"guidance_scale": float("nan")}},
        {"config": {"model": "somebody/else"}},
        {"config": {"custom_pipeline": "x"}},
        {"config": {"image": "file:///etc/passwd"}},
        {"config": {"image": "data:text/html;base64,AAAA"}},
        {"metadata": {"denoise_strength": 1.01}},
        {"metadata": {"trust_remote_code": True}},
        {"output": "/root/x"},
        {"user_id": "../x"},
        {"id": "a/b"},
        {"id": "."},
        {"id": "a" * 129},
        {"type": "../sdxl"},
        {"callback_url": "ftp://x"},
        {"priority": 10},
        {"mode": "video", "type": "video_fast"},
        {"mode": "audio"},
    ],
)
def test_what_is_no_job_is_refused(fields: dict[str, Any]) -> None:
    """Unknown fields, other types, values out of range, paths in ids: none gets past the schema."""
    with pytest.raises(ValidationError):
        job(**{"type": "sdxl_image_fast", **fields} if "mode" not in fields else fields)


def test_a_seed_nobody_gave_is_the_jobs_own() -> None:
    """The same job has the same seed however often it is run; another job has another."""
    first, again = image(), image()
    other = assign(job(type="sdxl_image_high", id="k"), TABLE.types["sdxl_image_high"])
    assert first.seed == again.seed != other.seed
    assert image({"seed": 7}).seed == 7


def test_operators_extend_the_table(tmp_path: Any) -> None:
    """A file adds a type, replaces one whole, and says which one a mode stands for."""
    path = tmp_path / "types.toml"
    path.write_text(
        '[types.poster]\nmakes = "image"\nmodel = "sdxl"\ndefaults = {width = 512, height = 768}\n'
        '[types.video_fast]\nmakes = "video"\nmodel = "mine"\n[modes]\nimage = "poster"\n'
    )
    table = read_job_types(path)
    assert (table.types["poster"].defaults.height, table.types["video_fast"].model) == (768, "mine")
    assert (table.modes["image"], table.modes["video"]) == ("poster", "wan_i2v")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[types.a]\nmakes = 'sound'\nmodel = 'x'", "types.a.makes"),
        ("[types.a]\nmakes = 'image'\nmodel = '../x.ckpt'", "types.a.model"),
        ("[types.a\nmakes = 1", "line 1"),
        ("[modes]\nimage = 'nobody'", "nobody"),
    ],
)
def test_a_bad_table_says_where(tmp_path: Any, text: str, said: str) -> None:
    """A table that makes no sense is a configuration error that names the place."""
    path = tmp_path / "types.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_job_types(path)

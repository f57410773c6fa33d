"""report.json: complete, strict, without signatures, and as its documentation says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.report import document

DOCS = Path(__file__).parents[2] / "docs" / "reports.md"


def reject(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def parsed(result: RunResult) -> dict[str, Any]:
    text = document.dumps(document.build(result, result.output_dir))
    return json.loads(text, parse_constant=reject)


def with_item(result: RunResult, **changes: object) -> RunResult:
    """`result` with its first clip changed."""
    clips = result.step("clips")
    changed = replace(clips, items=(replace(clips.items[0], **changes), *clips.items[1:]))  # type: ignore[arg-type]
    return replace(result, steps=(*result.steps[:2], changed, *result.steps[3:]))


def first_clip(result: RunResult) -> dict[str, Any]:
    return parsed(result)["steps"][2]["items"][0]


def test_an_item_tells_everything_about_itself(film: Callable[..., RunResult]) -> None:
    """Prompt, seed, parameters, model, file, origin, hash, shape, time and cost of an item, to the letter."""
    result = film()
    clip = result.step("clips").items[0]
    assert clip.artifact is not None
    assert first_clip(result) == {
        "address": "clips/scene_1",
        "index": 0,
        "label": "scene_1",
        "kind": "video",
        "state": "done",
        "cached": False,
        "prompt": "Coffee cups steam",
        "seed": 7,
        "take": 0,
        "params": {"duration": "5"},
        "model": "kling_2_6_pro",
        "inputs": ["scenes/scene_1"],
        "file": "clips/scene_1.mp4",
        "sha256": clip.artifact.sha256,
        "bytes": clip.artifact.size,
        "media_type": "video/mp4",
        "width": 64,
        "height": 36,
        "duration_seconds": 1.0,
        "fps": 8.0,
        "source_urls": ["https://cdn.example/0.mp4"],
        "started": 21.5,
        "seconds": 40.0,
        "consistency": None,
        "cost_usd": "0.35",
        "cost_reported": True,
        "error": None,
        "notes": [],
    }


def test_the_run_tells_its_state_and_money(film: Callable[..., RunResult]) -> None:
    """The head of the document, with amounts as decimal strings."""
    found = parsed(film())
    head = {key: value for key, value in found.items() if key not in ("steps", "cost")}
    assert head == {
        "schema": "aicp/report/1",
        "run": "20261121-7f3a",
        "pipeline": "love_story",
        "file": "demo.yaml",
        "draft": False,
        "started": "2026-11-21T14:03:12+00:00",
        "seconds": 73.5,
        "exit_code": 0,
        "collected": [],
        "notes": [],
        "resume_with": None,
    }
    assert (found["cost"]["spent_usd"], found["cost"]["cap_usd"]) == ("1.55", "5.00")
    assert (found["cost"]["estimated_usd"], found["cost"]["estimate_second_hand"]) == ("1.55", True)
    models = {line["model"]: line for line in found["cost"]["by_model"]}
    assert models["kling_2_6_pro"]["spent_usd"] == "1.40"
    assert (models["kling_2_6_pro"]["items"], models["kling_2_6_pro"]["made"]) == (4, 4)


def test_the_summary_of_a_step_counts_what_went_in_and_what_came_out(film: Callable[..., RunResult]) -> None:
    """parallel, max_workers, total_images and videos_generated are those of the owner's document."""
    clips = parsed(film(fail=2))["steps"][2]
    assert (clips["parallel"], clips["max_workers"]) == (True, 4)
    assert (clips["total_images"], clips["videos_generated"], clips["images_generated"]) == (4, 3, 0)


def test_a_failed_item_is_a_hole_at_its_index_with_the_command_that_redoes_it(
    film: Callable[..., RunResult],
) -> None:
    """Indices never shift, and the hole says why it is one."""
    items = parsed(film(fail=2))["steps"][2]["items"]
    assert [item["file"] for item in items] == [
        "clips/scene_1.mp4",
        "clips/scene_2.mp4",
        None,
        "clips/scene_4.mp4",
    ]
    assert items[2]["error"] == {
        "code": "content_rejected",
        "message": "the vendor refused it",
        "hint": "change the prompt",
        "retry_with": "aicp redo demo.yaml clips/scene_3",
    }
    assert (items[2]["sha256"], items[2]["state"]) == (None, "failed")


def test_signed_urls_never_enter_it(film: Callable[..., RunResult]) -> None:
    """Queries, fragments and users of URLs are gone wherever a vendor's or the user's text may carry them."""
    signed = "https://me:pw@cdn.example/a.png?X-Amz-Signature=sesame#sesame"
    result = with_item(
        replace(film(fail=1), notes=(f"see {signed}",)),
        source_urls=(signed, "data:text/plain,sesame", "javascript:sesame", "http://[sesame"),
        params={"image": signed, "more": [{"url": signed}]},
        notes=(signed,),
    )
    failed = result.step("clips").items[1]
    assert failed.error is not None
    error = replace(failed.error, message=f"GET {signed}: 403", hint=signed)
    clips = result.step("clips")
    items = (clips.items[0], replace(failed, error=error), *clips.items[2:])
    result = replace(result, steps=(*result.steps[:2], replace(clips, items=items), result.steps[3]))

    text = document.dumps(document.build(result, result.output_dir))

    assert "sesame" not in text
    assert "me:pw" not in text
    assert json.loads(text)["steps"][2]["items"][0]["source_urls"] == ["https://cdn.example/a.png"]
    assert json.loads(text)["steps"][2]["items"][1]["error"]["message"] == "GET https://cdn.example/a.png 403"


@pytest.mark.parametrize("unknown", [float("nan"), float("inf")])
def test_what_is_no_number_is_null(film: Callable[..., RunResult], unknown: float) -> None:
    """Strict JSON: no NaN and no Infinity, wherever they come from."""
    result = with_item(
        film(), seconds=unknown, started=unknown, params={"cfg": unknown}, cost=Decimal(str(unknown))
    )
    result = replace(result, spent=Decimal(0))
    item = document.build(result, result.output_dir)["steps"][2]["items"][0]  # type: ignore[index, call-overload]
    assert (item["seconds"], item["started"], item["cost_usd"]) == (None, None, None)
    assert item["params"] == {"cfg": None}


def test_writing_nan_is_refused() -> None:
    """Should one ever get past the builder, no broken file is written."""
    with pytest.raises(ValueError, match="JSON compliant"):
        document.dumps({"seconds": float("nan")})


def test_amounts_never_have_an_exponent(film: Callable[..., RunResult]) -> None:
    """A tenth of a micro-dollar and a thousand dollars are written out."""
    result = with_item(film(), cost=Decimal("1E-7"))
    assert first_clip(result)["cost_usd"] == "0.0000001"
    assert parsed(replace(result, cap=Decimal("1E+3")))["cost"]["cap_usd"] == "1000"


def test_a_file_elsewhere_is_not_named(film: Callable[..., RunResult], tmp_path: Path) -> None:
    """Only files below the report's folder have a path in it, and no path of this machine is told."""
    result = with_item(film(), file=tmp_path.parent / "elsewhere.mp4")
    assert first_clip(result)["file"] is None
    result = with_item(film(), file=tmp_path / ".." / "elsewhere.mp4")
    text = document.dumps(document.build(result, result.output_dir))
    assert str(tmp_path) not in text
    assert first_clip(result)["file"] is None


def one_prompt(prompt: str) -> RunResult:
    from datetime import UTC, datetime

    item = ItemResult("s", 0, "a", Kind.IMAGE, ItemState.DONE, prompt=prompt)
    step = StepResult("s", "text_to_image", None, False, 1, (item,))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return RunResult("r", "p", Path("p.yaml"), True, Path("out"), start, 0.0, (step,), 0, Decimal(0))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_prompt_comes_back_as_it_was(prompt: str) -> None:
    """Reading the file gives the prompt to the character, whatever is in it."""
    assert parsed(one_prompt(prompt))["steps"][0]["items"][0]["prompt"] == prompt


def test_what_a_terminal_would_obey_stays_escaped() -> None:
    """Printing the file changes no colour, no title, no direction; and it is always UTF-8."""
    prompt = "\x1b[31m \x9b31m \u202e \u2066 \u2028 \ud800 \U000e0041 ок"
    text = document.dumps(document.build(one_prompt(prompt), Path("out")))
    assert not set(text) & set("\x1b\x9b\u202e\u2066\u2028\ud800\U000e0041")
    assert "ок" in text.encode().decode()
    assert json.loads(text)["steps"][0]["items"][0]["prompt"] == prompt.replace("\ud800", "\ufffd")


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            if key != "params":
                yield from keys(below)
    elif isinstance(value, list):
        for entry in value:
            yield from keys(entry)


def test_every_field_is_documented(film: Callable[..., RunResult]) -> None:
    """docs/reports.md names each field and the schema."""
    told = DOCS.read_text("utf-8")
    missing = {key for key in keys(parsed(film(fail=1))) if f"`{key}`" not in told}
    assert not missing
    assert document.SCHEMA in told

"""What programs read: strict, one line, without anything that fetches or commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.cli.envelope import dumps, envelope, event_line
from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.errors import BudgetRefused, InvalidPipeline, Problem

_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)

_SIGNED = "https://cdn.example/a.mp4?X-Signature=secret"


def result(**fields: object) -> ItemResult:
    return ItemResult("clips", 1, "scene_2", Kind.VIDEO, **{"state": ItemState.DONE, **fields})  # type: ignore[arg-type]


@given(_JSON)
def test_what_is_written_is_read_back(value):
    """Any JSON value survives; the text is one line of printable ASCII with no workflow command in it."""
    text = dumps({"value": value})
    assert json.loads(text) == {"value": value}
    assert text.isascii()
    assert text.isprintable()
    assert "##[" not in text


def test_controls_and_directions_are_escaped():
    """What would be acted on when it is printed stays escaped, and is unharmed when it is parsed."""
    hostile = "\x1b]52;c;eA==\x07\u202e\x7f\x9b::error::##[add-mask]x\n"
    text = dumps({"a": hostile})
    assert json.loads(text) == {"a": hostile}
    assert text.isprintable()
    assert text.isascii()
    assert "##[" not in text


def test_numbers_and_amounts_are_strict():
    """Amounts are strings as people write them; NaN and infinity, which JSON lacks, are null."""
    value = {"usd": Decimal("1E+1"), "nan": float("nan"), "deep": [{"inf": float("-inf")}], "half": "\ud800"}
    assert json.loads(dumps(value)) == {"usd": "10", "nan": None, "deep": [{"inf": None}], "half": "\ufffd"}


def test_shape_of_an_envelope():
    """The public shape: every key is always there."""
    done = envelope(command="schema", ok=True, data={"a": 1}, run_id="r", cost={"spent_usd": "0"})
    assert done == {
        "schema": "aicp/envelope/1",
        "ok": True,
        "command": "schema",
        "run_id": "r",
        "data": {"a": 1},
        "error": None,
        "cost": {"spent_usd": "0"},
    }


def test_an_invalid_pipeline_brings_every_problem():
    """The first problem's place stands on the error itself, all of them in `problems`."""
    error = InvalidPipeline([Problem("unknown key", "did you mean 'params'?", "a.yaml", 3, 5), Problem("b")])
    found = envelope(command="validate", ok=False, error=error)["error"]
    assert isinstance(found, dict)
    assert (found["code"], found["file"], found["line"], found["column"]) == (
        "invalid_pipeline",
        "a.yaml",
        3,
        5,
    )
    assert found["hint"] == "did you mean 'params'?"
    assert [problem["message"] for problem in found["problems"]] == ["unknown key", "b"]


def test_other_errors_bring_the_way_out():
    """Code, message, hint and command; no place; URLs without their signatures."""
    found = envelope(
        command="run-chain",
        ok=False,
        error=BudgetRefused(f"no: {_SIGNED}", hint="raise it", retry_with="aicp x --yes"),
    )["error"]
    assert found == {
        "code": "budget",
        "message": "no: https://cdn.example/a.mp4",
        "file": None,
        "line": None,
        "column": None,
        "hint": "raise it",
        "retry_with": "aicp x --yes",
        "problems": [],
    }


def test_an_ended_item_as_a_line():
    """All that a follower needs of an item: address, state, file, cost, error; no URL that fetches."""
    error = ItemError("content_rejected", 6, f"refused, see {_SIGNED}", "say it differently", "aicp redo a b")
    ended = events.ItemEnded(
        result(file=Path("/o/clips/scene_2.mp4"), cost=Decimal("0.70"), source_urls=(_SIGNED,), error=error),
        Decimal("1.40"),
    )
    line = event_line(ended, 7)
    said = json.loads(line)
    assert (said["seq"], said["event"], said["address"], said["state"]) == (
        7,
        "item_ended",
        "clips/scene_2",
        "done",
    )
    assert (said["file"], said["cost_usd"], said["spent_usd"]) == ("/o/clips/scene_2.mp4", "0.70", "1.40")
    assert said["source_urls"] == ["https://cdn.example/a.mp4"]
    assert said["error"]["retry_with"] == "aicp redo a b"
    assert "secret" not in line


@pytest.mark.parametrize(
    ("event", "name", "key", "value"),
    [
        (
            events.RunStarted("r", "p", True, (events.StepOutline("s", "thumbnail", None, 4, 1),)),
            "run_started",
            "steps",
            [{"name": "s", "type": "thumbnail", "model": None, "items": 4, "workers": 1}],
        ),
        (events.ItemStarted("clips", 1, "clips/scene_2"), "item_started", "address", "clips/scene_2"),
        (
            events.ItemProgress("clips", 1, "clips/scene_2", float("nan"), 3, _SIGNED),
            "item_progress",
            "message",
            "https://cdn.example/a.mp4",
        ),
        (events.Collected("clips/scene_1"), "collected", "address", "clips/scene_1"),
        (events.Note("careful"), "note", "message", "careful"),
        (events.Interrupting(2, 300.0), "interrupting", "running", 2),
    ],
)
def test_every_other_event_as_a_line(event, name, key, value):
    """An event is called by its name, and has its own fields."""
    said = json.loads(event_line(event, 1))
    assert (said["seq"], said["event"], said[key]) == (1, name, value)


def test_the_end_of_a_run_counts_its_items():
    """The last event has the outcome and the counts; the items themselves are in the envelope."""
    items = (result(), result(state=ItemState.FAILED), result())
    run = RunResult(
        *("r", "p", Path("p.yaml"), False, Path("/o"), datetime(2026, 11, 21, tzinfo=UTC), 4.0),
        (StepResult("clips", "image_to_video", "k", True, 4, items),),
        7,
        Decimal("1.40"),
    )
    said = json.loads(event_line(events.RunEnded(run), 9))
    assert said["items"] == {"done": 2, "failed": 1}
    assert (said["exit_code"], said["spent_usd"], said["cap_usd"]) == (7, "1.40", None)

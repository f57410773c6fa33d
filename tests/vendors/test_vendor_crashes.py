"""The crash law, a sample of it: ``python -m benchmarks.chaos`` (make chaos) kills at every state change."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.sandbox import Sandbox, Settings

FILE = Path(__file__).parents[2] / "benchmarks" / "chaos.py"


@pytest.fixture
def chaos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("chaos_sweep", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "chaos_sweep", module)
    spec.loader.exec_module(module)
    with Sandbox(Settings(image_seconds=0.1, look="plain", image_px=64), child=True) as sandbox:
        yield module.Chaos(sandbox, tmp_path)


def proved(chaos: Any) -> bool:
    """Nothing paid twice, nothing lost, the pictures of an undisturbed run, and nine charges a schedule."""
    tally = chaos.tally
    assert tally.problems == []
    assert (tally.duplicates, tally.lost, tally.different) == (0, 0, 0)
    return bool(tally.charges == 9 * tally.schedules)


@pytest.mark.parametrize("numbers", [(2, 12, 24), (7, 18, 33)], ids=str)
def test_killed_at_a_state_change(chaos: Any, numbers: tuple[int, ...]) -> None:
    """Just before and just after it: the same command until it ends pays each of the nine once."""
    for number in numbers:
        assert chaos.at_state_change(number, before=number % 2 == 0)
    assert proved(chaos)
    assert chaos.tally.kills == len(numbers)


def test_killed_at_any_moment(chaos: Any) -> None:
    """Early, while it submits, while it polls, while it downloads."""
    for part in (0.35, 0.55, 0.75, 0.9):
        chaos.at_moment(part * chaos.seconds)
    assert proved(chaos)

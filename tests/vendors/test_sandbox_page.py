"""docs/sandbox.md is true: every script in it is read, and every kind of fault has its example there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from ai_content_pipeline.sandbox import Sandbox, Settings, read_script
from ai_content_pipeline.sandbox.actions import AnyAction, Route

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_every_script_of_the_page_is_read(tmp_path: Path, number: int) -> None:
    """As it stands there, and by a running sandbox, too."""
    path = tmp_path / "faults.yaml"
    path.write_text(SCRIPTS[number], encoding="utf-8")
    script = read_script(path)
    assert script.rules
    with Sandbox(Settings(script=script)) as sandbox:
        assert sandbox.counts() == {}


def test_every_kind_of_fault_has_an_example() -> None:
    """A new action is documented, and none that is gone."""
    union, _ = get_args(AnyAction)
    kinds = {kind.model_fields["kind"].default for kind in get_args(union)}
    assert set(re.findall(r"kind: (\w+)", PAGE)) == kinds


def test_every_route_is_named() -> None:
    """In the table of what a rule may match."""
    assert all(f"`{route}`" in PAGE for route in get_args(Route))

"""Every step type has its file, its tests and its page; every pipeline we show to people loads and plans."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_content_pipeline.jobs import JobRequest, LocalWork
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.steps.fields import StepFields
from ai_content_pipeline.steps.protocol import Step
from ai_content_pipeline.steps.registry import STEP_TYPES, step_type

ROOT = Path(__file__).parents[2]
PIPELINES = sorted((ROOT / "input" / "pipelines").rglob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "CLAUDE.md", *sorted((ROOT / "docs").rglob("*.md"))]
HEAVY = ("PIL", "av", "httpx", "rich", "jinja2", "fal_client", "replicate", "asyncio", "sqlite3")

#: Modules of steps/ that are no step types.
SHARED = {
    "names",
    "selections",
    "strategy",
    "__init__",
    "fields",
    "maps",
    "protocol",
    "references",
    "registry",
    "requests",
    "roles",
    "sources",
}


def shown() -> list[tuple[str, str]]:
    """Every ```yaml block with steps, by page and number; design.md speaks of keys still to come."""
    found = []
    for page in PAGES:
        blocks = re.findall(
            r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
        found += [
            (f"{page.relative_to(ROOT)}#{n}", block)
            for n, block in enumerate(blocks)
            if re.search(r"^steps:", block, re.MULTILINE) and page.name != "design.md"
        ]
    return found


@pytest.mark.parametrize("name", STEP_TYPES)
def test_every_step_type_has_file_tests_and_page(name: str) -> None:
    """A type is one file of its name, a class that keeps the protocol, a test file and a docs page."""
    assert (ROOT / "ai_content_pipeline" / "steps" / f"{name}.py").is_file()
    assert (ROOT / "tests" / "steps" / f"test_{name}.py").is_file()
    assert f"# {name}\n" in (ROOT / "docs" / "steps" / f"{name}.md").read_text(encoding="utf-8")
    step = step_type(name)
    assert issubclass(step, StepFields)
    verbs = {verb for verb in vars(Step) if not verb.startswith("_")} | {"task", "takes"}
    assert all(hasattr(step, verb) for verb in verbs)
    assert step.model_fields["type"].annotation.__args__ == (name,)  # type: ignore[union-attr]


def test_no_step_type_is_left_out() -> None:
    """Every file of steps/ and every page of docs/steps/ belongs to a registered type."""
    files = {path.stem for path in (ROOT / "ai_content_pipeline" / "steps").glob("*.py")}
    assert files - SHARED == set(STEP_TYPES)
    assert {path.stem for path in (ROOT / "docs" / "steps").glob("*.md")} == set(STEP_TYPES)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
@pytest.mark.parametrize("draft", [False, True])
def test_integration_pipelines_plan(path: Path, draft: bool) -> None:
    """Every pipeline in input/pipelines loads and expands, and every item knows its work."""
    expansion = expand(load_pipeline(path, environ={}), draft=draft)
    assert expansion.warnings == ()
    for step in expansion.steps:
        assert step.items
        for item in step.items:
            assert item.given or isinstance(step.verbs.work(item, step.setting), JobRequest | LocalWork)


@pytest.mark.parametrize(("place", "text"), shown(), ids=[place for place, _ in shown()])
def test_pipelines_in_the_docs_plan(place: str, text: str, tmp_path: Path) -> None:
    """Whatever the documentation shows as a whole pipeline works as it stands."""
    from PIL import Image

    for name in ("a.png", "b.png", "portrait.png", "panels/p1.png", "panels/p2.png", "sheet.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (960, 540)).save(tmp_path / name)
    clip = Path(__file__).with_name("bad") / "files" / "clip.mp4"
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    path = tmp_path / "film.yaml"
    path.write_text(text, encoding="utf-8")
    assert expand(load_pipeline(path, environ={})).items, place


def test_the_docs_show_pipelines() -> None:
    """The test above does not pass because it finds nothing."""
    assert len({place.split("#")[0] for place, _ in shown()}) >= 6


def test_planning_imports_nothing_heavy() -> None:
    """A plan of a file without own pictures needs no picture, network or database library."""
    code = f"""
import sys
from pathlib import Path
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
expand(load_pipeline(Path({str(ROOT / "input" / "pipelines" / "demo.yaml")!r}), environ={{}}))
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

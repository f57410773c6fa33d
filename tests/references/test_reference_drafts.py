"""With no key and at no cost: every route's example as a draft, and scores that tell subjects apart."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.media.probe import verify

EXAMPLES = Path(__file__).parents[2] / "input/pipelines/references"
SCORED = """
name: scored
seed: 7
references:
  mia: {images: [refs/mia_front.png, refs/mia_side.png], description: a woman in a red coat}
  mug: {images: [refs/mug.png], description: a blue mug}
steps:
  - name: scenes
    type: text_to_image
    model: nano_banana_pro_edit
    references: [mia]
    consistency: {on_low: stop, min_score: 0.99}
    params:
      prompts:
        - "@mia in a park"
        - {prompt: "@mug on a table", references: [mug]}
        - {prompt: "@mia drinks from @mug", references: [mia, mug]}
        - {prompt: "leaves", references: [], model: nano_banana_pro}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our examples in a project of their own, and nobody's key."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draft(capsys: Any, name: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run_app(["run-chain", f"{name}.yaml", "--draft", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.parametrize(
    ("name", "files"), [("server", 3), ("embeddings", 6), ("keyframe", 7), ("prompt", 2)]
)
def test_every_routes_example_can_be_drafted(project: Path, capsys: Any, name: str, files: int) -> None:
    """Each example is drawn whole, without key, weights or cost, in a folder of its own."""
    told = draft(capsys, name)
    output = project / "output" / f"references_{name}.draft"
    made = [path for path in output.rglob("*") if path.suffix in (".png", ".mp4")]
    assert len(made) == files
    assert all(verify(path).width for path in made)
    assert Decimal(told["cost"]["spent_usd"]) == 0


def test_every_route_has_its_example() -> None:
    """One file for each route that there is."""
    from ai_content_pipeline.artifacts import Route

    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == {route.value for route in Route}


def test_a_draft_shows_its_own_subject_more_than_another(project: Path, capsys: Any) -> None:
    """Scenes are tinted and pasted from their references, so the score beside each is that of what it keeps;
    a scene that keeps none has none."""
    from ai_content_pipeline.media.images import open_image
    from ai_content_pipeline.references import metrics

    (project / "scored.yaml").write_text(SCORED, encoding="utf-8")
    told = draft(capsys, "scored")
    items = told["data"]["steps"][0]["items"]
    kept = [
        item["consistency"] and [one["name"] for one in item["consistency"]["references"]] for item in items
    ]
    assert kept == [["mia"], ["mug"], ["mia", "mug"], None]
    for _ in ("as it was made", "as it is found again"):
        page = (project / "output/scored.draft/report.html").read_text(encoding="utf-8")
        assert page.count('<img src="data:image/webp;base64,') == 2
        draft(capsys, "scored")
    color = metrics.metric("color")
    looks = {name: color.look(open_image(project / f"refs/{name}.png")) for name in ("mia_front", "mug")}
    scenes = [project / f"output/scored.draft/scenes/scenes_{number}.png" for number in (1, 2)]
    mia, mug = (
        {name: color.alike(look, color.look(open_image(path))) for name, look in looks.items()}
        for path in scenes
    )
    assert mia["mia_front"] > mia["mug"]
    assert mug["mug"] > mug["mia_front"] + 0.2

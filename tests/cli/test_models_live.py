"""What vendors publish, through the sandbox: aicp models check, and pipelines of models without a card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox.actions import Html, Reset, Status
from ai_content_pipeline.sandbox.models import SCHEMAS, Schema

KLING = "kling_2_6_pro"
CANARY = "canary-key-51f0c3aa"
SETTINGS = Settings(
    image_seconds=0.02,
    video_seconds=0.02,
    look="plain",
    image_px=64,
    video_px=64,
    video_fps=1,
    fal_key=f"canary-id:{CANARY}",
    replicate_token=f"r8_{CANARY}",
)
RAW = """
name: raw
steps:
  - {{name: board, type: text_to_image, model: draft, params: {{prompt: A board, width: 128, height: 64}}}}
  - type: image_to_video
    model: {model}
    params: {{prompt: Go, {params}}}
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """It must have seen no key where none belongs."""
    with Sandbox(SETTINGS) as running:
        yield running
        assert running.leaks() == ()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Iterator[Path]:
    """The working folder of somebody with an account at both vendors. No key may be left in any file."""
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environ().items():
        monkeypatch.setenv(name, value)
    yield tmp_path
    assert not [
        file for file in tmp_path.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()
    ]


class Said:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def models(self) -> list[dict[str, Any]]:
        return json.loads(self.out)["data"]["models"]  # type: ignore[no-any-return]


@pytest.fixture
def aicp(project: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line; what it came to."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = run_app(words)
        out, err = capsys.readouterr()
        assert CANARY not in out + err
        return Said(code, out, err)

    return run


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both vendors' addresses lead to a port where nobody listens."""
    for name in ("AICP_FAL_URL", "REPLICATE_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def kept(project: Path) -> list[str]:
    return sorted(path.name for path in (project / ".aicp").rglob("schemas/*/*.json"))


# -- check ---------------------------------------------------------------------------------------------


def test_check_says_what_differs(aicp: Any, project: Path, sandbox: Sandbox) -> None:
    """The sandbox's schema of Kling lacks a field and tells types of its own: each is named, none is written,
    and no job is sent."""
    said = aicp("models", "check", KLING, "--json")
    assert said.code == 0
    (model,) = said.models
    found = {one["where"]: (one["card"], one["vendor"]) for one in model["differences"]}
    assert found["parameters.voice_ids"] == ("array", "no such field")
    assert found["parameters.generate_audio.type"] == ("boolean", "string")
    assert "price" not in found
    assert not (project / "aicp.models.toml").exists()
    assert kept(project) == ["fal-ai%2Fkling-video%2Fv2.6%2Fpro%2Fimage-to-video.json"]
    assert sandbox.jobs() == ()
    shown = aicp("models", "check", KLING)
    assert "parameters.voice_ids" in shown.out
    assert "differences from fal's schema of " in shown.err
    assert "warning: a stand-in is asked, and not the vendors" in shown.err


def test_update_writes_the_difference_and_then_there_is_none(aicp: Any, project: Path) -> None:
    """--update lays the vendor's word over the card, keeps the user's other cards and comments, and a second
    check agrees."""
    path = project / "aicp.models.toml"
    path.write_text("# mine\n[sdxl]\nseconds = 4  # measured\n")
    said = aicp("models", "check", KLING, "--update", "--json")
    assert said.models[0]["updated"]
    text = path.read_text()
    assert text.startswith("# mine\n[sdxl]\nseconds = 4  # measured\n")
    assert f"[{KLING}]\n# as fal publishes it, 20" in text
    again = aicp("models", "check", KLING, "--json")
    assert [one["where"] for one in again.models[0]["differences"]] == []
    before = path.read_bytes()
    assert aicp("models", "check", KLING, "--update").code == 0
    assert path.read_bytes() == before


def test_replicate_is_asked_with_its_own_token(aicp: Any, project: Path) -> None:
    """Replicate's schema is compared as well: the card of Seedance agrees with the files, and differs in
    what the sandbox leaves out."""
    (model,) = aicp("models", "check", "seedance_1_lite", "--json").models
    assert model["published"]
    assert not [one for one in model["differences"] if one["where"].startswith("roles")]


def test_every_card_can_be_checked(aicp: Any, project: Path) -> None:
    """Without keys, the whole catalogue is asked for, and something is said of every card."""
    said = aicp("models", "check", "--json")
    assert said.code == 0
    listed = {model["key"] for model in aicp("models", "list", "--json").models}
    assert {model["key"] for model in said.models} == listed
    assert len(kept(project)) == len(listed)


def test_names_of_a_role_that_are_no_more_go_as_well(aicp: Any, project: Path) -> None:
    """The sandbox's Runway has no reference_tags: --update takes the role's word for them away, too."""
    assert aicp("models", "check", "runway_gen4_image", "--update", "--json").models[0]["updated"]
    assert "tags = false" in (project / "aicp.models.toml").read_text()
    assert aicp("models", "show", "runway_gen4_image").code == 0


def test_an_update_of_everything_leaves_sound_cards(aicp: Any, project: Path) -> None:
    """Writing all of the sandbox's rather different schemas at once gives cards that load and agree."""
    said = aicp("models", "check", "--update")
    assert said.code == 0, said.err
    said = aicp("models", "check", "--json")
    assert said.code == 0, said.out
    writable = [one for model in said.models for one in model["differences"] if one["writable"]]
    assert writable == []
    assert aicp("models", "list").code == 0


def test_offline_the_card_is_used_and_it_says_so(
    aicp: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor that cannot be reached is exit 75; the card stays in use, or the answer that was kept."""
    offline(monkeypatch)
    said = aicp("models", "check", KLING)
    assert said.code == 75
    assert "not compared, the card is used as it is" in said.err


def test_offline_a_kept_answer_is_compared_with_its_day(
    aicp: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked before is compared again, and its day is told."""
    assert aicp("models", "check", KLING).code == 0
    offline(monkeypatch)
    said = aicp("models", "check", KLING)
    assert said.code == 75
    assert "that was kept" in said.err
    assert "parameters.voice_ids" in said.out
    (model,) = aicp("models", "check", KLING, "--json").models
    assert model["kept"]


@pytest.mark.parametrize("action", [Status(code=500), Html(), Reset()])
def test_an_answer_that_is_none_is_said(aicp: Any, project: Path, sandbox: Sandbox, action: Any) -> None:
    """A broken answer is the vendor's failure in words, and nothing is kept of it."""
    sandbox.script(Rule(match=Match(vendor="fal", route=("model",)), action=action))
    said = aicp("models", "check", KLING)
    assert said.code == 75
    assert KLING in said.err
    assert kept(project) == []


def test_a_model_that_is_gone_is_said_and_marked(aicp: Any, project: Path, sandbox: Sandbox) -> None:
    """A vendor that knows no such model any more: the card is marked as deprecated when asked to."""
    sandbox.script(Rule(match=Match(vendor="fal", route=("model",)), action=Status(code=404)))
    said = aicp("models", "check", KLING, "--update")
    assert said.code == 0
    assert "fal publishes no model called fal-ai/kling-video/v2.6/pro/image-to-video" in said.err
    (model,) = [one for one in aicp("models", "list", "--json").models if one["key"] == KLING]
    assert model["status"] == "deprecated"


def test_without_a_key_schemas_are_compared_and_prices_are_not(
    aicp: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fal's schemas need no key; Replicate's do, and its absence is exit 4 with the variable's name."""
    monkeypatch.delenv("FAL_KEY")
    monkeypatch.delenv("REPLICATE_API_TOKEN")
    said = aicp("models", "check", KLING)
    assert said.code == 0
    assert "no FAL_KEY" in said.err
    said = aicp("models", "check", "seedance_1_lite")
    assert said.code == 4
    assert "REPLICATE_API_TOKEN is not set" in said.err


def test_the_draft_has_no_vendor(aicp: Any, project: Path, sandbox: Sandbox) -> None:
    """What is made here is not asked about anywhere."""
    said = aicp("models", "check", "draft")
    assert said.code == 0
    assert "nobody to ask" in said.err
    assert not asked(sandbox)


@pytest.mark.parametrize("model", ["fal:../../x", "replicate:../models", "somewhere:me/model"])
def test_what_is_no_endpoint_is_asked_for_nowhere(
    aicp: Any, project: Path, sandbox: Sandbox, model: str
) -> None:
    """A name that no vendor could have is wrong usage, and no request leaves."""
    assert aicp("models", "show", model).code == 2
    assert aicp("models", "check", model).code == 2
    assert not asked(sandbox)


@pytest.mark.parametrize(
    ("endpoint", "lists", "said"),
    [
        ("somebody/text-to-video", (), "it takes no references"),
        ("somebody/image-to-video", (), "it takes start (image_url), no references"),
        ("somebody/subject", ("reference_image_urls",), "it takes reference (reference_image_urls)"),
        ("somebody/edit", ("image_urls",), "it takes input (image_urls), reference (image_urls)"),
    ],
)
def test_check_answers_whether_an_endpoint_takes_references(
    aicp: Any,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    lists: tuple[str, ...],
    said: str,
) -> None:
    """Of any endpoint, with a card or without: by its vendor's schema, and with no job sent."""
    if lists:
        monkeypatch.setitem(SCHEMAS, endpoint, Schema(("prompt",), lists=lists))
    assert said in aicp("models", "check", f"fal:{endpoint}").err
    (model,) = aicp("models", "check", f"fal:{endpoint}", "--json").models
    assert ("reference" in model["takes"]) is bool(lists)


# -- models without a card -----------------------------------------------------------------------------


def asked(sandbox: Sandbox) -> list[str]:
    """The requests for schemas and prices so far."""
    return [name for name in sandbox.counts() if "model" in name]


def write(project: Path, model: str, params: str = "seed: 3") -> str:
    (project / "raw.yaml").write_text(RAW.format(model=model, params=params))
    return "raw.yaml"


@pytest.mark.parametrize(
    ("model", "field"),
    [("fal:somebody/image-to-video", "image_url"), ("replicate:somebody/video-model", "image")],
)
def test_a_raw_endpoint_gets_its_picture_by_the_vendors_name(
    aicp: Any, project: Path, sandbox: Sandbox, model: str, field: str
) -> None:
    """Without a card, the live schema names the picture's field and the seed: the job arrives whole, once."""
    file = write(project, model)
    assert aicp("validate", file).code == 0
    assert kept(project) == [], "validate writes nothing"
    said = aicp("run-chain", file, "--yes", "--allow-unpriced")
    assert said.code == 0, said.err
    (job,) = sandbox.jobs()
    assert {"prompt", "seed", field} == set(job.payload)
    assert str(job.payload[field]).startswith("http")
    assert len(kept(project)) == 1


def test_a_raw_endpoints_parameters_are_checked_before_spending(
    aicp: Any, project: Path, sandbox: Sandbox
) -> None:
    """An unknown parameter of a model without a card is refused with its place, and nothing is sent."""
    said = aicp("run-chain", write(project, "fal:somebody/image-to-video", "aspect_ration: x"), "--yes")
    assert said.code == 3
    assert "raw.yaml:7:41: fal:somebody/image-to-video has no parameter" in said.err
    assert "did you mean 'aspect_ratio'?" in said.err
    assert sandbox.jobs() == ()


def test_a_raw_endpoint_that_takes_no_picture_is_refused(aicp: Any, project: Path, sandbox: Sandbox) -> None:
    """The vendor's schema knows of no picture field: the picture would be paid for and ignored."""
    said = aicp("run-chain", write(project, "fal:somebody/text-to-video"), "--yes", "--allow-unpriced")
    assert said.code == 3
    assert "takes no start picture" in said.err
    assert sandbox.jobs() == ()


def test_a_kept_schema_serves_without_a_network(
    aicp: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once asked (here by `models show`), the same file is planned without a network."""
    file = write(project, "fal:somebody/image-to-video")
    shown = aicp("models", "show", "fal:somebody/image-to-video")
    assert "start  image_url" in shown.out
    offline(monkeypatch)
    said = aicp("plan", file, "--json")
    assert said.code == 0


def test_without_schema_a_picture_is_refused_with_what_to_write(
    aicp: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows the picture's field: refused before spending, with the ways out; and why nobody knows."""
    offline(monkeypatch)
    said = aicp("run-chain", write(project, "fal:somebody/image-to-video", ""), "--yes", "--allow-unpriced")
    assert said.code == 3
    assert "not known which field takes its start picture" in said.err
    assert "aicp.models.toml" in said.err
    assert "the schema of fal:somebody/image-to-video cannot be had: fal does not answer" in said.err


def test_without_schema_and_without_pictures_it_goes_on_with_a_warning(
    aicp: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is sent no picture runs as before: its parameters go unchecked, and that is said."""
    offline(monkeypatch)
    (project / "raw.yaml").write_text(
        "steps:\n  - {type: text_to_image, model: 'fal:somebody/else', params: {prompt: x, other: 3}}\n"
    )
    said = aicp("plan", "raw.yaml")
    assert said.code == 0
    assert "its params are sent unchecked" in said.err


def test_a_draft_asks_nobody(aicp: Any, project: Path, sandbox: Sandbox) -> None:
    """A draft of a model without a card needs no vendor."""
    assert aicp("run-chain", write(project, "fal:somebody/image-to-video", ""), "--draft").code == 0
    assert not asked(sandbox)


def test_models_with_a_card_ask_nobody(aicp: Any, project: Path, sandbox: Sandbox) -> None:
    """Planning with the catalogue's own models needs no network at all."""
    (project / "raw.yaml").write_text(
        "steps:\n  - {type: text_to_image, model: nano_banana_pro, params: {prompt: x}}\n"
    )
    assert aicp("plan", "raw.yaml").code == 0
    assert not asked(sandbox)

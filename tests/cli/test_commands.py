"""The commands as a user types them: exit codes, envelopes, files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from ai_content_pipeline.cli.app import COMMANDS, run_app

_SMALL = """
name: small
seed: 3
steps:
  - name: pictures
    type: text_to_image
    model: draft
    params: {width: 64, height: 48, prompts: ["a boat on the sea", "a house in the hills"]}
  - {type: thumbnail}
"""
_PAID = """
name: paid
steps:
  - {name: pictures, type: text_to_image, model: nano_banana_pro, params: {prompt: "a boat"}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project folder, which is also the working folder."""
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(_SMALL)
    (tmp_path / "paid.yaml").write_text(_PAID)
    return tmp_path


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with its time stamp and content."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def envelope(capsys: pytest.CaptureFixture[str]) -> dict:
    """The one object on stdout; anything else there fails the test."""
    return json.loads(capsys.readouterr().out)


def test_run_writes_the_tree_and_a_second_run_changes_nothing(project, capsys):
    """A run fills the output folder; the same command again reuses everything and touches no result."""
    assert run_app(["run-chain", "small.yaml"]) == 0
    output = project / "output/small"
    assert {"report.json", "report.html", "pictures/pictures_1.png", "thumbnail_1/pictures_2.webp"} <= set(
        files(output)
    )
    before = {name: value for name, value in files(output).items() if not name.startswith("report.")}
    capsys.readouterr()
    assert run_app(["run-chain", "--config", "small.yaml", "--json"]) == 0
    items = [item for step in envelope(capsys)["data"]["steps"] for item in step["items"]]
    after = {name: value for name, value in files(output).items() if not name.startswith("report.")}
    assert [item["cached"] for item in items] == [True] * 4
    assert after == before


def test_dry_run_leaves_nothing_behind(project, capsys):
    """A dry run prices and lists every item, and creates no file at all."""
    before = files(project)
    assert run_app(["run-chain", "paid.yaml", "--dry-run", "--json"]) == 0
    data = envelope(capsys)["data"]
    assert [(item["step"], item["index"], item["state"]) for item in data["items"]] == [
        ("pictures", 0, "run")
    ]
    assert data["total_usd"] == "0.15"
    assert files(project) == before


def test_warnings_are_data_too(project, capsys):
    """What a file is warned about stands in the JSON of a dry run and of validate, not on the screen only."""
    (project / "boat.png").write_bytes(b"no step looks at it")
    (project / "odd.yaml").write_text(_PAID.replace("steps:", "input_image: boat.png\nsteps:"))
    said = ["input_image is used by no step: the first one makes its own pictures"]
    assert run_app(["run-chain", "odd.yaml", "--dry-run", "--json"]) == 0
    assert envelope(capsys)["data"]["warnings"] == said
    assert run_app(["validate", "paid.yaml", "odd.yaml", "--json"]) == 0
    assert [file["warnings"] for file in envelope(capsys)["data"]["files"]] == [[], said]


def test_missing_key_names_both_ways_out(project, capsys):
    """A paid model without a key is exit 4, says how to set it and how to do without, and starts nothing."""
    assert run_app(["run-chain", "paid.yaml", "--yes"]) == 4
    said = capsys.readouterr().err
    assert "FAL_KEY" in said
    assert "--draft" in said
    assert not (project / "output").exists()


def test_draft_never_touches_the_paid_output(project):
    """--draft writes beside the paid output folder, also when the folder is typed."""
    assert run_app(["run-chain", "paid.yaml", "--draft"]) == 0
    assert run_app(["run-chain", "paid.yaml", "--draft", "--output-dir", "elsewhere"]) == 0
    assert (project / "output/paid.draft/pictures/pictures_1.png").exists()
    assert (project / "elsewhere.draft/pictures/pictures_1.png").exists()
    assert not (project / "output/paid").exists()


def test_no_consent_no_spending(project, monkeypatch, capsys):
    """Without a terminal, a priced run needs --yes or --max-cost; the file's cap is no consent."""
    monkeypatch.setenv("FAL_KEY", "id:secret")
    (project / "capped.yaml").write_text(_PAID + "max_cost: 5\n")
    assert run_app(["run-chain", "capped.yaml"]) == 5
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--max-cost", "0.10"], ["--max-cost", "0.10", "--yes"]])
def test_plan_above_the_cap_is_refused(project, monkeypatch, capsys, options):
    """A plan that may cost more than the cap is exit 5 before its first job."""
    monkeypatch.setenv("FAL_KEY", "id:secret")
    assert run_app(["run-chain", "paid.yaml", *options]) == 5
    assert "more than the cap" in capsys.readouterr().err


def test_unknown_price_is_refused_by_name(project, monkeypatch, capsys):
    """A model without a known price runs only with --allow-unpriced."""
    monkeypatch.setenv("FAL_KEY", "id:secret")
    (project / "raw.yaml").write_text(_PAID.replace("nano_banana_pro", "fal:somebody/some-model"))
    assert run_app(["run-chain", "raw.yaml", "--yes"]) == 5
    assert "fal:somebody/some-model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["run-chain"], "PIPELINE.yaml"),
        (["run-chain", "small.yaml", "--config", "small.yaml"], "not both"),
        *(
            (["run-chain", "small.yaml", "--max-cost", amount], "2.50")
            for amount in ("lots", "nan", "-1", "1e400", "1_0", "", "5,00")
        ),
        (["run-chain", "small.yaml", "--set", "nothing"], "path=value"),
        (["redo", "small.yaml", "pictures/pictures_9"], "did you mean"),
        (["redo", "small.yaml", "thumbnail_1/pictures_1"], "redo pictures/pictures_1"),
        (["status"], "nothing has been run"),
    ],
)
def test_wrong_usage(project, capsys, words, hint):
    """Wrong usage is exit 2 with a way out, as text and as JSON."""
    assert run_app(words) == 2
    assert hint in capsys.readouterr().err
    assert run_app([*words, "--json"]) == 2
    answer = envelope(capsys)
    assert (answer["ok"], answer["error"]["code"]) == (False, "usage")


def test_click_usage_errors_are_envelopes_too(project, capsys):
    """Options that do not exist are reported as JSON when JSON was asked for."""
    assert run_app(["run-chain", "small.yaml", "--jsonn", "--json"]) == 2
    assert envelope(capsys)["error"]["code"] == "usage"


def test_unknown_command_suggests(capsys):
    """A mistyped command says which one was meant."""
    assert run_app(["run-chian"]) == 2
    assert "run-chain" in capsys.readouterr().err


def test_invalid_pipeline_says_where(project, capsys):
    """A bad file is exit 3 with file, line and column, in text and in the envelope, and writes nothing."""
    (project / "bad.yaml").write_text("steps:\n  - type: text_to_imag\n    model: draft\n")
    before = files(project)
    assert run_app(["run-chain", "bad.yaml"]) == 3
    assert "bad.yaml:2:11:" in capsys.readouterr().err
    assert run_app(["validate", "bad.yaml", "small.yaml", "--json"]) == 3
    error = envelope(capsys)["error"]
    assert (error["file"], error["line"], error["column"]) == ("bad.yaml", 2, 11)
    assert files(project) == before


def test_redo_makes_a_new_take(project, capsys):
    """redo replaces one picture and what depends on it; the plain command keeps the new take."""
    run_app(["run-chain", "small.yaml"])
    before = files(project / "output/small")
    assert run_app(["redo", "small.yaml", "pictures/pictures_2"]) == 0
    redone = files(project / "output/small")
    assert redone["pictures/pictures_1.png"] == before["pictures/pictures_1.png"]
    assert redone["pictures/pictures_2.png"][1] != before["pictures/pictures_2.png"][1]
    assert redone["thumbnail_1/pictures_2.webp"][1] != before["thumbnail_1/pictures_2.webp"][1]
    assert run_app(["run-chain", "small.yaml"]) == 0
    assert files(project / "output/small")["pictures/pictures_2.png"] == redone["pictures/pictures_2.png"]


def test_init_writes_a_file_that_runs(project, capsys):
    """The starter file validates as it is, is never overwritten, and names its schema."""
    assert run_app(["init", "story.yaml"]) == 0
    assert run_app(["validate", "story.yaml"]) == 0
    assert run_app(["init", "story.yaml"]) == 2
    assert "$schema=aicp.schema.json" in (project / "story.yaml").read_text().splitlines()[0]
    assert "exists already" in capsys.readouterr().err
    assert json.loads((project / "aicp.schema.json").read_text())["title"] == "aicp pipeline"


def test_every_command_has_help(capsys):
    """--help works for every command and names it."""
    for name in COMMANDS:
        assert run_app([name, "--help"]) == 0
        assert f"aicp {name}" in capsys.readouterr().out


def test_the_retry_command_is_the_command(project, capsys):
    """What is printed to go on with is the command line that was typed, safely quoted."""
    monkey = "pictures.params.prompts.0=a 'quoted' boat; rm -rf"
    words = ["run-chain", "small.yaml", "--draft", "--set", monkey, "--json"]
    assert run_app(words) == 0
    from ai_content_pipeline.cli.options import Showing
    from ai_content_pipeline.cli.wish import Wish

    wish = Wish.of("run-chain", Path("small.yaml"), None, Showing(), overrides=(monkey,), draft=True)
    assert shlex.split(wish.retry("pictures/pictures_1")) == [
        *("aicp", "redo", "small.yaml", "pictures/pictures_1", "--draft", "--set"),
        monkey,
    ]


def test_env_file_may_set_keys_and_nothing_else(project, capsys):
    """A file of variables may hold keys; an address in it is refused, because it could send a key away."""
    (project / "keys").write_text("export FAL_KEY='id:secret'\n# a comment\n")
    (project / "hostile").write_text("AICP_FAL_URL=https://evil.example\n")
    assert run_app(["run-chain", "paid.yaml", "--env-file", "keys"]) == 5  # the key is there; consent is not
    assert run_app(["run-chain", "paid.yaml", "--env-file", "hostile"]) == 4
    assert "hostile:1" in capsys.readouterr().err

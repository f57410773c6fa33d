"""aicp plan, run-chain --dry-run and run-chain --plan, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from ai_content_pipeline.catalog import files as catalogue_files
from ai_content_pipeline.cli.app import run_app

_PAID = """
name: paid
steps:
  - name: board
    type: text_to_image
    model: nano_banana_pro
    params: {prompt: "a boat", seed: 4, resolution: 4K}
  - {name: clips, type: image_to_video, model: kling_2_6_pro, params: {prompt: go, duration: "10"}}
"""
_FREE = """
name: free
steps:
  - name: pictures
    type: text_to_image
    model: draft
    params: {width: 64, height: 48, prompts: ["a boat on the sea", "a house in the hills"]}
  - {type: thumbnail}
"""
_UNTIMED = """
name: untimed
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: "a boat"}}
"""
_KEYS = {"step", "index", "label", "model", "state", "price_usd", "seconds"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paid.yaml").write_text(_PAID)
    (tmp_path / "free.yaml").write_text(_FREE)
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def data(capsys, *words: str) -> dict:
    """The envelope's data of a command that must succeed."""
    capsys.readouterr()
    assert run_app([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["data"]


# -- what it says ---------------------------------------------------------------------------------------


def test_the_data_are_as_promised(project, capsys):
    """The keys that programs rely on, amounts as decimal strings, and nothing left behind."""
    before = tree(project)
    said = data(capsys, "plan", "paid.yaml")
    assert {"items", "total_usd", "saved_usd", "unpriced", "seconds_sequential", "seconds_parallel"} <= set(
        said
    )
    assert all(set(item) >= _KEYS for item in said["items"])
    assert [(item["step"], item["index"], item["label"]) for item in said["items"]] == [
        ("board", 0, "board_1"),
        ("clips", 0, "board_1"),
    ]
    assert [item["price_usd"] for item in said["items"]] == ["0.30", "1.40"]
    assert (said["total_usd"], said["saved_usd"], said["unpriced"]) == ("1.70", "0", [])
    assert sum(Decimal(item["price_usd"]) for item in said["items"]) == Decimal(said["total_usd"])
    assert (said["seconds_sequential"], said["seconds_parallel"]) == (120.0, 120.0)
    assert said["critical_path"] == ["clips/board_1"]
    assert (said["items"][0]["set"], said["items"][0]["seed"]) == ({"resolution": "4K"}, 4)
    assert [item["basis"] for item in said["items"]] == ["second-hand"] * 2
    assert tree(project) == before


def test_the_dry_run_is_the_same_view(project, capsys):
    """run-chain --dry-run and plan say the same, for people and for programs."""
    options = ("paid.yaml", "--set", "clips.params.duration=5")
    assert data(capsys, "plan", *options) == data(capsys, "run-chain", "--dry-run", *options)
    run_app(["plan", *options])
    plan = capsys.readouterr()
    run_app(["run-chain", "--dry-run", *options])
    assert capsys.readouterr() == plan


def test_text_says_what_each_job_is(project, capsys):
    """A line a job: model, what is set, state, price, time; then total, path, second-hand mark."""
    assert run_app(["plan", "paid.yaml"]) == 0
    said = capsys.readouterr()
    board, clips = said.out.splitlines()[1:3]
    assert board.split() == [
        "board/board_1",
        "nano_banana_pro",
        "resolution=4K,",
        "seed=4",
        "run",
        "~$0.30",
        "unknown",
    ]
    assert clips.split()[-6:] == ["duration=10", "run", "~$1.40", "2", "min", "00", "s"][-6:]
    assert "price   ~$1.70, at most" in said.err
    assert "path    clips/board_1: the run takes as long as these as far as is known" in said.err
    assert "~ a second-hand price" in said.err


def test_a_time_that_nobody_knows_is_unknown_and_not_zero(project, capsys):
    """Where no job's time is known, the plan says so instead of adding up nothing."""
    (project / "untimed.yaml").write_text(_UNTIMED)
    assert run_app(["plan", "untimed.yaml"]) == 0
    assert "time    unknown\n" in capsys.readouterr().err


def test_after_a_run_all_is_cached(project, capsys):
    """States are those of the journal; free work has no price and no saving."""
    assert run_app(["run-chain", "free.yaml"]) == 0
    said = data(capsys, "plan", "free.yaml")
    assert {item["state"] for item in said["items"]} == {"cached"}
    assert (said["total_usd"], said["seconds_parallel"], said["critical_path"]) == ("0", 0.0, [])


def test_a_thousand_scenes_are_a_few_lines(project, capsys):
    """A long step is folded; its items are all in the data."""
    prompts = ", ".join(f'"scene {number}"' for number in range(1000))
    changed = prompts.replace('"scene 500"', '{prompt: other, params: {duration: "10"}}')
    step = f"{{name: shots, type: text_to_video, model: kling_2_6_pro_t2v, params: {{prompts: [{changed}]}}}}"
    (project / "long.yaml").write_text(f"name: long\nsteps:\n  - {step}\n")
    assert run_app(["plan", "long.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("shots/shots_1 … shots_500 (500)")
    assert "500 x ~$0.70" in lines[1]
    assert lines[2].split()[:3] == ["shots/shots_501", "kling_2_6_pro_t2v", "duration=10"]
    assert "shots/shots_502 … shots_1000 (499)" in lines[3]
    assert len(data(capsys, "plan", "long.yaml")["items"]) == 1000


def test_a_long_step_of_many_kinds_is_one_line_a_state(project, capsys):
    """Where neighbours differ too much to be folded, their sum is shown."""
    durations = ("5", "10")
    prompts = ", ".join(
        f'{{prompt: "{number}", params: {{duration: "{durations[number % 2]}"}}}}' for number in range(40)
    )
    step = f"{{name: shots, type: text_to_video, model: kling_2_6_pro_t2v, params: {{prompts: [{prompts}]}}}}"
    (project / "mixed.yaml").write_text(f"name: mixed\nsteps:\n  - {step}\n")
    assert run_app(["plan", "mixed.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].split()[:6] == ["shots", "(40)", "kling_2_6_pro_t2v", "run", "~$42.00", "in"]


def test_hostile_words_stay_words(project, capsys):
    """What a file says is shown without what a terminal would obey, and cut to its place."""
    text = _PAID.replace(
        "resolution: 4K", 'system_prompt: "[bold]red\\n and a very very very long text behind it"'
    )
    (project / "hostile.yaml").write_text(text)
    assert run_app(["plan", "hostile.yaml"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "system_prompt=[bold]red and a very" in said
    assert "behind it" not in said


# -- plans in files ---------------------------------------------------------------------------------------


@pytest.fixture
def planned(project, capsys):
    """free.yaml with an option, planned into plan.json."""
    assert run_app(["plan", "free.yaml", "--set", "seed=9", "-o", "plan.json"]) == 0
    assert "aicp run-chain --plan plan.json" in capsys.readouterr().err
    return project


def test_a_plan_is_run_as_it_is(planned, capsys):
    """The plan brings its pipeline and its options; after the run it still holds, and costs nothing."""
    assert run_app(["run-chain", "--plan", "plan.json", "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["data"]["steps"][0]["items"]
    assert [item["seed"] for item in items] == [9, 9]
    assert run_app(["run-chain", "--plan", "plan.json"]) == 0
    assert run_app(["run-chain", "free.yaml", "--set", "seed=9", "--plan", "plan.json"]) == 0


def test_a_plan_elsewhere_finds_its_pipeline(planned, monkeypatch):
    """The pipeline is found from the plan's own folder, wherever the command is given."""
    (planned / "sub").mkdir()
    assert run_app(["plan", "free.yaml", "-o", "sub/plan.json"]) == 0
    monkeypatch.chdir("/")
    assert run_app(["run-chain", "--plan", str(planned / "sub/plan.json")]) == 0


@pytest.mark.parametrize(
    ("words", "edit", "said"),
    [
        (["--set", "seed=8"], None, "the options are --set seed=8, and were --set seed=9"),
        (["--draft", "--set", "seed=9"], None, "the options are --draft --set seed=9"),
        (["--only", "pictures"], None, "the options are --only pictures"),
        ([], ("a boat on the sea", "a boat on the lake"), "free.yaml was edited"),
        ([], ("- {type: thumbnail}", "# nothing"), "thumbnail_1/pictures_1 is gone"),
    ],
)
def test_a_changed_plan_is_refused(planned, capsys, words, edit, said):
    """Exit 2, what is different, nothing made: also as JSON."""
    if edit is not None:
        (planned / "free.yaml").write_text(_FREE.replace(*edit))
    before = tree(planned)
    assert run_app(["run-chain", "--plan", "plan.json", "--json", *words]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "plan_changed"
    assert said in error["message"]
    assert "nothing was spent" in error["hint"]
    after = tree(planned)
    assert {name for name in after if not name.startswith(".aicp")} == {
        name for name in before if not name.startswith(".aicp")
    }


def test_a_refused_plan_says_so_line_by_line(planned, capsys):
    """For people: a heading, a line for each change, and what to do."""
    (planned / "free.yaml").write_text(_FREE.replace("a boat", "a ship"))
    assert run_app(["run-chain", "--plan", "plan.json"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: this is no longer what the plan says:",
        "  free.yaml was edited",
        "  pictures/pictures_1 is another request: its prompt, parameters, seed or inputs are different",
        "  hint: nothing was spent; look at it anew: aicp plan PIPELINE.yaml -o PLAN.json",
    ]


def test_a_plan_is_checked_without_running(planned, capsys):
    """--dry-run shows the plan of today and refuses all the same."""
    assert run_app(["run-chain", "--plan", "plan.json", "--dry-run"]) == 0
    (planned / "free.yaml").write_text(_FREE.replace("a boat", "a ship"))
    assert run_app(["run-chain", "--plan", "plan.json", "--dry-run"]) == 2
    assert "free.yaml was edited" in capsys.readouterr().err


def test_a_plan_is_no_consent(project, monkeypatch, capsys):
    """C4: a plan says what would be paid; that somebody pays it is said by --yes or --max-cost."""
    monkeypatch.setenv("FAL_KEY", "id:secret")
    assert run_app(["plan", "paid.yaml", "-o", "plan.json"]) == 0
    assert run_app(["run-chain", "--plan", "plan.json"]) == 5
    assert "this may cost ~$1.70, and nobody is here to ask" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[" * 5000, '{"schema": "aicp/plan/7"}', "\x00"])
def test_a_hostile_plan_is_a_sentence(project, capsys, content):
    """Whatever the file holds: exit 2 and one sentence, no traceback."""
    (project / "plan.json").write_text(content)
    assert run_app(["run-chain", "--plan", "plan.json"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: plan.json is ")
    assert len(said.splitlines()) == 2


def test_a_plan_with_options_of_another_release_is_refused(project, capsys):
    """Words that this command line does not know are no reason to run without them."""
    from ai_content_pipeline.engine import plan_file

    assert run_app(["plan", "free.yaml", "-o", "plan.json"]) == 0
    agreed = plan_file.read(project / "plan.json").model_copy(update={"options": ("--faster",)})
    (project / "plan.json").write_text(plan_file.dump(agreed))
    capsys.readouterr()
    assert run_app(["run-chain", "--plan", "plan.json"]) == 2
    assert "options of another release: No such option" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["free.yaml", "notes.txt"])
def test_only_a_plan_is_replaced(planned, capsys, name):
    """-o over a pipeline or any other file is refused, and the file is as it was; an old plan is replaced."""
    (planned / "notes.txt").write_text("mine")
    before = (planned / name).read_bytes()
    assert run_app(["plan", "free.yaml", "-o", name]) == 2
    assert f"{name} is there already and is no plan" in capsys.readouterr().err
    assert (planned / name).read_bytes() == before
    assert run_app(["plan", "free.yaml", "-o", "plan.json"]) == 0
    assert [path.name for path in planned.iterdir() if path.name.endswith(".part")] == []


def test_a_plan_that_cannot_be_written_is_said(project, capsys):
    """A folder that is not there is an error of the command, after the plan was shown."""
    assert run_app(["plan", "free.yaml", "-o", "none/plan.json"]) == 1
    assert "none/plan.json cannot be written" in capsys.readouterr().err


# -- old prices (C3) --------------------------------------------------------------------------------------


@pytest.fixture
def aged(project, tmp_path_factory, monkeypatch):
    """A catalogue whose nano_banana_pro was last compared in 2020, and its pipeline."""
    folder = tmp_path_factory.mktemp("models")
    card = (catalogue_files._FOLDER / "nano_banana_pro.toml").read_text()
    (folder / "aged.toml").write_text(card.replace('date = "2026-09-01"', 'date = "2020-01-31"'))
    monkeypatch.setattr(catalogue_files, "_FOLDER", folder)
    text = _PAID.splitlines()[:7]
    (project / "aged.yaml").write_text("\n".join(text).replace("nano_banana_pro", "aged") + "\n")
    return project


def test_an_old_price_is_pointed_out(aged, capsys):
    """C3: the plan goes through with a warning that names the day and the page, and says so in its data."""
    assert run_app(["plan", "aged.yaml"]) == 0
    said = capsys.readouterr().err
    assert (
        "warning: aged: its price was read on 2020-01-31, more than 90 days ago; compare https://fal.ai"
        in said
    )
    (price,) = data(capsys, "plan", "aged.yaml")["prices"]
    assert (price["model"], price["date"], price["old"]) == ("aged", "2020-01-31", True)


@pytest.mark.parametrize("command", [["plan"], ["run-chain", "--yes"], ["run-chain", "--dry-run"]])
def test_locked_refuses_an_old_price(aged, monkeypatch, capsys, command):
    """C3: with --locked the same is exit 5, by model and day, and nothing is sent."""
    monkeypatch.setenv("FAL_KEY", "id:secret")
    assert run_app([*command, "aged.yaml", "--locked"]) == 5
    said = capsys.readouterr().err
    assert "prices that were read more than 90 days ago: aged (2020-01-31)" in said
    assert not (aged / "output").exists()


def test_locked_has_nothing_against_young_prices(project):
    """Today's cards pass."""
    assert run_app(["plan", "free.yaml", "--locked"]) == 0


# -- what a redo costs is asked as well ------------------------------------------------------------------


def test_a_redo_asks_before_it_spends(project, monkeypatch, capsys):
    """Without a terminal, a redo that costs money needs --yes or --max-cost, like any run."""
    monkeypatch.setenv("FAL_KEY", "id:secret")
    assert run_app(["redo", "paid.yaml", "board/board_1"]) == 5
    assert "nobody is here to ask" in capsys.readouterr().err


# -- what it takes -----------------------------------------------------------------------------------------

_HEAVY = ("httpx", "PIL", "av", "fal_client", "replicate", "rich", "numpy", "statistics")
_PROGRAM = """
import sys
from ai_content_pipeline.cli.app import run_app
code = run_app(sys.argv[1:])
print(code, sorted(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("command", [["plan"], ["run-chain", "--dry-run"], ["graph"]])
def test_a_plan_imports_nothing_heavy(project, command):
    """Vendors' clients and media libraries are of no use to a plan, so it does not wait for them."""
    program = _PROGRAM.format(heavy=_HEAVY)
    ended = subprocess.run(
        [sys.executable, "-c", program, *command, "paid.yaml"], capture_output=True, text=True, check=True
    )
    assert ended.stderr.splitlines()[-1] == "0 []"

"""`aicp doctor`: what it finds, what it says to do, and what it never does."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.cli.checkup import folder, machine, packages
from ai_content_pipeline.cli.checkup.finding import Finding, Level
from ai_content_pipeline.pipeline.project import Project
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox.actions import ClockSkew

SECRET = "canary-5b1e77f0c2"
_SMALL = """
name: small
steps:
  - {name: pictures, type: text_to_image, model: draft, params: {width: 64, height: 48, prompt: "a boat"}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the working folder."""
    (tmp_path / ".aicp").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Doctor:
    """Runs the command, and keeps all that was ever said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.code = 0
        self.said = ""

    def __call__(self, *words: str) -> dict[str, tuple[str, str]]:
        """Level and words of each check, by its name. Two of one name: the last."""
        self.code = run_app(["doctor", *words, "--json"])
        said = self._capsys.readouterr()
        self.said += said.out + said.err
        envelope = json.loads(said.out)
        assert envelope["ok"] is (self.code == 0)
        checks = envelope["data"]["checks"] if envelope["data"] else []
        assert all(bool(one["do"]) is (one["level"] != "ok") for one in checks)
        return {one["check"]: (one["level"], one["says"]) for one in checks}


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(capsys)


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def snapshot(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


# -- the command ---------------------------------------------------------------------------------------


def test_a_machine_that_can_draft_is_fine(doctor: Doctor, project: Path) -> None:
    """Without a key there are warnings, and the exit code is 0; nothing stays behind in the folder."""
    before = snapshot(project)
    checks = doctor()
    assert doctor.code == 0
    for name in ("Python", "H.264 (libx264)", "AAC", "PNG", "JPEG", "WebP", "project folder", "fal-client"):
        assert checks[name][0] == "ok", name
    assert checks["FAL_KEY"] == ("warning", "not set: models on fal cannot run, drafts can")
    assert checks["REPLICATE_API_TOKEN"][0] == "warning"
    assert checks["journal"] == ("ok", "none yet: nothing has been run here")
    assert snapshot(project) == before


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a check, and below it what to do; the sum is talk."""
    assert run_app(["doctor"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("ok       Python")
    index = next(number for number, line in enumerate(lines) if "FAL_KEY  " in line)
    assert lines[index].startswith("warning  FAL_KEY")
    assert lines[index + 1].strip().startswith("→ set FAL_KEY")
    assert "0 problems" in err


@pytest.mark.parametrize(
    ("name", "value", "level", "code"),
    [
        ("FAL_KEY", f"an-id-of-it:{SECRET}", "ok", 0),
        ("FAL_KEY", SECRET, "warning", 0),
        ("FAL_KEY", f"two words {SECRET}", "problem", 4),
        ("FAL_KEY", "  ", "warning", 0),
        ("REPLICATE_API_TOKEN", f"r8_{SECRET}", "ok", 0),
        ("REPLICATE_API_TOKEN", f"R8-{SECRET}", "warning", 0),
        ("REPLICATE_API_TOKEN", f"r8_{SECRET}\x07", "problem", 4),
    ],
)
def test_keys_are_judged_and_never_shown(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, name: str, value: str, level: str, code: int
) -> None:
    """Set or not, and of the right form or not: that is all that is said of a key."""
    monkeypatch.setenv(name, value)
    assert doctor()[name][0] == level
    assert doctor.code == code
    run_app(["doctor"])
    assert SECRET not in doctor.said + str(doctor._capsys.readouterr())


def test_keys_from_a_file(doctor: Doctor, project: Path) -> None:
    """--env-file is read as a run reads it; a file that says something else is refused."""
    (project / "keys").write_text(f"FAL_KEY=an-id-of-it:{SECRET}\n")
    assert doctor("--env-file", "keys")["FAL_KEY"][0] == "ok"
    (project / "keys").write_text(f"PATH={SECRET}\n")
    assert doctor("--env-file", "keys") == {}
    assert doctor.code == 4
    assert SECRET not in doctor.said


@pytest.mark.parametrize(
    ("name", "value", "level", "code"),
    [
        ("AICP_FAL_URL", "http://127.0.0.1:4010", "warning", 0),
        ("REPLICATE_BASE_URL", "https://proxy.example/replicate", "warning", 0),
        ("AICP_FAL_URL", "http://proxy.example", "problem", 4),
        ("REPLICATE_BASE_URL", f"https://user:{SECRET}@proxy.example", "problem", 4),
    ],
)
def test_addresses(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, name: str, value: str, level: str, code: int
) -> None:
    """An address other than the vendor's is pointed out; one that would not do is a problem."""
    assert name not in doctor()
    monkeypatch.setenv(name, value)
    found, says = doctor()[name]
    assert (found, doctor.code) == (level, code)
    assert level == "problem" or value in says
    assert SECRET not in doctor.said


@pytest.mark.parametrize(
    ("values", "check", "level", "says"),
    [
        ({"TOKEN": SECRET}, "worker", "ok", "a token is asked for, it sends no callbacks"),
        ({"CALLBACK_SECRET": "whsec_" + "A" * 40}, "worker", "ok", "loopback alone, callbacks are signed"),
        ({"TOKEN": f"{SECRET} {SECRET}"}, "worker", "problem", "AICP_WORKER_TOKEN must be"),
        ({"CALLBACK_SECRET": SECRET}, "worker", "problem", "24 to 64 bytes"),
        ({"CALLBACK_URL": f"https://x.example/{SECRET}"}, "worker", "problem", "CALLBACK_SECRET is not"),
        ({"USER_TOKENS": "nowhere"}, "worker", "problem", "cannot be read"),
        ({"URL": "http://127.0.0.1:8750"}, "AICP_WORKER_URL", "ok", "run at http://127.0.0.1:8750"),
        ({"URL": "http://worker.example"}, "AICP_WORKER_URL", "problem", "unencrypted"),
    ],
)
def test_a_worker(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], check: str, level: str, says: str
) -> None:
    """What is set for a worker is judged as the worker would; nothing is said where nothing is set, and no
    token or secret ever."""
    assert not {"worker", "AICP_WORKER_URL"} & doctor().keys()
    for name, value in values.items():
        monkeypatch.setenv(f"AICP_WORKER_{name}", value)
    found, said = doctor()[check]
    assert (found, doctor.code) == (level, 0 if level == "ok" else 4)
    assert says in said
    assert SECRET not in doctor.said


def test_a_workers_secrets_come_from_a_file_and_its_addresses_do_not(doctor: Doctor, project: Path) -> None:
    """A file may say who may ask and how callbacks are signed; where they and jobs go it may not."""
    file = project / "worker.env"
    file.write_text(f"AICP_WORKER_TOKEN={SECRET}\nAICP_WORKER_CALLBACK_SECRET=whsec_{'A' * 40}\n")
    assert doctor("--env-file", "worker.env")["worker"][0] == "ok"
    for name in ("AICP_WORKER_URL", "AICP_WORKER_CALLBACK_URL"):
        file.write_text(f"{name}=https://evil.example\n")
        assert doctor("--env-file", "worker.env") == {}
        assert doctor.code == 4


@pytest.mark.parametrize("name", ["AICP_MAX_COST_PER_DAY", "AICP_FAL_IN_FLIGHT", "AICP_REPLICATE_PER_MINUTE"])
def test_limits_that_cannot_be_read(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A cap or limit that a run would refuse is a problem before the run."""
    monkeypatch.setenv(name, "plenty")
    level, says = doctor()["limits"]
    assert (level, doctor.code) == ("problem", 4)
    assert name in says


# -- online --------------------------------------------------------------------------------------------


class _Recorder(BaseHTTPRequestHandler):
    """Answers everything with 401 and keeps what it was asked."""

    seen: list[tuple[str, str, dict[str, str]]]

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


def test_one_free_request_a_vendor_and_no_key_in_it(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """--online asks each vendor once, without a credential; without it nobody is asked anything."""
    seen: list[tuple[str, str, dict[str, str]]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Recorder", (_Recorder,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for name in ("AICP_FAL_URL", "REPLICATE_BASE_URL"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FAL_KEY", f"an-id-of-it:{SECRET}")
    monkeypatch.setenv("REPLICATE_API_TOKEN", f"r8_{SECRET}")
    try:
        doctor()
        assert seen == []
        checks = doctor("--online")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert [(method, path) for method, path, _ in seen] == [
        ("GET", "/fal-ai/flux/requests/00000000-0000-0000-0000-000000000000/status"),
        ("GET", "/v1/account"),
    ]
    for _, _, headers in seen:
        assert SECRET not in str(headers)
        assert "authorization" not in headers
    assert checks["clock of fal"][0] == checks["clock of replicate"][0] == "ok"


def test_a_wrong_clock_is_noticed(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's date against ours, in seconds, and which way; nothing is submitted for it."""
    skews = {"fal": 600.0, "replicate": -600.0}
    rules = [
        Rule(match=Match(vendor=vendor), action=ClockSkew(seconds=seconds))  # type: ignore[arg-type]
        for vendor, seconds in skews.items()
    ]
    with Sandbox(Settings()) as sandbox:
        sandbox.script(*rules)
        for name, value in sandbox.environ().items():
            monkeypatch.setenv(name, value)
        checks = doctor("--online")
        assert sandbox.jobs() == ()
    assert doctor.code == 0
    assert checks["clock of fal"][0] == checks["clock of replicate"][0] == "warning"
    assert "s behind it" in checks["clock of fal"][1]
    assert "s ahead of it" in checks["clock of replicate"][1]
    assert "600" in checks["clock of fal"][1] or "599" in checks["clock of fal"][1]


def test_a_vendor_that_does_not_answer_is_a_warning(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, drafts still work: no problem, exit 0."""
    for name in ("AICP_FAL_URL", "REPLICATE_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    checks = doctor("--online")
    assert doctor.code == 0
    assert checks["clock of fal"][0] == "warning"
    assert "does not answer" in checks["clock of fal"][1]


# -- the journal ---------------------------------------------------------------------------------------


@pytest.fixture
def run_once(project: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A journal with one finished job."""
    (project / "small.yaml").write_text(_SMALL)
    assert run_app(["run-chain", "small.yaml"]) == 0
    capsys.readouterr()
    return project / ".aicp/journal.sqlite3"


def change(journal: Path, statement: str) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_sound_journal(doctor: Doctor, run_once: Path) -> None:
    """Sound, its schema, and nothing open; looking at it changes no byte."""
    before = run_once.read_bytes()
    checks = doctor()
    assert checks["journal"][0] == "ok"
    assert "schema" in checks["journal"][1]
    assert checks["open jobs"] == ("ok", "none")
    assert run_once.read_bytes() == before


def test_a_journal_that_is_gone(doctor: Doctor, run_once: Path) -> None:
    """Results without a journal: a warning that what was paid is paid again."""
    for file in run_once.parent.glob(f"{run_once.name}*"):
        file.unlink()
    level, says = doctor()["journal"]
    assert (level, doctor.code) == ("warning", 0)
    assert "is gone" in says


@pytest.mark.parametrize(
    ("state", "words"),
    [("submitted", "1 at vendors"), ("intent", "1 at vendors"), ("in_doubt", "1 in doubt")],
)
def test_open_jobs_are_named(doctor: Doctor, run_once: Path, state: str, words: str) -> None:
    """What runs is to be collected, what is in doubt to be decided: warnings, with the command."""
    change(run_once, f"UPDATE job SET state = '{state}'")
    level, says = doctor()["open jobs"]
    assert (level, doctor.code) == ("warning", 0)
    assert words in says


def test_a_file_in_place_of_the_memory(doctor: Doctor, project: Path) -> None:
    """A file called .aicp leaves no place for the journal: a problem, before any run meets it."""
    (project / ".aicp").rmdir()
    (project / ".aicp").write_text("")
    level, says = doctor()["project folder"]
    assert (level, doctor.code) == ("problem", 1)
    assert "Not a directory" in says


def test_cards_that_cannot_be_read(doctor: Doctor, project: Path) -> None:
    """A wrong aicp.models.toml stops every pipeline of the project: a problem, with its place."""
    assert doctor()["own cards"][0] == "ok"
    (project / "aicp.models.toml").write_text("[kling_2_6_pro]\nsecnods = 4\n")
    level, says = doctor()["own cards"]
    assert (level, doctor.code) == ("problem", 4)
    assert "aicp.models.toml:2:1: unknown key 'secnods'" in says


def test_a_newer_journal(doctor: Doctor, run_once: Path) -> None:
    """A journal of a later release is a problem: this one cannot use it."""
    change(run_once, "PRAGMA user_version = 4000")
    level, says = doctor()["journal"]
    assert (level, doctor.code) == ("problem", 1)
    assert "4000" in says


@pytest.mark.parametrize("damage", ["header", "page", "empty"])
def test_a_damaged_journal(doctor: Doctor, run_once: Path, damage: str) -> None:
    """A file that is no database, or one with broken pages, is a problem; a file of no bytes is new."""
    whole = run_once.read_bytes()
    broken = {
        "header": b"not a database at all" + whole[21:],
        "page": whole[:4096] + b"\xff" * 4096 + whole[8192:],
        "empty": b"",
    }[damage]
    run_once.write_bytes(broken)
    level, says = doctor()["journal"]
    assert (level, doctor.code) == (("ok", 0) if damage == "empty" else ("problem", 1))
    assert says == "empty" if damage == "empty" else "damaged" in says
    assert run_once.read_bytes() == broken


# -- single checks -------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written() -> None:
    """No place for the journal is a problem."""
    assert only(folder.writing(Project(Path("/proc")))).level is Level.PROBLEM
    assert only(folder.writing(Project(Path("/does/not/exist")))).level is Level.PROBLEM


@pytest.mark.parametrize(
    ("free", "level"), [(10**6, Level.PROBLEM), (10**9, Level.WARNING), (10**11, Level.OK)]
)
def test_room_on_the_disk(free: int, level: Level, tmp_path: Path) -> None:
    """Nearly none is a problem, little is a warning; the real disk's is found."""
    assert folder.room(free).level is level
    real = shutil.disk_usage(tmp_path).free
    assert only(folder.disk(Project(tmp_path))).level is folder.room(real).level


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 40, 1), Level.WARNING),
        ((3, 51, 3), Level.OK),
        ((3, 50, 7), Level.OK),
        ((3, 50, 6), Level.WARNING),
    ],
)
def test_sqlite_and_its_flaw(version: tuple[int, int, int], level: Level) -> None:
    """Releases with the WAL-reset flaw are named, with the ones that mend it."""
    finding = only(machine.sqlite(version))
    assert finding.level is level
    assert finding.says.startswith(".".join(map(str, version)))


def test_fonts_that_are_not_there() -> None:
    """The scripts that captions cannot be in are named."""
    finding = next(machine.fonts(lambda sample: None if sample in ("รัก", "あカ") else sample))
    assert finding.level is Level.WARNING
    assert "Japanese, Thai" in finding.says


@pytest.mark.parametrize(
    "error", [ImportError("no libx264"), OSError(28, "No space left"), ValueError("codec")]
)
def test_an_encoder_that_fails(error: Exception, tmp_path: Path) -> None:
    """Whatever an encoder raises becomes a problem with a way out."""

    def attempt(folder: Path) -> None:
        raise error

    finding = machine.tried("WebP", attempt, tmp_path)
    assert finding.level is Level.PROBLEM
    assert str(error) in finding.says


@pytest.mark.parametrize(
    ("found", "requirement", "expected"),
    [
        ("1.0.3", "fal-client>=1.0.3", True),
        ("1.0.2", "fal-client>=1.0.3", False),
        ("1.0.10", "fal-client>=1.0.3", True),
        ("1.1", "fal-client>=1.0.3", True),
        ("2.0.0", "replicate<2,>=1.0.7; python_version < '3.14'", False),
        ("1.0.7", "replicate<2,>=1.0.7; python_version < '3.14'", True),
        ("1.0.7rc1", "replicate<2,>=1.0.7", True),
        ("3", "click>=3.0.0", True),
        ("8.1", "types-PyYAML", True),
        ("8.1", "x!=8.1.0", False),
    ],
)
def test_versions(found: str, requirement: str, expected: bool) -> None:
    """Versions compare by their numbers, against every bound."""
    assert packages.fits(found, requirement) is expected


def test_a_package_that_is_missing_or_too_old() -> None:
    """Named, with the command that mends it; it counts as configuration."""
    missing = only(packages._misfit("no-such-package", "no-such-package>=2"))
    old = only(packages._misfit("click", "click>=99"))
    for finding in (missing, old):
        assert (finding.level, finding.exit_code) == (Level.PROBLEM, 4)
    assert missing.do == "pip install 'no-such-package>=2'"
    assert ">=99 is wanted" in old.says

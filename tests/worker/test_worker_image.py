"""The container's recipe against the tree: what it copies is there and builds, what it starts exists."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ai_content_pipeline.cli.worker import serve
from tests.worker.conftest import Office

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/worker.Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its arguments; comments and continued lines are resolved."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [
        (words[0], words[1].strip()) for line in whole.splitlines() if len(words := line.split(None, 1)) == 2
    ]


def arguments(name: str) -> list[str]:
    return [given for word, given in instructions() if word == name]


def copied() -> list[str]:
    """What comes from the tree, not from an earlier stage."""
    return [
        source
        for given in arguments("COPY")
        if not given.startswith("--from")
        for source in given.split()[:-1]
    ]


def test_what_is_copied_is_there_and_enough(tmp_path: Path) -> None:
    """Every source of a COPY is in the tree and not ignored; from these alone the package builds, with the
    tables that it reads."""
    ignored = (FILE.parent / f"{FILE.name}.dockerignore").read_text().splitlines()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source.removeprefix('./')}" in ignored
        place = tmp_path / "src" / source
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    words = ["install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, str(tmp_path / "site"), "."],
        cwd=tmp_path / "src",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.*")}
    tree = (ROOT / "ai_content_pipeline").rglob("*.*")
    tables = {path.relative_to(ROOT).as_posix() for path in tree if path.suffix in (".py", ".toml", ".json")}
    assert tables <= built


def test_extras_and_constraints_are_known() -> None:
    """The extras that are installed are the package's, and pip is given its constraints."""
    text = (ROOT / "pyproject.toml").read_text()
    extras = next(given for given in arguments("ARG") if given.startswith("EXTRAS=")).partition("=")[2]
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE), extra
    (install,) = (given for given in arguments("RUN") if "pip install" in given)
    assert '-c constraints.txt ".[${EXTRAS}]"' in install


def test_it_runs_as_nobody_in_a_folder_that_it_may_write() -> None:
    """The last USER is not root, and stands before what is started; the workspace is given to that user
    before it becomes a volume, which keeps its owner."""
    names = [name for name, _ in instructions()]
    assert arguments("USER") == ["aicp"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    (users,) = (given for given in arguments("RUN") if "useradd" in given)
    assert "--uid 10001" in users
    assert "chown aicp:aicp /work" in users
    assert arguments("VOLUME") == ["/work"] == arguments("WORKDIR")[-1:]
    assert not any("SECRET" in given or "TOKEN" in given for given in arguments("ENV") + arguments("ARG"))


def test_what_is_started_is_a_command() -> None:
    """Its options are those of `aicp worker serve`, its port is the default one, and only aicp's own
    variables are set."""
    aicp, group, name, *options = json.loads(arguments("ENTRYPOINT")[0])
    assert (aicp, group, name) == ("aicp", "worker", "serve")
    parsed = serve.make_context("serve", options)
    assert (parsed.params["host"], parsed.params["workspace"]) == ("0.0.0.0", Path("/work"))
    port = next(
        option for option in serve.params if isinstance(option, click.Option) and option.name == "port"
    )
    assert arguments("EXPOSE") == [str(port.default)]
    code = "\n".join(path.read_text() for path in (ROOT / "ai_content_pipeline").rglob("*.py"))
    for name in re.findall(r"(AICP_\w+)=", " ".join(arguments("ENV"))):
        assert name in code


@pytest.mark.parametrize("up", [True, False])
def test_the_health_check_tells(desk: Office, *, up: bool) -> None:
    """The probe that the image runs ends with 0 where the worker is ready, and otherwise does not."""
    desk.service.makers[0].ready = up
    probe = next(given for given in arguments("HEALTHCHECK")).partition("CMD ")[2]
    _, flag, code = json.loads(probe)
    ported = code.replace("http://127.0.0.1:8750", desk.url)
    assert ported != code
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run([sys.executable, flag, ported], capture_output=True, check=False, env=environ)
    assert (done.returncode == 0) is up

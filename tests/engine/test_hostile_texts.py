"""Texts of users and vendors are never templates, markup, commands or file names (Y16, O2, O5, P4, P5)."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.providers.fake import FakeProvider

TEMPLATES = (
    "{{ ''.__class__.__mro__ }}",
    "{% for x in range(9) %}x{% endfor %}",
    "{0.__globals__} {prompt} {n}",
    "%(name)s %s %n",
    "$(reboot) `reboot` ; reboot",
    "../../etc/passwd",
    "'; DROP TABLE job; --",
    "[link=https://evil.example]here[/link] [red]",
    "<script>alert(1)</script>",
)
NASTY = (
    "::add-mask::everything",
    "[bold red]loud[/bold red] [link=https://evil.example]x[/link]",
    "</script><script>alert(1)</script>",
)


def test_prompts_reach_the_vendor_to_the_character(studio, pictures):
    """No template language, no formatting and no shell looks at a prompt; `$$` alone is written twice."""
    result = studio.run(pictures(*(prompt.replace("$", "$$") for prompt in TEMPLATES), parallel=False))
    assert result.exit_code == 0
    assert studio.prompts == list(TEMPLATES)
    assert studio.tree() == [f"pictures/pictures_{n}.png" for n in range(1, 10)]


@pytest.mark.parametrize(
    "url", ["https://v.example/%2e%2e%2f%2e%2e%2fevil.png", "https://v.example/../../.ssh/authorized_keys"]
)
def test_a_result_is_never_named_by_its_vendor(studio, pictures, monkeypatch, url):
    """Whatever a result's URL says, the file is called as its item."""
    from ai_content_pipeline.jobs import Output

    studio.vendor.links = True
    monkeypatch.setattr(FakeProvider, "_output", lambda self, job, index: Output(url=url))
    fetched: list[str] = []

    def download(found: str, path) -> None:
        fetched.append(found)
        studio.vendor.draw(studio.vendor.jobs[0].wire, path)

    monkeypatch.setattr(studio.vendor, "download", download)
    assert studio.run(pictures("a")).exit_code == 0
    assert (fetched, studio.tree()) == ([url], ["pictures/pictures_1.png"])
    assert not list(studio.root.rglob("*evil*"))
    assert not list(studio.root.rglob("*authorized*"))


@pytest.fixture
def nasty(tmp_path, monkeypatch) -> None:
    prompts = "".join(f'        - "{prompt}"\n' for prompt in NASTY)
    (tmp_path / ".aicp").mkdir()
    (tmp_path / "nasty.yaml").write_text(
        "name: nasty\nsteps:\n  - name: pictures\n    type: text_to_image\n    model: draft\n"
        f"    params:\n      width: 64\n      height: 48\n      prompts:\n{prompts}",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("actions", [{}, {"GITHUB_ACTIONS": "true", "CI": "true"}], ids=["pipe", "actions"])
@pytest.mark.parametrize("words", [["--dry-run"], ["-v"], ["--json"], ["--json-stream"]], ids=" ".join)
@pytest.mark.usefixtures("nasty")
def test_a_hostile_pipeline_is_shown_harmlessly(monkeypatch, words, actions):
    """A prompt is no markup and no workflow command on either stream, and JSON stays JSON."""
    for name, value in actions.items():
        monkeypatch.setenv(name, value)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_app(["run-chain", "nasty.yaml", *words])
    said = out.getvalue() + err.getvalue()
    assert code == 0, said
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.lstrip().startswith("::")]
    if words == ["--json"]:
        items = json.loads(out.getvalue())["data"]["steps"][0]["items"]
        assert [item["prompt"] for item in items] == list(NASTY)
    for line in out.getvalue().splitlines() if words[0].startswith("--json") else ():
        json.loads(line)

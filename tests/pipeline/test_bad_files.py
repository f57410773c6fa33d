"""Wrong files and exactly what is said of each: bad/<name>.yaml and bad/<name>.txt.

After a wanted change of words: ``AICP_GOLDEN=write pytest tests/pipeline/test_bad_files.py``, then read the
difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline

BAD = Path(__file__).with_name("bad")
NAMES = sorted(path.stem for path in BAD.glob("*.yaml"))
WRITING = os.environ.get("AICP_GOLDEN") == "write"

#: What must not even be imported to refuse a file: whatever could spend, draw or call out.
_HEAVY = (
    "ai_content_pipeline.providers",
    "ai_content_pipeline.engine",
    "PIL",
    "av",
    "httpx",
    "rich",
    "jinja2",
)


def said_of(name: str) -> str:
    with pytest.raises(InvalidPipeline) as caught:
        expand(load_pipeline(Path(f"{name}.yaml"), environ={}))
    assert caught.value.exit_code == 3
    return f"{caught.value}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_file_is_refused_with_exactly_these_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem of a wrong file is reported at once, with its place and what to write instead."""
    monkeypatch.chdir(BAD)
    before = sorted(BAD.rglob("*"))
    said = said_of(name)
    golden = BAD / f"{name}.txt"
    if WRITING:
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")
    assert WRITING or sorted(BAD.rglob("*")) == before, "a refused file leaves nothing on disk"


def test_problems_are_sorted_and_say_where() -> None:
    """Each line is file:line:col: words, in the order of the file."""
    for name in NAMES:
        lines = (BAD / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        places = [tuple(int(part) for part in line.split(":")[1:3]) for line in lines]
        assert all(line.startswith(f"{name}.yaml:") for line in lines), name
        assert places == sorted(places), name


def test_no_golden_file_without_its_wrong_file() -> None:
    """Each of at least forty wrong files has its words, and no words are left over."""
    assert len(NAMES) >= 40
    assert sorted(path.stem for path in BAD.glob("*.txt")) == NAMES


def test_refusing_files_imports_nothing_heavy() -> None:
    """Wrong files without input files are refused without pictures, providers or network code."""
    texts = {name: (BAD / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES}
    names = [name for name, text in texts.items() if "files/" not in text and "refs/" not in text]
    code = f"""
import sys
from pathlib import Path
from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
for name in {names!r}:
    try:
        expand(load_pipeline(Path(name + ".yaml"), environ={{}}))
    except InvalidPipeline:
        pass
print(*(name for name in sys.modules if name.startswith({_HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=BAD, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""Opening a project: what is missing is found before anything runs, and looking leaves nothing behind."""

from __future__ import annotations

import sqlite3

import pytest

from ai_content_pipeline.engine.workshop import open_workshop
from ai_content_pipeline.errors import ConfigurationError, JournalError
from ai_content_pipeline.pipeline.project import Project

TWO_VENDORS = """
name: two
output_dir: output
steps:
  - {name: a, type: text_to_image, model: nano_banana_pro, params: {prompt: a}}
  - {name: b, type: text_to_image, model: flux_dev_replicate, params: {prompt: b}}
"""


class NoReplicate:
    """Factories of which one cannot work: its key is missing."""

    def __init__(self, studio) -> None:
        self.factories = dict(studio.factories) | {"replicate": self.refuse}

    def refuse(self, surroundings):
        raise ConfigurationError("REPLICATE_API_TOKEN is not set", hint="set it, or run with --draft")


@pytest.fixture
def keyless(studio, monkeypatch):
    factories = NoReplicate(studio).factories
    monkeypatch.setattr(type(studio), "factories", property(lambda self: factories))
    return studio


def test_a_missing_key_is_found_before_anything_runs(keyless):
    """The first step's vendor has its key, the second's has not: nothing is submitted, nothing written."""
    with pytest.raises(ConfigurationError, match="REPLICATE_API_TOKEN") as caught:
        keyless.run(TWO_VENDORS)
    assert caught.value.exit_code == 4
    assert keyless.vendor.submits == 0
    assert not (keyless.root / "output").exists()


def test_no_key_is_needed_for_what_is_there(studio, keyless, monkeypatch):
    """Where everything of a vendor's is cached, its key is not asked for."""
    with monkeypatch.context() as patch:
        factories = NoReplicate(studio).factories | {"replicate": NoReplicate(studio).factories["fal"]}
        patch.setattr(type(studio), "factories", property(lambda self: factories))
        studio.run(TWO_VENDORS)
    assert keyless.run(TWO_VENDORS).exit_code == 0


def test_an_unknown_provider_is_a_configuration_error(studio, monkeypatch):
    """A card of a vendor that nothing here can talk to says which ones there are."""
    monkeypatch.setattr(type(studio), "factories", property(lambda self: {}))
    with pytest.raises(ConfigurationError, match="no provider is called"):
        studio.run(TWO_VENDORS)


def test_a_newer_journal_is_refused_and_left_alone(studio):
    """An older program must not touch what a newer one wrote (R8)."""
    studio.run(TWO_VENDORS)
    journal = studio.root / ".aicp/journal.sqlite3"
    with sqlite3.connect(journal) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    before = journal.read_bytes()
    with pytest.raises(JournalError, match="version 999"):
        studio.run(TWO_VENDORS)
    assert journal.read_bytes() == before
    assert list((studio.root / ".aicp/owners").iterdir()) == []


def test_a_project_that_cannot_be_written_is_said_so(tmp_path):
    """The folder's name and what to do, instead of a traceback."""
    (tmp_path / ".aicp").write_text("a file where the folder should be")
    with pytest.raises(JournalError, match=r"\.aicp cannot be written"), open_workshop(Project(tmp_path), {}):
        pass


def test_nothing_is_left_over_after_closing(studio):
    """No lock and no scratch file of a finished process remain."""
    studio.run(TWO_VENDORS)
    assert list((studio.root / ".aicp/owners").iterdir()) == []
    assert list((studio.root / ".aicp/tmp").iterdir()) == []


def test_scratch_of_the_dead_is_cleared_and_nothing_else(studio):
    """Folders of processes that are gone are removed at the next start; other files are not ours."""
    tmp = studio.root / ".aicp/tmp"
    for name in ("0123456789abcdef", "notes"):
        (tmp / name).mkdir(parents=True)
        (tmp / name / "file").write_text("x")
    studio.run(TWO_VENDORS)
    assert [path.name for path in tmp.iterdir()] == ["notes"]


def test_a_linked_scratch_folder_is_not_cleared(studio):
    """A hostile project must not make us delete what its links point to."""
    elsewhere = studio.root / "elsewhere"
    (elsewhere / "0123456789abcdef").mkdir(parents=True)
    (studio.root / ".aicp/tmp").symlink_to(elsewhere)
    with studio.workshop():
        pass
    assert (elsewhere / "0123456789abcdef").is_dir()


def test_the_ignore_file_is_written_once_and_never_through_a_link(studio):
    """What the user wrote there stays, and a link planted there is not followed."""
    target = studio.root / "precious"
    target.write_text("precious")
    (studio.root / ".aicp/.gitignore").symlink_to(target)
    with studio.workshop():
        pass
    assert target.read_text() == "precious"


def test_the_memory_is_made_by_a_run(tmp_path):
    """Opening makes .aicp, private to its owner and out of git; loading and expanding do not."""
    with open_workshop(Project(tmp_path), {}) as workshop:
        assert workshop.project.state == tmp_path / ".aicp"
    assert (tmp_path / ".aicp").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".aicp/.gitignore").read_text() == "*\n"


def test_a_wrong_grace_period_is_a_configuration_error(studio):
    """An environment variable that makes no sense is named."""
    studio.environ = {"AICP_RECONCILE_GRACE": "soon"}
    with pytest.raises(ConfigurationError, match="AICP_RECONCILE_GRACE is 'soon'"):
        studio.run(TWO_VENDORS)


def test_a_memory_that_others_may_write_is_not_believed(studio):
    """Whoever could write there could say what was paid: refused before anything, and how to mend it."""
    state = studio.root / ".aicp"
    state.chmod(0o707)
    with pytest.raises(JournalError, match="everybody may write") as caught:
        studio.run(TWO_VENDORS)
    assert caught.value.hint == f"chmod 700 {state}"
    assert studio.vendor.submits == 0
    state.chmod(0o700)
    assert studio.run(TWO_VENDORS).exit_code == 0


def test_a_memory_of_somebody_elses_is_not_believed(studio, monkeypatch):
    """A project unpacked by another user is theirs; root may still work for anybody."""
    owner = (studio.root / ".aicp").stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(JournalError, match="belongs to somebody else"):
        studio.run(TWO_VENDORS)
    assert studio.vendor.submits == 0
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert studio.run(TWO_VENDORS).exit_code == 0

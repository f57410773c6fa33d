"""What happens between runs: kills, edits, deletions, second commands. Every charge is counted."""

from __future__ import annotations

import shutil
import signal
import time
from typing import Any

import pytest

from ai_content_pipeline.generation.store import State
from ai_content_pipeline.sandbox import actions as do

PAIR = ["one", "two"]


def killed_while_running(account: Any, *words: str, jobs: int) -> None:
    """Start `words`, wait until the vendors have `jobs` jobs and the journal has their ids, then kill -9."""
    process = account.start(*words)
    deadline = time.monotonic() + 60
    while account.accepted < jobs or account.sandbox.counts().get("fal.status", 0) < jobs:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_broken_file_and_deleted_inputs_lose_nothing(account: Any) -> None:
    """Killed while two clips run, then the YAML is broken and the pictures deleted: fetch collects both."""
    account.script(do.RunTime(seconds=5.0), route=("submit",))
    own_picture(account)
    text = (
        "name: clips\ninput_image: panel.png\nsteps:\n"
        "  - {name: clip, type: image_to_video, model: kling_2_6_pro, params: {prompt: waves}}\n"
        "  - {name: title, type: text_to_image, model: nano_banana_pro, params: {prompt: a title}}\n"
    )
    account.write(text)
    killed_while_running(account, "run-chain", "pipeline.yaml", "--yes", jobs=2)
    account.write("steps: [{")
    (account.root / "panel.png").unlink()
    account.sandbox.advance(10)
    assert account.chain().code == 3
    said = account.aicp("fetch")
    assert said.code == 0, said
    assert said.text.count("collected") == 2
    assert (account.accepted, account.paid) == (2, {"waves": 1, "a title": 1})
    assert [job.state for job in account.journal()] == [State.DONE, State.DONE]
    assert account.aicp("fetch").text == "nothing to collect\n"


def test_an_identical_second_run_asks_the_vendors_nothing(account: Any) -> None:
    """Not one request, not even a poll; the files are there again although they were deleted."""
    account.write(account.pictures("fal", PAIR))
    assert account.chain().code == 0
    before = account.sandbox.counts()
    shutil.rmtree(account.root / "output")
    assert account.chain().code == 0
    assert account.sandbox.counts() == before
    assert len(list((account.root / "output").rglob("*.png"))) == 2


def test_a_renamed_step_pays_nothing(account: Any) -> None:
    """Names are no part of what was paid for, nor are workers and the output folder."""
    text = account.pictures("fal", PAIR)
    account.run(text)
    result = account.run(
        text.replace("- name: pics", "- name: stills").replace("max_workers: 4", "max_workers: 1")
    )
    assert (result.exit_code, account.accepted) == (0, 2)
    assert {item.state.value for item in result.steps[0].items} == {"cached"}


def test_an_inserted_panel_pays_for_itself_alone(account: Any) -> None:
    """A prompt put in the middle: one job more, and everything in its new order."""
    account.run(account.pictures("fal", PAIR))
    result = account.run(account.pictures("fal", ["one", "between", "two"]))
    assert (result.exit_code, account.paid) == (0, {"one": 1, "between": 1, "two": 1})
    assert [item.prompt for item in result.steps[0].items] == ["one", "between", "two"]
    assert [item.state.value for item in result.steps[0].items] == ["cached", "done", "cached"]


def test_a_prompt_edited_while_its_job_runs(account: Any) -> None:
    """The new prompt is paid, the old one's picture collected all the same: editing back costs nothing."""
    account.script(do.RunTime(seconds=5.0), route=("submit",), prompt="old")
    account.write(account.pictures("fal", ["old"]))
    killed_while_running(account, "run-chain", "pipeline.yaml", "--yes", jobs=1)
    account.sandbox.advance(10)
    result = account.run(account.pictures("fal", ["new"]))
    assert (result.exit_code, result.collected) == (0, ("pics/pics_1",))
    assert account.run(account.pictures("fal", ["old"])).steps[0].items[0].state.value == "cached"
    assert account.paid == {"old": 1, "new": 1}


def test_a_redo_killed_and_repeated_is_one_take(account: Any) -> None:
    """The same redo again goes on with the take it had begun: two jobs in all, and the new one is current."""
    account.write(account.pictures("fal", ["a cup"]))
    account.chain()
    account.script(do.RunTime(seconds=5.0), route=("submit",))
    redo = ("redo", "pipeline.yaml", "pics/pics_1", "--yes")
    process = account.start(*redo)
    while account.accepted < 2 or account.sandbox.counts()["fal.status"] < 3:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    account.sandbox.advance(10)
    assert account.aicp(*redo).code == 0
    assert account.accepted == 2
    assert [job.take for job in account.journal(State.DONE)] == [0, 1]
    result = account.run(account.pictures("fal", ["a cup"]))
    assert (result.steps[0].items[0].take, account.accepted) == (1, 2)


def test_two_projects_on_one_account_adopt_only_their_own(account: Any) -> None:
    """The same file in two projects, every answer lost: each has its own jobs and its own pictures."""
    other = type(account)(account.root / "other", account.sandbox)
    (other.root / ".aicp").mkdir(parents=True)
    account.script(do.Drop(), vendor="fal", route=("submit",))
    mine, theirs = (project.run(account.pictures("fal", PAIR)) for project in (account, other))
    assert (mine.exit_code, theirs.exit_code) == (0, 0)
    assert account.paid == {"one": 2, "two": 2}
    urls = [item.source_urls[0] for result in (mine, theirs) for item in result.steps[0].items]
    assert len(set(urls)) == 4


_CLIP = """
name: clip
input_image: panel.png
steps:
  - {{name: clip, type: image_to_video, model: {model}, params: {{prompt: {prompt}}}}}
"""


def own_picture(account: Any) -> None:
    from PIL import Image

    Image.new("RGB", (640, 640), (9, 90, 200)).save(account.root / "panel.png")


def uploads(account: Any, vendor: str) -> int:
    return int(account.sandbox.counts().get(f"{vendor}.upload", 0))


@pytest.mark.parametrize(("vendor", "model"), [("fal", "kling_2_6_pro"), ("replicate", "seedance_1_lite")])
def test_an_upload_is_used_again_until_it_expires(account: Any, vendor: str, model: str) -> None:
    """One upload for two clips of one picture; a week later another, and nothing is paid for that."""
    own_picture(account)
    assert account.run(_CLIP.format(model=model, prompt="waves")).exit_code == 0
    assert account.run(_CLIP.format(model=model, prompt="wind")).exit_code == 0
    assert uploads(account, vendor) == 1
    account.pass_time(8 * 24 * 3600)
    result = account.run(_CLIP.format(model=model, prompt="rain"))
    assert result.exit_code == 0, account.faults(result)
    assert uploads(account, vendor) == 2
    assert account.paid == {"waves": 1, "wind": 1, "rain": 1}


def test_an_upload_that_is_gone_too_early(account: Any) -> None:
    """fal may have billed the failure, so it is not repeated by itself; a redo uploads the picture anew."""
    own_picture(account)
    account.script(do.ExpireUpload(seconds=0.0), times=1)
    account.write(_CLIP.format(model="kling_2_6_pro", prompt="waves"))
    for _ in range(2):
        said = account.chain()
        assert said.code == 1
        assert "It does not exist or has expired" in said.text
    assert (account.accepted, uploads(account, "fal")) == (1, 1)
    assert account.aicp("redo", "pipeline.yaml", "clip/panel", "--yes").code == 0
    assert (account.accepted, uploads(account, "fal")) == (2, 2)
    assert sum(account.paid.values()) == 1


def test_failed_but_billed_is_never_tried_again_by_itself(account: Any) -> None:
    """In a loop: one charge, the same error every time, and the redo that would pay again is named."""
    account.script(do.Reject(billed=True), vendor="fal", route=("submit",))
    account.write(account.pictures("fal", ["too much"]))
    for _ in range(4):
        said = account.chain()
        assert said.code == 6
        assert "flagged by a content checker" in said.text
    assert (account.accepted, account.paid) == (1, {"too much": 1})
    assert account.aicp("redo", "pipeline.yaml", "pics/pics_1", "--yes").code == 6
    assert account.accepted == 2


NEW_CARD = """
[nano_banana_pro]
note = "a new edition"
[nano_banana_pro.price]
unit = "image"
source = "https://fal.ai/models/fal-ai/nano-banana-pro"
date = "2026-12-24"
confidence = "verified"
rates = [{usd = "9.99"}]
"""


def test_a_catalogue_update_pays_nothing(account: Any) -> None:
    """New prices and words on a model's card after a kill: what was bought is found, what runs is collected;
    exit 0 under the old cap, and nothing is paid again."""
    account.script(do.RunTime(seconds=5.0), route=("submit",), prompt="two")
    account.write(account.pictures("fal", PAIR))
    killed_while_running(account, "run-chain", "pipeline.yaml", "--yes", jobs=2)
    (account.root / "aicp.models.toml").write_text(NEW_CARD, encoding="utf-8")
    account.sandbox.advance(10)
    said = account.aicp("run-chain", "pipeline.yaml", "--max-cost", "1")
    assert said.code == 0, said.text
    assert account.paid == {"one": 1, "two": 1}
    assert account.aicp("plan", "pipeline.yaml", "--json").data["total_usd"] == "0"


def test_a_card_and_its_raw_endpoint_are_one_model(account: Any) -> None:
    """``fal:fal-ai/nano-banana-pro`` is ``nano_banana_pro``: nothing is paid for writing it otherwise."""
    text = account.pictures("fal", PAIR)
    account.run(text)
    result = account.run(text.replace("model: nano_banana_pro", "model: fal:fal-ai/nano-banana-pro"))
    assert (result.exit_code, account.accepted) == (0, 2)
    assert {item.state.value for item in result.steps[0].items} == {"cached"}

"""Plans in files: what is compared, what counts as a change, and files that are no plans."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ai_content_pipeline.engine.plan import make_plan
from ai_content_pipeline.engine.plan_changes import changes
from ai_content_pipeline.engine.plan_file import AgreedPlan, agree, dump, is_plan, read
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import Billed
from ai_content_pipeline.providers.fake import Act

_OWN = """
name: own
output_dir: output
input_image: own.png
steps:
  - {name: clips, type: image_to_video, model: kling_2_6_pro, params: {prompt: move}}
  - {type: thumbnail}
"""


def agreed(studio, text: str, *, options: tuple[str, ...] = ()) -> AgreedPlan:
    return of(studio, studio.expand(text), options)


def of(studio, expansion, options: tuple[str, ...] = ()) -> AgreedPlan:
    with studio.workshop() as workshop:
        plan = make_plan(expansion, workshop.store, workshop.artifacts)
    return agree(plan, expansion, "pipeline.yaml", options)


@pytest.fixture
def own(studio):
    Image.new("RGB", (640, 640), (1, 2, 3)).save(studio.root / "own.png")
    return studio


# -- what is a change -----------------------------------------------------------------------------------


def test_nothing_changed_nothing_to_say(own):
    """The same file in the same project is the same plan, also after it went through a file."""
    before = agreed(own, _OWN)
    path = own.root / "plan.json"
    path.write_text(dump(before), encoding="utf-8")
    assert read(path) == before
    assert changes(read(path), agreed(own, _OWN)) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("prompt: move", "prompt: stay", "clips/own is another request"),
        ("kling_2_6_pro", "kling_2_5_turbo_pro", "clips: kling_2_5_turbo_pro is new"),
        ("kling_2_6_pro", "kling_2_5_turbo_pro", "clips: kling_2_6_pro is gone"),
        ("name: clips", "name: films", "films/own is new"),
        ("name: clips", "name: films", "clips/own is gone"),
        ("name: own\n", "name: own # a comment\n", "pipeline.yaml was edited"),
    ],
)
def test_an_edited_file_is_a_change(own, old, new, said):
    """Whatever is edited in the file is told, and what comes of it."""
    before = agreed(own, _OWN)
    after = changes(before, agreed(own, _OWN.replace(old, new)))
    assert after[0] == "pipeline.yaml was edited"
    assert any(line.startswith(said) for line in after), after


def test_an_edited_input_is_a_change(own):
    """Other bytes under the same name are told by the file's name."""
    before = agreed(own, _OWN)
    Image.new("RGB", (640, 640), (3, 2, 1)).save(own.root / "own.png")
    told = changes(before, agreed(own, _OWN))
    assert told[0] == "own.png was edited"
    assert told[1].startswith("clips/own is another request")


def test_other_options_are_a_change(studio, story):
    """The words of the command line count, and both are shown."""
    before, after = agreed(studio, story), agreed(studio, story, options=("--set", "seed=5 6"))
    assert changes(before, after) == ("the options are --set 'seed=5 6', and were none",)


def test_another_variable_is_a_change(studio, pictures):
    """The file is the same and what it says is not: a variable of the environment has another value."""
    text = pictures("a ${PLACE}", top="env: [PLACE]")
    studio.environ = {"PLACE": "harbour"}
    before = agreed(studio, text)
    studio.environ = {"PLACE": "forest"}
    told = changes(before, agreed(studio, text))
    assert told[0] == "the variables that pipeline.yaml uses have other values"
    assert "pictures/pictures_1 is another request" in told[1]


def test_another_card_is_a_change(studio, pictures):
    """A card that was corrected since (fields, sizes, price) is told by its model."""
    before = agreed(studio, pictures("a"))
    expansion = studio.expand(pictures("a"))
    cards = expansion.steps[0].setting.cards
    cards["nano_banana_pro"] = replace(cards["nano_banana_pro"], version=99)
    assert changes(before, of(studio, expansion)) == ("pictures: nano_banana_pro has another card",)


def bill(studio, pictures, usd: str) -> None:
    studio.vendor.script = lambda wire: Act(cost=Decimal(usd))
    assert studio.run(pictures("x", "y", "z")).exit_code == 0


def test_a_higher_price_is_a_change_and_a_lower_one_is_not(studio, pictures):
    """What would cost more than was agreed to is refused; what costs less is done."""
    before = agreed(studio, pictures("a"))
    bill(studio, pictures, "0.10")
    lower = agreed(studio, pictures("a"))
    assert changes(before, lower) == ()
    bill(studio, lambda *prompts: pictures(*(f"{prompt}2" for prompt in prompts)), "0.40")
    told = changes(lower, agreed(studio, pictures("a")))
    assert told == ("pictures/pictures_1 may now cost $0.40, and was to cost $0.10 at most",)


def test_work_done_since_is_no_change(studio, story):
    """A plan can be gone on with: what it has made already is cached now."""
    before = agreed(studio, story)
    studio.run(story)
    assert changes(before, agreed(studio, story)) == ()


def test_a_lost_memory_is_a_change(studio, story):
    """What was cached and would be paid for anew is refused, clip by clip, with its price."""
    studio.run(story)
    before = agreed(studio, story)
    (studio.root / ".aicp/journal.sqlite3").unlink()
    told = changes(before, agreed(studio, story))
    assert told[0] == "storyboard/storyboard_1 was cached, and would now run for $0.15"
    assert len(told) == 5


def test_a_redo_since_is_a_change(studio, pictures):
    """Another take is another picture than the one that was agreed to."""
    studio.run(pictures("a"))
    before = agreed(studio, pictures("a"))
    studio.run(pictures("a"), redo="pictures/pictures_1")
    assert changes(before, agreed(studio, pictures("a"))) == ("pictures/pictures_1 is another take",)


def test_a_failure_since_is_no_change_of_cost(studio, pictures):
    """What is blocked now costs nothing, so the rest of the plan may go on."""
    before = agreed(studio, pictures("a", "b"))
    studio.vendor.script = lambda wire: Act(end="failed", billed=Billed.YES)
    studio.run(pictures("a"))
    assert changes(before, agreed(studio, pictures("a", "b"))) == ()


# -- files that are no plans ------------------------------------------------------------------------------


@pytest.fixture
def plan_text(studio, pictures) -> str:
    return dump(agreed(studio, pictures("a")))


def refusal(studio, data: bytes) -> str:
    path = studio.root / "plan.json"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert (caught.value.exit_code, "aicp plan" in caught.value.hint) == (2, True)
    return caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 200_000,
        b'{"schema": 1}',
        b'{"schema": "aicp/envelope/1"}',
        b'{"schema": "aicp/plan/1"',
        b"name: story\nsteps: []\n",
    ],
)
def test_what_is_no_plan_is_said_to_be_none(studio, data):
    """Anything that is not a plan's JSON is refused in a sentence."""
    assert refusal(studio, data).endswith("is no plan of aicp")


def test_a_plan_of_another_release_is_said_to_be_one(studio, plan_text):
    """An older or newer format names both."""
    message = refusal(studio, plan_text.replace("aicp/plan/1", "aicp/plan/7").encode())
    assert "another release (aicp/plan/7, not aicp/plan/1)" in message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("total_usd", "NaN", "total_usd"),
        ("total_usd", "-1", "total_usd"),
        ("total_usd", "1e999999", "total_usd"),
        ("content", "../../etc", "content"),
        ("items", {}, "items"),
        ("options", "--draft", "options"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_damaged_plan_says_where(studio, plan_text, name, value, said):
    """Every field has its form; the first that has not is named."""
    whole = json.loads(plan_text)
    whole["plan"][name] = value
    message = refusal(studio, json.dumps(whole).encode())
    assert "is damaged: plan." + said in message


@pytest.mark.parametrize(
    ("name", "value"), [("total_usd", "0.01"), ("pipeline", "../other.yaml"), ("options", ["--draft"])]
)
def test_a_plan_changed_by_hand_is_refused(studio, plan_text, name, value):
    """Its digest covers every field, so nothing in it can be turned without being found."""
    whole = json.loads(plan_text)
    whole["plan"][name] = value
    assert refusal(studio, json.dumps(whole).encode()).endswith("was changed after it was written")


def test_every_cut_is_found(studio, plan_text):
    """Half a plan is no plan, wherever it was cut."""
    data = plan_text.rstrip().encode()
    for end in range(0, len(data), 37):
        refusal(studio, data[:end])


def test_a_missing_plan_is_said_to_be_missing(studio):
    """No file: the reason, and how to make one."""
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(studio.root / "none.json")


def test_only_plans_count_as_plans(studio, plan_text, pictures):
    """A pipeline is none, so it is never overwritten by one; a plan of any release is."""
    for text, expected in ((plan_text, True), ('{"schema": "aicp/plan/9"}', True), (pictures("a"), False)):
        path = studio.write(text, "file")
        assert is_plan(path) is expected


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_survives_a_file(name, option):
    """Whatever a file or an option is called, a plan of it is written and read back the same."""
    sha = "0" * 64
    plan = AgreedPlan(
        pipeline=name,
        options=("--set", option),
        content=sha,
        values=sha,
        files={name: sha},
        models={},
        items=(),
        total_usd=Decimal("0.150"),
        unpriced=(),
    )
    whole = json.loads(dump(plan))
    assert AgreedPlan.model_validate_json(json.dumps(whole["plan"])) == plan
    assert whole["digest"] == plan.digest

"""Plan = run: whatever a file, its options and its past are, the run does what the plan said."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ai_content_pipeline.engine.plan import Plan, PlanState, make_plan
from ai_content_pipeline.engine.pricing import PriceBook
from ai_content_pipeline.engine.results import ItemState, RunResult
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.selection import EVERYTHING, Selection
from ai_content_pipeline.errors import InvalidPipeline, UsageError
from ai_content_pipeline.jobs import Billed, JobRequest
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.providers.fake import Act, FakeVendor

_FILE = """
name: film
output_dir: output
steps:
  - name: board
    type: text_to_image
    model: nano_banana_pro
    params: {parallel: true, prompts: [a, b]}
  - name: clips
    type: image_to_video
    model: kling_2_5_turbo_pro
    params: {parallel: true, prompt: move}
  - {type: thumbnail}
"""

_OVERRIDES = st.lists(
    st.sampled_from(
        [
            "seed=3",
            "board.params.prompts.1=c",
            "board.params.prompts.1=a",
            "board.params.num_images=2",
            "board.params.resolution=4K",
            "board.model=nano_banana",
            "board.params.parallel=false",
            "clips.model=kling_2_1_standard",
            "clips.params.duration=10",
            "clips.params.prompt=stay",
            "clips.name=films",
            "thumbnail_1.enabled=false",
        ]
    ),
    max_size=3,
    unique=True,
)
_SELECTIONS = st.sampled_from(
    [
        Selection(),
        Selection(only=("board",)),
        Selection(only=("clips",)),
        Selection(only=("board/board_2", "board/board_1")),
        Selection(start="clips"),
        Selection(start="board/board_1"),
        Selection(until="clips"),
        Selection(until="board"),
    ]
)
#: What the vendor does with the jobs of a run of the past.
_PASTS = st.sampled_from(
    [
        Act(),
        Act(cost=Decimal("0.11")),
        Act(cost=Decimal("0.90")),
        Act(end="failed", billed=Billed.NO),
        Act(end="failed", billed=Billed.YES),
        Act(end="rejected", billed=Billed.UNKNOWN),
    ]
)

#: An override or a parameter that does not fit, or a selection whose inputs are not there.
_REFUSED = (UsageError, InvalidPipeline)

#: What a planned item may come to, when no vendor fails.
_OUTCOMES = {
    PlanState.RUN: {ItemState.DONE},
    PlanState.CACHED: {ItemState.CACHED},
    PlanState.GIVEN: {ItemState.GIVEN},
    PlanState.NOT_ASKED: {ItemState.NOT_RUN},
    # What nobody asked for is blocked all the same, and not tried.
    PlanState.BLOCKED: {ItemState.FAILED, ItemState.SKIPPED, ItemState.NOT_RUN},
}


@dataclass(frozen=True)
class Command:
    """One command line."""

    overrides: Sequence[str] = ()
    draft: bool = False
    selection: Selection = EVERYTHING


_COMMANDS = st.builds(Command, _OVERRIDES, st.booleans(), _SELECTIONS)


def plan_and_run(studio: Any, command: Command) -> tuple[Plan, RunResult]:
    """What is planned by one opening of the project, and what is then run by another."""
    path = studio.write(_FILE)
    expansion = expand(load_pipeline(path, environ={}, overrides=command.overrides), draft=command.draft)
    with studio.workshop() as workshop:
        plan = make_plan(expansion, workshop.store, workshop.artifacts, selection=command.selection)
    studio.runs += 1
    options = RunOptions(
        studio.root, ("output",), f"run-{studio.runs}", lambda address: "aicp", selection=command.selection
    )
    with studio.workshop() as workshop:
        return plan, run(expansion, workshop, options, studio.events.append)


def live_through(studio: Any, past: Sequence[tuple[Command, Act]]) -> None:
    for command, act in past:
        studio.vendor.script = lambda wire, act=act: act
        try:
            plan_and_run(studio, command)
        except _REFUSED:
            continue
    studio.vendor.script = lambda wire: Act()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(past=st.lists(st.tuples(_COMMANDS, _PASTS), max_size=3), command=_COMMANDS)
def test_the_run_is_the_plan(studio, past, command):
    """States, models, jobs and money: item by item, the run does what was planned."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".aicp").mkdir()
        here = type(studio)(Path(folder), FakeVendor())
        live_through(here, past)
        submits = here.vendor.submits
        try:
            plan, result = plan_and_run(here, command)
        except _REFUSED:
            assert here.vendor.submits == submits
            assume(False)
        compare(plan, result, here.vendor.submits - submits)


def compare(plan: Plan, result: RunResult, submits: int) -> None:
    """The laws. Two requests may turn out to be one, once their pictures exist and are the same bytes (with
    a seed, one prompt gives one picture): then one is paid for, and the plan is only an upper bound."""
    items = {item.address: item for item in result.items}
    assert [item.address for item in plan.items] == list(items)
    made_now = {item.artifact.sha256 for item in result.items if item.state is ItemState.DONE}
    keys = Counter(item.key for item in plan.items if item.state is PlanState.RUN)
    twins = [
        item
        for item in plan.items
        if item.state is PlanState.RUN
        and (item.key is None or keys[item.key] > 1)
        and items[item.address].state is ItemState.CACHED
        and items[item.address].artifact.sha256 in made_now
    ]
    for planned in plan.items:
        made = items[planned.address]
        if planned not in twins:
            assert made.state in _OUTCOMES[planned.state], (planned.address, planned.state, made.error)
        if made.state is ItemState.DONE and planned.model is not None:
            assert (made.model, made.estimate.usd) == (planned.model, planned.price.usd)
            assert made.cost == planned.price.usd
    to_run = [item for item in plan.items if item.state is PlanState.RUN and item not in twins]
    jobs = {item.unit.number for item in to_run if isinstance(item.unit.work, JobRequest)}
    assert submits == len(jobs)
    spent = sum(item.cost or 0 for item in result.items if item.state is ItemState.DONE)
    assert spent == plan.price.usd - sum(item.price.usd for item in twins)


def test_one_picture_twice_is_one_clip(studio):
    """Two scenes of one prompt and seed are one picture: its clip is made and paid for once."""
    words = ("seed=3", "board.params.prompts.1=a")
    plan_and_run(studio, Command(words, selection=Selection(only=("board",))))
    before = studio.vendor.submits
    plan, result = plan_and_run(studio, Command(words))
    compare(plan, result, studio.vendor.submits - before)
    states = [item.state for item in result.items if item.step == "clips"]
    assert sorted(states) == [ItemState.CACHED, ItemState.DONE]


def test_a_plan_that_is_refused_is_refused_by_the_run(studio):
    """A selection whose inputs are not there: no plan, no run, and nothing sent."""
    selection = Selection(only=("clips",))
    options = RunOptions(studio.root, ("output",), "r", lambda address: "aicp", selection=selection)
    expansion = studio.expand(_FILE)
    with studio.workshop() as workshop:
        with pytest.raises(UsageError, match="not made yet"):
            make_plan(expansion, workshop.store, workshop.artifacts, selection=selection)
        with pytest.raises(UsageError, match="not made yet"):
            run(expansion, workshop, options, studio.events.append)
    assert studio.vendor.submits == 0


def test_what_follows_a_blocked_item_is_blocked(studio):
    """A failure that was paid for stands in the way of all that needs it: neither is planned nor paid."""
    studio.vendor.script = lambda wire: Act(end="failed", billed=Billed.YES)
    studio.run(_FILE)
    studio.vendor.script = lambda wire: Act()
    plan, result = plan_and_run(studio, Command())
    assert {item.state for item in plan.items} == {PlanState.BLOCKED}
    assert (plan.price.usd, studio.vendor.submits) == (0, 2)
    assert [item.state.value for item in result.items] == ["failed"] * 2 + ["skipped"] * 4


def test_retries_never_multiply_the_price(studio):
    """C5: a vendor that is busy is asked again, and all of it costs what was planned."""
    answers = iter(["busy", "busy", "accepted"])

    def script(wire):
        answer = next(answers, "accepted")
        return Act(answer=answer)

    studio.vendor.script = script
    text = _FILE.replace("[a, b]", "[a]")
    studio.clock = _Hasty()
    plan, result = studio.plan(text), studio.run(text)
    assert (result.exit_code, result.spent) == (0, plan.price.usd)
    assert len(studio.vendor.charges) == 2
    assert studio.vendor.submits == 4


class _Hasty:
    """A clock whose waits pass at once."""

    def now(self):
        from datetime import UTC, datetime

        return datetime.now(UTC)

    def monotonic(self) -> float:
        import time

        return time.monotonic()

    def wait(self, event, seconds: float) -> bool:
        return event.is_set()


def test_prices_of_one_book_do_not_move(studio):
    """A plan and a run that share a book share every price, whatever is billed between the two."""
    studio.vendor.script = lambda wire: Act(cost=Decimal("0.90"))
    expansion = studio.expand(_FILE)
    with studio.workshop() as workshop:
        book = PriceBook(workshop.store)
        before = make_plan(expansion, workshop.store, workshop.artifacts, prices=book)
        options = RunOptions(studio.root, ("output",), "r", lambda address: "aicp", prices=book)
        result = run(expansion, workshop, options, studio.events.append)
    assert sum(item.estimate.usd for item in result.items) == before.price.usd
    later = studio.plan(_FILE.replace("[a, b]", "[c]")).items[0]
    assert later.price.usd == Decimal("0.90")

"""The lost-answer law: a vendor accepts, the answer is lost, and the picture is paid once."""

from __future__ import annotations

from typing import Any

import pytest

from ai_content_pipeline.engine.collect import collect_all
from ai_content_pipeline.errors import OutcomeUnknown
from ai_content_pipeline.generation.store import State
from ai_content_pipeline.sandbox import actions as do

ONE = ["a cup"]
VENDORS = ("fal", "replicate")
#: What may come in place of the answer to an accepted submit.
LOSSES = (
    do.Drop(),
    do.Truncate(),
    do.Cut(),
    do.Empty(),
    do.Html(),
    do.Redirect(url="http://127.0.0.1:9/elsewhere"),
    do.Hang(seconds=4.0),
)
#: And without any acceptance, although nobody here can know that.
SILENCES = (
    do.Reset(),
    do.Status(code=500),
    do.Status(code=502, body="nginx"),
    do.Status(code=503),
    do.Status(code=504, body="empty"),
    do.Status(code=408),
)


def name(action: Any) -> str:
    return "-".join(str(value) for value in action.model_dump().values() if isinstance(value, str | int))


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_a_lost_answer_is_found_in_the_listing(account: Any, vendor: str, loss: do.AnyAction) -> None:
    """Accepted and the answer lost: the same run adopts the job, at one charge."""
    account.script(loss, vendor=vendor, route=("submit",), times=1)
    result = account.run(account.pictures(vendor, ONE))
    assert result.exit_code == 0, account.faults(result)
    assert account.paid == {"a cup": 1}


@pytest.mark.parametrize("vendor", VENDORS)
def test_of_several_only_the_lost_one_is_looked_for(account: Any, vendor: str) -> None:
    """One of four answers lost: four jobs, four charges, four pictures in the order of their prompts."""
    account.script(do.Drop(), vendor=vendor, route=("submit",), nth=2, times=1)
    prompts = ["one", "two", "three", "four"]
    result = account.run(account.pictures(vendor, prompts))
    assert result.exit_code == 0, account.faults(result)
    assert account.paid == dict.fromkeys(prompts, 1)
    made = {job.prompt: job.id for job in account.sandbox.jobs()}
    by_item = [item.source_urls[0] for item in result.steps[0].items]
    assert all(made[prompt] in url for prompt, url in zip(prompts, by_item, strict=True))


@pytest.mark.parametrize("silence", SILENCES, ids=name)
def test_replicate_proves_that_nothing_was_accepted(account: Any, silence: do.AnyAction) -> None:
    """Its listing is exhaustive: past the grace the request is sent again, and paid once."""
    account.script(silence, vendor="replicate", route=("submit",), times=1)
    result = account.run(account.pictures("replicate", ONE))
    assert result.exit_code == 0, account.faults(result)
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


def test_what_was_never_accepted_is_no_failure(account: Any) -> None:
    """`aicp fetch` finds out that there is no prediction: exit 0, and the words say what happens next."""
    account.sandbox.script(
        account.rule(do.Reset(), route=("submit",)), account.rule(do.Status(code=503), route=("list",))
    )
    account.write(account.pictures("replicate", ["a cup"]))
    assert account.chain().code == 8
    account.unscript()
    said = account.aicp("fetch", "--json")
    assert said.code == 0
    assert said.data == {"collected": [], "never_accepted": ["pics/pics_1"], "not_collected": []}
    account.script(do.Reset(), route=("submit",), times=1)
    assert account.chain("--json").data["steps"][0]["items"][0]["error"] is None
    assert account.paid == {"a cup": 1}


def test_the_words_for_what_was_never_accepted(account: Any) -> None:
    """As `resume --in-doubt wait` says them."""
    account.sandbox.script(
        account.rule(do.Reset(), route=("submit",)), account.rule(do.Status(code=503), route=("list",))
    )
    account.write(account.pictures("replicate", ["a cup"]))
    assert account.chain().code == 8
    account.unscript()
    said = account.aicp("resume", "--in-doubt", "wait")
    assert (said.code, "was never accepted; the same command sends it again" in said.text) == (0, True)


@pytest.mark.parametrize("silence", SILENCES, ids=name)
def test_fal_proves_nothing_so_it_is_held(account: Any, silence: do.AnyAction) -> None:
    """fal lists finished requests only: exit 8, nothing sent again by itself, and it counts as spent."""
    account.script(silence, vendor="fal", route=("submit",), times=1)
    for _ in range(2):
        result = account.run(account.pictures("fal", ONE))
        (fault,) = account.faults(result)
        assert (result.exit_code, fault.exit_code) == (8, 8)
        assert "nobody knows whether it was accepted" in fault.message
        assert "aicp resume --in-doubt" in str(fault.hint)
    assert account.accepted == 0
    assert str(result.spent) == "0.15"


def test_fal_holds_only_until_its_listing_shows_the_job(account: Any) -> None:
    """The job runs on unseen: exit 8 for now; once it has ended the same command adopts it, and pays once."""
    slow_and_lost(account)
    assert account.run(account.pictures("fal", ONE)).exit_code == 8
    assert (account.accepted, account.paid) == (1, {})
    account.sandbox.advance(60)
    result = account.run(account.pictures("fal", ONE))
    assert result.exit_code == 0, account.faults(result)
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


def slow_and_lost(account: Any) -> None:
    """The next submit is a job of half a minute whose acceptance is lost."""
    account.sandbox.script(do.RunTime(seconds=30.0), account.rule(do.Drop(), route=("submit",)))


def test_collecting_adopts_too(account: Any) -> None:
    """`fetch` needs no pipeline to find what was in doubt."""
    slow_and_lost(account)
    account.run(account.pictures("fal", ONE))
    account.write("not: [a pipeline")
    with account.workshop() as workshop:
        ((_, error),) = collect_all(workshop)
        assert isinstance(error, OutcomeUnknown)
    account.sandbox.advance(60)
    with account.workshop() as workshop:
        ((job, error),) = collect_all(workshop)
        assert error is None
        assert workshop.store.job(job.key).state is State.DONE
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


@pytest.mark.parametrize("vendor", VENDORS)
def test_twins_are_never_taken_for_one_another(account: Any, vendor: str) -> None:
    """Two equal requests, both answers lost: at most one job each, and none is delivered twice."""
    account.script(do.Drop(), vendor=vendor, route=("submit",))
    result = account.run(account.pictures(vendor, ["same", "same"]))
    account.unscript()
    assert account.accepted == 2
    adopted = [item.source_urls for item in result.steps[0].items if item.artifact is not None]
    assert len(set(adopted)) == len(adopted)
    assert result.exit_code == (0 if len(adopted) == 2 else 8)
    account.run(account.pictures(vendor, ["same", "same"]))
    assert account.accepted == 2


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_vendors_clock_may_be_an_hour_wrong(account: Any, vendor: str) -> None:
    """A lost answer is found by the vendor's own clock, fast or slow, at one charge."""
    for number, seconds in enumerate((3600.0, -3600.0), 1):
        skew, drop = do.ClockSkew(seconds=seconds), do.Drop()
        account.sandbox.reset()
        account.sandbox.script(skew, account.rule(drop, vendor=vendor, route=("submit",), times=1))
        result = account.run(account.pictures(vendor, [f"cup {number}"]))
        assert result.exit_code == 0, account.faults(result)
        assert account.paid == {f"cup {number}": 1}


def held(account: Any) -> None:
    """One picture at fal, in doubt: accepted, and not seen before its half minute is over."""
    slow_and_lost(account)
    account.write(account.pictures("fal", ONE))
    said = account.chain()
    assert said.code == 8, said
    account.unscript()


def test_status_shows_what_is_held_and_what_to_do(account: Any) -> None:
    """Exit 0, the item, its price, and the three ways on; for machines too."""
    held(account)
    said = account.aicp("status")
    assert said.code == 0
    for words in (
        "pics/pics_1",
        "nano_banana_pro",
        "in doubt",
        "0.15",
        "resume --in-doubt wait|resubmit|abandon",
    ):
        assert words in said.text
    (job,) = account.aicp("status", "--json").data["jobs"]
    assert (job["state"], job["request_id"], job["reserved_micro_usd"]) == ("in_doubt", None, 150_000)


def test_wait_asks_the_vendor_again(account: Any) -> None:
    """Exit 8 while fal does not list it, exit 0 once it does; the same command then has it for nothing."""
    held(account)
    assert account.aicp("resume", "--in-doubt", "wait").code == 8
    account.sandbox.advance(60)
    said = account.aicp("resume", "--in-doubt", "wait")
    assert said.code == 0
    assert "collected" in said.text
    assert "go on with:  aicp run-chain pipeline.yaml" in said.text
    assert account.chain().code == 0
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


def test_resubmit_is_the_users_decision_and_counts_twice(account: Any) -> None:
    """It is sent once more, and what was in doubt still counts as spent."""
    held(account)
    said = account.aicp("resume", "--in-doubt", "resubmit")
    assert (said.code, account.accepted) == (0, 1)
    assert "will be sent again" in said.text
    assert account.chain().code == 0
    assert account.accepted == 2
    assert account.aicp("status", "--json").data["jobs"] == []
    cost = account.aicp("cost", "--json").data
    assert sum(float(cost[f"{kind}_usd"]) for kind in ("reserved", "reported", "in_doubt")) == 0.15
    assert float(cost["estimated_usd"]) == 0.3


def test_abandoned_counts_as_spent_and_is_not_sent_again(account: Any) -> None:
    """Given up: exit 1 and the way on (`aicp redo`), its money still counted under the cap."""
    held(account)
    assert "given up" in account.aicp("resume", "--in-doubt", "abandon").text
    said = account.chain()
    assert said.code == 1
    assert "given up while in doubt" in said.text
    account.write(account.pictures("fal", [*ONE, "a second"]))
    assert account.chain("--max-cost", "0.20").code == 5
    assert account.accepted == 1
    assert account.aicp("redo", "pipeline.yaml", "pics/pics_1", "--yes").code == 0
    assert account.accepted == 2


def test_a_decision_is_only_about_what_is_named(account: Any) -> None:
    """Two in doubt, one abandoned: the other is still held."""
    slow_and_lost(account)
    account.write(account.pictures("fal", ["one", "two"]))
    assert account.chain().code == 8
    account.aicp("resume", "--in-doubt", "abandon", "pics/pics_1")
    states = {job["address"]: job["state"] for job in account.aicp("status", "--json").data["jobs"]}
    assert states == {"pics/pics_2": "in_doubt"}

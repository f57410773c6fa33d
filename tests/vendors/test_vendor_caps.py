"""The cap law at real vendors: whatever works side by side, nothing is charged above the cap."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ai_content_pipeline.sandbox import actions as do

TWENTY = [f"picture {number}" for number in range(20)]
FOR_TEN = Decimal("1.50")


def charged(account: Any) -> Decimal:
    return sum((charge.usd for charge in account.sandbox.charges()), Decimal(0))


def test_twenty_workers_never_pass_a_cap_for_ten(account: Any) -> None:
    """Ten are made, ten refused with exit 5; the same command, at the same cap, pays nothing more."""
    for _ in range(2):
        result = account.run(account.pictures("fal", TWENTY, workers=20), cap=FOR_TEN)
        assert result.exit_code == 5
        assert {fault.exit_code for fault in account.faults(result)} == {5}
        assert "would pass the cap" in account.faults(result)[0].message
        assert (account.accepted, charged(account)) == (10, FOR_TEN)
    result = account.run(account.pictures("fal", TWENTY, workers=20), cap=2 * FOR_TEN)
    assert (result.exit_code, account.accepted) == (0, 20)


def test_two_processes_share_the_cap_of_a_day(account: Any) -> None:
    """Two pipelines of ten at once, under a day's cap for ten: ten jobs, and one of them says exit 5."""
    account.extra["AICP_MAX_COST_PER_DAY"] = str(FOR_TEN)
    account.write(account.pictures("fal", TWENTY[:10], workers=10), "a.yaml")
    account.write(
        account.pictures("fal", TWENTY[10:], workers=10).replace("name: pics\n", "name: b\n", 1), "b.yaml"
    )
    both = [account.start("run-chain", name, "--yes") for name in ("a.yaml", "b.yaml")]
    said = [process.communicate(timeout=60) for process in both]
    assert 5 in {process.returncode for process in both}, said
    assert (account.accepted, charged(account)) == (10, FOR_TEN)


def test_two_processes_on_one_pipeline_pay_for_one(account: Any) -> None:
    """The same command twice at once: each item is made once, and both end well."""
    account.write(account.pictures("fal", TWENTY[:10], workers=10, top="max_cost: 1.50"))
    both = [account.start("run-chain", "pipeline.yaml", "--yes") for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert account.paid == dict.fromkeys(TWENTY[:10], 1)


def test_a_plan_above_its_cap_is_refused_before_its_first_job(account: Any) -> None:
    """Exit 5 and both amounts, whichever of the two caps is the lower one."""
    account.write(account.pictures("fal", TWENTY, top="max_cost: 2.00"))
    for words in (["--yes"], ["--max-cost", "9"]):
        said = account.aicp("run-chain", "pipeline.yaml", *words)
        assert said.code == 5
        assert "3.00" in said.err
        assert "the cap of $2.00," in said.err or "the cap of $2.00\n" in said.err
    said = account.aicp("run-chain", "pipeline.yaml", "--max-cost", "1")
    assert "$1" in said.err
    assert account.sandbox.counts() == {}


def test_a_cap_covers_the_resumes_of_a_run(account: Any) -> None:
    """What a failed attempt was charged counts when the same run goes on."""
    account.script(do.Reject(billed=True), route=("submit",), prompt="bad")
    account.write(account.pictures("fal", ["good", "bad"], top="max_cost: 0.40"))
    assert account.chain().code == 7
    account.unscript()
    account.write(account.pictures("fal", ["good", "better"], top="max_cost: 0.40"))
    said = account.chain()
    assert said.code == 5
    assert account.accepted == 2
    account.write(account.pictures("fal", ["good", "better"], top="max_cost: 0.45"))
    assert account.chain().code == 0
    assert (account.accepted, charged(account)) == (3, Decimal("0.45"))


def test_an_unknown_price_is_refused(account: Any) -> None:
    """Exit 5 naming the model, unless --allow-unpriced; then it does not count, and `cost` says so."""
    account.write(account.pictures("replicate", ["a cup"]))
    said = account.aicp("run-chain", "pipeline.yaml", "--yes")
    assert said.code == 5
    assert "nano_banana_pro_replicate is unknown" in said.err
    assert "--allow-unpriced" in said.err
    assert account.sandbox.counts() == {}
    assert account.chain("--max-cost", "0.01").code == 0
    assert "1 job had no known price and is not in these sums" in account.aicp("cost").text


@pytest.mark.parametrize("top", ["", "max_cost: 5.00"])
def test_nobody_to_ask_means_no(account: Any, top: str) -> None:
    """Without a terminal, spending needs --yes or --max-cost; the file's own cap is no consent."""
    account.write(account.pictures("fal", ["a cup"], top=top))
    said = account.aicp("run-chain", "pipeline.yaml")
    assert said.code == 5
    assert "--yes" in said.err
    assert "--max-cost" in said.err
    assert account.sandbox.counts() == {}
    assert account.aicp("run-chain", "pipeline.yaml", "--max-cost", "0.15").code == 0
    assert account.aicp("run-chain", "pipeline.yaml").code == 0  # it costs nothing any more
    assert account.accepted == 1


@pytest.mark.parametrize("amount", ["nan", "-1", "lots", "inf", ""])
def test_a_cap_that_is_no_amount_is_no_cap(account: Any, amount: str) -> None:
    """Exit 2 on the command line, exit 4 in the environment; nothing is spent under a cap nobody can read."""
    account.write(account.pictures("fal", ["a cup"]))
    assert account.aicp("run-chain", "pipeline.yaml", "--max-cost", amount).code == 2
    if amount:
        account.extra["AICP_MAX_COST_PER_DAY"] = amount
        assert account.chain().code == 4
    assert account.sandbox.counts() == {}


def test_cost_tells_what_the_vendors_took(account: Any) -> None:
    """By day, run and model: what was estimated is what the sandbox charged."""
    account.write(account.pictures("fal", ["one", "two"]))
    account.chain()
    cost = account.aicp("cost", "--json").data
    assert Decimal(cost["estimated_usd"]) == charged(account) == Decimal("0.30")
    (row,) = cost["spend"]
    assert (row["model"], row["jobs"], row["unpriced"]) == ("nano_banana_pro", 2, 0)

"""Hardening class C, as a user meets it: odd prices, what a failure costs, cents, memory and days."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ai_content_pipeline.sandbox import actions as do

CARD = """
[nano_banana_pro.price]
unit = "image"
source = "https://fal.ai/models/fal-ai/nano-banana-pro"
date = "2026-11-21"
confidence = "verified"
rates = [{usd = PRICE}]
"""


@pytest.mark.parametrize(
    "price",
    ['"nan"', "nan", '"-0.15"', "-1", '"0"', "0", '"0.15 EUR"', '"€0.15"', '"1e-3"', '"free"', "true", '""',
     '"inf"', '"99999999999999999999"'],
)  # fmt: skip
def test_a_price_that_is_none_is_no_price(account: Any, price: str) -> None:
    """C2: NaN, negative, zero, text, another currency: exit 3 with the place in the card's file and how to
    write it; --allow-unpriced does not help, and the vendor hears nothing."""
    (account.root / "aicp.models.toml").write_text(CARD.replace("PRICE", price), encoding="utf-8")
    account.write(account.pictures("fal", ["a cup"]))
    said = account.chain("--max-cost", "1")
    assert said.code == 3, said.text
    assert "aicp.models.toml:7:" in said.err
    assert 'write {usd = "0.07"}' in said.err
    assert account.sandbox.counts() == {}


def test_an_own_price_counts(account: Any) -> None:
    """C2: the same card with an amount: the plan, the cap and the report go by it, without a ~."""
    (account.root / "aicp.models.toml").write_text(CARD.replace("PRICE", '"0.0398"'), encoding="utf-8")
    account.write(account.pictures("fal", ["one", "two", "three"]))
    assert account.aicp("plan", "pipeline.yaml", "--json").data["total_usd"] == "0.1194"
    said = account.chain("--max-cost", "0.1193")
    assert (said.code, "$0.1194" in said.err) == (5, True), said.text
    said = account.chain("--max-cost", "0.1194")
    assert (said.code, "spent   $0.1194 of $0.1194" in said.err) == (0, True), said.text


def test_cents_add_up_to_the_last_one(account: Any) -> None:
    """C9: thirty at $0.0398 are $1.194, no float's 1.1939999: they fit into just that, by every command."""
    (account.root / "aicp.models.toml").write_text(CARD.replace("PRICE", '"0.0398"'), encoding="utf-8")
    account.write(
        account.pictures("fal", [f"picture {n}" for n in range(30)], workers=30, top="max_cost: 1.194")
    )
    said = account.chain("--json")
    assert said.code == 0, said.text
    assert said.envelope["cost"] == {"spent_usd": "1.194", "cap_usd": "1.194"}
    assert account.aicp("cost", "--json").data["estimated_usd"] == "1.194"
    items = said.data["steps"][0]["items"]
    assert sum(Decimal(item["cost_usd"]) for item in items) == Decimal("1.194")


@pytest.mark.parametrize(
    ("vendor", "action", "code", "says", "counted"),
    [
        ("fal", do.Fail(code=500), 75, "spent   $0.00 of $0.15", "0"),
        ("fal", do.Reject(), 6, "it may have been billed; `aicp redo` makes a new take", "0.15"),
        ("fal", do.Reject(billed=True), 6, "it may have been billed; `aicp redo` makes a new take", "0.15"),
        ("replicate", do.Aborted(), 1, "it was not billed; the same command tries again", "0"),
        ("replicate", do.Fail(), 1, "it may have been billed; `aicp redo` makes a new take", "0.15"),
    ],
    ids=["fal 5xx", "fal policy", "fal policy, billed", "replicate aborted", "replicate failed"],
)  # fmt: skip
def test_what_a_failure_costs_is_told(
    account: Any, vendor: str, action: do.AnyAction, code: int, says: str, counted: str
) -> None:
    """C6: whether it was billed, as far as the vendor tells, and what may be done; what may have been billed
    counts as spent and under the cap, what was not does not."""
    card = CARD.replace("nano_banana_pro", "nano_banana_pro_replicate") if vendor == "replicate" else CARD
    (account.root / "aicp.models.toml").write_text(card.replace("PRICE", '"0.15"'), encoding="utf-8")
    account.script(action)
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain("--max-cost", "0.15")
    assert said.code == code, said.text
    assert says in said.err
    cost = account.aicp("cost", "--json").data
    assert max(Decimal(cost["estimated_usd"]), Decimal(cost["reported_usd"])) == Decimal(counted), cost
    account.unscript()
    assert account.chain("--max-cost", "0.15").code == (0 if counted == "0" else code)


def test_redos_in_a_loop_end_at_the_cap_of_the_day(account: Any) -> None:
    """C8: three at $0.15 fit into $0.45; every further redo is exit 5, says so, and pays nothing."""
    account.extra["AICP_MAX_COST_PER_DAY"] = "0.45"
    account.write(account.pictures("fal", ["a cup"]))
    assert account.chain().code == 0
    for number in range(5):
        said = account.aicp("redo", "pipeline.yaml", "pics/pics_1", "--yes")
        assert said.code == (0 if number < 2 else 5), said.text
    assert "cap" in said.text
    assert account.accepted == 3


@pytest.mark.parametrize("days", [-3, -0.5])
def test_a_clock_that_is_set_back_frees_no_money(account: Any, days: float) -> None:
    """C7: what was spent in what is now the future still counts; exit 5."""
    account.extra["AICP_MAX_COST_PER_DAY"] = "0.20"
    account.write(account.pictures("fal", ["a cup"]))
    assert account.chain().code == 0
    account.clock.ahead += account.hours(24 * days)
    account.write(account.pictures("fal", ["a plate"]))
    said = account.chain()
    assert said.code == 5, said.text
    assert "cap" in said.text
    assert account.accepted == 1


def test_a_journal_that_was_deleted_is_missed(account: Any) -> None:
    """C7: results without a journal. `plan` and `run-chain` say, before anybody agrees, that what was paid
    may be paid again, with what to do, and their exit codes stay; the commands that need the journal say it
    in place of "nothing has been run"."""
    account.write(account.pictures("fal", ["a cup"]))
    assert "is gone" not in account.chain().text
    for file in account.project.state.glob("journal.sqlite3*"):
        file.unlink()
    words = "nobody knows any more what was paid for"
    for command in ("status", "cost", "fetch"):
        said = account.aicp(command)
        assert (said.code, words in said.err, "backup" in said.err) == (2, True, True), said.text
    assert words in account.aicp("plan", "pipeline.yaml").err
    (warning,) = account.aicp("plan", "pipeline.yaml", "--json").data["warnings"]
    assert words in warning
    refused = account.aicp("run-chain", "pipeline.yaml")
    assert (refused.code, words in refused.err.partition("error:")[0]) == (5, True), refused.text
    assert account.accepted == 1


def test_a_draft_that_begins_a_new_journal_says_so_too(account: Any) -> None:
    """C7: it spends nothing, and is the last moment to hear of it."""
    account.write(account.pictures("fal", ["a cup"]))
    account.chain()
    for file in account.project.state.glob("journal.sqlite3*"):
        file.unlink()
    assert "backup of the journal" in account.aicp("run-chain", "pipeline.yaml", "--draft").err


def test_a_run_without_its_journal_goes_on_with_a_warning(account: Any) -> None:
    """C7: agreed to by --yes, it runs, pays again and keeps the warning in its report; exit 0."""
    account.write(account.pictures("fal", ["a cup"]))
    account.chain()
    for file in account.project.state.glob("journal.sqlite3*"):
        file.unlink()
    said = account.chain()
    assert said.code == 0
    assert said.err.index("what was made before may be paid for again") < said.err.index("pics/pics_1")
    assert "may be paid for again" in account.report
    assert account.accepted == 2
    assert "may be paid for again" not in account.chain().text

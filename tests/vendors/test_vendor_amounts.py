"""What people and programs read of money, and of the time that is left to collect what was paid."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai_content_pipeline.cost import from_micro
from ai_content_pipeline.engine.collect import kept_until
from ai_content_pipeline.sandbox import actions as do


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (2_950_000, "2.95"), (150_000, "0.15"), (39_800, "0.0398"), (1, "0.000001"),
     (10_000_000, "10.00"), (-50_000, "-0.05"), (1_000_000_000, "1000.00")],
)  # fmt: skip
def test_an_amount_is_written_as_people_write_it(micro: int, text: str) -> None:
    """Whole cents with two places, anything finer exactly; never zeros behind, never an exponent."""
    assert str(from_micro(micro)) == f"{from_micro(micro):f}" == text
    assert from_micro(micro) * 1_000_000 == micro


def test_second_hand_prices_are_told_wherever_they_are_summed(account: Any) -> None:
    """``~`` in the run's summary, in the report, in `status` and in `cost`, with what it means; not on what
    the vendor reported. For programs ``second_hand``."""
    account.write(account.pictures("fal", ["a cup", "a plate"]))
    said = account.chain()
    assert "spent   ~$0.30" in said.err
    assert json.loads(account.report)["cost"]["spent_second_hand"] is True
    assert "~$0.30" in (account.root / "output/pics/report.html").read_text("utf-8")
    said = account.aicp("cost")
    assert "~$0.30" in said.out
    assert "~ by a second-hand price" in said.err
    assert "~$0.00" not in said.out
    data = account.aicp("cost", "--json").data
    assert (data["second_hand"], data["spend"][0]["second_hand"]) == (True, True)


def test_an_unknown_price_is_not_spent_as_zero(account: Any) -> None:
    """With --allow-unpriced the summary and the report say that something of what was spent is unknown."""
    account.write(account.pictures("replicate", ["a cup"]))
    said = account.chain("--max-cost", "1")
    assert said.code == 0, said.text
    assert "spent   $0.00 of $1.00 + unknown" in said.err
    assert "$0.00 of $1.00 + unknown" in (account.root / "output/pics/report.html").read_text("utf-8")
    assert "spent   $0.00 of $1.00\n" in account.chain("--max-cost", "1").err  # now it is cached


def test_the_envelope_tells_plain_decimals(account: Any) -> None:
    """As the plan and the report do: ``0.15``, and the cap as it was given."""
    account.write(account.pictures("fal", ["a cup"]))
    envelope = account.chain("--max-cost", "5.00", "--json").envelope
    assert envelope["cost"] == {"spent_usd": "0.15", "cap_usd": "5.00"}
    assert envelope["data"]["cost"]["spent_usd"] == "0.15"
    assert account.chain("--json").envelope["cost"]["spent_usd"] == "0"
    cost = account.aicp("cost", "--json").data
    assert (cost["estimated_usd"], cost["in_doubt_usd"]) == ("0.15", "0")


def left_running(account: Any, vendor: str) -> None:
    account.script(do.Stuck(phase="running"))

    def emit(event: object) -> None:
        account.clock.ahead += account.hours(1)

    result = account.run(account.pictures(vendor, ["a cup"]), emit=emit)
    assert result.exit_code == 75
    account.clock.ahead = timedelta()


def test_status_says_until_when_to_collect(account: Any) -> None:
    """Replicate deletes results after an hour: the date stands beside the job, an hour after its submit at
    the earliest, in words and as ``collect_until``; and the price that it holds."""
    left_running(account, "replicate")
    said = account.aicp("status")
    (job,) = account.journal()
    until = kept_until(job)
    assert job.submitted_at is not None
    assert until == job.submitted_at + timedelta(hours=1)
    assert said.code == 0
    assert "collect before" in said.out
    assert f"{until:%Y-%m-%d %H:%M} UTC" in said.out
    assert "aicp fetch" in said.err
    (row,) = account.aicp("status", "--json").data["jobs"]
    assert datetime.fromisoformat(row["collect_until"]) == until


def test_status_names_no_date_that_nobody_knows(account: Any) -> None:
    """fal does not say how long it keeps results: no date, and null for programs."""
    left_running(account, "fal")
    said = account.aicp("status")
    assert "UTC" not in said.out
    assert "~$0.15" in said.out
    (row,) = account.aicp("status", "--json").data["jobs"]
    assert row["collect_until"] is None
    assert Decimal(row["reserved_micro_usd"]) == 150_000

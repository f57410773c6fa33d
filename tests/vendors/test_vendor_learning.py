"""Prices that learn, through a vendor's own protocol: what fal reports as billed is what is planned next."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

_CLIPS = """
name: pics
steps:
  - name: clips
    type: text_to_video
    model: kling_2_5_turbo_pro_t2v
    params: {{parallel: true, duration: {duration}, prompts: [{prompts}]}}
"""


def planned(account: Any, prompts: str, duration: int = 5) -> dict[str, Any]:
    account.write(_CLIPS.format(prompts=prompts, duration=duration))
    said = account.aicp("plan", "pipeline.yaml", "--json")
    assert said.code == 0, said.text
    return said.data


def test_what_was_billed_is_the_next_price(account: Any) -> None:
    """Three clips were billed alike: the fourth is planned at that price, says so, and is billed so."""
    before = planned(account, "one, two, three")
    assert {item["basis"] for item in before["items"]} == {"second-hand"}
    assert account.chain().code == 0
    billed = [charge.usd for charge in account.sandbox.charges()]
    plan = planned(account, "one, two, three, four")
    assert [item["state"] for item in plan["items"]] == ["cached"] * 3 + ["run"]
    last = plan["items"][3]
    assert (last["basis"], last["bills"], Decimal(last["price_usd"])) == ("observed", 3, billed[0])
    assert account.chain().code == 0
    charges = [charge.usd for charge in account.sandbox.charges()]
    assert sum(charges) - sum(billed) == Decimal(plan["total_usd"])
    assert planned(account, "five", duration=10)["items"][0]["basis"] == "second-hand"

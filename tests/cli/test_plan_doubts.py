"""What a plan says of its prices before anybody agrees: differences, age, bases; and of what is held."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest

from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.cli.plan_data import plan_data
from ai_content_pipeline.cli.plan_view import show_plan
from ai_content_pipeline.providers.fake import Act

_DAY = date(2026, 11, 21)


class Stream(io.StringIO):
    encoding = "utf-8"


@pytest.fixture
def shown():
    """What `show_plan` puts on both streams."""

    def show(plan, today: date = _DAY) -> str:
        out, err = Stream(), Stream()
        show_plan(Console(out, err, Stream(), {}, Showing()), plan, today)
        return out.getvalue() + err.getvalue()

    return show


def film(*prompts: str) -> str:
    listed = ", ".join(prompts)
    return f"""
name: film
output_dir: output
steps:
  - {{name: pics, type: text_to_image, model: nano_banana_pro, params: {{prompts: [{listed}]}}}}
"""


def bill(studio, usd: str) -> None:
    studio.vendor.script = lambda wire: Act(cost=Decimal(usd))
    assert studio.run(film("x", "y", "z")).exit_code == 0


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        ("0.30", "nano_banana_pro: this project was billed $0.30 (3 bills), 100 % more than $0.15"),
        ("0.12", "nano_banana_pro: this project was billed $0.12 (3 bills), 20 % less than $0.15"),
    ],
)
def test_a_difference_is_pointed_out(studio, shown, usd, said):
    """More than 10 % between what was billed and the card: a warning for people, numbers for programs."""
    bill(studio, usd)
    plan = studio.plan(film("new"))
    text = shown(plan)
    assert f"warning: {said}, which its card says" in text
    assert f"${usd} observed (3)" in text
    (found,) = plan_data(plan, _DAY)["price_differences"]
    assert (found["model"], found["bills"], found["usual_usd"], found["card_usd"]) == (
        "nano_banana_pro",
        3,
        usd,
        "0.15",
    )


def test_a_small_difference_is_not(studio, shown):
    """Within 10 % the price changes and nobody is warned."""
    bill(studio, "0.14")
    plan = studio.plan(film("new"))
    assert "warning" not in shown(plan)
    assert plan_data(plan, _DAY)["price_differences"] == []
    assert plan_data(plan, _DAY)["total_usd"] == "0.14"


def test_a_price_grows_old_with_the_days(studio, shown):
    """The same plan is fine for 90 days after the card's date (2026-09-01), and then warned of."""
    plan = studio.plan(film("new"))
    assert "warning" not in shown(plan, date(2026, 11, 30))
    assert "its price was read on 2026-09-01" in shown(plan, date(2026, 12, 1))


def test_what_was_billed_does_not_grow_old(studio, shown):
    """A price that this project was billed needs no card, whatever its date."""
    bill(studio, "0.14")
    assert "was read on" not in shown(studio.plan(film("new")), date(2027, 6, 1))


def test_what_is_in_doubt_is_held(studio, shown):
    """In doubt costs nothing more by this plan, and is said to count as spent."""
    studio.vendor.script = lambda wire: Act(answer="lost")
    studio.vendor.listing = "none"
    assert studio.run(film("new")).exit_code == 8
    plan = studio.plan(film("new"))
    assert (plan.items[0].state.value, plan.price.usd) == ("in doubt", 0)
    assert "held    1 item at vendors already: what they cost counts as spent" in shown(plan)


def test_an_unknown_price_is_named(studio, shown):
    """Unknown is never zero: the model is named, and the total says so."""
    plan = studio.plan(film("new").replace("nano_banana_pro", "fal:somebody/thing"))
    data = plan_data(plan, _DAY)
    assert (data["items"][0]["price_usd"], data["unpriced"]) == (None, ["fal:somebody/thing"])
    text = shown(plan)
    assert "no known price: fal:somebody/thing; a run needs --allow-unpriced" in text
    assert "price   unknown" in text

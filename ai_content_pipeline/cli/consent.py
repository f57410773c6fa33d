"""What must be clear before a run may spend: its cap, its keys, and somebody's yes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cost import amount_of
from ai_content_pipeline.errors import BudgetRefused, UsageError
from ai_content_pipeline.jobs import JobRequest, Model

if TYPE_CHECKING:
    from ai_content_pipeline.cli.wish import Wish
    from ai_content_pipeline.engine.plan import Plan
    from ai_content_pipeline.pipeline.expansion import Expansion


@runtime_checkable
class Preflight(Protocol):
    """A provider that can say beforehand whether a model is there."""

    def check(self, model: Model) -> None:
        """Raises ConfigurationError where it is not."""
        ...


def cap(max_cost: str | None, expansion: Expansion) -> Decimal | None:
    """The lower of the file's cap and the command line's."""
    caps = [
        cap for cap in (expansion.pipeline.top.max_cost, dollars("--max-cost", max_cost)) if cap is not None
    ]
    return min(caps) if caps else None


def dollars(option: str, text: str | None) -> Decimal | None:
    """The amount that was given with `option`.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    amount = amount_of(text)
    if amount is None:
        raise UsageError(f"{option} {text!r} is no amount of dollars", hint=f"for example {option} 2.50")
    return amount


def check_providers(plan: Plan, provider: Callable[[str], object]) -> None:
    """Missing keys, packages and weights are found before anything runs.

    Raises:
        ConfigurationError: with the two ways out.
    """
    from ai_content_pipeline.engine.plan import PlanState

    settled = (PlanState.CACHED, PlanState.GIVEN, PlanState.NOT_ASKED)
    works = [item.unit.work for item in plan.items if item.state not in settled]
    models = [work.model for work in works if isinstance(work, JobRequest)]
    for name in dict.fromkeys(model.provider for model in models):
        made = provider(name)
        if isinstance(made, Preflight):
            for model in {model.endpoint: model for model in models if model.provider == name}.values():
                made.check(model)


def check_prices(plan: Plan, today: date) -> None:
    """For ``--locked``: no price may be old.

    Raises:
        BudgetRefused: with every model whose price is.
    """
    from ai_content_pipeline.engine.price_list import OLD_AFTER_DAYS, sources

    old = [f"{found.model} ({found.read})" for found in sources(plan, today) if found.old]
    if old:
        raise BudgetRefused(
            f"prices that were read more than {OLD_AFTER_DAYS} days ago: {', '.join(old)}",
            hint="ask the vendor with `aicp models check`, or leave --locked away",
        )


def ask(wish: Wish, plan: Plan, cap: Decimal | None, console: Console) -> None:
    """Nothing is spent that nobody agreed to.

    Raises:
        BudgetRefused: an unknown price, a plan above its cap, or no consent.
    """
    from ai_content_pipeline.cost import format_usd

    price = plan.price
    if price.unpriced and not wish.allow_unpriced:
        raise BudgetRefused(
            f"the price of {', '.join(price.unpriced)} is unknown",
            hint="allow it with --allow-unpriced (it will not count towards a cap), or choose another model",
        )
    if cap is not None and price.usd > cap:
        raise BudgetRefused(
            f"this may cost {price}, more than the cap of {format_usd(cap)}",
            hint="raise max_cost or --max-cost",
        )
    if (price.usd == 0 and not price.unpriced) or wish.yes or wish.max_cost is not None:
        return
    if not console.interactive:
        raise BudgetRefused(
            f"this may cost {price}, and nobody is here to ask",
            hint="agree with --yes or with --max-cost USD",
        )
    if not console.confirm(f"This may cost {price}. Go on?"):
        raise BudgetRefused("not agreed to; nothing was spent")

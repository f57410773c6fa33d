"""What a request may cost: the same call for the plan, the reservation and the report."""

from __future__ import annotations

from decimal import Decimal

from ai_content_pipeline import catalog
from ai_content_pipeline.catalog import Expected
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.pipeline.expansion import ExpandedStep
from ai_content_pipeline.steps.protocol import Item


def estimate(step: ExpandedStep, item: Item, request: JobRequest) -> CostEstimate:
    """An upper bound for the one request that makes `item` and its siblings."""
    card = step.setting.cards[request.model.name]
    makes = item.makes
    shape = Expected(makes.kind, makes.width, makes.height, makes.seconds)
    return catalog.estimate(card, request.model.task, request.params, request.outputs, shape)


def unit_price(step: ExpandedStep, request: JobRequest) -> Decimal | None:
    """Dollars for one unit that the vendor reports as billed, where its price is one flat rate.

    With rates by parameter or surcharges it is not known which of them a reported unit stands for.
    """
    price = step.setting.cards[request.model.name].price
    if price is None or len(price.rates) != 1 or price.rates[0].when or price.surcharges:
        return None
    return price.rates[0].usd


def usual_seconds(step: ExpandedStep, request: JobRequest) -> float | None:
    """How long such a job usually takes, by the model's card."""
    return step.setting.cards[request.model.name].seconds

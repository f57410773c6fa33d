"""What a request may cost: the same call for the plan, the reservation and the report."""

from __future__ import annotations

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


def usual_seconds(step: ExpandedStep, request: JobRequest) -> float | None:
    """How long such a job usually takes, by the model's card."""
    return step.setting.cards[request.model.name].seconds

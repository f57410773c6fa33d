"""What is wanted of the door, and what the journal is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.cost import CostEstimate, to_micro
from ai_content_pipeline.generation import keys
from ai_content_pipeline.generation.store import Accepted, Cap, Claim, Ending, Job, State
from ai_content_pipeline.jobs import Handle, JobRequest, Json, Succeeded, WireRequest

#: A vendor that reports a job dearer than this, in dollars, is not believed.
_INCREDIBLE = Decimal(1_000_000)


@dataclass(frozen=True)
class Order:
    """A wish for media: a request whose inputs exist, its ordinal, and who wants it at what price."""

    request: JobRequest
    ordinal: int
    address: str
    estimate: CostEstimate
    unit_price: Decimal | None = None  # dollars a unit, to turn reported units into reported cost
    terms: str | None = None  # what the price depends on (`catalog.terms`), so that prices can learn

    @cached_property
    def key(self) -> str:
        return keys.request_key(self.request, self.ordinal)


@dataclass(frozen=True, slots=True)
class Made:
    """A finished job; `cached` when nothing was asked of a vendor for it now."""

    job: Job
    cached: bool


def files(request: JobRequest) -> dict[Role, tuple[Artifact, ...]]:
    """The input files of a request. All of them exist: a promise would be left out of what is paid for."""
    found: dict[Role, tuple[Artifact, ...]] = {}
    for role, sources in request.inputs.items():
        artifacts = tuple(source for source in sources if isinstance(source, Artifact))
        if len(artifacts) != len(sources):
            raise AssertionError(f"an input ({role.value}) of this request does not exist yet")
        found[role] = artifacts
    return found


def claim(
    order: Order,
    key: str,
    wire: WireRequest,
    seed: int | None,
    *,
    run: str,
    owner: str,
    caps: tuple[Cap, ...],
    durable: bool = True,
) -> Claim:
    request = order.request
    # The known part of a price is reserved even where another part is unknown.
    priced = order.estimate.known or order.estimate.usd > 0
    return Claim(
        key=key,
        lineage=keys.lineage_key(request, order.ordinal),
        take=request.take,
        provider=request.model.provider,
        endpoint=request.model.endpoint,
        description=_description(request, seed, order),
        wire=wire,
        outputs=request.outputs,
        run=run,
        address=order.address,
        owner=owner,
        reserve=to_micro(order.estimate.usd) if priced else None,
        unit_price=order.unit_price,
        caps=caps,
        durable=durable,
    )


def _description(request: JobRequest, seed: int | None, order: Order) -> dict[str, Json]:
    """What the journal remembers of a job for people: enough to show it without the YAML."""
    return {
        "model": request.model.name,
        "kind": request.makes.value,
        "task": request.model.task.value,
        "prompt": request.prompt,
        "params": dict(request.params),
        "seed": seed,
        "inputs": {role.value: [file.sha256 for file in found] for role, found in files(request).items()},
        "terms": order.terms,
        "second_hand": order.estimate.second_hand,
    }


def accepted(claim: Claim, handle: Handle, now: datetime) -> Job:
    """A job that was accepted just now, of which the journal knows no more than the claim."""
    return Job(
        key=claim.key,
        lineage=claim.lineage,
        take=claim.take,
        provider=claim.provider,
        endpoint=claim.endpoint,
        state=State.INTENT,
        description=claim.description,
        wire=claim.wire,
        outputs=claim.outputs,
        run=claim.run,
        address=claim.address,
        owner=claim.owner,
        handle=handle,
        unit_price=claim.unit_price,
        submitted_at=now,
    )


def ending(job: Job, status: Succeeded) -> Ending:
    """What the journal is told of a job that ended well."""
    urls = tuple(output.url for output in status.outputs if output.url is not None)
    cost, accepted = _reported_cost(job, status), None
    if job.state is State.INTENT and job.handle is not None and job.submitted_at is not None:
        accepted = Accepted(job.handle, job.submitted_at, job.owner)
    return Ending(urls, status.units, cost, status.expires, tuple(status.notes), accepted)


def _reported_cost(job: Job, status: Succeeded) -> int | None:
    """Micro-dollars the vendor says it billed; None where it does not say, or says what cannot be."""
    cost = status.cost
    if cost is None and status.units is not None and job.unit_price is not None and status.units.is_finite():
        cost = status.units * job.unit_price
    if cost is None or not cost.is_finite() or not 0 <= cost < _INCREDIBLE:
        return None
    return to_micro(cost)


def input_contents(job: Job) -> list[str]:
    """The sha256 of every input file of a journaled job."""
    inputs = job.description.get("inputs")
    groups = inputs.values() if isinstance(inputs, dict) else ()
    return [str(sha256) for group in groups if isinstance(group, list) for sha256 in group]

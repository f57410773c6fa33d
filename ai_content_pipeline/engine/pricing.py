"""What a request may cost: the same call for the plan, the reservation and the report.

Cards say what a request may cost at most. What the vendor billed this project for requests on the same
terms says it better, once it is known well enough:

* at least three bills, none more than a tenth away from their median: the dearest of them, whatever the
  card says;
* else the card; or the dearest bill, if that is more.

So nothing is reserved below the card's price on the word of a bill or two, and no bill that was seen is
ever reserved for too little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from ai_content_pipeline import catalog
from ai_content_pipeline.catalog import Expected, Price
from ai_content_pipeline.cost import ZERO, CostEstimate
from ai_content_pipeline.generation.bills import Bill
from ai_content_pipeline.generation.store import Store
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.pipeline.expansion import ExpandedStep
from ai_content_pipeline.steps.protocol import Item

#: So many bills that agree are believed against the card.
_ENOUGH = 3
#: Only the newest bills count: vendors change their prices.
_NEWEST = 10
#: Bills agree when none is further from their median; a card that is further from it is pointed out.
_TOLERANCE = Decimal("0.1")

Number = TypeVar("Number", float, Decimal)


class Basis(StrEnum):
    """Where an amount comes from."""

    OBSERVED = "observed"
    CARD = "card"
    SECOND_HAND = "second-hand"
    UNKNOWN = "unknown"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a request may cost at most (`estimate`, which is also what is reserved), and how that is known.

    `card` is the card's estimate. `bills` is how many bills on the same terms there are, `usual` their
    median in dollars.
    """

    estimate: CostEstimate
    basis: Basis
    card: CostEstimate
    bills: int = 0
    usual: Decimal | None = None

    @property
    def differs(self) -> bool:
        """Whether the card and the bills are more than a tenth apart."""
        if self.usual is None or not self.card.known:
            return False
        return abs(self.usual - self.card.usd) > _TOLERANCE * self.card.usd


FREE = Quote(CostEstimate(), Basis.FREE, CostEstimate())


class PriceBook:
    """The prices of one plan or run. Bills are read once an endpoint, so that a run's prices do not move
    while it goes on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bills: dict[tuple[str, str], Mapping[str, Sequence[Bill]]] = {}

    def quote(self, step: ExpandedStep, item: Item, request: JobRequest) -> Quote:
        """The price of the one request that makes `item` and its siblings."""
        card = _card_estimate(step, item, request)
        if card.known and card.usd == 0:
            return FREE
        known = self._known(request.model.provider, request.model.endpoint)
        bills = known.get(terms(step, item, request), ()) if known else ()
        price = unit_price(step, request)
        amounts = [amount for bill in bills if (amount := _dollars(bill, price)) > 0]
        return learned(card, amounts[:_NEWEST])

    def _known(self, provider: str, endpoint: str) -> Mapping[str, Sequence[Bill]]:
        if (provider, endpoint) not in self._bills:
            found: dict[str, list[Bill]] = {}
            for bill in self._store.bills(provider, endpoint):
                found.setdefault(bill.terms, []).append(bill)
            self._bills[provider, endpoint] = found
        return self._bills[provider, endpoint]


def learned(card: CostEstimate, bills: Sequence[Decimal]) -> Quote:
    """The price by the card and by what was billed on the same terms, in dollars. See the module."""
    if not bills:
        return Quote(card, _basis(card), card)
    usual, dearest = median(bills), max(bills)
    agreed = len(bills) >= _ENOUGH and all(abs(bill - usual) <= _TOLERANCE * usual for bill in bills)
    if agreed or (card.known and dearest > card.usd):
        return Quote(CostEstimate(dearest), Basis.OBSERVED, card, len(bills), usual)
    return Quote(card, _basis(card), card, len(bills), usual)


def terms(step: ExpandedStep, item: Item, request: JobRequest) -> str:
    """What the price of a request depends on; requests on equal terms are billed alike."""
    return catalog.terms(card_of(step, request), request.params, request.outputs, _shape(item))


def unit_price(step: ExpandedStep, request: JobRequest) -> Decimal | None:
    """Dollars for one unit that the vendor reports as billed, where its price is one flat rate.

    With rates by parameter or surcharges it is not known which of them a reported unit stands for.
    """
    price = card_of(step, request).price
    if price is None or len(price.rates) != 1 or price.rates[0].when or price.surcharges:
        return None
    return price.rates[0].usd


def card_price(step: ExpandedStep, request: JobRequest) -> Price | None:
    """The card's price, with its source and date."""
    return card_of(step, request).price


def usual_seconds(step: ExpandedStep, request: JobRequest) -> float | None:
    """How long such a job usually takes, by the model's card."""
    return card_of(step, request).seconds


def median(values: Sequence[Number]) -> Number:
    """The middle one, or the mean of the two in the middle. (`statistics` takes long to import.)"""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _card_estimate(step: ExpandedStep, item: Item, request: JobRequest) -> CostEstimate:
    card = card_of(step, request)
    return catalog.estimate(card, request.model.task, request.params, request.outputs, _shape(item))


def card_of(step: ExpandedStep, request: JobRequest) -> catalog.Card:
    """The card of the model that `request` is for."""
    return step.setting.cards[request.model.name]


def _shape(item: Item) -> Expected:
    makes = item.makes
    return Expected(makes.kind, makes.width, makes.height, makes.seconds)


def _basis(card: CostEstimate) -> Basis:
    if not card.known:
        return Basis.UNKNOWN
    return Basis.SECOND_HAND if card.second_hand else Basis.CARD


def _dollars(bill: Bill, unit_price: Decimal | None) -> Decimal:
    """Zero where it cannot be said today. What was free once need not be so again."""
    if bill.usd is not None:
        return bill.usd
    return ZERO if unit_price is None or bill.units is None else bill.units * unit_price

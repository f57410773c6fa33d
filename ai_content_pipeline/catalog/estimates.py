"""What a request will cost at most."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, localcontext
from itertools import product

from ai_content_pipeline.catalog.cards import Card
from ai_content_pipeline.catalog.checks import coerce
from ai_content_pipeline.catalog.prices import Price, Rate, Surcharge
from ai_content_pipeline.catalog.shapes import Expected, longest, most_pixels
from ai_content_pipeline.cost import Confidence, CostEstimate
from ai_content_pipeline.jobs import Json, Params, Task

MEGAPIXEL = Decimal(1_000_000)
#: A megapixel where vendors round up: a picture of 1024 x 1024 counts as one.
ROUND_MEGAPIXEL = Decimal(1024 * 1024)


#: Enough for every product to be exact: a length alone may have seventeen digits.
_DIGITS = 100
_encode = json.JSONEncoder(sort_keys=True, default=str).encode


def estimate(card: Card, task: Task, params: Params, outputs: int, made: Expected) -> CostEstimate:
    """An upper bound for one request that yields `outputs` files such as `made`.

    Lengths count as asked for: a clip of 5 seconds that comes out at 5.04 is within the vendors' own play.
    No price of today depends on the task itself.
    """
    unknown = CostEstimate(unpriced=(card.key,))
    price, params = card.price, coerce(card, params)
    if price is None or any(_used(card, params, name) for name in price.not_with):
        return unknown
    with localcontext(prec=_DIGITS):
        quantity = _quantity(card, price, params, outputs, made)
        rate = _dearest(card, price, params)
        if quantity is None or rate is None:
            return unknown
        for extra in price.surcharges:
            if _applies(extra, card, params, made):
                rate = rate * extra.times + extra.plus
        return CostEstimate(rate * quantity, second_hand=price.confidence is Confidence.SECOND_HAND)


def terms(card: Card, params: Params, outputs: int, made: Expected) -> str:
    """Everything that the price of a request depends on, as a short hash: equal terms are billed alike.

    Where the card cannot say how much will be billed, every parameter counts.
    """
    params, price = coerce(card, params), card.price
    quantity = None if price is None else _quantity(card, price, params, outputs, made)
    what: dict[str, object] = {"outputs": outputs, "size": [made.width, made.height, made.seconds]}
    names: set[str] = set(params)
    if price is not None and quantity is not None:
        what = {"unit": price.unit, "quantity": f"{quantity.normalize():f}"}
        measures = (extra.output for extra in price.surcharges if extra.output)
        what |= {name: str(_measure(name, made)) for name in measures}
        names = {name for rate in price.rates for name in rate.when} | set(price.not_with)
        names |= {extra.parameter for extra in price.surcharges if extra.parameter}
    values = {name: value for name in names if (value := card.value(params, name)) is not None}
    return hashlib.sha256(_encode([what, values]).encode()).hexdigest()[:16]


def _used(card: Card, params: Params, name: str) -> bool:
    parameter = (card.parameters or {}).get(name)
    return bool(params.get(name)) and (parameter is None or params[name] != parameter.default)


# -- how much ------------------------------------------------------------------------------------------


def _quantity(card: Card, price: Price, params: Params, outputs: int, made: Expected) -> Decimal | None:
    """How many units the request is billed; None when nobody can know before."""
    match price.unit:
        case "image" | "video":
            one: Decimal | None = Decimal(1)
        case "request":
            return Decimal(1)
        case "second":
            one = _seconds(card, params, made)
        case "megapixel":
            one = _megapixels(made, round_up=price.round_up)
        case "1M video tokens":
            one = _tokens(card, params, made)
        case "compute second" if card.local is not None:
            # The user's own machine: as long as it usually takes, which the user may set.
            one = None if card.seconds is None else Decimal(str(card.seconds))
        case _:
            return None
    return None if one is None else one * outputs


def _seconds(card: Card, params: Params, made: Expected) -> Decimal | None:
    seconds = made.seconds if made.seconds is not None else longest(card, params)
    return None if seconds is None else Decimal(str(seconds))


def _megapixels(made: Expected, *, round_up: bool = False) -> Decimal | None:
    if made.width is None or made.height is None:
        return None
    pixels = Decimal(made.width * made.height)
    if round_up:
        return (pixels / ROUND_MEGAPIXEL).to_integral_value(ROUND_CEILING)
    return pixels / MEGAPIXEL


def _tokens(card: Card, params: Params, made: Expected) -> Decimal | None:
    """Millions of video tokens: width x height x frames / 1024, as fal states it."""
    known = made.width is not None and made.height is not None
    pixels = (made.width or 0) * (made.height or 0) if known else most_pixels(card, params)
    seconds, fps = _seconds(card, params, made), card.output.fps
    if pixels is None or seconds is None or fps is None:
        return None
    return Decimal(pixels) * Decimal(str(fps)) * seconds / 1024 / 1_000_000


# -- at which rate -------------------------------------------------------------------------------------


def _dearest(card: Card, price: Price, params: Params) -> Decimal | None:
    """The rate; where a value is unknown, the dearest that is possible. None if one of them has no rate."""
    names = tuple(dict.fromkeys(name for rate in price.rates for name in rate.when))
    rates = [
        next((rate.usd for rate in price.rates if _fits(rate, dict(zip(names, values, strict=True)))), None)
        for values in product(*(_possible(card, params, name) for name in names))
    ]
    known = [rate for rate in rates if rate is not None]
    return max(known) if known and len(known) == len(rates) else None


def _possible(card: Card, params: Params, name: str) -> tuple[Json, ...]:
    value = card.value(params, name)
    parameter = (card.parameters or {}).get(name)
    if value is not None or parameter is None:
        return (value,)
    return (False, True) if parameter.type == "boolean" else parameter.enum or (None,)


def _fits(rate: Rate, values: Mapping[str, Json]) -> bool:
    return all(values[name] == value for name, value in rate.when.items())


def _applies(extra: Surcharge, card: Card, params: Params, made: Expected) -> bool:
    value = card.value(params, extra.parameter) if extra.parameter else _measure(extra.output, made)
    if value is None or extra.above is None:
        return value in (None, extra.equals)
    return not (isinstance(value, int | float | Decimal) and value <= extra.above)


def _measure(name: str | None, made: Expected) -> Decimal | None:
    if name == "megapixels":
        return _megapixels(made)
    if made.width is None or made.height is None:
        return None
    return Decimal(min(made.width, made.height))

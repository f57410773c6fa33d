"""The cards' prices against the sandbox's own list, over every value that a price depends on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.catalog import Card, Parameter
from ai_content_pipeline.jobs import Json, Task
from ai_content_pipeline.sandbox.prices import price
from ai_content_pipeline.sandbox.quantities import Source

#: Vendors bill these by what comes out of the machine, which no request tells.
UNTOLD = {"compute second"}
KEYS = catalog.keys()
PRICED = [
    (key, task)
    for key in KEYS
    for card in [catalog.load(key)]
    for task in card.tasks
    if card.price is not None and card.price.unit not in UNTOLD
]
every_price = pytest.mark.parametrize(("key", "task"), PRICED, ids=[f"{key}-{task}" for key, task in PRICED])

#: Inputs: small, upright, and large enough for every step of the upscalers' lists.
SOURCES = [Source(*size) for size in ((640, 360, 5.0), (480, 640, 2.0), (1000, 1000, 3.5), (4000, 3000, 1.0))]
PLACES = {Task.UPSCALE: Role.INPUT, Task.IMAGE_TO_IMAGE: Role.INPUT, Task.IMAGE_TO_VIDEO: Role.START}
UNSURE = ("auto", "match_input_image")


def values(card: Card, name: str, parameter: Parameter) -> tuple[Json, ...]:
    """What a parameter may be, as far as it can matter to a price."""
    if parameter.type == "boolean":
        return (False, True)
    if name == card.count:
        return (1, 3)
    if name == "image_size":
        return (*(one for one in parameter.enum if one not in UNSURE), {"width": 1500, "height": 900})
    if parameter.enum:
        return tuple(one for one in parameter.enum if one not in UNSURE)
    if name in ("num_frames", "target_fps", card.output.scale):
        return {"num_frames": (81, 82, 100), "target_fps": (24, 30, 60)}.get(name, (2, 4))
    low, high = parameter.minimum, parameter.maximum
    return tuple(int(number) for number in (low, high) if number)


def requests(card: Card) -> Iterator[dict[str, Json]]:
    """Every combination of the parameters that say how much is made, and at which rate."""
    assert card.price is not None
    names = {"duration", "resolution", "aspect_ratio", "image_size", card.count, card.output.scale}
    names |= {name for rate in card.price.rates for name in rate.when}
    names |= {extra.parameter for extra in card.price.surcharges}
    known = {
        name: found
        for name, parameter in (card.parameters or {}).items()
        if name in names and (found := values(card, name, parameter))
    }
    for combination in product(*known.values()):
        yield dict(zip(known, combination, strict=True))


def planned(card: Card, task: Task, params: dict[str, Json], source: Source | None) -> Decimal | None:
    """The catalogue's price, on the path that the plan takes."""
    inputs = {}
    if source is not None and task in PLACES:
        kind = card.roles[PLACES[task]].takes
        length = source.seconds if kind is Kind.VIDEO else None
        inputs = {PLACES[task]: (Pending("a/b", kind, source.width, source.height, length),)}
    made = catalog.expected(card, task, params, inputs)
    count = params.get(card.count, 1) if card.count else 1
    assert isinstance(count, int)
    estimate = catalog.estimate(card, task, params, count, made)
    return estimate.usd if estimate.known else None


@every_price
def test_the_plan_is_the_charge_for_every_value(key: str, task: Task) -> None:
    """Whatever is set of all that a price depends on, both lists come to the same dollars."""
    card = catalog.load(key)
    compared = 0
    for params in requests(card):
        for source in SOURCES if task in PLACES else [None]:
            expected = planned(card, task, params, source)
            if expected is not None:
                assert price(card.endpoint, params, source).usd == expected, (params, source)
                compared += 1
    assert compared


@every_price
def test_what_is_left_to_the_vendor_costs_no_more_than_planned(key: str, task: Task) -> None:
    """A request that sets nothing is charged by the vendor's own defaults, and the plan is an upper bound."""
    card = catalog.load(key)
    for source in SOURCES if task in PLACES else [None]:
        expected = planned(card, task, {}, source)
        assert expected is None or price(card.endpoint, {}, source).usd <= expected, source

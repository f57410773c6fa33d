"""Whether a card makes sense in itself: what its price, roles and defaults name must exist and fit."""

from __future__ import annotations

from collections.abc import Iterator

from ai_content_pipeline.catalog.cards import Card, Parameter
from ai_content_pipeline.catalog.checks import check
from ai_content_pipeline.catalog.tables import Misplaced


def unsound(card: Card) -> Iterator[Misplaced]:
    """What contradicts itself in a card that was put together of two tables."""
    known = card.parameters or {}
    house = {card.prompt, card.seed} - {None}
    fields = {role.name for role in card.roles.values()}
    for name, parameter in known.items():
        if name in house | fields:
            message = f"{name!r} is filled by the step's own keys"
            yield Misplaced(("parameters", name), message, f"write '{name} = false' to take it away here")
        yield from _parameter(card, name, parameter)
    if card.count is not None and (card.count not in known or known[card.count].type != "integer"):
        yield Misplaced(("count",), f"'count' names {card.count!r}, which is no parameter of type integer")
    for role, field in card.roles.items():
        for other in field.excludes:
            if other not in card.roles:
                message = f"{role.value!r} excludes {other.value!r}, which the model does not take"
                yield Misplaced(("roles", role.value, "excludes"), message)
        named: dict[str | None, str] = {field.tags: "tags", field.strength: "strength"}
        named |= dict.fromkeys(field.only_with, "only_with")
        for needed, where in named.items():
            if needed is not None and needed not in known:
                message = f"{role.value!r} names {needed!r}, which is no parameter of the model"
                yield Misplaced(("roles", role.value, where), message)
    yield from _price(card)


def _parameter(card: Card, name: str, parameter: Parameter) -> Iterator[Misplaced]:
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None and low > high:
        yield Misplaced(("parameters", name), f"{name}: its minimum {low} lies above its maximum {high}")
    elif parameter.default is not None and not parameter.deprecated:
        for misfit in check(card, card.tasks[0], {name: parameter.default}):
            yield Misplaced(("parameters", name, "default"), f"default: {misfit.message}", misfit.hint)


def _price(card: Card) -> Iterator[Misplaced]:
    if card.price is None:
        return
    known = card.parameters or {}
    named = {name: ("price", "rates", n) for n, rate in enumerate(card.price.rates) for name in rate.when}
    for number, extra in enumerate(card.price.surcharges):
        if extra.parameter is not None:
            named[extra.parameter] = ("price", "surcharges", number)
        elif extra.output is None:
            message = "a surcharge needs the 'parameter' or the measure of the 'output' that it depends on"
            yield Misplaced(("price", "surcharges", number), message)
    for name, trail in named.items():
        if name not in known:
            message = f"the price depends on {name!r}, which is no parameter of the model"
            yield Misplaced(trail, message, f"there are {', '.join(known)}" if known else None)

"""What is no longer as it was agreed to, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from ai_content_pipeline.cost import format_usd
from ai_content_pipeline.engine.plan import PlanState
from ai_content_pipeline.engine.plan_file import AgreedPlan, PlannedItem

T = TypeVar("T")


def changes(agreed: AgreedPlan, now: AgreedPlan) -> tuple[str, ...]:
    """What is different now, and was agreed to otherwise: a line for each. Work that was done since, and
    prices that fell, are no changes."""
    lines: list[str] = []
    if agreed.options != now.options:
        lines.append(f"the options are {_words(now.options)}, and were {_words(agreed.options)}")
    if agreed.content != now.content:
        lines.append(f"{now.pipeline} was edited")
    elif agreed.values != now.values and agreed.options == now.options:
        lines.append(f"the variables that {now.pipeline} uses have other values")
    for name, file, other in _changed(agreed.files, now.files):
        lines.append(f"{name} {_change(file, other, 'was edited')}")
    for name, model, card in _changed(agreed.models, now.models):
        lines.append(f"{name} {_change(model, card, 'has another card')}")
    items = tuple(_item_changes(agreed, now))
    paid = [line for line, by_model in items if by_model]
    return (*lines, *(paid or (line for line, _ in items)))  # what is made here follows from what is paid


def _item_changes(agreed: AgreedPlan, now: AgreedPlan) -> Iterator[tuple[str, bool]]:
    """A line for each item that is not as it was, and whether a model makes it."""
    before = {item.address: item for item in agreed.items}
    after = {item.address: item for item in now.items}
    for address, item, made in _changed(before, after):
        what = _change(item, made, None if item is None or made is None else _dearer(item, made))
        if what is not None:
            yield f"{address} {what}", any(one is not None and one.model is not None for one in (item, made))


def _changed(before: Mapping[str, T], after: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _change(before: object, after: object, otherwise: str | None) -> str | None:
    if before is None:
        return "is new"
    return "is gone" if after is None else otherwise


def _dearer(before: PlannedItem, after: PlannedItem) -> str | None:
    """Why an item is no longer what was agreed to; None where it is the same, or less."""
    if before.request != after.request:
        return "is another request: its prompt, parameters, seed or inputs are different"
    if before.key is not None and after.key is not None and before.key != after.key:
        return "is another take"
    if after.state is not PlanState.RUN or after.price_usd == 0:
        return None
    price = "an unknown price" if after.price_usd is None else format_usd(after.price_usd)
    if before.state is not PlanState.RUN:
        return f"was {before.state}, and would now run for {price}"
    if before.price_usd is not None and (after.price_usd is None or after.price_usd > before.price_usd):
        return f"may now cost {price}, and was to cost {format_usd(before.price_usd)} at most"
    return None


def _words(options: Sequence[str]) -> str:
    return shlex.join(options) if options else "none"

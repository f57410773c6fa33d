"""The units of work behind a pipeline's items, what each waits for, and which requests are identical."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby

from ai_content_pipeline.artifacts import Artifact, Pending, Source
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine.pricing import FREE, PriceBook, Quote
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.generation import keys
from ai_content_pipeline.jobs import JobRequest, Json, LocalWork
from ai_content_pipeline.pipeline.expansion import ExpandedStep, Expansion
from ai_content_pipeline.steps.protocol import Item


@dataclass(frozen=True, slots=True)
class Unit:
    """Items that one job makes together (usually one item). `work` is None for the user's own file.

    `needs` are the addresses of the items whose files it takes; `ordinal` tells it from identical
    requests of the same plan. `symbol` is what it is known by before its inputs exist (`keys.symbol`);
    for the user's own file, that file's content.
    """

    number: int
    step: ExpandedStep
    items: tuple[Item, ...]
    work: JobRequest | LocalWork | None
    needs: tuple[str, ...]
    ordinal: int
    quote: Quote
    symbol: str

    @property
    def estimate(self) -> CostEstimate:
        return self.quote.estimate


@dataclass(frozen=True, slots=True)
class Graph:
    """`units` in plan order: whatever a unit needs comes before it. `maker` finds an item's unit."""

    units: tuple[Unit, ...]
    maker: Mapping[str, Unit]

    def closure(self, address: str) -> set[int]:
        """The numbers of the unit of `address`, of all that it needs and of all that needs it."""
        target = self.maker[address].number
        below = {target}
        for unit in self.units:
            if any(self.maker[need].number in below for need in unit.needs):
                below.add(unit.number)
        wanted = set(below)
        for unit in reversed(self.units):
            if unit.number in wanted:
                wanted |= {self.maker[need].number for need in unit.needs}
        return wanted


def build(expansion: Expansion, prices: PriceBook) -> Graph:
    units: list[Unit] = []
    maker: dict[str, Unit] = {}
    symbols: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for step, items in _jobs(expansion):
        first = items[0]
        work = None if first.given is not None else step.verbs.work(first, step.setting)
        ordinal, symbol = 0, first.given.sha256 if first.given is not None else ""
        if work is not None:
            symbol = keys.symbol(work, _symbolic_inputs(first, symbols))
            if isinstance(work, JobRequest):
                ordinal = seen[symbol]
                seen[symbol] += 1
            for item in items:
                symbols[item.address] = f"{symbol}#{ordinal}:{item.output}"
        quote = prices.quote(step, first, work) if isinstance(work, JobRequest) else FREE
        unit = Unit(len(units), step, items, work, tuple(_needs(first)), ordinal, quote, symbol)
        units.append(unit)
        maker |= {item.address: unit for item in items}
    return Graph(tuple(units), maker)


def check_redo(graph: Graph, address: str) -> None:
    """Refuse to redo what is no item, or what would come out the same."""
    unit = graph.maker.get(address)
    if unit is None:
        near = get_close_matches(address, graph.maker, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"items are called like {next(iter(graph.maker))!r}"
        raise UsageError(f"there is no item {address!r}", hint=hint)
    if unit.work is None:
        raise UsageError(
            f"{address} is a file of your own", hint="there is nothing to redo: replace the file"
        )
    if not isinstance(unit.work, JobRequest):
        hint = f"redo {unit.needs[0]} instead" if unit.needs else "change its params instead"
        raise UsageError(f"{address} is made without a model, and would come out the same", hint=hint)


def _jobs(expansion: Expansion) -> Iterator[tuple[ExpandedStep, tuple[Item, ...]]]:
    for step in expansion.steps:
        for _, items in groupby(step.items, key=lambda item: item.job):
            yield step, tuple(items)


def _needs(item: Item) -> Iterator[str]:
    for sources in item.inputs.values():
        for source in sources:
            if isinstance(source, Pending):
                yield source.address


def _symbolic_inputs(item: Item, symbols: Mapping[str, str]) -> Json:
    return {
        role.value: [_symbol(source, symbols) for source in sources] for role, sources in item.inputs.items()
    }


def _symbol(source: Source, symbols: Mapping[str, str]) -> str:
    if isinstance(source, Artifact):
        return source.sha256
    return f"{symbols[source.address]}:{source.frame or 'whole'}"

"""The units of work behind a pipeline's items, what each waits for, and which requests are identical."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import groupby

from ai_content_pipeline.artifacts import Artifact, Pending, Source
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.pricing import FREE, PriceBook, Quote
from ai_content_pipeline.engine.subjects import Subject, accepted_by, subjects_of
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.generation import keys
from ai_content_pipeline.jobs import JobRequest, Json, LocalWork
from ai_content_pipeline.pipeline.expansion import ExpandedStep, Expansion
from ai_content_pipeline.steps.protocol import Item
from ai_content_pipeline.steps.strategy import Consistency


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to make a unit: by its step's own model, or by one that the step falls back to."""

    step: ExpandedStep
    item: Item
    work: JobRequest
    ordinal: int
    quote: Quote


@dataclass(frozen=True, slots=True)
class Unit:
    """Items that one job makes together (usually one item). `work` is None for the user's own file.

    `needs` are the addresses of the items whose files it takes; `ordinal` tells it from identical
    requests of the same plan. `symbol` is what it is known by before its inputs exist (`keys.symbol`);
    for the user's own file, that file's content. `fallbacks` are what is tried when the vendor refuses
    `work` or is down. By `rule` its results are compared with `subjects`.
    """

    number: int
    step: ExpandedStep
    items: tuple[Item, ...]
    work: JobRequest | LocalWork | None
    needs: tuple[str, ...]
    ordinal: int
    quote: Quote
    symbol: str
    fallbacks: tuple[Choice, ...] = ()
    rule: Consistency | None = None
    subjects: tuple[Subject, ...] = ()

    @property
    def estimate(self) -> CostEstimate:
        """What its first request may cost."""
        return self.quote.estimate

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Every way to make it, the step's own model first."""
        if not isinstance(self.work, JobRequest):
            return ()
        own = Choice(self.step, self.items[0], self.work, self.ordinal, self.quote)
        return (own, *self.fallbacks)

    @property
    def retries(self) -> int:
        """How many more takes it may be given because of a low score."""
        return self.rule.retries if self.rule is not None and self.subjects else 0

    def bound(self, retries: int) -> CostEstimate:
        """What it may cost at most when every model is tried, and the dearest `retries` times more."""
        if not self.fallbacks and not retries:
            return self.estimate
        estimates = [choice.quote.estimate for choice in self.choices]
        dearest = max(estimates, key=lambda estimate: estimate.usd)
        return total([*estimates, *[dearest] * retries])


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
    """The units of an expansion, with their prices."""
    units, symbols, seen = _own_work(expansion, prices)
    if any(step.fallbacks for step in expansion.steps):
        # Counted after everything else: a fallback changes nobody's ordinal, and so nobody's key.
        units = [replace(unit, fallbacks=_fallbacks(unit, symbols, seen, prices)) for unit in units]
    return Graph(tuple(units), {item.address: unit for unit in units for item in unit.items})


def _own_work(expansion: Expansion, prices: PriceBook) -> tuple[list[Unit], Mapping[str, str], Counter[str]]:
    """The units, each item's symbol, and how often each request was counted."""
    units: list[Unit] = []
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
        rule = accepted_by(step, draft=expansion.draft) if isinstance(work, JobRequest) else None
        subjects = subjects_of(step, first) if rule is not None else ()
        needs = _needs(first, subjects)
        units.append(Unit(len(units), step, items, work, needs, ordinal, quote, symbol, (), rule, subjects))
    return units, symbols, seen


def _fallbacks(
    unit: Unit, symbols: Mapping[str, str], seen: Counter[str], prices: PriceBook
) -> tuple[Choice, ...]:
    found = []
    for step in unit.step.fallbacks if isinstance(unit.work, JobRequest) else ():
        item = step.items[unit.items[0].index]
        work = step.verbs.work(item, step.setting)
        assert isinstance(work, JobRequest)
        symbol = keys.symbol(work, _symbolic_inputs(item, symbols))
        ordinal = seen[symbol]
        seen[symbol] += 1
        found.append(Choice(step, item, work, ordinal, prices.quote(step, item, work)))
    return tuple(found)


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


def _needs(item: Item, subjects: Sequence[Subject]) -> tuple[str, ...]:
    """The items whose files are sent, and then those that only the result is compared with."""
    groups = (*item.inputs.values(), *(subject.pictures for subject in subjects))
    wanted = (source.address for group in groups for source in group if isinstance(source, Pending))
    return tuple(dict.fromkeys(wanted)) if subjects else tuple(wanted)


def _symbolic_inputs(item: Item, symbols: Mapping[str, str]) -> Json:
    return {
        role.value: [_symbol(source, symbols) for source in sources] for role, sources in item.inputs.items()
    }


def _symbol(source: Source, symbols: Mapping[str, str]) -> str:
    if isinstance(source, Artifact):
        return source.sha256
    return f"{symbols[source.address]}:{source.frame or 'whole'}"

"""A plan as people read it: a line for each job, long steps folded, then money, time and doubts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.plan_routes import route_lines
from ai_content_pipeline.cli.text import one_line
from ai_content_pipeline.cost import CostEstimate, format_usd, total
from ai_content_pipeline.engine.plan import Plan, PlanItem, PlanState
from ai_content_pipeline.engine.price_list import OLD_AFTER_DAYS, differences, sources
from ai_content_pipeline.engine.pricing import Basis
from ai_content_pipeline.jobs import JobRequest, Json

#: A step of more lines than this is folded.
_LINES = 12
#: So many items of the critical path are named in a row.
_NAMES = 4
#: Columns of a job's parameters.
_SET = 40
_HELD = (PlanState.REATTACH, PlanState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class _Job:
    """Neighbouring items that one job makes."""

    items: tuple[PlanItem, ...]

    @property
    def first(self) -> PlanItem:
        return self.items[0]

    @property
    def alike(self) -> tuple[str, ...]:
        """What a line says of it beside its name: jobs alike in this are folded."""
        item = self.first
        return (item.model or "", _set(item), item.state.value, _price(item), _seconds(item.seconds))


def show_plan(console: Console, plan: Plan, today: date) -> None:
    rows = [row for _, items in groupby(plan.items, lambda item: item.step) for row in _rows(tuple(items))]
    console.table(("item", "model", "set", "state", "price", "time"), rows, align="llllrr")
    console.say("")
    console.say(f"price   {plan.price}{_most(plan) if plan.price.usd else ''}")
    if plan.saved.usd:
        console.say(f"saved   {plan.saved} by what is there already")
    held = sum(item.state in _HELD for item in plan.items)
    if held:
        console.say(f"held    {_count(held, 'item')} at vendors already: what they cost counts as spent")
    for line in route_lines(plan):
        console.say(line)
    _show_time(console, plan)
    _show_prices(console, plan, today)
    for warning in plan.warnings:
        console.warn(warning)


def _most(plan: Plan) -> str:
    """What the total has in it beside one job for each item."""
    paid = [item.unit for item in plan.items if item.price.usd]
    more = ["retries of low scores"] if any(unit.retries for unit in paid) else []
    more += ["fallbacks"] if any(unit.fallbacks for unit in paid) else []
    return f", at most, with all {' and '.join(more)}" if more else ", at most"


def _show_time(console: Console, plan: Plan) -> None:
    unknown = f", {', '.join(plan.untimed)} not counted" if plan.untimed else ""
    if unknown and not plan.seconds_sequential:
        console.say("time    unknown")
        return
    one_by_one = _time(plan.seconds_sequential)
    console.say(f"time    about {_time(plan.seconds_parallel)}, {one_by_one} one by one{unknown}")
    path = [_named(tuple(items)) for _, items in groupby(plan.critical, lambda item: item.step)]
    if path:
        known = " as far as is known" if plan.untimed else ""
        console.say(f"path    {', then '.join(path)}: the run takes as long as these{known}")


def _show_prices(console: Console, plan: Plan, today: date) -> None:
    """What is to be known of the prices before anybody agrees to them."""
    if plan.price.unpriced:
        console.warn(f"no known price: {', '.join(plan.price.unpriced)}; a run needs --allow-unpriced")
    if plan.price.second_hand:
        console.say("~ a second-hand price: reported by others, not read from the vendor")
    for found in differences(plan):
        billed = f"{format_usd(found.usual)} ({_count(found.bills, 'bill')})"
        card = (
            f"{abs(found.percent)} % {'more' if found.percent > 0 else 'less'} than {format_usd(found.card)}"
        )
        console.warn(f"{found.model}: this project was billed {billed}, {card}, which its card says")
    for source in sources(plan, today):
        if source.old:
            console.warn(
                f"{source.model}: its price was read on {source.read}, more than {OLD_AFTER_DAYS} days ago;"
                f" compare {source.source}"
            )


# -- lines ---------------------------------------------------------------------------------------------


def _rows(items: Sequence[PlanItem]) -> list[tuple[str, ...]]:
    """The lines of one step."""
    jobs = [_Job(tuple(made)) for _, made in groupby(items, lambda item: item.unit.number)]
    if len(jobs) <= _LINES:
        return [(_span(job.items), *job.alike) for job in jobs]
    folded = [list(alike) for _, alike in groupby(jobs, lambda job: job.alike)]
    if len(folded) <= _LINES:
        return [_folded(group) for group in folded]
    return list(_by_state(jobs))


def _folded(jobs: Sequence[_Job]) -> tuple[str, ...]:
    """One line for neighbours that are alike; its price and time are those of each."""
    model, settings, state, price, seconds = jobs[0].alike
    each = f"{len(jobs):,} x " if len(jobs) > 1 else ""
    items = [item for job in jobs for item in job.items]
    return (
        _span(items),
        model,
        settings,
        state,
        f"{each}{price}" if price else "",
        f"{each}{seconds}" if seconds else "",
    )


def _by_state(jobs: Sequence[_Job]) -> Iterator[tuple[str, ...]]:
    """One line for each state of a step whose jobs differ too much to be shown one by one."""
    states = Counter(job.first.state for job in jobs)
    for state, count in states.items():
        items = [item for job in jobs if job.first.state is state for item in job.items]
        models = sorted({item.model for item in items if item.model})
        price = total(item.price for item in items)
        seconds = sum(item.seconds or 0.0 for item in items)
        shown = "" if price == CostEstimate() else f"{price} in all"
        name = f"{items[0].step} ({count:,})"
        yield name, ", ".join(models), "", state.value, shown, f"{_time(seconds)} in all" if seconds else ""


def _span(items: Sequence[PlanItem]) -> str:
    """The first and the last of some items of one step, and how many they are."""
    if len(items) == 1:
        return items[0].address
    return f"{items[0].address} … {items[-1].label} ({len(items):,})"


def _named(items: Sequence[PlanItem]) -> str:
    """Some items of one step by their names, as far as there is room."""
    names = [items[0].address, *(item.label for item in items[1:])]
    return ", ".join(names) if len(names) <= _NAMES else f"{names[0]} … {names[-1]} ({len(names):,})"


def _price(item: PlanItem) -> str:
    if item.price == CostEstimate():
        return ""
    quote = item.unit.quote
    return f"{item.price} observed ({quote.bills})" if quote.basis is Basis.OBSERVED else str(item.price)


def _set(item: PlanItem) -> str:
    """What the user set, in short."""
    work = item.unit.work
    if not isinstance(work, JobRequest):
        return ""
    values: dict[str, Json] = dict(work.params)
    if work.seed is not None:
        values["seed"] = work.seed
    return one_line(", ".join(f"{name}={_value(value)}" for name, value in values.items()), _SET)


def _value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else _time(seconds) if seconds else ""


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

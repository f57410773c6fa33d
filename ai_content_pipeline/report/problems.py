"""What went wrong, first things first; items with one reason are told of together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult
from ai_content_pipeline.report.texts import excerpt, name, one_line, unsigned
from ai_content_pipeline.report.words import STATES

_ORDER = (ItemState.FAILED, ItemState.IN_DOUBT, ItemState.SKIPPED, ItemState.NOT_RUN)
_WHAT = {
    ItemState.FAILED: "failed",
    ItemState.IN_DOUBT: "in doubt: sent, and nobody knows whether it was accepted",
    ItemState.SKIPPED: "skipped",
    ItemState.NOT_RUN: "not run",
}
_LONGEST = 2_000  # characters of a message
_FOLD_FROM = 7  # so many commands are folded away


@dataclass(frozen=True, slots=True)
class Redo:
    """An item without a file, and the command that makes it; its own reason where the items differ."""

    address: str
    command: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    number: int
    title: str
    tone: str
    code: str | None
    message: str | None
    hint: str | None
    redos: tuple[Redo, ...]

    @property
    def listed(self) -> bool:
        """Whether the items say more than the title does."""
        return len(self.redos) > 1 or self.redos[0].command is not None

    @property
    def folded(self) -> bool:
        return len(self.redos) >= _FOLD_FROM


def problems(result: RunResult) -> tuple[tuple[Problem, ...], dict[str, int]]:
    """The problems, numbered from 1, and the number of each item's by its address."""
    found: list[Problem] = []
    numbers: dict[str, int] = {}
    for state in _ORDER:
        for items in _groups([item for item in result.items if item.state is state]):
            found.append(_problem(len(found) + 1, state, items))
            numbers |= {item.address: found[-1].number for item in items}
    return tuple(found), numbers


def _groups(items: list[ItemResult]) -> Iterable[list[ItemResult]]:
    """Items with one reason together. Whatever is skipped has one: what it needs is missing."""
    groups: dict[tuple[str | None, ...], list[ItemResult]] = {}
    for item in items:
        groups.setdefault(() if item.state is ItemState.SKIPPED else _reason(item), []).append(item)
    return groups.values()


def _reason(item: ItemResult) -> tuple[str | None, ...]:
    if item.error is None:
        return None, "; ".join(item.notes) or None, None
    code = item.error.code if item.error.code not in ("failed", item.state.value) else None
    return code, item.error.message, item.error.hint


def _problem(number: int, state: ItemState, items: list[ItemResult]) -> Problem:
    code, message, hint = _reason(items[0])
    differ = any(_reason(item)[1] != message for item in items)
    subject = items[0].address if len(items) == 1 else f"{len(items)} items"
    return Problem(
        number,
        f"{name(subject)} {_WHAT[state]}",
        STATES[state][1],
        name(code.replace("_", " ")) if code else None,
        None if differ else _told(message),
        _told(hint),
        tuple(_redo(item, differ) for item in items),
    )


def _told(text: str | None) -> str | None:
    return excerpt(unsigned(text), _LONGEST) if text else None


def _redo(item: ItemResult, with_reason: bool) -> Redo:
    command = item.error.retry_with if item.error is not None else None
    reason = _told(_reason(item)[1]) if with_reason else None
    return Redo(name(item.address), excerpt(one_line(command), _LONGEST) if command else None, reason)

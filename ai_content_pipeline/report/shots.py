"""An item as the page shows it: its file, or the hole where it would be, and what is told below."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.report.links import relative, url
from ai_content_pipeline.report.texts import clean, excerpt, name, source_url, unsigned
from ai_content_pipeline.report.words import STATES, duration, price, scores

_LEAD = 180  # characters of a prompt that are seen at once
_PAGE_TEXT = 400_000  # characters of long prompts and parameters that all items share
_MANY_VIDEOS = 24  # from here on a page loads no video before it is played


@dataclass(frozen=True, slots=True)
class Prompt:
    """`full` None where `lead` is all of it; `left` counts the characters that are in no page."""

    lead: str
    full: str | None = None
    left: int = 0


@dataclass(frozen=True, slots=True)
class Shot:
    """`url` and `poster` are relative; `url` None is a hole, and `problem` the number of its reason.

    `width` and `height` give the box its shape before anything is loaded.
    """

    step: str
    label: str
    state: str
    tone: str
    kind: str
    small: bool  # a thumbnail
    url: str | None
    poster: str | None
    preload: str
    width: int | None
    height: int | None
    alt: str
    prompt: Prompt | None
    facts: tuple[str, ...]
    details: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    reason: str | None  # why it is a hole, in short
    problem: int | None


class Photographer:
    """Makes the shots of one run. `problems` numbers the items that have a reason to be told."""

    def __init__(self, result: RunResult, folder: Path, problems: Mapping[str, int]) -> None:
        self._folder = folder
        self._problems = problems
        self._limit = max(_LEAD, min(20_000, _PAGE_TEXT // max(1, len(result.items))))
        self._small = {step.name for step in result.steps if step.type == "thumbnail"}
        self._by_address = {item.address: item for item in result.items}
        self._stills = {
            source: item for item in result.items if item.kind is Kind.IMAGE for source in item.inputs
        }
        videos = sum(item.kind is Kind.VIDEO for item in result.items)
        self._many = videos > _MANY_VIDEOS

    def shot(self, item: ItemResult, lead: int = _LEAD) -> Shot:
        """`lead` characters of its prompt are seen at once."""
        state, tone = STATES[item.state]
        info = item.artifact.info if item.artifact else None
        return Shot(
            step=name(item.step),
            label=name(item.label),
            state=state,
            tone=tone,
            kind=item.kind.value,
            small=item.step in self._small,
            url=self._url(item),
            poster=self._poster(item),
            preload="none" if self._many else "metadata",
            width=info.width if info else None,
            height=info.height if info else None,
            alt=self._alt(item),
            prompt=self._prompt(item, lead),
            facts=tuple(_facts(item)),
            details=tuple(self._details(item)),
            notes=tuple(excerpt(unsigned(note), 500) for note in item.notes if item.state.good),
            reason=excerpt(unsigned(item.error.message), 160) if item.error else None,
            problem=self._problems.get(item.address),
        )

    def _url(self, item: ItemResult) -> str | None:
        path = relative(item.file, self._folder) if item.state.good or not item.accepted else None
        return url(path) if path else None

    def _poster(self, item: ItemResult) -> str | None:
        """The picture that a clip starts from, else a thumbnail of it; of many clips the lighter one."""
        if item.kind is not Kind.VIDEO:
            return None
        panel = next((self._by_address[source] for source in item.inputs if source in self._by_address), None)
        start = panel if panel is not None and panel.kind is Kind.IMAGE else None
        candidates = [start, self._stills.get(item.address)]
        found = [self._url(still) for still in candidates if still is not None]
        urls = [address for address in found if address is not None]
        return (urls[-1] if self._many else urls[0]) if urls else None

    def _alt(self, item: ItemResult) -> str:
        what = "Thumbnail" if item.step in self._small else "Clip" if item.kind is Kind.VIDEO else "Picture"
        return f"{what} {name(item.label)}" + (f": {excerpt(item.prompt, 120)}" if item.prompt else "")

    def _prompt(self, item: ItemResult, length: int) -> Prompt | None:
        text = clean(item.prompt or "").strip()
        if not text:
            return None
        lead = excerpt(text, length)
        if lead == text:
            return Prompt(text)
        return Prompt(lead, text[: self._limit], max(0, len(text) - self._limit))

    def _details(self, item: ItemResult) -> Iterable[tuple[str, str]]:
        """What only some readers ask for, as (name, text)."""
        room = self._limit
        for key, value in (item.params or {}).items():
            if room <= 0:
                yield "…", "more parameters are in report.json"
                break
            text = excerpt(unsigned(_said(value)), min(room, 600))
            room -= len(text) + len(key)
            yield name(key), text
        if item.inputs:
            yield "made from", excerpt(", ".join(map(_short, item.inputs)), 400)
        for address in filter(None, map(source_url, item.source_urls)):
            yield "source", excerpt(address, 300)
        if item.artifact is not None:
            yield "file", f"{item.artifact.info.media_type}, {_bytes(item.artifact.size)}"
            yield "sha256", item.artifact.sha256


def _facts(item: ItemResult) -> Iterable[str]:
    """The caption's line: model, seed, shape, price, time, cached."""
    if item.model is not None:
        yield name(item.model)
    if item.seed is not None:
        yield f"seed {item.seed}"
    if item.take:
        yield f"take {item.take + 1}"
    if item.artifact is not None:
        info = item.artifact.info
        size = f"{info.width}×{info.height}"
        yield size if info.seconds is None else f"{duration(info.seconds)}, {size}"
    if (likeness := scores(item)) is not None:
        yield likeness
    if (paid := price(item)) is not None:
        yield paid
    if item.state is ItemState.DONE and item.model is not None:
        yield f"took {duration(item.seconds)}"
    if item.state is ItemState.CACHED and item.model is not None:
        yield "cached"
    if item.state is ItemState.GIVEN:
        yield "your own file"


def _said(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(source: str) -> str:
    """An address, or the beginning of a hash."""
    return source if "/" in source else f"own file {source[:12]}"


def _bytes(size: int) -> str:
    for unit, scale in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"

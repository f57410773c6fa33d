"""``report.html``: one page that opens from disk, needs no script and no network, and can be shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.cost import CostEstimate, total
from ai_content_pipeline.engine.results import ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.report import problems, references, strip, timeline, words
from ai_content_pipeline.report.shots import Photographer, Shot
from ai_content_pipeline.report.texts import clean, excerpt, name, one_line, unsigned

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent
_SHEET_LEAD = 700  # characters of a sheet's prompt that are seen at once: there is room beside it


@dataclass(frozen=True, slots=True)
class Scene:
    label: str
    cells: tuple[tuple[Shot, ...], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A step's (and model's) line in the table; amounts in words."""

    step: str
    type: str
    model: str
    workers: str
    good: int
    items: int
    cached: int
    estimate: str
    spent: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template shows, in the order in which it shows it."""

    title: str
    draft: bool
    state: str
    tone: str
    tally: str
    started: str
    started_iso: str
    facts: tuple[tuple[str, str], ...]
    resume: str | None
    problems: tuple[problems.Problem, ...]
    sheets: tuple[Shot, ...]
    columns: str  # CSS grid tracks
    gallery: bool  # scenes of one picture or clip each
    scenes_title: str
    scenes: tuple[Scene, ...]
    references: tuple[references.Kept, ...]
    timeline: timeline.Timeline | None
    lines: tuple[Line, ...]
    total: Line
    notes: tuple[str, ...]


def render(result: RunResult, folder: Path) -> str:
    """The page. Links lead to files below `folder`."""
    return template().render(page=view(result, folder))


def view(result: RunResult, folder: Path) -> Page:
    found, numbers = problems.problems(result)
    photographer = Photographer(result, folder, numbers)
    board = strip.arrange(result.steps)
    gallery = len(board.columns) == 1
    state, tone = words.run_state(result.exit_code)
    return Page(
        title=excerpt(one_line(result.pipeline), 200) or "Untitled",
        draft=result.draft,
        state=state,
        tone=tone,
        tally=words.tally(result),
        started=words.moment(result.started),
        started_iso=result.started.isoformat(),
        facts=tuple(_facts(result)),
        resume=one_line(result.resume_with) if result.resume_with else None,
        problems=found,
        sheets=tuple(photographer.shot(item, lead=_SHEET_LEAD) for item in board.sheets),
        columns=_columns(board.columns),
        gallery=gallery,
        scenes_title=_gallery_title(board.columns[0]) if gallery else "Scenes",
        scenes=tuple(
            Scene(name(row.label), tuple(tuple(map(photographer.shot, cell)) for cell in row.cells))
            for row in board.rows
        ),
        references=references.kept(result),
        timeline=timeline.draw(result),
        lines=tuple(_lines(result)),
        total=_line("Total", "", "", "", result.items),
        notes=tuple(_notes(result)),
    )


# -- the parts ---------------------------------------------------------------------------------------


def _columns(steps: Sequence[StepResult]) -> str:
    """Thumbnails are narrow, clips wider than the pictures they start from."""
    return " ".join(
        "minmax(5.5rem, .4fr)"
        if step.type == "thumbnail"
        else "minmax(0, 1.4fr)"
        if any(item.kind is Kind.VIDEO for item in step.items)
        else "minmax(0, 1fr)"
        for step in steps
    )


def _gallery_title(step: StepResult) -> str:
    return "Clips" if any(item.kind is Kind.VIDEO for item in step.items) else "Pictures"


def _facts(result: RunResult) -> Iterable[tuple[str, str]]:
    yield "Took", words.duration(result.seconds)
    yield "Spent", words.spent(result)
    if (left := words.not_spent(result)) is not None:
        yield "Not spent", left
    now = _spent(result.items)
    if now.usd != result.spent:
        yield "By this command", str(now)
    clips = _shown_clips(result)
    if clips:
        length = sum(item.artifact.info.seconds or 0.0 for item in clips if item.artifact)
        yield "Film", f"{len(clips)} {'clip' if len(clips) == 1 else 'clips'}, {words.duration(length)}"
    yield "Run", name(result.run_id)
    yield "File", name(result.file.name)


def _shown_clips(result: RunResult) -> list[ItemResult]:
    """The clips there are to see, none twice: not those that a film or an enlargement of them shows."""
    clips = [item for item in result.items if item.kind is Kind.VIDEO and item.state.good]
    again = {step.name for step in result.steps if step.type in ("concat", "upscale")}
    shown = {source for item in clips if item.step in again for source in item.inputs}
    return [item for item in clips if item.address not in shown]


def _lines(result: RunResult) -> Iterable[Line]:
    for step in result.steps:
        models: dict[str, list[ItemResult]] = {}
        for item in step.items:
            models.setdefault(item.model or step.model or "", []).append(item)
        workers = f"up to {step.max_workers}" if step.parallel else "1"
        for model, items in models.items():
            yield _line(step.name, step.type, name(model), workers, items)


def _line(step: str, type_: str, model: str, workers: str, items: Sequence[ItemResult]) -> Line:
    paid = any(item.model is not None for item in items)
    unknown = any(item.cost is None for item in items)
    return Line(
        step=name(step),
        type=name(type_.replace("_", " ")),
        model=model,
        workers=workers,
        good=sum(item.state.good for item in items),
        items=len(items),
        cached=sum(item.state is ItemState.CACHED for item in items),
        estimate=str(total(item.estimate for item in items)) if paid else "–",
        spent=f"{_spent(items)}{' + unknown' if unknown else ''}" if paid else "–",
    )


def _spent(items: Iterable[ItemResult]) -> CostEstimate:
    """As far as it is known; with ~ where it rests on second-hand prices."""
    costly = [item for item in items if item.cost]
    spent = sum((item.cost for item in costly if item.cost), Decimal(0))
    return CostEstimate(spent, second_hand=any(item.rough for item in costly))


def _notes(result: RunResult) -> Iterable[str]:
    yield from (excerpt(unsigned(note), 1_000) for note in result.notes)
    if result.collected:
        yield f"Collected on the way, from earlier runs: {excerpt(', '.join(result.collected), 1_000)}"


# -- the template ------------------------------------------------------------------------------------


@cache
def template() -> Template:
    """The page's template, compiled: the slowest part of a small report, and known before any result is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        loader=FileSystemLoader(_HERE),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = Markup((_HERE / "page.css").read_text("utf-8"))  # noqa: S704 - our own file, not data
    return environment.get_template("page.html", globals={"css": css})


def _finalize(value: object) -> object:
    """The last thing before escaping: no text reaches the page with what is not seen in it."""
    from markupsafe import Markup

    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

"""aicp models check"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import completers, options

if TYPE_CHECKING:
    from ai_content_pipeline.catalog import Card, Catalogue
    from ai_content_pipeline.catalog.differences import Difference
    from ai_content_pipeline.catalog.live import LiveSchema
    from ai_content_pipeline.cli.console import Console
    from ai_content_pipeline.cli.publications import Publications
    from ai_content_pipeline.errors import AicpError

_AT_ONCE = 4  # requests; these are free, and nobody waits for one in particular


@dataclass(frozen=True)
class Verdict:
    """What came of one card. `live` None: the vendor has no such model (`error` None), or did not answer.

    `kept`: the answer is an earlier one, because of `error`.
    """

    card: Card
    live: LiveSchema | None = None
    differences: tuple[Difference, ...] = ()
    error: AicpError | None = None
    kept: bool = False


@click.command("check", short_help="Compare cards with what vendors publish.")
@click.argument("keys", nargs=-1, shell_complete=completers.models)
@click.option("--update", is_flag=True, help="Write the differences into the project's aicp.models.toml.")
@click.option("--env-file", type=click.Path(path_type=Path, dir_okay=False), help="Read keys from a file.")
@options.showing_options
def command(keys: tuple[str, ...], update: bool, env_file: Path | None, **arguments: Any) -> int:
    """Ask the vendors for the schemas and base prices of KEYS (of every model, without any), and say what
    differs from the cards. Free: no job is sent. Answers are kept with their day, for use without a network.
    """
    import os

    from ai_content_pipeline.cli.environment import environment
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.models_show import found
    from ai_content_pipeline.cli.publications import Publications, catalogue_of
    from ai_content_pipeline.errors import worst
    from ai_content_pipeline.pipeline.project import STATE_FOLDER, find_project

    with invocation("models check", options.showing(arguments)) as (console, outcome):
        project = find_project(Path.cwd()).seen_from(os.environ)
        publications = Publications(project, environment(env_file), console.warn, online=False, keep=True)
        catalogue = catalogue_of(project, publications)
        if project.memory != STATE_FOLDER:
            console.warn("a stand-in is asked, and not the vendors: what it publishes is made up")
        cards = [found(catalogue, key) for key in keys or catalogue.keys()]
        theirs = [card for card in cards if card.provider in ("fal", "replicate")]
        for card in cards:
            if card not in theirs:
                console.say(f"{card.key}: made on this machine, so there is nobody to ask")
        verdicts = _verdicts(theirs, publications)
        _show(console, verdicts)
        written = _update(console, catalogue, project.root, verdicts) if update else {}
        outcome.data = {"models": [_data(one, written.get(one.card.key)) for one in verdicts]}
        errors = [one.error for one in verdicts if one.error]
        outcome.exit_code = worst(error.exit_code for error in errors)
        outcome.why = next((e.message for e in errors if e.exit_code == outcome.exit_code), None)
    return outcome.exit_code


def _verdicts(cards: list[Card], publications: Publications) -> list[Verdict]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda card: _verdict(card, publications), cards))


def _verdict(card: Card, publications: Publications) -> Verdict:
    from ai_content_pipeline.catalog.differences import differences
    from ai_content_pipeline.errors import ConfigurationError, ProviderUnavailable

    error: AicpError | None = None
    try:
        live = publications.fresh(card.provider, card.endpoint)
    except (ConfigurationError, ProviderUnavailable) as caught:
        error, live = caught, publications.kept(card.provider, card.endpoint)
    found = differences(card, live) if live and not _is_raw(card) else ()
    return Verdict(card, live, found, error, kept=error is not None and live is not None)


def _is_raw(card: Card) -> bool:
    """An endpoint without a card: what its vendor publishes is all that is known of it."""
    return ":" in card.key


# -- showing -------------------------------------------------------------------------------------------


def _show(console: Console, verdicts: Iterable[Verdict]) -> None:
    rows = [(v.card.key, d.where, d.ours, d.theirs) for v in verdicts for d in v.differences]
    if rows:
        console.table(("model", "what", "card", "vendor"), rows, align="llll")
    for verdict in verdicts:
        console.say(f"{verdict.card.key}: {_words(verdict)}")


def _words(verdict: Verdict) -> str:
    card, live, error = verdict.card, verdict.live, verdict.error
    why = f"{error.message}; " if error else ""
    if live is None:
        if error is None:
            return f"{card.provider} publishes no model called {card.endpoint}"
        return f"{why}not compared, the card is used as it is ({card.source})"
    day = f"{card.provider}'s schema of {live.fetched:%Y-%m-%d}"
    if _is_raw(card):
        return f"{why}no card; {day} is kept, and pipelines use it: it takes {_taken(live)}"
    count = len(verdict.differences)
    agrees = f"{count} difference{'s' if count > 1 else ''} from" if count else "agrees with"
    unpriced = "" if live.price or card.provider != "fal" else " (its price was not asked for: no FAL_KEY)"
    return f"{why}{agrees} {day}{' that was kept' if verdict.kept else ''}{unpriced}"


def _taken(live: LiveSchema) -> str:
    """Which files an endpoint takes, and where: above all, whether it takes references."""
    from ai_content_pipeline.artifacts import Role

    roles = _roles(live)
    words = [f"{role} ({name})" for role, name in roles.items()]
    words += [] if Role.REFERENCE in roles else ["no references"]
    return ", ".join(words)


def _roles(live: LiveSchema) -> dict[str, str]:
    """The field of each role, by the vendor's schema alone."""
    from ai_content_pipeline.catalog.live import roles_of
    from ai_content_pipeline.jobs import Task

    found = roles_of(live, live.task or Task.IMAGE_TO_VIDEO)
    return {role.value: field.name for role, field in found.items()}


def _data(verdict: Verdict, written: bool | None) -> dict[str, Any]:
    live = verdict.live
    return {
        "key": verdict.card.key,
        "provider": verdict.card.provider,
        "endpoint": verdict.card.endpoint,
        "fetched": None if live is None else live.fetched.isoformat(),
        "kept": verdict.kept,
        "takes": None if live is None else _roles(live),
        "published": live is not None or verdict.error is not None,
        "differences": [
            {"where": one.where, "card": one.ours, "vendor": one.theirs, "writable": one.change is not None}
            for one in verdict.differences
        ],
        "updated": bool(written),
        "error": None if verdict.error is None else verdict.error.message,
    }


# -- writing -------------------------------------------------------------------------------------------


def _update(console: Console, catalogue: Catalogue, root: Path, verdicts: list[Verdict]) -> dict[str, bool]:
    """Write what differs into the overlay, one card after the other. Which ones were written."""
    from ai_content_pipeline.catalog.catalogue import OVERLAY
    from ai_content_pipeline.catalog.differences import changes
    from ai_content_pipeline.catalog.overlay_edit import with_card
    from ai_content_pipeline.catalog.updates import updated
    from ai_content_pipeline.report.atomic import put

    path = root / OVERLAY
    before = text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    written: dict[str, bool] = {}
    for verdict in verdicts:
        card, live = verdict.card, verdict.live
        gone = live is None and verdict.error is None and card.status == "active"
        more = {"status": "deprecated"} if gone else changes(verdict.differences)
        if not more or _is_raw(card):
            continue
        table, said = updated(catalogue.own, card.key, more)
        for words in said:
            console.warn(f"{card.key}: {words}")
        if table is not None:
            day = f", {live.fetched:%Y-%m-%d}" if live else ""
            text = with_card(
                text, card.key, table, f"as {card.provider} publishes it{day} (aicp models check)"
            )
            written[card.key] = True
    if text != before:
        put(path, text)
    kept = [f"{v.card.key} {d.where}" for v in verdicts for d in v.differences if d.change is None]
    if kept:
        console.warn(f"not written, because the vendor does not say enough: {', '.join(kept)}")
    console.say(
        f"{len(written)} cards written to {path.name}" if written else f"nothing to write to {path.name}"
    )
    return written

"""aicp models list"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from ai_content_pipeline.catalog import Card, Catalogue
    from ai_content_pipeline.cost import CostEstimate


@click.command("list", short_help="List models.")
@click.option("--task", metavar="TASK", help="Only models for this step type.")
@click.option("--provider", metavar="NAME", help="Only this one's: fal, replicate or diffusers.")
@click.option(
    "--accepts", metavar="ROLE", help="Only models that take a start, end, input, reference or mask."
)
@click.option("--max-price", metavar="USD", help="Only models of which one result costs at most this.")
@options.showing_options
def command(**arguments: Any) -> int:
    """List the catalogue's models and the project's own.

    The price of "one" is that of one result by the vendor's defaults: a picture, or a clip of its usual
    length. A price with ~ is second-hand.
    """
    import os
    from pathlib import Path

    from ai_content_pipeline.catalog import Catalogue
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.pipeline.project import find_project

    with invocation("models list", options.showing(arguments)) as (console, outcome):
        project = find_project(Path.cwd()).seen_from(os.environ)
        catalogue = Catalogue.of(project.root)
        cards = _wanted(catalogue, **arguments)
        rows = [_row(card) for card in cards]
        console.table(("model", "tasks", "takes", "price", "one"), rows, align="llllr")
        console.say(f"{len(cards)} of {len(catalogue.keys())} models; 'aicp models show KEY' says more")
        outcome.data = {"models": [model_data(card, own=_is_own(catalogue, card)) for card in cards]}
    return outcome.exit_code


def usual_price(card: Card) -> CostEstimate:
    """What one result costs when the user sets nothing."""
    from ai_content_pipeline.catalog import estimate, expected

    task = card.tasks[0]
    return estimate(card, task, {}, 1, expected(card, task, {}, {}))


def model_data(card: Card, *, own: bool) -> dict[str, Any]:
    """A model for programs; amounts as decimal strings. `own`: the project's overlay says something of it."""
    from ai_content_pipeline.catalog.prices import in_words

    one = usual_price(card)
    return {
        "key": card.key,
        "title": card.title,
        "provider": card.provider,
        "endpoint": card.endpoint,
        "tasks": [task.value for task in card.tasks],
        "accepts": [role.value for role in card.roles],
        "price": in_words(card.price) if card.price else None,
        "one_usd": None if one.unpriced else str(one.usd),
        "second_hand": one.second_hand,
        "status": card.status,
        "own": own,
    }


def _wanted(
    catalogue: Catalogue,
    *,
    task: str | None,
    provider: str | None,
    accepts: str | None,
    max_price: str | None,
) -> list[Card]:
    from ai_content_pipeline.artifacts import Role
    from ai_content_pipeline.catalog import local
    from ai_content_pipeline.jobs import Task

    keys = catalogue.keys() if provider != local.PROVIDER else _local_names()
    cards = [catalogue.load(key) for key in keys]
    if task is not None:
        wanted = Task(one_of("--task", task, Task))
        cards = [card for card in cards if wanted in card.tasks]
    if provider is not None:
        one_of("--provider", provider, ("fal", "replicate", local.PROVIDER))
        cards = [card for card in cards if card.provider == provider]
    if accepts is not None:
        role = Role(one_of("--accepts", accepts, Role))
        cards = [card for card in cards if role in card.roles]
    if max_price is not None:
        cards = _cheap(cards, max_price)
    return cards


def _local_names() -> list[str]:
    """The models that run on this machine, as a file names them."""
    from ai_content_pipeline.catalog import local

    return [f"{local.PROVIDER}:{key}" for key in local.keys()]  # noqa: SIM118 - a module is no dict


def _cheap(cards: list[Card], most: str) -> list[Card]:
    """The ones of which one result costs at most `most`. Unknown is not cheap."""
    from ai_content_pipeline.cli.consent import dollars

    limit = dollars("--max-price", most)
    prices = ((card, usual_price(card)) for card in cards)
    return [card for card, price in prices if price.known and limit is not None and price.usd <= limit]


def one_of(option: str, word: str, words: Any) -> str:
    """`word`, if it is one of `words`. Raises UsageError."""
    from difflib import get_close_matches

    from ai_content_pipeline.errors import UsageError

    known = [str(one) for one in words]
    if word in known:
        return word
    near = get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise UsageError(f"{option} {word!r} is not known", hint=hint)


def _row(card: Card) -> tuple[str, ...]:
    from ai_content_pipeline.catalog.prices import in_words

    tasks = ", ".join(task.value for task in card.tasks)
    price = in_words(card.price) if card.price else "unknown"
    return card.key, tasks, ", ".join(card.roles), price, str(usual_price(card))


def _is_own(catalogue: Catalogue, card: Card) -> bool:
    return catalogue.own is not None and card.key in catalogue.own.tables

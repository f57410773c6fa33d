"""aicp models show"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import completers, options

if TYPE_CHECKING:
    from ai_content_pipeline.catalog import Card, Catalogue
    from ai_content_pipeline.catalog.example import Example
    from ai_content_pipeline.cli.console import Console
    from ai_content_pipeline.jobs import Task


@click.command("show", short_help="Show what a model takes and costs.")
@click.argument("model", shell_complete=completers.models)
@click.option("--task", metavar="TASK", help="Show it as this step type uses it.")
@click.option("--env-file", type=click.Path(path_type=Path, dir_okay=False), help="Read keys from a file.")
@options.showing_options
def command(model: str, task: str | None, env_file: Path | None, **arguments: Any) -> int:
    """Show the parameters, files, price and an example step of MODEL: a key, or fal:owner/model,
    replicate:owner/name[:version]. Of a model without a card, its vendor is asked.
    """
    import os

    from ai_content_pipeline.cli.environment import environment
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.publications import Publications, catalogue_of
    from ai_content_pipeline.pipeline.project import find_project

    with invocation("models show", options.showing(arguments)) as (console, outcome):
        project = find_project(Path.cwd()).seen_from(os.environ)
        publications = Publications(project, environment(env_file), console.warn, keep=True)
        catalogue = catalogue_of(project, publications)
        card = found(catalogue, model, _task(task))
        if card.parameters is None:
            console.warn(f"nothing is known of {model}; its params are sent unchecked")
        example = _example(card, _task(task))
        outcome.data = _data(card, catalogue, example)
        _show(console, card, example)
    return outcome.exit_code


def found(catalogue: Catalogue, name: str, task: Task | None = None) -> Card:
    """The card for what a user named. Raises UsageError with the nearest key."""
    from ai_content_pipeline.catalog.names import UnknownModel, find
    from ai_content_pipeline.errors import UsageError

    try:
        return find(name, catalogue, task)
    except UnknownModel as error:
        raise UsageError(error.message, hint=error.hint) from error


def _task(word: str | None) -> Task | None:
    from ai_content_pipeline.cli.models_list import one_of
    from ai_content_pipeline.jobs import Task

    return None if word is None else Task(one_of("--task", word, Task))


def _example(card: Card, task: Task | None) -> Example:
    """A step that runs as it stands."""
    from ai_content_pipeline.catalog.example import example
    from ai_content_pipeline.steps.registry import STEP_TYPES

    shown = [one for one in card.tasks if one.value in STEP_TYPES] or [*card.tasks]
    return example(card, task or shown[0])


# -- for programs --------------------------------------------------------------------------------------


def _data(card: Card, catalogue: Catalogue, example: Example) -> dict[str, Any]:
    from ai_content_pipeline.cli.models_list import model_data

    known = card.parameters
    own = catalogue.own is not None and card.key in catalogue.own.tables
    return {
        **model_data(card, own=own),
        "prompt": card.prompt,
        "prompt_required": card.prompt_required,
        "seed": card.seed,
        "count": card.count,
        "seconds": card.seconds,
        "version": card.version,
        "source": card.source,
        "note": card.note,
        "parameters": None if known is None else {name: _plain(one) for name, one in known.items()},
        "roles": {role.value: _plain(field) for role, field in card.roles.items()},
        "price": None if card.price is None else _price_data(card),
        "example": example.shown,
    }


def _plain(noun: Any) -> dict[str, Any]:
    """The fields of a parameter or a role that say something."""
    from dataclasses import fields

    told = {field.name: getattr(noun, field.name) for field in fields(noun)}
    return {name: value for name, value in told.items() if value not in (None, (), {})}


def _price_data(card: Card) -> dict[str, Any]:
    assert card.price is not None
    price = card.price
    return {
        "unit": price.unit,
        "rates": [{"usd": str(rate.usd), "when": dict(rate.when)} for rate in price.rates],
        "surcharges": [
            {**_plain(one), "times": str(one.times), "plus": str(one.plus)} for one in price.surcharges
        ],
        "not_with": list(price.not_with),
        "source": price.source,
        "date": price.date,
        "confidence": price.confidence.value,
        "note": price.note,
    }


# -- for people ----------------------------------------------------------------------------------------


def _show(console: Console, card: Card, example: Example) -> None:
    from ai_content_pipeline.catalog.checks import span

    for line in _about(card):
        console.data(line)
    if card.parameters:
        console.data("")
        rows = [
            (name, one.type, span(one), "" if one.default is None else str(one.default), one.note or "")
            for name, one in card.parameters.items()
        ]
        console.table(("parameter", "type", "takes", "default", ""), rows, align="lllll")
    if card.roles:
        console.data("")
        roles = [(role.value, field.name, _files(field)) for role, field in card.roles.items()]
        console.table(("file", "field", "takes"), roles, align="lll")
    console.data("")
    for line in _prices(card):
        console.data(line)
    console.data(f"\nexample\n{example.shown}")


def _about(card: Card) -> Iterator[str]:
    yield f"{card.title}  ({card.provider}:{card.endpoint})"
    tasks = ", ".join(task.value for task in card.tasks)
    yield f"  {tasks}; status {card.status}; card version {card.version}"
    wish = "a prompt" if card.prompt_required else "a prompt if you like"
    prompt = wish if card.prompt else "no prompt"
    yield f"  takes {prompt}, {'a seed' if card.seed else 'no seed'}; {_time(card.seconds)}"
    yield f"  schema: {card.source}"
    if card.note:
        yield f"  note: {card.note}"


def _time(seconds: float | None) -> str:
    return "how long it takes is not known" if seconds is None else f"usually takes {seconds:g} s"


def _files(field: Any) -> str:
    words = ["required" if field.required else "optional"]
    what = "pictures or videos" if field.either else f"{field.takes.value}s"
    words.append(
        f"{what}, at most {field.max_items}" if field.max_items else what if field.many else f"one of {what}"
    )
    words += [f"at least {field.min_side} pixels a side"] if field.min_side else []
    words += [f"not with {', '.join(role.value for role in field.excludes)}"] if field.excludes else []
    words += [f"only with {name} {' or '.join(map(str, some))}" for name, some in field.only_with.items()]
    words += [f"called {field.mention.replace('{n}', '1')} in a prompt"] if field.mention else []
    words += [f"as strongly as {field.strength} says"] if field.strength else []
    return "; ".join(words)


def _prices(card: Card) -> Iterator[str]:
    price = card.price
    if price is None:
        yield "price   unknown; a run needs --allow-unpriced, or describe it in aicp.models.toml"
        return
    for rate in price.rates:
        when = ", ".join(f"{name} {_value(value)}" for name, value in rate.when.items())
        yield f"price   ${rate.usd:f} per {price.unit}" + (f"  ({when})" if when else "")
    for extra in price.surcharges:
        what = extra.parameter or (extra.output or "").replace("_", " ")
        level = f"above {extra.above}" if extra.above is not None else f"at {_value(extra.equals)}"
        more = f"times {extra.times:f}" if extra.times != 1 else f"${extra.plus:f} more"
        yield f"        {what} {level}: {more}"
    if price.not_with:
        yield f"        unknown with {', '.join(price.not_with)}"
    yield f"        {price.confidence.value}, {price.date}, {price.source}"
    if price.note:
        yield f"        {price.note}"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

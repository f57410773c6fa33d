"""Every card in the folder: it loads, it is whole, and it agrees with the recorded vendor schemas."""

from __future__ import annotations

import json
import re
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog import Card, Parameter, Price, checks, files, sizes
from ai_content_pipeline.catalog.prices import UNITS
from ai_content_pipeline.cost import Confidence
from ai_content_pipeline.jobs import Task

KEYS = catalog.keys()
RECORDED: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("recorded_inputs.json").read_text(encoding="utf-8")
)
TYPES = {"string", "integer", "number", "boolean", "array", "object", "any"}
SUFFIXES = {
    "_t2v": (Task.TEXT_TO_VIDEO,),
    "_flf": (Task.IMAGE_TO_VIDEO,),
    "_edit": (Task.IMAGE_TO_IMAGE,),
}

every_card = pytest.mark.parametrize("card", [catalog.load(key) for key in KEYS], ids=KEYS)
every_price = pytest.mark.parametrize(
    ("card", "price"),
    [(card, card.price) for key in KEYS if (card := catalog.load(key)).price],
    ids=[key for key in KEYS if catalog.load(key).price],
)


def recorded(card: Card) -> dict[str, Any]:
    return RECORDED[f"{card.provider}:{card.endpoint}"]


def parameters(card: Card) -> dict[str, Parameter]:
    assert card.parameters is not None
    return dict(card.parameters)


def test_the_catalogue_is_large_and_holds_what_the_owner_named() -> None:
    """At least 60 models, and each one that the owner's documents name."""
    named = {
        "nano_banana_pro",
        "kling_2_6_pro",
        "seedance_1_lite",
        "minimax_video_01",
        "kling_2_1_replicate",
        "runway_gen4_turbo",
        "sdxl",
        "wan_2_1",
        "nano_banana_replicate",
        "nano_banana_pro_replicate",
    }
    assert len(KEYS) >= 60
    assert named <= set(KEYS)
    assert set(Task) == {task for key in KEYS for task in catalog.load(key).tasks}


def test_listing_keys_reads_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """`keys` looks at the folder alone."""
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("a card was read"))
    assert catalog.keys() == KEYS


def test_loading_a_card_reads_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """One card costs one file."""
    read: list[str] = []
    real = Path.read_text

    def spy(path: Path, encoding: str) -> str:
        read.append(path.name)
        return real(path, encoding=encoding)

    monkeypatch.setattr(Path, "read_text", spy)
    files.load.__wrapped__("kling_2_6_pro")
    assert read == ["kling_2_6_pro.toml"]


@pytest.mark.parametrize(
    "key", ["no_such_model", "", "../models/sdxl", "SDXL", "sdxl.toml", "draft", "a" * 200]
)
def test_what_is_no_key_has_no_card(key: str) -> None:
    """Only a name of a file in the folder is a key; nothing leaves the folder."""
    with pytest.raises(KeyError):
        catalog.load(key)


def test_a_card_loads_in_two_milliseconds() -> None:
    """The slowest of all cards, parsed afresh, stays below 2 ms of processor time."""
    slowest = 0.0
    for key in KEYS:
        times = []
        for _ in range(5):
            began = time.process_time_ns()
            files.load.__wrapped__(key)
            times.append((time.process_time_ns() - began) / 1e6)
        slowest = max(slowest, min(times))
    assert slowest < 2


def test_unknown_words_in_a_card_are_refused() -> None:
    """A misspelt key of a card's file is an error, not silence."""
    table = {"title": "T", "provider": "fal", "endpoint": "a/b", "tasks": ["upscale"]}
    assert files.card("t", table).prompt is None
    for wrong in ({"titel": "T"}, {"output": {"size": "short"}}, {"parameters": {"a": {"typ": "string"}}}):
        with pytest.raises(TypeError):
            files.card("t", {**table, **wrong})
    with pytest.raises(ValueError):
        files.card("t", {**table, "tasks": ["upscaling"]})


@every_card
def test_names_are_in_order(card: Card) -> None:
    """Key, title, tasks, status and source are there; a suffix says the task."""
    assert card.title
    assert card.source
    assert card.tasks
    assert len(set(card.tasks)) == len(card.tasks)
    assert card.status in ("active", "deprecated")
    assert card.version >= 1
    assert card.seconds is None or card.seconds > 0
    for suffix, tasks in SUFFIXES.items():
        assert not card.key.endswith(suffix) or card.tasks == tasks
    if card.key.endswith(("_replicate", "_fal")):
        assert card.key.endswith(f"_{card.provider}")


@every_card
def test_an_endpoint_leads_to_its_card(card: Card) -> None:
    """The search by endpoint finds each card, and so endpoints are unique."""
    assert files.key_at(card.provider, card.endpoint) == card.key
    assert files.key_at(card.provider, card.endpoint.partition(":")[0]) == card.key
    assert files.key_at("diffusers", card.endpoint) is None


@every_card
def test_fields_are_the_vendors(card: Card) -> None:
    """Every recorded field of the vendor's schema is on the card exactly once."""
    house = {card.prompt, card.seed} - {None}
    roles = {field.name for field in card.roles.values()}
    assert not set(parameters(card)) & (house | roles)
    assert set(recorded(card)["inputs"]) <= set(parameters(card)) | house | roles


@every_card
def test_picture_fields_are_roles(card: Card) -> None:
    """Fields that take pictures and are heeded are roles; ignored and deprecated ones are not. Objects that
    hold pictures are no pictures by themselves."""
    roles = {field.name: field for field in reversed(tuple(card.roles.values())) if field.kind != "elements"}
    assert set(recorded(card)["files"]) == set(roles) - {"video_url", "mask"} | set(
        recorded(card)["files"]
    ) & {"mask"}
    assert set(recorded(card)["required_files"]) <= {name for name, field in roles.items() if field.required}
    for field in card.roles.values():
        assert field.takes is (Kind.VIDEO if field.name == "video_url" else Kind.IMAGE)
        assert field.max_items is None or (field.many and field.max_items > 1)


@every_card
def test_a_task_has_the_roles_it_needs(card: Card) -> None:
    """Image to video has a start, an edit and an upscale an input, a reference task references."""
    needs = {
        Task.IMAGE_TO_VIDEO: Role.START,
        Task.IMAGE_TO_IMAGE: Role.INPUT,
        Task.UPSCALE: Role.INPUT,
        Task.REFERENCE_TO_VIDEO: Role.REFERENCE,
    }
    assert {needs[task] for task in card.tasks if task in needs} <= set(card.roles)
    for role, field in card.roles.items():
        for other in field.excludes:
            assert role in card.roles[other].excludes


@every_card
def test_defaults_fit_their_own_schema(card: Card) -> None:
    """A default is an allowed value of its type and within its range."""
    for name, parameter in parameters(card).items():
        assert parameter.type in TYPES, name
        assert len(set(map(repr, parameter.enum))) == len(parameter.enum)
        if None not in (parameter.minimum, parameter.maximum):
            assert parameter.minimum < parameter.maximum, name  # type: ignore[operator]
        if parameter.default is not None and not parameter.deprecated:
            assert catalog.check(card, card.tasks[0], {name: parameter.default}) == ()
        for value in parameter.enum:
            assert checks._fits_type(parameter.type, value) or parameter.type == "object"
    assert card.count is None or parameters(card)[card.count].type == "integer"


@every_card
def test_shapes_name_what_exists(card: Card) -> None:
    """An output's table, parameters and labels exist."""
    shape = card.output
    assert shape.sizes is None or shape.sizes in sizes.FAMILIES
    assert shape.resolution_from == "resolution" or shape.resolution_from in parameters(card)
    assert set(shape.labels) <= set(parameters(card).get(shape.resolution_from, Parameter("any")).enum)
    assert shape.scale is None or shape.scale in parameters(card)
    assert shape.aspect is None or sizes.ratio_of(shape.aspect)


@every_price
def test_prices_say_where_they_come_from(card: Card, price: Price) -> None:
    """A price has a page, a day and a confidence; what the facts call unverified has none."""
    assert re.fullmatch(r"https://(fal\.ai/models|replicate\.com)/\S+", price.source)
    assert card.endpoint.partition(":")[0] in price.source
    assert date(2026, 1, 1) <= date.fromisoformat(price.date) <= date(2026, 12, 31)
    assert price.confidence in (Confidence.VERIFIED, Confidence.SECOND_HAND)
    assert recorded(card)["price_known"]


@every_price
def test_prices_look_at_parameters_that_exist(card: Card, price: Price) -> None:
    """Each row names parameters of the model and values they can have; no rate is zero."""
    known = parameters(card)
    assert price.unit in UNITS
    assert price.rates
    for rate in price.rates:
        assert rate.usd > 0
        for name, value in rate.when.items():
            assert value in (known[name].enum or (False, True))
    for extra in price.surcharges:
        assert (extra.parameter in known) != (extra.output in ("megapixels", "short_side"))
        assert extra.times > 1 or extra.plus > 0
    assert set(price.not_with) <= set(known)


def test_every_table_of_sizes_has_a_square() -> None:
    """The nearest aspect ratio always exists, and portrait mirrors landscape."""
    for family in sorted(sizes.FAMILIES):
        for label in ("1K", "0.25", "720p"):
            square = sizes.pixels(family, label, (1, 1))
            if square is not None:
                assert square[0] == square[1]
                wide, tall = sizes.pixels(family, label, (16, 9)), sizes.pixels(family, label, (9, 16))
                assert wide == (tall or ())[::-1]

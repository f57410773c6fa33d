"""Where a card and its vendor differ, and the overlay that makes them agree again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card, Catalogue, kept, overlay_edit
from ai_content_pipeline.catalog.differences import changes, differences
from ai_content_pipeline.catalog.live import LivePrice, LiveSchema
from ai_content_pipeline.catalog.openapi import Field
from ai_content_pipeline.catalog.updates import updated
from ai_content_pipeline.cost import Confidence

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def published(card: Card, *, price: LivePrice | None = None, **fields: Field | None) -> LiveSchema:
    """What a vendor would publish of a card that is right, but for some `fields` (None: there is none)."""
    names = [Field(name, "string", required=card.prompt_required) for name in (card.prompt,) if name]
    names += [Field(name, "integer") for name in (card.seed,) if name]
    for role in {role.name: role for role in reversed(card.roles.values())}.values():
        items = ("array", "string") if role.many else ("string", None)
        names.append(Field(role.name, *items, required=role.required, max_items=role.max_items, uri=True))
    for name, one in (card.parameters or {}).items():
        names.append(
            Field(
                name,
                one.type,
                enum=one.enum,
                minimum=one.minimum,
                maximum=one.maximum,
                default=one.default,
                deprecated=one.deprecated,
            )
        )
    told = {field.name: field for field in names} | fields
    return LiveSchema(card.provider, card.endpoint, NOON, tuple(filter(None, told.values())), None, price)


def mended(folder: Path, key: str, schema: LiveSchema) -> Card:
    """The card after the differences were written into an overlay."""
    catalogue = Catalogue.of(folder)
    more = changes(differences(catalogue.load(key), schema))
    table, _ = updated(catalogue.own, key, more)
    assert table is not None
    path = folder / "aicp.models.toml"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(overlay_edit.with_card(before, key, table, "a test"), encoding="utf-8")
    return Catalogue.of(folder).load(key)


def where(card: Card, schema: LiveSchema) -> list[str]:
    return [one.where for one in differences(card, schema)]


@pytest.mark.parametrize("key", catalog.keys())
def test_a_right_card_differs_in_nothing(key: str) -> None:
    """No card disagrees with a vendor that publishes just what the card says."""
    card = catalog.load(key)
    assert differences(card, published(card)) == ()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (Field("duration", "string", enum=("5", "10", "15"), default="5"), ["parameters.duration.enum"]),
        (Field("duration", "string", enum=("5", "10"), default="10"), ["parameters.duration.default"]),
        (
            Field("duration", "integer", minimum=3, maximum=15),
            ["parameters.duration.type", "parameters.duration.enum", "parameters.duration.minimum",
             "parameters.duration.maximum"],
        ),
        (Field("negative_prompt", "string", deprecated=True), ["parameters.negative_prompt.deprecated"]),
        (Field("end_image_url", "string", text="Deprecated."), ["roles.end"]),
        (Field("end_image_url", "string", required=True), ["roles.end.required"]),
        (Field("start_image_url", "array", "string", required=True), ["roles.start.many"]),
        (Field("cfg_scale", "number", minimum=0, maximum=1), ["parameters.cfg_scale"]),
        (Field("seed", "integer"), ["seed"]),
        (Field("mask_url", "string"), ["roles.mask"]),
        (Field("prompt", "string"), ["prompt_required"]),
        (Field("hidden", "string", deprecated=True), []),
        (Field("voice_ids", "any"), []),
    ],
)  # fmt: skip
def test_each_difference_is_named_and_mended(tmp_path: Path, changed: Field, expected: list[str]) -> None:
    """One change at the vendor is one difference with its place; written, it is none any more."""
    (tmp_path / ".aicp").mkdir()
    card = catalog.load("kling_2_6_pro")
    schema = published(card, **{changed.name: changed})
    assert where(card, schema) == expected
    if expected:
        assert differences(mended(tmp_path, "kling_2_6_pro", schema), schema) == ()


@pytest.mark.parametrize("gone", ["negative_prompt", "end_image_url", "voice_ids", "prompt"])
def test_what_the_vendor_has_no_more_is_taken_away(tmp_path: Path, gone: str) -> None:
    """A field that is gone is taken off the card."""
    (tmp_path / ".aicp").mkdir()
    card = catalog.load("kling_2_6_pro")
    schema = published(card, **{gone: None})
    assert len(differences(card, schema)) == 1
    after = mended(tmp_path, "kling_2_6_pro", schema)
    assert differences(after, schema) == ()
    assert gone not in {
        after.prompt,
        *(after.parameters or {}),
        *(role.name for role in after.roles.values()),
    }


def test_a_price_that_depends_on_a_lost_parameter_is_no_price(tmp_path: Path) -> None:
    """The price of sound is unknown when nobody can ask for sound any more: unknown, and not half of it."""
    (tmp_path / ".aicp").mkdir()
    schema = published(catalog.load("kling_2_6_pro"), generate_audio=None)
    assert mended(tmp_path, "kling_2_6_pro", schema).price is None


def test_a_flat_price_follows_the_vendor(tmp_path: Path) -> None:
    """One rate is replaced by the vendor's base price, with its day, and is verified then."""
    (tmp_path / ".aicp").mkdir()
    card = catalog.load("kling_2_1_standard")
    assert card.price is not None
    schema = published(card, price=LivePrice(Decimal("0.06"), "seconds"))
    assert where(card, schema) == ["price"]
    price = mended(tmp_path, "kling_2_1_standard", schema).price
    assert price is not None
    assert [(rate.usd, dict(rate.when)) for rate in price.rates] == [(Decimal("0.06"), {})]
    assert (price.date, price.confidence) == ("2026-11-21", Confidence.VERIFIED)


def test_a_base_price_replaces_no_list_and_no_silence(tmp_path: Path) -> None:
    """Of several rates nobody knows which one it is, nor what is added to none: said, not written."""
    several, none = catalog.load("kling_2_6_pro"), catalog.load("sdxl")
    assert none.price is None
    for card in (several, none):
        (found,) = differences(card, published(card, price=LivePrice(Decimal("0.5"), "seconds")))
        assert (found.where, found.change) == ("price", None)
    assert differences(several, published(several, price=LivePrice(Decimal("0.07"), "seconds"))) == ()
    assert differences(several, published(several, price=LivePrice(Decimal("0.5"), "credits"))) == ()


def test_the_users_own_values_stay(tmp_path: Path) -> None:
    """An update adds to what the user wrote into the card, and writes over what the vendor contradicts."""
    (tmp_path / ".aicp").mkdir()
    path = tmp_path / "aicp.models.toml"
    path.write_text(
        "# my notes\n[kling_2_6_pro]\nseconds = 77\n[kling_2_6_pro.parameters]\nduration = {enum = ['5']}\n"
        "[kling_2_6_pro.roles]\nstart = {min_side = 512}\n"
    )
    before = Catalogue.of(tmp_path).load("kling_2_6_pro")
    changed = Field("duration", "string", enum=("5", "10"), default="5")
    card = mended(tmp_path, "kling_2_6_pro", published(before, duration=changed))
    assert (card.seconds, card.roles[Role.START].min_side) == (77, 512)
    assert card.parameters is not None
    assert card.parameters["duration"].enum == ("5", "10")
    assert path.read_text().startswith("# my notes\n[kling_2_6_pro]\n# a test\n")


def test_nonsense_is_not_written() -> None:
    """A vendor whose limits contradict each other changes no card."""
    card = catalog.load("sdxl")
    schema = published(card, width=Field("width", "integer", minimum=9, maximum=3))
    table, said = updated(None, "sdxl", changes(differences(card, schema)))
    assert table is None
    assert said == ("not written, because it makes no sense: width: its minimum 9 lies above its maximum 3",)


# -- kept answers --------------------------------------------------------------------------------------

DOCUMENT = {
    "components": {"schemas": {"Input": {"properties": {"image": {"type": "string", "format": "uri"}}}}}
}


@pytest.mark.parametrize("endpoint", ["me/model", "me/model:0123abcd", "me/" + "long" * 80])
def test_an_answer_is_kept_with_its_time(tmp_path: Path, endpoint: str) -> None:
    """What was kept is read back: the fields, the price and the moment."""
    price = LivePrice(Decimal("0.05"), "images")
    schema = kept.schema_of("replicate", endpoint, DOCUMENT, NOON, price)
    path = kept.file_of(tmp_path, "replicate", endpoint)
    assert kept.read(tmp_path, "replicate", endpoint) is None
    path.parent.mkdir(parents=True)
    path.write_text(kept.text(schema, DOCUMENT))
    assert kept.read(tmp_path, "replicate", endpoint) == schema
    assert kept.read(tmp_path, "replicate", endpoint + "x") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version": 1}', '{"version": 2, "provider": "fal"}']
)
def test_a_broken_answer_is_none(tmp_path: Path, text: str) -> None:
    """A kept file that cannot be read is asked for again, and is no error."""
    path = kept.file_of(tmp_path, "fal", "me/model")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert kept.read(tmp_path, "fal", "me/model") is None


def test_an_answer_under_a_wrong_name_is_none(tmp_path: Path) -> None:
    """A file that was copied to another model's place says nothing of it."""
    schema = kept.schema_of("replicate", "me/one", DOCUMENT, NOON, None)
    path = kept.file_of(tmp_path, "replicate", "me/two")
    path.parent.mkdir(parents=True)
    path.write_text(kept.text(replace(schema), DOCUMENT))
    assert kept.read(tmp_path, "replicate", "me/two") is None

"""Where a card and what its vendor publishes differ, and what an overlay must say to agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField
from ai_content_pipeline.catalog.detection import dropped, file_fields
from ai_content_pipeline.catalog.live import LivePrice, LiveSchema, parameter, prompt_of, seed_of
from ai_content_pipeline.catalog.openapi import Field
from ai_content_pipeline.catalog.places import Trail
from ai_content_pipeline.catalog.prices import Price, in_words

_UNITS = {
    "image": "image",
    "megapixel": "megapixel",
    "second": "second",
    "video": "video",
    "request": "request",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """`trail` leads to the place in a card's table; `ours` and `theirs` say in words what stands there.

    `change` is what an overlay writes there (false: it has no such thing); None where nobody can say.
    """

    trail: Trail
    ours: str
    theirs: str
    change: Any = None

    @property
    def where(self) -> str:
        return ".".join(map(str, self.trail))


def differences(card: Card, schema: LiveSchema) -> tuple[Difference, ...]:
    """Every difference, in the card's order. What a vendor leaves unsaid is no difference, but for limits."""
    return (
        *_house(card, schema),
        *_roles(card, schema),
        *_new_roles(card, schema),
        *_parameters(card, schema),
        *_new_parameters(card, schema),
        *_price(card, schema),
    )


def changes(found: tuple[Difference, ...]) -> dict[str, Any]:
    """The table that an overlay needs for them; those that nobody can write are left out."""
    table: dict[str, Any] = {}
    for one in found:
        if one.change is None:
            continue
        here = table
        for part in one.trail[:-1]:
            here = here.setdefault(str(part), {})
        here[str(one.trail[-1])] = one.change
    return table


# -- prompt, seed and files ----------------------------------------------------------------------------


def _house(card: Card, schema: LiveSchema) -> Iterator[Difference]:
    prompt, seed = prompt_of(schema), seed_of(schema)
    for name, ours, theirs in (("prompt", card.prompt, prompt and prompt.name), ("seed", card.seed, seed)):
        known = schema.field(ours) is not None
        if ours != theirs and not known and theirs not in (card.parameters or {}):
            yield Difference((name,), ours or "none", theirs or "none", theirs or False)
    if prompt and card.prompt == prompt.name and card.prompt_required != prompt.required:
        words = {True: "required", False: "optional"}
        theirs = words[prompt.required]
        yield Difference(("prompt_required",), words[card.prompt_required], theirs, prompt.required)


def _roles(card: Card, schema: LiveSchema) -> Iterator[Difference]:
    for role, field in card.roles.items():
        live, trail = schema.field(field.name), ("roles", role.value)
        if live is None:
            yield Difference(trail, field.name, "no such field", False)
        elif dropped(live):
            yield Difference(trail, field.name, "accepted and not heeded", False)
        else:
            yield from _role(trail, field, live, shared=_shared(card, role))


def _shared(card: Card, role: Role) -> bool:
    """Of two roles in one field, only the first can be required."""
    return any(
        other.name == card.roles[role].name and other is not card.roles[role] for other in card.roles.values()
    )


def _role(trail: Trail, field: RoleField, live: Field, *, shared: bool) -> Iterator[Difference]:
    many = live.type == "array"
    if live.type != "any" and many != field.many:
        words = {True: "a list", False: "one file"}
        yield Difference((*trail, "many"), words[field.many], words[many], many)
    if live.required != field.required and not shared:
        words = {True: "required", False: "optional"}
        yield Difference((*trail, "required"), words[field.required], words[live.required], live.required)
    if many and live.max_items is not None and live.max_items != field.max_items:
        ours = "no limit" if field.max_items is None else str(field.max_items)
        yield Difference((*trail, "max_items"), ours, str(live.max_items), live.max_items)


def _new_roles(card: Card, schema: LiveSchema) -> Iterator[Difference]:
    """Picture fields that the card does not know."""
    known = {field.name for field in card.roles.values()} | set(card.parameters or {})
    heeded = {field.name for field in schema.fields if not dropped(field)}
    taken = {role for role, field in card.roles.items() if field.name in heeded}
    for one in file_fields(schema.fields, card.tasks[0]):
        if one.field.name in known:
            continue
        # Whole, because it may take the place of a role that the card has under another name.
        table: dict[str, Any] = {
            "name": one.field.name,
            "many": one.many,
            "required": one.field.required,
            "max_items": one.field.max_items or False if one.many else False,
            "takes": one.takes.value,
        }
        change = None if one.role in taken else table
        taken.add(one.role)
        yield Difference(("roles", one.role.value), "not on the card", one.field.name, change)


# -- parameters ----------------------------------------------------------------------------------------


def _parameters(card: Card, schema: LiveSchema) -> Iterator[Difference]:
    for name, ours in (card.parameters or {}).items():
        live, trail = schema.field(name), ("parameters", name)
        if live is None:
            yield Difference(trail, ours.type, "no such field", False)
        elif dropped(live):
            if not ours.deprecated:
                yield Difference((*trail, "deprecated"), "heeded", "accepted and not heeded", True)
        else:
            yield from _parameter(trail, ours, parameter(live))


def _parameter(trail: Trail, ours: Parameter, theirs: Parameter) -> Iterator[Difference]:
    if theirs.type not in (ours.type, "any") and ours.type != "any":
        yield Difference((*trail, "type"), ours.type, theirs.type, theirs.type)
    if theirs.type == "any" and not theirs.enum:
        return  # the vendor names the field, and no more
    if sorted(map(repr, ours.enum)) != sorted(map(repr, theirs.enum)):
        yield Difference((*trail, "enum"), _listed(ours.enum), _listed(theirs.enum), list(theirs.enum))
    for name in ("minimum", "maximum"):
        low, live = getattr(ours, name), getattr(theirs, name)
        if low != live:
            yield Difference((*trail, name), _limit(low), _limit(live), False if live is None else live)
    if theirs.default is not None and theirs.default != ours.default:
        yield Difference((*trail, "default"), _shown(ours.default), _shown(theirs.default), theirs.default)


def _new_parameters(card: Card, schema: LiveSchema) -> Iterator[Difference]:
    files = {one.field.name for one in file_fields(schema.fields, card.tasks[0])}
    roles = {field.name for field in card.roles.values()}
    known = {card.prompt, card.seed, *roles, *(card.parameters or {}), *files}
    house = {prompt.name if (prompt := prompt_of(schema)) else None, seed_of(schema)}
    for field in schema.fields:
        if field.name not in known | house and not dropped(field):
            described = _described(parameter(field))
            yield Difference(("parameters", field.name), "not on the card", field.type, described)


def _described(parameter: Parameter) -> dict[str, Any]:
    """A parameter as a TOML table, without what it leaves unsaid."""
    told: Mapping[str, Any] = {
        "type": parameter.type,
        "enum": list(parameter.enum) or None,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "default": parameter.default,
    }
    return {name: value for name, value in told.items() if value is not None}


# -- price ---------------------------------------------------------------------------------------------


def _price(card: Card, schema: LiveSchema) -> Iterator[Difference]:
    """A base price that stands nowhere in the card's list. Only a single flat rate can be replaced by it:
    of several nobody says which one it is, and of a model without a price nobody says what is added."""
    live, price = schema.price, card.price
    if live is None:
        return
    unit = _UNITS.get(live.unit.lower().removesuffix("s"))
    theirs = f"${live.usd:f} per {unit or live.unit or 'unit'}"
    if price is None:
        yield Difference(("price",), "unknown", f"{theirs}, before what is added to it")
    elif unit != price.unit:
        if unit is not None:
            yield Difference(("price",), in_words(price), theirs)
    elif all(rate.usd != live.usd for rate in price.rates):
        yield Difference(("price",), in_words(price), theirs, _replaced(price, live, schema))


def _replaced(price: Price, live: LivePrice, schema: LiveSchema) -> dict[str, Any] | None:
    if len(price.rates) != 1 or price.rates[0].when or price.surcharges:
        return None
    table: dict[str, Any] = {
        "unit": price.unit,
        "rates": [{"usd": f"{live.usd:f}"}],
        "source": f"{schema.provider}'s pricing endpoint",
        "date": schema.fetched.date().isoformat(),
        "confidence": "verified",
    }
    table |= {"round_up": True} if price.round_up else {}
    return table | ({"not_with": list(price.not_with)} if price.not_with else {})


# -- words ---------------------------------------------------------------------------------------------


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) if values else "any value"


def _limit(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)

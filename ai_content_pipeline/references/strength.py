"""How strongly reference pictures count: the parameter of a model that says it, and how a retry raises it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import Json, Params

#: Beyond this nothing is raised where nobody says what the model takes: a reference's strength is 0 to 1.
_MOST = Decimal(1)


@dataclass(frozen=True, slots=True)
class Dial:
    """The parameter `name` of a model, what it stands at, and the highest that is sent."""

    name: str
    value: Decimal
    most: Decimal

    @property
    def turns(self) -> bool:
        return self.value < self.most


def dial(card: Card, params: Params) -> Dial | None:
    """How strongly the references of a request with `params` count; None where that cannot be said, or
    nobody knows what the model does without being told."""
    field = card.roles.get(Role.REFERENCE)
    if field is None or field.strength is None:
        return None
    value, known = _number(card.value(params, field.strength)), (card.parameters or {}).get(field.strength)
    if value is None:
        return None
    most = _MOST if known is None or known.maximum is None else Decimal(str(known.maximum))
    return Dial(field.strength, value, most)


def raised(card: Card, params: Params, by: float) -> Mapping[str, Json]:
    """`params` with the references' strength `by` higher, or as high as it goes; as they are where it
    cannot be raised."""
    found = dial(card, params)
    if found is None or not by or not found.turns:
        return params
    return {**params, found.name: float(min(found.value + Decimal(str(by)), found.most))}


def _number(value: Json) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None

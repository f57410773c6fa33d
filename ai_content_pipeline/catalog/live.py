"""What a vendor publishes of a model, as of a day, and the card that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField
from ai_content_pipeline.catalog.detection import dropped, file_fields
from ai_content_pipeline.catalog.openapi import Field
from ai_content_pipeline.jobs import Task

_COUNTS = ("num_images", "num_outputs", "num_samples", "number_of_images")
_PROMPTS = ("prompt", "text", "text_prompt")
_CATEGORIES = {
    "text-to-image": Task.TEXT_TO_IMAGE,
    "image-to-image": Task.IMAGE_TO_IMAGE,
    "text-to-video": Task.TEXT_TO_VIDEO,
    "image-to-video": Task.IMAGE_TO_VIDEO,
}


@dataclass(frozen=True, slots=True)
class LivePrice:
    """A vendor's base price: dollars for one `unit`, in the vendor's word. What is added is not told."""

    usd: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class LiveSchema:
    """The fields that a vendor published for an endpoint; `category` is its word for the task."""

    provider: str
    endpoint: str
    fetched: datetime
    fields: tuple[Field, ...]
    category: str | None = None
    price: LivePrice | None = None

    @property
    def task(self) -> Task | None:
        return _CATEGORIES.get(self.category or "")

    def field(self, name: str | None) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


def roles_of(schema: LiveSchema, task: Task) -> dict[Role, RoleField]:
    """Where the model takes files for `task`. Of two fields for one role: the required one, or the first."""
    found: dict[Role, RoleField] = {}
    for one in sorted(file_fields(schema.fields, task), key=lambda one: not one.field.required):
        field = one.field
        role = RoleField(
            field.name, one.many, field.required, field.max_items if one.many else None, takes=one.takes
        )
        found.setdefault(one.role, role)
    edits = found.get(Role.INPUT)
    if edits is not None and edits.many and Role.REFERENCE not in found:
        # A list of pictures to edit takes what is worked on first, and references after it.
        found[Role.REFERENCE] = RoleField(edits.name, many=True, max_items=edits.max_items)
    return {role: found[role] for role in Role if role in found}


def parameters_of(schema: LiveSchema, without: frozenset[str]) -> dict[str, Parameter]:
    """The fields that a user may set: all but those that the house fills."""
    return {field.name: parameter(field) for field in schema.fields if field.name not in without}


def parameter(field: Field) -> Parameter:
    heedless = dropped(field)
    return Parameter(
        type=field.type,
        enum=field.enum,
        minimum=field.minimum,
        maximum=field.maximum,
        default=field.default,
        deprecated=heedless,
        note="the vendor accepts it and ignores it; remove it" if heedless else None,
    )


def prompt_of(schema: LiveSchema) -> Field | None:
    named = (schema.field(name) for name in _PROMPTS)
    return next((field for field in named if field and field.type == "string"), None)


def seed_of(schema: LiveSchema) -> str | None:
    seed = schema.field("seed")
    return seed.name if seed and seed.type in ("integer", "number", "any") else None


def card_of(name: str, schema: LiveSchema, task: Task) -> Card:
    """A card for an endpoint that nobody described, by what its vendor publishes. Its price stays unknown:
    a base price without what is added to it is no upper bound."""
    roles = roles_of(schema, task)
    prompt, seed = prompt_of(schema), seed_of(schema)
    names = (prompt.name if prompt else None, seed, *(role.name for role in roles.values()))
    house = frozenset(name for name in names if name is not None)
    parameters: Mapping[str, Parameter] = parameters_of(schema, house)
    counts = (one for one in _COUNTS if one in parameters and parameters[one].type == "integer")
    return Card(
        key=name,
        title=name,
        provider=schema.provider,
        endpoint=schema.endpoint,
        tasks=tuple(Task),
        parameters=parameters,
        roles=roles,
        prompt=prompt.name if prompt else None,
        prompt_required=prompt is not None and prompt.required,
        seed=seed,
        count=next(counts, None),
        source=f"{schema.provider}'s published schema, {schema.fetched:%Y-%m-%d}",
    )

"""A plan in a file: what somebody looked at and agreed to, to be run exactly so or not at all.

The file holds what decides about work and money: the content of the pipeline and of the user's files, the
models with their cards, and each item's request, state and price. A run makes its own plan and compares
the two (`plan_changes`); nothing is taken from the file but the name of the pipeline and the options.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ai_content_pipeline.engine.plan import Plan, PlanItem, PlanState
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.pipeline.expansion import Expansion

SCHEMA = "aicp/plan/1"
_FAMILY = "aicp/plan/"
_MAX_BYTES = 64 << 20
_MAX_ENTRIES = 20_000

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=1 << 20)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000_000, max_digits=40)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedItem(_Frozen):
    """One item. `price_usd` is what it may cost now, None where nobody knows. `request` stands for what
    makes it and from what, `key` for its job where its inputs exist already."""

    address: Text
    state: PlanState
    model: Text | None
    price_usd: Dollars | None
    request: Text
    key: Sha256 | None


class PlannedModel(_Frozen):
    """Where a model lives, and a hash of its card: fields, roles, sizes and price."""

    endpoint: Text
    card: Sha256


class AgreedPlan(_Frozen):
    """`pipeline` is relative to the folder of the plan; `options` are the words of the command line that
    decide about the work. `content` is the pipeline file's, `values` what it came to with variables,
    profile and overrides; `files` are the user's own, `models` by step and name."""

    pipeline: Text
    options: Annotated[tuple[Text, ...], Field(max_length=1000)]
    content: Sha256
    values: Sha256
    files: Annotated[dict[Text, Sha256], Field(max_length=_MAX_ENTRIES)]
    models: Annotated[dict[Text, PlannedModel], Field(max_length=_MAX_ENTRIES)]
    items: Annotated[tuple[PlannedItem, ...], Field(max_length=_MAX_ENTRIES)]
    total_usd: Dollars
    unpriced: Annotated[tuple[Text, ...], Field(max_length=_MAX_ENTRIES)]

    @property
    def digest(self) -> str:
        """By it a change made by hand, or half a file, is found."""
        return _sha(self.model_dump_json().encode())


class _Any(BaseModel):
    """Any JSON object that says what it is."""

    schema_name: str = Field(alias="schema")


class _File(_Frozen):
    format: Literal["aicp/plan/1"] = Field(alias="schema")
    digest: Sha256
    plan: AgreedPlan


def agree(plan: Plan, expansion: Expansion, pipeline: str, options: tuple[str, ...]) -> AgreedPlan:
    """What a file says of `plan`. `pipeline` is the path it names, `options` as in `AgreedPlan`."""
    source = expansion.pipeline.source
    folder = source.path.parent
    return AgreedPlan(
        pipeline=_said(pipeline),
        options=tuple(map(_said, options)),
        content=_sha(source.path.read_bytes()),
        values=_sha(json.dumps(source.data, sort_keys=True, default=str).encode()),
        files={_said(_below(folder, path)): sha256 for sha256, path in expansion.files.items()},
        models={
            f"{step.name}: {name}": PlannedModel(
                endpoint=f"{card.provider}:{card.endpoint}", card=_sha(repr(card).encode("utf-8", "replace"))
            )
            for step in expansion.steps
            for name, card in step.setting.cards.items()
        },
        items=tuple(map(_item, plan.items)),
        total_usd=plan.price.usd,
        unpriced=plan.price.unpriced,
    )


def dump(agreed: AgreedPlan) -> str:
    """The text of the file."""
    plan = agreed.model_dump(mode="json")
    return json.dumps({"schema": SCHEMA, "digest": agreed.digest, "plan": plan}, indent=1) + "\n"


def read(path: Path) -> AgreedPlan:
    """The plan in a file.

    Raises:
        UsageError: there is none, it is another release's, or it was changed.
    """
    again = "make it anew with: aicp plan PIPELINE.yaml -o PLAN.json"
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror or error}", hint=again) from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path} is too large to be a plan", hint=again)
    schema = _schema(data)
    if schema is None:
        raise UsageError(f"{path} is no plan of aicp", hint=again)
    if schema != SCHEMA:
        raise UsageError(f"{path} is a plan of another release ({schema[:40]}, not {SCHEMA})", hint=again)
    try:
        found = _File.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"the plan {path} is damaged: {where}: {first['msg']}", hint=again) from error
    if found.digest != found.plan.digest:
        raise UsageError(f"the plan {path} was changed after it was written", hint=again)
    return found.plan


def is_plan(path: Path) -> bool:
    """Whether a file is a plan, of whatever release: then a new one may replace it.

    Raises:
        OSError: it cannot be read.
    """
    if path.stat().st_size > _MAX_BYTES:
        return False
    return _schema(path.read_bytes()) is not None


def _item(item: PlanItem) -> PlannedItem:
    return PlannedItem(
        address=item.address,
        state=item.state,
        model=item.model,
        price_usd=None if item.price.unpriced else item.price.usd,
        request=f"{item.unit.symbol}#{item.unit.ordinal}",
        key=item.key,
    )


def _schema(data: bytes) -> str | None:
    """What the file calls itself, if it is a plan at all."""
    try:
        name = _Any.model_validate_json(data).schema_name
    except ValidationError:
        return None
    return name if name.startswith(_FAMILY) else None


def _below(folder: Path, path: Path) -> str:
    """A file of the user's as the pipeline names it."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _said(text: str) -> str:
    """Text that UTF-8 can say: names of files may hold anything."""
    return text.encode("utf-8", "backslashreplace").decode()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

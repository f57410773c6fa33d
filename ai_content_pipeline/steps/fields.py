"""The YAML fields that steps share, as pydantic types. Each step's own fields stand in its own file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ai_content_pipeline.artifacts import Kind, Role, Route
from ai_content_pipeline.jobs import Json, Task
from ai_content_pipeline.steps.names import Fields, Name, Seed, as_list, is_name, reserved
from ai_content_pipeline.steps.protocol import Shape, YamlPath
from ai_content_pipeline.steps.selections import InputSpec, Selection
from ai_content_pipeline.steps.strategy import Consistency, Fallbacks, OnRejected, SeedMode

__all__ = [
    "EXCLUSION_LIST",
    "Entry",
    "Fields",
    "InputSpec",
    "LocalFields",
    "ModelFields",
    "ModelParams",
    "Name",
    "Names",
    "RouteWish",
    "Seed",
    "Selection",
    "StepFields",
    "is_name",
    "reserved",
]

#: Keys of ours that stand under `params`, between the step's own fields and the model's parameters,
#: and are never sent to a model: the exclusion list.
EXCLUSION_LIST = ("prompt", "prompts", "parallel", "max_workers", "strategy", "batch_size")

MAX_WORKERS = 128

#: References and groups of them; an entry with none of them says ``references: []``.
Names = Annotated[tuple[Name, ...], BeforeValidator(as_list), Field(strict=False)]


def _route(value: Any) -> Any:
    routes = ("auto", *(route.value for route in Route))
    if value not in routes:
        raise ValueError(f"{str(value)[:60]!r} is no route; choose one of {', '.join(routes)}")
    return None if value == "auto" else Route(value)


#: A route that was asked for by name; None for ``auto``.
RouteWish = Annotated[Route | None, BeforeValidator(_route)]


class Entry(Fields):
    """One line of ``prompts:``: text, null (the step's own prompt), or a mapping."""

    prompt: str | None = None
    seed: Seed | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    model: Annotated[str, Field(min_length=1)] | None = None
    file: str | None = None
    start: str | None = None
    end: str | None = None
    references: Names | None = None
    route: RouteWish | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if value is None:
            return {}
        if isinstance(value, str):
            return {"prompt": value}
        if not isinstance(value, dict):
            raise ValueError("a prompt is text; put numbers in quotes, or write null or {prompt: …, seed: …}")
        if value.get("file") is not None and value.get("start") is not None:
            raise ValueError("'file' and 'start' fill the same place; remove one")
        return value


class ModelParams(BaseModel):
    """``params:`` of a step that uses a model: the exclusion list typed, all else the model's own."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    prompt: str | None = None
    prompts: Annotated[tuple[Entry, ...], Field(strict=False, min_length=1)] | None = None
    parallel: bool = False
    max_workers: Annotated[int, Field(ge=1, le=MAX_WORKERS)] | None = None
    strategy: Literal["sequential", "batch", "parallel"] | None = None
    batch_size: Annotated[int, Field(ge=1, le=MAX_WORKERS)] | None = None
    seed: Seed | None = None

    @model_validator(mode="after")
    def _one_strategy(self) -> ModelParams:
        wanted = self.strategy == "parallel"
        if self.strategy is not None and "parallel" in self.model_fields_set and self.parallel != wanted:
            said = f"'parallel: {str(self.parallel).lower()}' and 'strategy: {self.strategy}'"
            raise ValueError(f"{said} contradict each other; remove one")
        if self.batch_size is not None and self.strategy != "batch":
            raise ValueError("'batch_size' means nothing here; add 'strategy: batch', or remove it")
        return self

    @property
    def own(self) -> dict[str, Json]:
        """The model's parameters: what is left after the exclusion list."""
        return dict(self.model_extra or {})

    @property
    def shape(self) -> Shape:
        if self.strategy == "batch":
            size = self.batch_size or 2
            return Shape(workers=min(size, self.max_workers or size), batch=size, parallel=True)
        if self.parallel or self.strategy == "parallel":
            return Shape(workers=self.max_workers or 4, parallel=True)
        return Shape(workers=1, ordered=True)


class StepFields(Fields):
    """What every step has."""

    name: Name
    type: str
    input: InputSpec | None = None
    enabled: bool = True
    on_error: Literal["continue", "stop"] = "continue"


class ModelFields(StepFields):
    """What every step that uses a model has."""

    task: ClassVar[Task]
    takes: ClassVar[Mapping[Role, frozenset[Kind]]]

    model: Annotated[str, Field(min_length=1)]
    params: ModelParams = ModelParams()
    model_params: dict[str, Any] = Field(default_factory=dict)
    seed_mode: SeedMode | None = None
    consistency: Consistency | None = None
    fallback: Fallbacks = ()
    on_rejected: OnRejected | None = None

    @model_validator(mode="after")
    def _another_model(self) -> ModelFields:
        models = [fallback.model for fallback in self.fallback]
        twice = next((name for at, name in enumerate(models) if name in (self.model, *models[:at])), None)
        if twice is not None:
            raise ValueError(f"'fallback' names {twice!r} though it was tried already; remove it there")
        if self.on_rejected == "fallback" and not self.fallback:
            raise ValueError("'on_rejected: fallback' needs a model to fall back to; add 'fallback: [model]'")
        return self

    @property
    def rejected(self) -> OnRejected:
        """What becomes of an item whose content the vendor refuses."""
        return self.on_rejected or ("fallback" if self.fallback else "fail")

    @property
    def models(self) -> Mapping[YamlPath, str]:
        found: dict[YamlPath, str] = {("model",): self.model}
        found |= {("fallback", at): fallback.model for at, fallback in enumerate(self.fallback)}
        for index, entry in enumerate(self.params.prompts or ()):
            if entry.model is not None:
                found["params", "prompts", index, "model"] = entry.model
        return found

    @property
    def shape(self) -> Shape:
        return self.params.shape


class LocalFields(StepFields):
    """What every step that runs here has. ``model: local`` is accepted and means nothing."""

    model: Literal["local"] | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _local(cls, value: Any) -> Any:
        if value not in (None, "local"):
            raise ValueError("this step runs here and uses no model; remove the line, or write model: local")
        return value

    @property
    def models(self) -> Mapping[YamlPath, str]:
        return {}

    @property
    def shape(self) -> Shape:
        return Shape(workers=min(8, os.cpu_count() or 1), parallel=True)

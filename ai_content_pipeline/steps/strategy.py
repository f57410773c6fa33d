"""The YAML fields that say how a step's items are made together: acceptance, seeds, and other models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ai_content_pipeline.steps.names import Fields, as_list

MAX_RETRIES = 9
MAX_FALLBACKS = 8


class Consistency(Fields):
    """``consistency:`` of a step: how alike its results must be to their references, and what if not.

    Scores and `min_score` run from 0 (nothing in common) to 1. Each retry counts its references by
    `raise_strength` more than the one before, where its model has a parameter for that.
    """

    metric: Literal["color", "color+orb", "clip"] = "color"
    min_score: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.5
    on_low: Literal["warn", "retry", "stop"] = "warn"
    max_retries: Annotated[int, Field(ge=1, le=MAX_RETRIES)] = 1
    raise_strength: Annotated[float, Field(ge=0.01, le=1, strict=False)] | None = None

    @field_validator("min_score", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{str(value)[:60]!r} is no score; write a number from 0 to 1")
        return value

    @field_validator("raise_strength", mode="before")
    @classmethod
    def _step(cls, value: Any) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{str(value)[:60]!r} is no step; write a number from 0.01 to 1, as in 0.1")
        return value

    @model_validator(mode="after")
    def _means_something(self) -> Consistency:
        for key in ("max_retries", "raise_strength"):
            if key in self.model_fields_set and self.on_low != "retry":
                raise ValueError(f"{key!r} means nothing here; add 'on_low: retry', or remove it")
        return self

    @property
    def retries(self) -> int:
        """How many further takes one low result may cost."""
        return self.max_retries if self.on_low == "retry" else 0


class Fallback(Fields):
    """One line of ``fallback:``: a model, or a model with parameters of its own."""

    model: Annotated[str, Field(min_length=1)]
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"model": value}
        if not isinstance(value, dict):
            raise ValueError("a fallback is a model, or {model: …, params: {…}}")
        return value


Fallbacks = Annotated[
    tuple[Fallback, ...], BeforeValidator(as_list), Field(strict=False, max_length=MAX_FALLBACKS)
]
OnRejected = Literal["fail", "skip", "fallback"]
SeedMode = Literal["shared", "per_item"]

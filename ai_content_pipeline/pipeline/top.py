"""The top of a pipeline file, as pydantic fields. Steps have their own files in `steps/`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from ai_content_pipeline.pipeline.project import check_output_dir
from ai_content_pipeline.steps.fields import Fields, Name, Seed, Selection, reserved

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def _dollars(value: Any) -> Any:
    """YAML numbers become exact money: 5.10 is 5.10, not the nearest binary fraction."""
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


Dollars = Annotated[Decimal, BeforeValidator(_dollars), Field(ge=0, le=1_000_000, decimal_places=6)]


class OfStep(Fields):
    """Pictures that an earlier step makes, as ``{step: portrait}``: all of its items, a slice or one."""

    step: Selection


class Declared(Fields):
    """One of the file's ``references``: a subject or a style."""

    images: Annotated[tuple[str | OfStep, ...], Field(min_length=1, max_length=32, strict=False)]
    description: Annotated[str, Field(min_length=1)] | None = None
    strength: Annotated[float, Field(ge=0, le=1)] | None = None


Group = Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]


class Top(Fields):
    """Every key of ours at the top of the file, `steps` apart."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str | None = None
    prompt: str | None = None
    output_dir: Annotated[str, AfterValidator(check_output_dir)]
    save_intermediates: bool = True
    seed: Seed | None = None
    max_cost: Dollars | None = None
    env: list[str] | dict[str, str | None] | None = None
    input_image: str | None = None
    input_video: str | None = None
    defaults: dict[str, Any] | None = None  # merged into the steps before this is read, see `layers`
    profiles: dict[str, Any] | None = None
    references: dict[Name, Declared] = Field(default_factory=dict)
    consistency_groups: dict[Name, Group] = Field(default_factory=dict)

    @field_validator("env", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """The reader has used `env` already; here only its shape matters, and numbers are fine defaults."""
        if isinstance(value, dict):
            return {key: None if text is None else str(text) for key, text in value.items()}
        return value


def file_name(text: str) -> str:
    """A folder name made of a pipeline's name."""
    plain = _UNSAFE.sub("_", text).strip("_")[:100] or "pipeline"
    return f"{plain}_1" if reserved(plain) else plain

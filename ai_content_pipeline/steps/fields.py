"""The YAML fields that steps share, as pydantic types. Each step's own fields stand in its own file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.steps.protocol import Input, Shape, YamlPath

#: Keys of ours that stand under `params`, between the step's own fields and the model's parameters,
#: and are never sent to a model: the exclusion list.
EXCLUSION_LIST = ("prompt", "prompts", "parallel", "max_workers", "strategy", "batch_size")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])")
_SELECTION = re.compile(
    r"(?P<step>[A-Za-z0-9_-]+)(?:/(?P<label>[^\[\]/\\]+)|\[(?P<first>-?\d+)?(?P<colon>:)?(?P<last>-?\d+)?\])?"
)

MAX_WORKERS = 128


def valid_name(name: str) -> str:
    """A name that is safe as a file name on every system."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: use letters, digits, '_' and '-', at most 64")
    if _RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} is reserved on Windows: choose another name")
    return name


Name = Annotated[str, AfterValidator(valid_name)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Fields(BaseModel):
    """Frozen, and strict: YAML has types, so ``"4"`` is no number of workers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Selection(Fields):
    """Items of an earlier step: all, one by `label`, or a slice ``scenes[1:]`` as in Python."""

    step: str
    label: str | None = None
    first: int | None = None
    last: int | None = None
    single: bool = False

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError('write the name of a step, a slice "scenes[1:]" or an item scenes/scene_2')
        match = _SELECTION.fullmatch(value)
        if match is None or value.endswith("[]") or (match["last"] and not match["colon"]):
            raise ValueError(f'{value!r} is no input: write a step, a slice "scenes[1:]" or scenes/scene_2')
        number = {key: int(match[key]) for key in ("first", "last") if match[key]}
        single = match["first"] is not None and match["colon"] is None
        return {"step": match["step"], "label": match["label"], "single": single, **number}

    def pick(self, inputs: Sequence[Input]) -> list[Input]:
        """The selected ones.

        Raises:
            LookupError: a label or index that is not there.
        """
        if self.label is not None:
            found = [entry for entry in inputs if entry.label == self.label]
            if not found:
                labels = ", ".join(entry.label for entry in inputs[:8])
                raise LookupError(f"{self.step} has no item {self.label!r}; it has {labels}")
            return found
        if self.single:
            try:
                return [inputs[self.first or 0]]
            except IndexError:
                raise LookupError(f"{self.step} has {len(inputs)} items, so no [{self.first}]") from None
        return list(inputs[self.first : self.last])


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Selections = Annotated[tuple[Selection, ...], BeforeValidator(_as_list), Field(min_length=1, strict=False)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1, strict=False)]


class InputSpec(Fields):
    """``input:`` in any of its forms. `items` fills the step's first role; the named ones their own."""

    items: Selections | None = None
    files: Patterns | None = None
    start: Selections | None = None
    end: Selections | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            return {"items": value}
        if isinstance(value, dict):
            if "items" in value:
                raise ValueError("'items' is no role: write start, end or files")
            if "files" in value and len(value) > 1:
                raise ValueError("'files' stands alone: use entries with 'file', 'start' or 'end' to mix")
            if not value:
                raise ValueError("names no input")
            return value
        raise ValueError('write the name of a step, a list of them, {start: …, end: …} or {files: ["*.png"]}')

    def roles(self, first: Role) -> dict[Role, tuple[Selection, ...]]:
        found = {first: self.items, Role.START: self.start or (self.items if first is Role.START else None)}
        found[Role.END] = self.end
        return {role: selections for role, selections in found.items() if selections}


class Entry(Fields):
    """One line of ``prompts:``: text, null (the step's own prompt), or a mapping."""

    prompt: str | None = None
    seed: Seed | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    model: str | None = None
    file: str | None = None
    start: str | None = None
    end: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if value is None:
            return {}
        if isinstance(value, str):
            return {"prompt": value}
        if not isinstance(value, dict):
            raise ValueError("a prompt is text (numbers in quotes), null, or a mapping with prompt, seed, …")
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
        if self.parallel and self.strategy not in (None, "parallel"):
            raise ValueError(f"'parallel: true' and 'strategy: {self.strategy}' contradict each other")
        if self.batch_size is not None and self.strategy != "batch":
            raise ValueError("'batch_size' needs 'strategy: batch'")
        return self

    @property
    def own(self) -> dict[str, Json]:
        """The model's parameters: what is left after the exclusion list."""
        return dict(self.model_extra or {})

    @property
    def shape(self) -> Shape:
        if self.strategy == "batch":
            size = self.batch_size or 2
            return Shape(workers=size, batch=size, parallel=True)
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

    model: str
    params: ModelParams = ModelParams()
    model_params: dict[str, Any] = Field(default_factory=dict)

    @property
    def models(self) -> Mapping[YamlPath, str]:
        found: dict[YamlPath, str] = {("model",): self.model}
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

    @property
    def models(self) -> Mapping[YamlPath, str]:
        return {}

    @property
    def shape(self) -> Shape:
        return Shape(workers=min(8, os.cpu_count() or 1), parallel=True)

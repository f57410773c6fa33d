"""The YAML fields that steps share, as pydantic types. Each step's own fields stand in its own file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ai_content_pipeline.artifacts import Kind, Role, Route
from ai_content_pipeline.jobs import Json, Task
from ai_content_pipeline.steps.protocol import Input, Shape, YamlPath

#: Keys of ours that stand under `params`, between the step's own fields and the model's parameters,
#: and are never sent to a model: the exclusion list.
EXCLUSION_LIST = ("prompt", "prompts", "parallel", "max_workers", "strategy", "batch_size")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ .]*(\..*)?")
_SELECTION = re.compile(
    r"(?P<step>[A-Za-z0-9_-]{1,64})"
    r"(?:/(?P<label>[^\[\]/\\]{1,100})|\[(?P<first>-?[0-9]{1,6})?(?P<colon>:)?(?P<last>-?[0-9]{1,6})?\])?"
)

MAX_WORKERS = 128


def valid_name(name: str) -> str:
    """A name that is safe as a file name on every system."""
    if not is_name(name):
        raise ValueError(f"{name[:80]!r} is no name; use letters, digits, '_' and '-', at most 64")
    if reserved(name):
        raise ValueError(f"{name!r} is a reserved name on Windows; choose another name")
    return name


def is_name(text: str) -> bool:
    """True for letters, digits, ``_`` and ``-``, at most 64."""
    return bool(_NAME.fullmatch(text))


def reserved(name: str) -> bool:
    """True for names that Windows gives to devices, with any suffix."""
    return bool(_RESERVED.fullmatch(name))


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
            raise ValueError(
                'an input is the name of a step; write scenes, a slice "scenes[1:]" or an item scenes/scene_2'
            )
        match = _SELECTION.fullmatch(value)
        if match is None or value.endswith("[]") or (match["last"] and not match["colon"]):
            raise ValueError(
                f'{value[:80]!r} is no input; write a step\'s name, a slice "scenes[1:]" or scenes/scene_2,'
                ' and {files: ["*.png"]} for files of your own'
            )
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
                more = f" and {len(inputs) - 8} more" if len(inputs) > 8 else ""
                if self.label.endswith((".last_frame", ".first_frame")):
                    raise LookupError("an input is whole items; write a still as the 'start' of an entry")
                raise LookupError(f"step {self.step!r} has no item {self.label!r}; it has {labels}{more}")
            return found
        if self.single:
            try:
                return [inputs[self.first or 0]]
            except IndexError:
                count = f"{len(inputs)} item{'s' if len(inputs) != 1 else ''}"
                raise LookupError(
                    f"step {self.step!r} has {count}, so no [{self.first}]; the first is [0]"
                ) from None
        picked = list(inputs[self.first : self.last])
        if not picked:
            raise LookupError(f"this selects nothing: step {self.step!r} has {len(inputs)} items")
        return picked


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Selections = Annotated[tuple[Selection, ...], BeforeValidator(_as_list), Field(min_length=1, strict=False)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1, strict=False)]
#: References and groups of them; an entry with none of them says ``references: []``.
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list), Field(strict=False)]


def _route(value: Any) -> Any:
    routes = ("auto", *(route.value for route in Route))
    if value not in routes:
        raise ValueError(f"{str(value)[:60]!r} is no route; choose one of {', '.join(routes)}")
    return None if value == "auto" else Route(value)


#: A route that was asked for by name; None for ``auto``.
RouteWish = Annotated[Route | None, BeforeValidator(_route)]


class InputSpec(Fields):
    """``input:`` in any of its forms. `items` fills the step's first role; the named ones their own."""

    items: Selections | None = None
    files: Patterns | None = None
    start: Selections | None = None
    end: Selections | None = None
    input: Selections | None = None
    mask: Selections | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            return {"items": value}
        if isinstance(value, dict):
            if "items" in value:
                raise ValueError("an input has no 'items'; write start, end or files")
            if "files" in value and len(value) > 1:
                raise ValueError(
                    "'files' stands alone; to mix, give entries of 'prompts' a file, start or end"
                )
            if not value:
                raise ValueError("this input names nothing; write start, end or files")
            return value
        raise ValueError(
            "an input is the name of a step; write that, a list of names, {start: …, end: …}"
            ' or {files: ["*.png"]}'
        )

    @property
    def steps(self) -> frozenset[str]:
        """The names of the steps that it takes items of."""
        every = (selection for group in (self.items, *self._named.values()) for selection in group or ())
        return frozenset(selection.step for selection in every)

    def roles(self, first: Role) -> dict[Role, tuple[Selection, ...]]:
        plain = {first: self.items} if self.items else {}
        return plain | {role: selections for role, selections in self._named.items() if selections}

    @property
    def _named(self) -> dict[Role, tuple[Selection, ...] | None]:
        return {Role.START: self.start, Role.END: self.end, Role.INPUT: self.input, Role.MASK: self.mask}


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

    task: ClassVar[Task]
    takes: ClassVar[Mapping[Role, frozenset[Kind]]]

    model: Annotated[str, Field(min_length=1)]
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

"""``input:`` of a step: which items of earlier steps, or which files, it takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.steps.names import Fields, as_list
from ai_content_pipeline.steps.protocol import Input

_SELECTION = re.compile(
    r"(?P<step>[A-Za-z0-9_-]{1,64})"
    r"(?:/(?P<label>[^\[\]/\\]{1,100})|\[(?P<first>-?[0-9]{1,6})?(?P<colon>:)?(?P<last>-?[0-9]{1,6})?\])?"
)


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


Selections = Annotated[tuple[Selection, ...], BeforeValidator(as_list), Field(min_length=1, strict=False)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1, strict=False)]


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

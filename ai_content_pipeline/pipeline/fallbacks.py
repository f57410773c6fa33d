"""A step on the models that it falls back to: the same items, asked of another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.pipeline.checked import PipelineStep
from ai_content_pipeline.steps.fields import ModelFields, ModelParams, StepFields
from ai_content_pipeline.steps.protocol import Fault, Faults, Input, Item, Setting
from ai_content_pipeline.steps.strategy import Fallback


@dataclass(frozen=True, slots=True)
class Variant:
    """A step with another model in place of its own. Items are aligned with the step's by index."""

    step: PipelineStep
    items: tuple[Item, ...]


@dataclass
class Fallbacks:
    """The variants of one step; what is wrong with them, and what they leave out, is collected."""

    step: PipelineStep
    setting: Setting
    inputs: Mapping[Role, Sequence[Input]]
    items: tuple[Item, ...]
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def variants(self) -> tuple[Variant, ...]:
        fields = self.step.fields
        if not isinstance(fields, ModelFields):
            return ()
        found = (self._variant(fields, at, fallback) for at, fallback in enumerate(fields.fallback))
        return tuple(variant for variant in found if variant is not None)

    def _variant(self, fields: ModelFields, at: int, fallback: Fallback) -> Variant | None:
        card = self.setting.cards[fallback.model]
        self._warn_of_losses(fields, fallback, card)
        known = set(card.parameters or ())
        variant = _on(fields, fallback, known)
        before = len(self.faults)
        for params in (variant.params.own, *(entry.params for entry in variant.params.prompts or ())):
            for misfit in catalog.check(card, fields.task, {**variant.params.own, **params}):
                self._fault(at, fallback, misfit.message, misfit.hint)
        if len(self.faults) > before:
            return None
        step = PipelineStep(variant, self.step.position)
        try:
            items = step.verbs.items(self.inputs, self.setting)
        except Faults as faults:
            for fault in faults.faults:
                self._fault(at, fallback, fault.message, fault.hint)
            return None
        if [(item.job, item.output) for item in items] != [(item.job, item.output) for item in self.items]:
            message = f"it makes {len(items)} files where {fields.model} makes {len(self.items)}"
            self._fault(at, fallback, message, "ask for one file a request, or fall back to another model")
            return None
        return Variant(step, items)

    def _fault(self, at: int, fallback: Fallback, message: str, hint: str | None) -> None:
        fault = Fault(("fallback", at), f"{fallback.model} cannot take over: {message}", hint)
        if fault not in self.faults:
            self.faults.append(fault)

    def _warn_of_losses(self, fields: ModelFields, fallback: Fallback, card: Card) -> None:
        given = {*fields.params.own, *fields.model_params}
        for entry in fields.params.prompts or ():
            given |= set(entry.params)
        lost = sorted(given - set(card.parameters or ()) - set(fallback.params))
        if lost:
            names = ", ".join(lost)
            self.warnings.append(f"{fields.name}: as a fallback, {fallback.model} is not sent {names}")
        field = card.roles.get(Role.REFERENCE)
        told = any(one.sent and one.strength is not None for one in self.setting.conditioning.values())
        raised = fields.consistency is not None and fields.consistency.raise_strength is not None
        if (told or raised) and (field is None or field.strength is None):
            words = "cannot be told how strongly a reference counts"
            self.warnings.append(f"{fields.name}: as a fallback, {fallback.model} {words}")


def unmeasurable(fields: StepFields, setting: Setting, items: Sequence[Item]) -> list[Fault]:
    """A step that is to compare its results, and has nothing to compare them with."""
    if not isinstance(fields, ModelFields) or fields.consistency is None:
        return []
    kept = any(found.names for found in setting.conditioning.values())
    if fields.consistency.raise_strength is not None and not kept:
        hint = "name 'references' on the step, or remove it"
        return [
            Fault(("consistency", "raise_strength"), "there is no reference to count more strongly", hint)
        ]
    if kept or any(item.inputs for item in items):
        return []
    hint = "name 'references' on the step, or remove it"
    return [Fault(("consistency",), "there is nothing to compare the results with", hint)]


def _on(fields: ModelFields, fallback: Fallback, known: set[str]) -> ModelFields:
    """`fields` with the fallback in place of every model, sent what that one knows and its own parameters."""
    params = fields.params
    own: dict[str, Any] = {
        name: getattr(params, name) for name in ModelParams.model_fields if name in params.model_fields_set
    }
    if params.prompts is not None:
        own["prompts"] = tuple(
            entry.model_copy(update={"model": None, "params": _sent(entry.params, fallback, known)})
            for entry in params.prompts
        )
    own |= {**_sent(params.own, fallback, known), **fallback.params}
    values = ModelParams.model_construct(**own)
    update = {"model": fallback.model, "params": values, "model_params": {}, "fallback": ()}
    return fields.model_copy(update=update)


def _sent(params: Mapping[str, Json], fallback: Fallback, known: set[str]) -> dict[str, Json]:
    return {key: value for key, value in params.items() if key in known and key not in fallback.params}

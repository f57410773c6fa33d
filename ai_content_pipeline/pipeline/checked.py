"""A pipeline file as typed values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ai_content_pipeline.pipeline.source import SourceFile
from ai_content_pipeline.pipeline.top import Top
from ai_content_pipeline.steps.fields import StepFields
from ai_content_pipeline.steps.protocol import Step


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """A step's typed fields and where it stands in the file's ``steps:``."""

    fields: StepFields
    position: int

    @property
    def name(self) -> str:
        return self.fields.name

    @property
    def verbs(self) -> Step:
        """The same object, as what a step can do (every registered type satisfies `Step`)."""
        return cast(Step, self.fields)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A checked file. `steps` are the enabled ones, in order; `disabled` the names of the others;
    `warnings` what is to be said of it.

    Only while the problems of a wrong file are collected, `unreadable` maps the positions of the steps
    that could not be read to their names.
    """

    source: SourceFile
    top: Top
    steps: tuple[PipelineStep, ...]
    disabled: frozenset[str] = frozenset()
    unreadable: tuple[tuple[int, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names of all steps."""
        return frozenset(step.name for step in self.steps) | self.disabled

    @property
    def path(self) -> Path:
        return self.source.path

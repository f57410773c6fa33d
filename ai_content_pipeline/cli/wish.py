"""A command line that plans or runs a pipeline, parsed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.errors import UsageError

if TYPE_CHECKING:
    from ai_content_pipeline.engine.selection import Selection


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a pipeline, and how. `redo` is the address of an item to make anew, `plan` a file
    with the plan that was agreed to."""

    command: str
    pipeline: Path | None
    showing: Showing
    overrides: tuple[str, ...] = ()
    profile: str | None = None
    only: tuple[str, ...] = ()
    start: str | None = None
    until: str | None = None
    draft: bool = False
    output_dir: Path | None = None
    max_cost: str | None = None
    allow_unpriced: bool = False
    yes: bool = False
    locked: bool = False
    redo: str | None = None
    plan: Path | None = None
    env_file: Path | None = None
    cancel_on_interrupt: bool = False
    given_twice: bool = field(default=False, repr=False)

    @classmethod
    def of(
        cls, command: str, pipeline: Path | None, config: Path | None, showing: Showing, **rest: Any
    ) -> Wish:
        return cls(command, pipeline or config, showing, given_twice=bool(pipeline and config), **rest)

    @property
    def path(self) -> Path:
        if self.given_twice:
            raise UsageError(
                "the pipeline is named twice", hint="give it as an argument or with --config, not both"
            )
        if self.pipeline is None:
            raise UsageError("no pipeline file", hint=f"aicp {self.command} PIPELINE.yaml")
        return self.pipeline

    @property
    def plan_words(self) -> list[str]:
        """The options that decide which work the file means."""
        words = ["--draft"] if self.draft else []
        words += ["--profile", self.profile] if self.profile is not None else []
        for override in self.overrides:
            words += ["--set", override]
        return words

    @property
    def selection(self) -> Selection:
        from ai_content_pipeline.engine.selection import Selection

        return Selection(self.only, self.start, self.until)

    def retry(self, address: str | None) -> str:
        """The command line that redoes one item, or goes on with everything."""
        words = ["aicp", "run-chain" if address is None else "redo", str(self.path)]
        if address is not None:
            words.append(address)
        elif self.redo is not None:
            words[1:] = ["redo", str(self.path), self.redo]
        else:
            words += self.selection.options
            words += ["--plan", str(self.plan)] if self.plan is not None else []
        words += self.plan_words
        words += ["--max-cost", self.max_cost] if self.max_cost else []
        words += ["--env-file", str(self.env_file)] if self.env_file else []
        words += ["--output-dir", str(self.output_dir)] if self.output_dir else []
        return shlex.join(words)

"""Which steps go on: a failure, or a result too unlike its references, closes the gate of its step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_content_pipeline.engine.graph import Unit
from ai_content_pipeline.engine.results import ItemResult, ItemState

_BAD = (ItemState.FAILED, ItemState.IN_DOUBT)


@dataclass
class StepGates:
    """Asked before anything of a step is begun; told of every unit that ended. Used by worker threads.

    What is there already is not begun, and so passes a closed gate.
    """

    _closed: dict[str, str] = field(default_factory=dict)  # step → why

    def passed(self, unit: Unit, results: Sequence[ItemResult]) -> None:
        """`unit` has ended: close its step's gate if it was not accepted."""
        low = next((result for result in results if not result.accepted), None)
        if low is not None and unit.rule is not None:
            reason = f"{low.address} is off subject (on_low: {unit.rule.on_low})"
            self._closed.setdefault(unit.step.name, reason)
        if unit.step.fields.on_error == "stop":
            failed = next((result.address for result in results if result.state in _BAD), None)
            if failed is not None:
                self._closed.setdefault(unit.step.name, f"{failed} failed (on_error: stop)")

    def closed(self, step: str) -> str | None:
        """Why nothing more of `step` is begun; None: it goes on."""
        reason = self._closed.get(step)
        return None if reason is None else f"not started, because {reason}"

"""What goes wrong, as a script: typed rules, written in Python, JSON or YAML.

::

    seed: 7
    rules:
      - match: {vendor: fal, endpoint: "fal-ai/kling*", nth: 2, times: 1}
        action: {kind: drop}                 # the second clip is accepted, and the answer lost
      - match: {route: [status], vendor: replicate}
        action: {kind: status, code: 429, retry_after: 30}
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from ai_content_pipeline.errors import UsageError

from .actions import AnyAction, ClockSkew, Delay, Frozen, Reset, Route, RunTime, Vendor


class Match(Frozen):
    """Which requests a rule hits. `endpoint` is a glob, `prompt` a part of the job's prompt.

    Of the requests that fit, the `nth` (from 1) is the first to be hit, and `times` in a row are
    (all that follow when None).
    """

    vendor: Vendor | None = None
    route: tuple[Route, ...] = ()
    endpoint: str = "*"
    prompt: str = ""
    nth: int = Field(default=1, ge=1)
    times: int | None = Field(default=None, ge=1)


class Rule(Frozen):
    match: Match = Match()
    action: AnyAction

    @model_validator(mode="after")
    def _means_something(self) -> Rule:
        useless = set(self.match.route) - self.action.applies
        if useless and not isinstance(self.action, ClockSkew):
            raise ValueError(f"{self.action.kind} does nothing on {', '.join(sorted(useless))}")
        if isinstance(self.action, Reset) and self.action.when == "before_body" and self.match.prompt:
            raise ValueError("a reset before the body cannot depend on the prompt")
        return self


class Script(Frozen):
    """Rules in order; `seed` makes every drawn latency the same again."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """What a request is about, as far as rules look at it."""

    vendor: Vendor
    route: Route
    endpoint: str = ""
    prompt: str = ""


class Faults:
    """A script at work: counts what fitted each rule. Not for several threads at once."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._fitted = [0] * len(script.rules)

    def early(self, call: Call) -> bool:
        """True when the connection is to be reset before the body is read."""
        return bool(list(self._hits(call, early=True)))

    def take(self, call: Call) -> tuple[AnyAction, ...]:
        """The actions for this request; counts it."""
        return tuple(self._hits(call, early=False))

    def skew(self, vendor: Vendor) -> float:
        """Seconds by which the vendor's clock is ahead."""
        return sum(
            rule.action.seconds
            for rule in self.script.rules
            if isinstance(rule.action, ClockSkew) and rule.match.vendor in (None, vendor)
        )

    def _hits(self, call: Call, *, early: bool) -> Iterator[AnyAction]:
        for index, rule in enumerate(self.script.rules):
            if _is_early(rule.action) is not early or not _fits(rule, call):
                continue
            self._fitted[index] += 1
            hit = self._fitted[index] - rule.match.nth
            if hit >= 0 and (rule.match.times is None or hit < rule.match.times):
                yield self._drawn(rule.action, f"{self.script.seed}:{index}:{hit}")

    def _drawn(self, action: AnyAction, seed: str) -> AnyAction:
        """The action with its distribution replaced by this hit's number of seconds."""
        if isinstance(action, Delay | RunTime) and not isinstance(action.seconds, float):
            rng = random.Random(seed)  # noqa: S311 - latencies, not secrets
            return action.model_copy(update={"seconds": action.seconds.draw(rng)})
        return action


def _is_early(action: AnyAction) -> bool:
    return isinstance(action, Reset) and action.when == "before_body"


def _fits(rule: Rule, call: Call) -> bool:
    match = rule.match
    return (
        call.route in rule.action.applies
        and (not match.route or call.route in match.route)
        and match.vendor in (None, call.vendor)
        and match.prompt in call.prompt
        and fnmatchcase(call.endpoint, match.endpoint)
    )


def read_script(path: Path) -> Script:
    """A script from a YAML or JSON file. Raises `UsageError` naming every mistake."""
    import yaml

    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as a fault script: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()]
        hint = "the sandbox's documentation lists every action"
        raise UsageError(f"{path}: not a fault script:\n" + "\n".join(lines), hint=hint) from error

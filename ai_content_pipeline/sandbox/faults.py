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
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ai_content_pipeline.errors import UsageError

Vendor = Literal["fal", "replicate"]
Route = Literal["submit", "status", "result", "cancel", "list", "token", "upload", "download", "model"]

EVERY_ROUTE: frozenset[Route] = frozenset(
    ("submit", "status", "result", "cancel", "list", "token", "upload", "download", "model")
)
SUBMIT: frozenset[Route] = frozenset(("submit",))


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Uniform(Frozen):
    """Seconds, evenly between `low` and `high`."""

    low: float = Field(ge=0)
    high: float = Field(ge=0)

    def draw(self, rng: random.Random) -> float:
        return rng.uniform(self.low, self.high)


class Lognormal(Frozen):
    """Seconds with a long tail, as vendors have it: half above `median`, none above `maximum`."""

    median: float = Field(gt=0)
    sigma: float = Field(default=0.5, ge=0)
    maximum: float = float("inf")

    def draw(self, rng: random.Random) -> float:
        return min(self.maximum, self.median * rng.lognormvariate(0, self.sigma))


Seconds = Annotated[float, Field(ge=0)] | Uniform | Lognormal


class Action(Frozen):
    """`applies` are the routes on which the action means something; `match.route` narrows them."""

    applies: ClassVar[frozenset[Route]] = EVERY_ROUTE


# ---- the answer on the wire -------------------------------------------------------------------------


class Delay(Action):
    """The answer comes late; the request itself was served at once."""

    kind: Literal["delay"] = "delay"
    seconds: Seconds


class Status(Action):
    """This HTTP status instead of serving the request.

    `retry_after` is sent as it is (``"1000000000"``); ``"date+30"`` is the HTTP date 30 s ahead.
    """

    kind: Literal["status"] = "status"
    code: int = Field(ge=400, le=599)
    retry_after: int | str | None = None
    body: Literal["vendor", "nginx", "text", "json_string", "empty"] = "vendor"


class Reset(Action):
    """The connection is reset and nothing was accepted."""

    kind: Literal["reset"] = "reset"
    when: Literal["before_body", "after_body"] = "after_body"


class Drop(Action):
    """The request is served (a job IS created) and the connection closed without an answer."""

    kind: Literal["drop"] = "drop"


class Hang(Action):
    """The request is served, and the answer does not come while any client would wait."""

    kind: Literal["hang"] = "hang"
    seconds: float = 3600.0


class Drip(Action):
    """The body arrives `chunk` bytes at a time with a pause between."""

    kind: Literal["drip"] = "drip"
    chunk: int = Field(default=256, ge=1)
    pause: float = Field(default=0.05, ge=0)


class Truncate(Action):
    """Headers promise the whole body, the connection closes after the part `keep` of it."""

    kind: Literal["truncate"] = "truncate"
    keep: float = Field(default=0.5, ge=0, le=1)


class Cut(Action):
    """A complete HTTP answer whose body is only the first part: truncated JSON, or half a picture."""

    kind: Literal["cut"] = "cut"
    keep: float = Field(default=0.5, ge=0, le=1)


class Empty(Action):
    """200 with no body."""

    kind: Literal["empty"] = "empty"


class Html(Action):
    """200 with an HTML error page in place of the answer."""

    kind: Literal["html"] = "html"


class Redirect(Action):
    """302 to `url`."""

    kind: Literal["redirect"] = "redirect"
    url: str


class WrongMedia(Action):
    """A real picture of another format, under the promised content type."""

    applies: ClassVar[frozenset[Route]] = frozenset(("download",))
    kind: Literal["wrong_media"] = "wrong_media"
    format: Literal["GIF", "BMP", "TIFF", "JPEG", "PNG"] = "GIF"


# ---- what becomes of a job: decided when it is accepted ---------------------------------------------


class RunTime(Action):
    """The job's own time, queue included, instead of the default."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["run_time"] = "run_time"
    seconds: Seconds


class Reject(Action):
    """The content policy refuses the job: fal answers 422, Replicate's prediction fails."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["reject"] = "reject"
    billed: bool = False


class Fail(Action):
    """The model fails. `code` is the HTTP status of fal's result."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["fail"] = "fail"
    reason: str = "CUDA out of memory"
    code: int = Field(default=500, ge=400, le=599)
    billed: bool = False


class ErrorBody(Action):
    """fal: COMPLETED, and the result is 200 with an error as its body."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["error_body"] = "error_body"
    billed: bool = False


class Stuck(Action):
    """The status never changes, the job never ends."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["stuck"] = "stuck"
    phase: Literal["queued", "running"] = "running"


class Backwards(Action):
    """While the job runs, every other poll says that it is queued again."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["backwards"] = "backwards"


class UnknownStatus(Action):
    """The first `polls` polls answer a status word that no client knows."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["unknown_status"] = "unknown_status"
    word: str = "WARMING_UP"
    polls: int = Field(default=3, ge=1)


class Aborted(Action):
    """Replicate: the prediction ends as ``aborted`` before it starts."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["aborted"] = "aborted"


class Gone(Action):
    """The finished job's data is deleted: its output, or only the files that the output names."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["gone"] = "gone"
    what: Literal["result", "files"] = "result"


class Outputs(Action):
    """The result lists `count` outputs, however many were asked for (and paid)."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["outputs"] = "outputs"
    count: int = Field(default=0, ge=0)


class OutputUrl(Action):
    """The result names this address instead of the sandbox's own file."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["output_url"] = "output_url"
    url: str


class CompletedTwice(Action):
    """Finished, then running for one poll, then finished; the listing shows the job twice."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["completed_twice"] = "completed_twice"


# ---- the rest ---------------------------------------------------------------------------------------


class ExpireUpload(Action):
    """The uploaded file is deleted after `seconds`."""

    applies: ClassVar[frozenset[Route]] = frozenset(("upload",))
    kind: Literal["expire_upload"] = "expire_upload"
    seconds: float = 0.0


class Cancel(Action):
    """What the vendor answers to a cancel, where it is not the usual.

    `ignored`: accepted, and the job goes on; `too_late`: it says that the job is finished;
    `not_found`: it says that there is no such job; `forgotten`: cancelled, and unknown afterwards.
    """

    applies: ClassVar[frozenset[Route]] = frozenset(("cancel",))
    kind: Literal["cancel"] = "cancel"
    answer: Literal["ignored", "too_late", "not_found", "forgotten"]


class ClockSkew(Action):
    """The vendor's clock (Date header, every timestamp) is wrong by `seconds`, on every route."""

    applies: ClassVar[frozenset[Route]] = frozenset()
    kind: Literal["clock_skew"] = "clock_skew"
    seconds: float


AnyAction = Annotated[
    Delay | Status | Reset | Drop | Hang | Drip | Truncate | Cut | Empty | Html | Redirect | WrongMedia
    | RunTime | Reject | Fail | ErrorBody | Stuck | Backwards | UnknownStatus | Aborted | Gone | Outputs
    | OutputUrl | CompletedTwice | ExpireUpload | Cancel | ClockSkew,
    Field(discriminator="kind"),
]  # fmt: skip


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
        return any(True for _ in self._hits(call, early=True))

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

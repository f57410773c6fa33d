"""What a fault script can do: to the answer on the wire, to a job, to a file or a clock."""

from __future__ import annotations

import random
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class RateLimit(Action):
    """At most `submits` within `seconds`; more are answered 429 with `Retry-After`, unless not `told`.

    `told`: every answer says how many are left and when that is reset, as Replicate's do.
    """

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["rate_limit"] = "rate_limit"
    submits: int = Field(default=6, ge=1)
    seconds: float = Field(default=60.0, gt=0)
    told: bool = True


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


class OffSubject(Action):
    """The result shows something else: one strong colour, far from those of the job's inputs."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["off_subject"] = "off_subject"


class BlackedOut(Action):
    """A safety check refuses the result after it was made: all black, and billed. fal flags pictures, too."""

    applies: ClassVar[frozenset[Route]] = SUBMIT
    kind: Literal["blacked_out"] = "blacked_out"


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
    Delay | Status | RateLimit | Reset | Drop | Hang | Drip | Truncate | Cut | Empty | Html | Redirect
    | WrongMedia | RunTime | Reject | Fail | ErrorBody | Stuck | Backwards | UnknownStatus | Aborted | Gone
    | Outputs | OutputUrl | OffSubject | BlackedOut | CompletedTwice | ExpireUpload | Cancel | ClockSkew,
    Field(discriminator="kind"),
]  # fmt: skip

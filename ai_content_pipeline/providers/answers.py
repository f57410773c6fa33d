"""Reading what vendors answer: JSON of no fixed shape, and text that nobody may trust."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from functools import lru_cache

import httpx

from ai_content_pipeline.jobs import Json

#: Where models put their results, the likeliest first; other keys (thumbnail, mask, timings) are not results.
_RESULT_KEYS = ("images", "image", "videos", "video", "outputs", "output", "files", "file", "data", "url")
_URL = re.compile(r"(https?|file|ftp):|data:(image|video|application)/", re.IGNORECASE)
_PERCENT = re.compile(r"(?<![\d.])(100|\d{1,2})(?:\.\d+)?\s?%")
_POLICY = re.compile(
    r"content[_ ](policy|checker|moderation)|safety (filter|checker|system)|\bnsfw\b|flagged|"
    r"sensitive content|\bE005\b",
    re.IGNORECASE,
)
_MESSAGE = 300  # characters
_DEPTH = 6  # how deep answers are looked into
#: Seconds: no vendor is taken at its word that wants to be left alone for longer. One said thirty years.
_LONGEST_PAUSE = 3600.0


def body_of(response: httpx.Response) -> Json:
    """The answer's JSON; None for anything else (an HTML error page, half an answer, nothing)."""
    try:
        value: Json = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return value


def object_of(response: httpx.Response) -> dict[str, Json]:
    """The answer's JSON object; empty for anything else."""
    value = body_of(response)
    return value if isinstance(value, dict) else {}


def says_404(response: httpx.Response) -> bool:
    """The vendor's own 404, not a gateway's page."""
    return response.status_code == 404 and bool(object_of(response))


def clean(text: str, limit: int = _MESSAGE) -> str:
    """One line that is safe to show: no control, bidi or invisible characters, and not too long."""
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    return " ".join(line.split())[:limit]


def explained(body: Json, depth: int = _DEPTH) -> str:
    """What an error's body says, in either vendor's form; empty when it says nothing."""
    if isinstance(body, str):
        return body
    if isinstance(body, list) and depth:
        return "; ".join(filter(None, (explained(part, depth - 1) for part in body[:5])))
    if not isinstance(body, dict) or not depth:
        return ""
    field = body.get("loc")
    where = f"{field[-1]}: " if isinstance(field, list) and field else ""
    for name in ("detail", "msg", "message", "error", "title"):
        if said := explained(body.get(name), depth - 1):
            return where + said
    return ""


def result_urls(value: Json) -> tuple[str, ...]:
    """The URLs of a result's files, in the vendor's order.

    Known shapes: ``images[].url``, ``image.url``, ``video.url``, ``videos[]``, a string, a list of
    strings, an object of any of these.
    """
    return tuple(_urls(value, _DEPTH))


def _urls(value: Json, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if _URL.match(value):
            yield value
    elif isinstance(value, list) and depth:
        for part in value:
            yield from _urls(part, depth - 1)
    elif isinstance(value, dict) and depth:
        url = value.get("url")
        if isinstance(url, str):
            yield url  # whatever it is: the downloader says what is wrong with it
            return
        found = (tuple(_urls(value.get(key), depth - 1)) for key in _RESULT_KEYS)
        yield from next(filter(None, found), ())


def last_line(log: str) -> str | None:
    """The last line of a log that says something, as a progress bar left it."""
    lines = re.split(r"[\r\n]+", log[-4000:])
    return next((line for raw in reversed(lines) if (line := clean(raw, 120))), None)


def progress(log: str) -> float | None:
    """The last percentage that a log shows (tqdm and its like), as 0 to 1."""
    found = _PERCENT.findall(log[-4000:])
    return int(found[-1]) / 100 if found else None


def same(ours: Json, theirs: Json) -> bool:
    """Whether two payloads are equal as JSON: 5 and 5.0 are one number, true is not 1, "5" is text."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if _is_number(ours) and _is_number(theirs):
        return Decimal(str(ours)) == Decimal(str(theirs))
    return type(ours) is type(theirs) and ours == theirs


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def moment(value: Json) -> datetime | None:
    """A vendor's timestamp; UTC where it names no zone. None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def number(value: Json) -> Decimal | None:
    """A count or an amount from 0 to 10¹²; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= 10**12 else None


def text(values: Mapping[str, Json], name: str) -> str:
    """The text under `name`; empty where there is none."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


def error_kinds(body: Json, depth: int = _DEPTH) -> tuple[str, ...]:
    """The machine-readable words for an error: ``content_policy_violation``, ``runner_disconnected``…"""
    if isinstance(body, list) and depth:
        return tuple(kind for part in body[:5] for kind in error_kinds(part, depth - 1))
    if not isinstance(body, dict) or not depth:
        return ()
    own = [text(body, name) for name in ("type", "error_type")]
    return (*filter(None, own), *error_kinds(body.get("detail"), depth - 1))


def is_policy(body: Json) -> bool:
    """Whether an error is about content that is not allowed. What it echoes of the input is not read."""
    return _POLICY.search(" ".join((explained(body), *error_kinds(body)))) is not None


def retry_after(response: httpx.Response) -> float | None:
    """For how many seconds the vendor asks to be left alone: at most an hour; None if it does not."""
    wish = response.headers.get("retry-after", "").strip()
    seconds = number(wish) if wish else number(object_of(response).get("retry_after"))
    if seconds is not None:
        return min(float(seconds), _LONGEST_PAUSE)
    date = http_date(wish)
    if date is None:
        return None
    now = http_date(response.headers.get("date")) or datetime.now(UTC)
    return min(max(0.0, (date - now).total_seconds()), _LONGEST_PAUSE)


@lru_cache(maxsize=64)
def http_date(text: str | None) -> datetime | None:
    """A date of HTTP's; None for anything else. All answers of one second have the same."""
    try:
        date = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date

"""Fetching a vendor's result: without a credential, from public hosts, within limits, as often as needed."""

from __future__ import annotations

import base64
import binascii
import http.client
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import httpx

from ai_content_pipeline.errors import AicpError, BadMedia, ProviderUnavailable
from ai_content_pipeline.media.exchange import Answer, Exchange, pieces
from ai_content_pipeline.media.guarded import Guard, Resolve, resolve
from ai_content_pipeline.media.hosts import HostRule, check_url
from ai_content_pipeline.media.timed import check

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAY_MEND = frozenset({408, 425, 429, 500, 502, 503, 504})
#: How storage hosts refuse a signed URL that ran out, and a firewall anything at all.
_FORBIDDEN = 403
_NOT_THERE = frozenset({404, 410})
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "ai-content-pipeline"}
_PIECE = 1 << 16  # bytes read at once


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost in bytes and seconds. `slowest` in bytes a second, after `patience`."""

    size: int = 2 * 1024**3
    inline: int = 64 * 1024**2  # of a data: URI
    seconds: float = 1800.0  # for all tries together
    idle: float = 30.0  # between two pieces
    slowest: float = 4096.0
    patience: float = 15.0
    redirects: int = 5
    tries: int = 5  # of what may mend, with pauses of 0.5, 1, 2 and 4 s between


LIMITS = Limits()


class Forbidden(FileNotFoundError, PermissionError):
    """The host refuses this URL. The file may still be there, for a newer URL or for somebody else."""


def download(
    url: str,
    path: Path,
    *,
    allow: HostRule = HostRule(),  # noqa: B008 - frozen
    limits: Limits = LIMITS,
    wait: Callable[[float], object] = time.sleep,
    stopped: Callable[[], bool] = bool,
    resolve: Resolve = resolve,
    context: ssl.SSLContext | None = None,
) -> None:
    """Write what is at `url` to `path`. What it is, is the caller's to verify by decoding.

    `path` is a temporary name, whose bytes stay there when they are not good. `wait` sleeps between
    tries; `stopped` says, several times a second, whether to give up. `context` trusts other certificate
    authorities than the usual ones.

    Raises:
        Interrupted: `stopped` said so.
        BadMedia: refused, empty, cut off or too large. Asking again is free.
        ProviderUnavailable: the network or the host, after several tries; it may mend.
        FileNotFoundError: the host says that it is not there, or no longer, or not for us (`Forbidden`).
    """
    if url[:5].lower() == "data:":
        _write(path, [_decoded(url, limits)])
        return
    until = time.monotonic() + limits.seconds
    exchange = Exchange(Guard(allow, resolve), until, limits.idle, stopped, context)
    fetch = _Fetch(path, allow, limits, exchange)
    for pause in [0.5 * 2**n for n in range(limits.tries - 1)]:
        try:
            fetch.run(url)
        except (ProviderUnavailable, FileNotFoundError):
            # Not there yet, maybe: stores lag behind queues, and giving up loses what was paid.
            wait(pause)
            check(stopped)
        else:
            return
    fetch.run(url)


@dataclass(frozen=True)
class _Fetch:
    path: Path
    allow: HostRule
    limits: Limits
    exchange: Exchange

    def run(self, text: str) -> None:
        """One try: follow redirects, each judged like the first URL, to a file that is stored."""
        url = check_url(text, self.allow)
        seen = {str(url)}
        while location := self._get(url):
            url = self._next(url, location, seen)
            seen.add(str(url))

    def _next(self, url: httpx.URL, location: str, seen: set[str]) -> httpx.URL:
        try:
            target = str(url.join(location))
        except (httpx.InvalidURL, ValueError) as error:
            raise BadMedia(f"{_shown(url)} redirects to something that is no URL") from error
        following = check_url(target, self.allow)
        if url.scheme == "https" and following.scheme != "https":
            raise BadMedia(f"{_shown(url)} redirects from https to http")
        if str(following) in seen:
            raise BadMedia(f"{_shown(url)} redirects in a circle")
        if len(seen) > self.limits.redirects:
            raise BadMedia(f"{_shown(url)} redirects more than {self.limits.redirects} times")
        return following

    def _get(self, url: httpx.URL) -> str | None:
        """Store the file; or answer with where it is instead."""
        with _translated(url), self.exchange.answer("GET", url, _HEADERS) as answer:
            location = answer.headers.get("Location")
            if answer.status in _REDIRECTS and location:
                return _utf8(location)
            self._check(url, answer)
            if not _write(self.path, self._pieces(url, answer)):
                raise BadMedia(f"{_shown(url)} is empty")
        return None

    def _check(self, url: httpx.URL, answer: Answer) -> None:
        status = answer.status
        if status in _MAY_MEND:
            raise ProviderUnavailable(f"{_shown(url)} answers {status}")
        if status == _FORBIDDEN:
            raise Forbidden(f"{_shown(url)} answers {status}")
        if status in _NOT_THERE:
            raise FileNotFoundError(f"{_shown(url)} answers {status}")
        if status != 200:
            raise BadMedia(f"{_shown(url)} answers {status} instead of a file")
        if answer.getheader("Content-Encoding", "identity").lower() != "identity":
            # Never asked for; what a few kilobytes unpack to cannot be known beforehand.
            raise BadMedia(f"{_shown(url)} sends its file compressed")
        length = answer.length
        if length is not None and length > self.limits.size:
            raise BadMedia(f"{_shown(url)} is {length} bytes; at most {self.limits.size} are fetched")

    def _pieces(self, url: httpx.URL, answer: Answer) -> Iterator[bytes]:
        limits, size, started = self.limits, 0, time.monotonic()
        with _translated(url):  # here, because whoever writes them takes an OSError for the disk's
            try:
                for piece in pieces(answer, _PIECE):
                    size += len(piece)
                    elapsed = time.monotonic() - started
                    if size > limits.size:
                        raise BadMedia(
                            f"{_shown(url)} is larger than the {limits.size} bytes that are fetched"
                        )
                    if size < limits.slowest * (elapsed - limits.patience):
                        raise ProviderUnavailable(f"{_shown(url)} sends its file too slowly")
                    yield piece
            except http.client.HTTPException as error:
                raise BadMedia(f"{_shown(url)} was cut off after {size} bytes") from error


@contextmanager
def _translated(url: httpx.URL) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # an OSError by birth, and the host's answer here
        raise
    except (OSError, http.client.HTTPException) as error:
        why = ascii(str(error))[1:-1][:150] or type(error).__name__
        raise ProviderUnavailable(f"{_shown(url)} cannot be fetched ({why})") from error


def _write(path: Path, pieces: Iterable[bytes]) -> int:
    """How many bytes were written. This disk's troubles must not look like a file that the vendor deleted."""
    try:
        with path.open("wb") as file:
            return sum(map(file.write, pieces))
    except OSError as error:
        raise AicpError(
            f"the result cannot be stored: {error.strerror}",
            hint="make room; the same command, or `aicp fetch`, collects it at no cost",
        ) from error


def _decoded(url: str, limits: Limits) -> bytes:
    """The bytes that a data: URI carries itself."""
    head, comma, body = url[5:].partition(",")
    kind, *flags = head.lower().split(";")
    if not comma or not kind.startswith(("image/", "video/", "application/octet-stream")):
        raise BadMedia("the vendor's data: URI holds neither a picture nor a video")
    try:
        data = unquote_to_bytes(body)
        data = base64.b64decode(data, validate=True) if "base64" in flags else data
    except binascii.Error as error:
        raise BadMedia("the vendor's data: URI cannot be decoded") from error
    if not 0 < len(data) <= limits.inline:
        raise BadMedia(f"the vendor's data: URI holds nothing, or more than {limits.inline} bytes")
    return data


def _utf8(header: str) -> str:
    """A header, which `http.client` reads as Latin-1, as its host will have meant it."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _shown(url: httpx.URL) -> str:
    """For messages: without the query, where signed URLs keep their signature."""
    return str(url.copy_with(query=None, fragment=None))[:120]

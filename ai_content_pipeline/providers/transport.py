"""The HTTP transport under both vendors' clients: what is paid is sent once, and keys stay at home.

The official clients are given it in place of their own. fal's resends a submit up to ten times when the
connection drops; Replicate's switches every timeout off. Whatever they do, here

* a submit (`VendorTransport.submit`) is one POST, and its outcome is one of three: accepted, surely not
  accepted (`NotAccepted`), or unknown (`OutcomeUnknown`);
* every wait is finite;
* only the vendor's own hosts, or the user's override, are ever spoken to.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from ai_content_pipeline.errors import (
    AicpError,
    ConfigurationError,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.media.certificates import authorities
from ai_content_pipeline.media.hosts import origin_of
from ai_content_pipeline.providers.acceptance import KEY_REFUSED, acceptance, key_refused
from ai_content_pipeline.providers.answers import body_of, clean, explained, http_date, retry_after
from ai_content_pipeline.providers.connections import Connections
from ai_content_pipeline.providers.pace import Pace, pace_of

_PLAIN = 2048  # characters of a URL that surely can be parsed


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds after which a wait ends, whatever the client asks for; `whole` is for one answer."""

    connect: float = 10.0
    read: float = 120.0  # long, because giving up on a submit leaves it in doubt
    write: float = 60.0
    whole: float = 300.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the vendor's last answer said beside its body. `ahead`: its clock less ours."""

    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None  # seconds
    ahead: timedelta | None = None

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-fal-request-id") or self.headers.get("x-request-id")

    @property
    def billable_units(self) -> str | None:
        return self.headers.get("x-fal-billable-units")

    @property
    def limits(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.startswith("ratelimit-")}


@dataclass(slots=True)
class _Attempt:
    sent: bool = False
    accepted: dict[str, Json] | None = None


class VendorTransport(httpx.BaseTransport):
    """Shared by all threads of a provider. `hosts` are the vendor's own; an `override` takes their place.

    `heard` is told what each answer to a submit says of the vendor's rate. `inner` stands in for the
    network in tests.
    """

    def __init__(
        self,
        vendor: str,
        secret: str,
        hosts: tuple[str, ...],
        override: str | None = None,
        patience: Patience | None = None,
        inner: Connections | None = None,
        heard: Callable[[Pace], object] = id,
    ) -> None:
        _hush()
        self.seen = Seen()
        self._heard = heard
        self._vendor = vendor
        self._secrets = [part for part in (secret, *secret.split(":")) if len(part) > 7]
        homes = {override} if override else {f"https://{host}" for host in hosts}
        self._homes = {f"{home}/": origin_of(httpx.URL(home)) for home in homes}
        self._origins = frozenset(self._homes.values())
        self._patience = patience or Patience()
        self._local = threading.local()
        # Now, when nothing has been claimed: a request that could not be sent would be one in doubt.
        tls = authorities() if any(origin.startswith("https:") for origin in self._origins) else None
        self._pool = inner or Connections(tls, keep=True, whole=self._patience.whole)
        # A kept connection that the vendor is just closing would leave a submit in doubt for nothing.
        self._fresh = inner or Connections(tls, keep=False, whole=self._patience.whole)

    def __repr__(self) -> str:
        return f"VendorTransport({self._vendor!r})"

    def close(self) -> None:
        self._pool.close()
        self._fresh.close()

    def submit(self, call: Callable[[], object]) -> dict[str, Json]:
        """The vendor's acceptance, after `call` made a client send its one POST.

        What the client makes of the answer does not matter: both raise on an accepted job whose answer
        holds a word that they do not know, and its id would be lost.

        Raises:
            NotAccepted: surely no job was created.
            OutcomeUnknown: one may have been.
        """
        attempt = self._local.attempt = _Attempt()
        try:
            call()
        except (NotAccepted, OutcomeUnknown):
            raise
        except AicpError as error:
            raise NotAccepted(error) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if not attempt.sent:
                raise NotAccepted(
                    AicpError(f"the request cannot be sent as JSON: {clean(str(error))}")
                ) from error
        finally:
            self._local.attempt = None
        if attempt.accepted is None:
            raise OutcomeUnknown(f"{self._vendor} was sent something, but no acceptance came")
        return attempt.accepted

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._guard(request.url)
        request.extensions["timeout"] = self._timeouts(request.extensions.get("timeout", {}))
        attempt: _Attempt | None = getattr(self._local, "attempt", None)
        if attempt is not None:
            return self._send_once(request, attempt)
        return self._free(lambda: self._pool.handle_request(request))

    def get(self, url: str, headers: httpx.Headers, seconds: float) -> httpx.Response:
        """A free request as a client sends it, but without its cookies, redirects and hooks, and without
        parsing a URL that is as vendors write them: each costs as much as the request."""
        timeouts = self._timeouts(dict.fromkeys(("connect", "read", "write"), seconds))
        home = self._home(url)
        if home is None:
            request = httpx.Request("GET", url, headers=headers, extensions={"timeout": timeouts})
            return self.handle_request(request)
        _, _, host, path = url.split("/", 3)
        fields = [(b"Host", host.encode("ascii")), *headers.raw]
        return self._free(lambda: self._pool.get(self._homes[home], f"/{path}", fields, timeouts))

    def trusts(self, url: str) -> bool:
        """Whether a credential may be sent to `url`."""
        if self._home(url) is not None:
            return True
        try:
            return origin_of(httpx.URL(url)) in self._origins
        except (httpx.InvalidURL, ValueError):
            return False

    def _home(self, url: str) -> str | None:
        """Where `url` leads, without parsing it, if it is written as vendors write them."""
        if not (url.isascii() and url.isprintable() and len(url) < _PLAIN) or " " in url or "#" in url:
            return None
        return next((home for home in self._homes if url.startswith(home)), None)

    def said(self, response: httpx.Response) -> str:
        """What an error answer says, safe to show."""
        return self.words(explained(body_of(response))) or response.reason_phrase or "without a word"

    def words(self, text: str) -> str:
        """A vendor's text, safe to show: one line, and without the key if it is echoed."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return clean(text)

    def checked(self, response: httpx.Response) -> httpx.Response:
        """A free request's answer, if it is a good one.

        Raises:
            ConfigurationError: the key or the account was refused.
            ProviderUnavailable: any other answer that is not 2xx.
        """
        if response.status_code in KEY_REFUSED:
            raise key_refused(self._vendor, self.said(response))
        if not response.is_success:
            raise ProviderUnavailable(
                f"{self._vendor}: {self.said(response)} ({response.status_code})",
                retry_after=retry_after(response),
            )
        return response

    # -- the one POST ----------------------------------------------------------------------------------

    def _send_once(self, request: httpx.Request, attempt: _Attempt) -> httpx.Response:
        if attempt.sent:
            raise OutcomeUnknown(f"{self._vendor}'s client tried to send a request twice")
        attempt.sent = True
        pace = Pace()
        try:
            response = self._fresh.handle_request(request)
            self._note(response)
            pace = pace_of(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            # No connection, or no TLS: no byte of the request left.
            unreachable = ProviderUnavailable(f"{self._vendor} cannot be reached ({_name(error)})")
            raise NotAccepted(unreachable, temporary=True) from error
        except httpx.HTTPError as error:
            # Timeouts and drops while writing or reading: the whole request may have arrived. An answer
            # that breaks off (or breaks HTTP) comes from someone who read it.
            raise OutcomeUnknown(
                f"{self._vendor}: the connection failed after the request was sent ({_name(error)})"
            ) from error
        finally:
            self._heard(pace)
        attempt.accepted = acceptance(self._vendor, response, self.said(response))
        return response

    # -- every request ---------------------------------------------------------------------------------

    def _guard(self, url: httpx.URL) -> None:
        if origin_of(url) not in self._origins:
            raise ConfigurationError(
                f"{url.scheme}://{url.host} is not {self._vendor}'s, so your key is not sent there",
                hint="a job that was sent elsewhere (to a sandbox) is collected with the same settings",
            )

    def _timeouts(self, asked: Mapping[str, float | None]) -> dict[str, float]:
        """No wait without an end, also where the client asks for none."""
        ours = {name: getattr(self._patience, name) for name in ("connect", "read", "write")}
        return {
            name: limit if (wish := asked.get(name)) is None else min(limit, wish)
            for name, limit in ours.items()
        }

    def _free(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            response = send()
        except httpx.HTTPError as error:
            # Not an httpx error any more, so that no client sends it again by itself: the caller does.
            raise ProviderUnavailable(f"{self._vendor} does not answer ({_name(error)})") from error
        self._note(response)
        return response

    def _note(self, response: httpx.Response) -> None:
        headers, ahead = response.headers, self.seen.ahead
        if date := http_date(headers.get("date")):
            ahead = date - datetime.now(UTC)
        asks = not response.is_success or "retry-after" in headers
        self.seen = Seen(headers, retry_after(response) if asks else None, ahead)


def _name(error: Exception) -> str:
    return type(error).__name__


def _hush() -> None:
    """Their INFO and DEBUG lines show whole URLs, and some URLs are secrets (signed uploads)."""
    for name in ("httpx", "httpcore", "fal_client"):
        logging.getLogger(name).setLevel(logging.WARNING)

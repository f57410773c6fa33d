"""Requests and replies as the two protocols see them: no sockets here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from .media import Media

JSON_TYPE = "application/json"


class Malformed(Exception):
    """The request's body is not the JSON object that the route needs."""


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower case; `body` is empty until it was read."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @cached_property
    def query(self) -> Mapping[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def host(self) -> str:
        return self.headers.get("host", "")

    @property
    def base(self) -> str:
        """The address under which this client reached the sandbox: every URL handed to it starts so."""
        return f"http://{self.host}"

    @cached_property
    def json(self) -> Mapping[str, object]:
        """The body as a JSON object. Raises `Malformed`."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise Malformed(str(error)) from error
        if not isinstance(value, dict):
            raise Malformed("not a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `media`, where given, is drawn when it is sent and takes the place of `body`."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    media: Media | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """An answer that is worked out only after `seconds` (a vendor that holds the connection)."""

    seconds: float
    answer: Callable[[], Response]


Reply = Response | Deferred


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, json.dumps(value).encode(), headers=headers or {})

"""What every request passes before it is looked at: Host, Origin, token, kind and size of its body.

A browser that some page sends here is stopped by each of the first three by itself.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from ai_content_pipeline.worker.settings import Access

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: For probes, which have no token and learn nothing but that somebody is there.
OPEN = frozenset(("/health", "/ready"))
LOOPBACK = frozenset(("127.0.0.1", "localhost", "[::1]", "::1"))
_BODY_SECONDS = 30.0  # that a request's body may take to arrive


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: str
    message: str


class Gate:
    """`app` behind these checks. `hosts` are names under which the worker may be asked."""

    def __init__(self, app: App, access: Access, hosts: frozenset[str], body_limit: int) -> None:
        self._app = app
        self._access = access
        self._hosts = hosts | LOOPBACK
        self._limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._judged(scope, headers)
        if refusal is None:
            body = await _whole(receive, self._limit)
            if isinstance(body, bytes):
                scope.setdefault("state", {})["user"] = self._user(headers)
                await self._app(scope, _replayed(body, receive), send)
                return
            refusal = body
        await _refuse(send, refusal)

    def _judged(self, scope: Scope, headers: dict[str, str]) -> Refusal | None:
        if _name(headers.get("host", "")) not in self._hosts:
            return Refusal(421, "wrong_host", "the worker is not asked under this name; see --allowed-host")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers["host"].lower():
            return Refusal(403, "wrong_origin", "pages of other sites may not ask the worker")
        if scope["path"] not in OPEN and not self._known(headers):
            return Refusal(401, "unauthorized", "send Authorization: Bearer and the worker's token")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > self._limit:
            return _too_large(self._limit)
        has_body = length != "0" or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and (has_body or kind):
            return Refusal(415, "not_json", "send JSON, as application/json")
        return None

    def _known(self, headers: dict[str, str]) -> bool:
        return self._access.open or self._user(headers) is not _NOBODY

    def _user(self, headers: dict[str, str]) -> str | None:
        """Whom the request may act for: None for every user. Every token is compared, in constant time."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        token = given.strip().encode("latin-1") if kind.lower() == "bearer" else b""
        found: str | None = None if self._access.open else _NOBODY
        for known, user in self._access.users.items():
            if hmac.compare_digest(token, known.encode()):
                found = user
        if self._access.token is not None and hmac.compare_digest(token, self._access.token.encode()):
            found = None
        return found


_NOBODY = "\0"


def _name(netloc: str) -> str:
    """A host without its port, in lower case."""
    name = netloc.lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"a request may have at most {limit} bytes")


async def _whole(receive: Receive, limit: int) -> bytes | Refusal:
    """The body, if it comes within the limits of size and time."""
    pieces, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return b""
                piece = message.get("body", b"")
                size += len(piece)
                if size > limit:
                    return _too_large(limit)
                pieces.append(piece)
                if not message.get("more_body"):
                    return b"".join(pieces)
    except TimeoutError:
        return Refusal(408, "too_slow", f"the request did not arrive within {_BODY_SECONDS:g} seconds")


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = json.dumps(
        {"error": {"code": refusal.code, "message": refusal.message, "retryable": False}}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status in (408, 413):
        headers.append((b"connection", b"close"))  # the rest of it is not read
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

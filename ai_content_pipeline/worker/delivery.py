"""One try to deliver one callback: signed, to a checked address, no redirects, ten seconds, then judged."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Sequence
from datetime import datetime

import httpx

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.media.exchange import Exchange, pieces
from ai_content_pipeline.media.guarded import Guard, Resolve, resolve
from ai_content_pipeline.media.hosts import HostRule, check_url, port_of

SECONDS = 10.0
_MOST_READ = 64 << 10  # bytes of an answer
#: Ports of services that a callback has no business with, however they are reached.
_NOT_HTTP = frozenset(
    (1433, 1521, 2049, 2375, 2376, 2379, 3306, 3389, 5432, 5672, 5984, 6379, 9200, 9300, 11211, 27017)
)


class Undelivered(Exception):
    """This try failed; `final`: no other will do better."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.final = final


def check_callback(url: str, allow: HostRule) -> httpx.URL:
    """What can be said against an address before it is connected to. Raises BadMedia."""
    checked = check_url(url, allow)
    port = port_of(checked)
    if port in _NOT_HTTP or (port < 1024 and port not in (80, 443)):
        raise BadMedia(f"its URL has the port {port}, where no callback is sent")
    return checked


def signed(body: bytes, message_id: str, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: a signature for each secret, so that a new one can be brought in."""
    from standardwebhooks.webhooks import Webhook

    text = body.decode()
    signatures = [Webhook(secret).sign(message_id, now, text) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def encoded(body: dict[str, Json]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    allow: HostRule,
    *,
    resolve: Resolve = resolve,
    context: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> None:
    """One POST. A 2xx delivers it; what the answer says besides is read up to 64 KiB and not kept.

    Raises:
        Undelivered: anything else.
    """
    try:
        checked = check_callback(url, allow)
    except BadMedia as error:
        raise Undelivered(error.message, final=True) from error
    exchange = Exchange(Guard(allow, resolve), time.monotonic() + seconds, seconds, context=context)
    sent = {"Content-Type": "application/json", "User-Agent": "ai-content-pipeline", **headers}
    try:
        with exchange.answer("POST", checked, sent, body) as answer:
            status, size = answer.status, 0
            for piece in pieces(answer, _MOST_READ):
                size += len(piece)
                if size > _MOST_READ:
                    break
    except BadMedia as error:  # at the moment of connecting: the name leads where nothing is sent
        raise Undelivered(error.message) from error
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"no answer ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise Undelivered(f"the receiver answers {status}", final=status == 410)

"""fal's official client, with the connections of our own transport. Importing this imports the SDK."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import httpx
from fal_client import SyncClient
from fal_client import client as sdk
from fal_client.auth import AuthCredentials

from ai_content_pipeline.errors import ProviderUnavailable
from ai_content_pipeline.providers.answers import moment, object_of, text
from ai_content_pipeline.providers.transport import VendorTransport

_pointing = threading.Lock()


def point(base: str | None) -> None:
    """Send everything that the SDK addresses by itself to `base`, or to fal.

    Its addresses are constants of a module, so they are the whole process's. A second provider with
    another base would redirect the first, whose transport then refuses: nothing goes astray.
    """
    with _pointing:
        sdk.QUEUE_URL_FORMAT = f"{base}/" if base else "https://queue.fal.run/"
        sdk.RUN_URL_FORMAT = f"{base}/fal.run/" if base else "https://fal.run/"
        sdk.REST_URL = base or "https://rest.fal.ai"
        sdk.CDN_URL = base or "https://v3.fal.media"


def client(key: str, api: httpx.Client, transport: VendorTransport, storage: VendorTransport) -> SyncClient:
    """A client that submits through `api` and uploads through `storage`, whatever it would do itself.

    Left alone it opens a new HTTP client for every upload and closes none, asks for its upload token
    through the environment's proxies, and falls back to a signed URL to which it also sends the key.
    """
    tokens = _Tokens(AuthCredentials("Key", key), api, transport)

    def authorised(request: httpx.Request) -> httpx.Request:
        token = tokens.get_token()
        request.headers["Authorization"] = f"{token.token_type} {token.token}"
        return request

    files = httpx.Client(
        transport=storage,
        auth=authorised,
        headers={"User-Agent": sdk.USER_AGENT},
        event_hooks={"response": [storage.checked]},  # raises before the SDK tries ten times
        follow_redirects=False,
    )
    made = SyncClient(key=key)
    # The first two are cached properties, whose values may be put in place beforehand.
    vars(made).update(_client=api, _token_manager=tokens, _get_cdn_client=lambda: files)
    return made


class _Tokens(sdk.CDNTokenManager):
    """Upload tokens, asked for through our transport and by the vendor's clock."""

    def __init__(self, auth: AuthCredentials, api: httpx.Client, transport: VendorTransport) -> None:
        super().__init__(auth)
        self._api = api
        self._transport = transport

    def _refresh_token(self) -> sdk.CDNToken:
        answer = object_of(self._transport.checked(self._api.post(self._url, json={})))
        token, kind = text(answer, "token"), text(answer, "token_type")
        if not token or not kind:
            raise ProviderUnavailable("fal gave no upload token")
        expires = moment(answer.get("expires_at")) or datetime.now(UTC)
        ahead = self._transport.seen.ahead or timedelta()
        return sdk.CDNToken(token, kind, text(answer, "base_url"), expires - ahead)

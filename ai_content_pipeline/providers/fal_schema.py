"""What fal publishes of an endpoint: its queue's OpenAPI (no key needed) and one base price (with a key)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import httpx

from ai_content_pipeline.errors import ProviderUnavailable
from ai_content_pipeline.providers.access import base_of, key_of
from ai_content_pipeline.providers.answers import number, object_of, says_404, text
from ai_content_pipeline.providers.published import Published
from ai_content_pipeline.providers.transport import Patience, VendorTransport

_SCHEMA_HOST, _PRICE_HOST = "fal.ai", "api.fal.ai"
_SCHEMA = "/api/openapi/queue/openapi.json"
_PRICING = "/v1/models/pricing"
_AGENT = {"User-Agent": "ai-content-pipeline"}


def published(endpoint: str, environ: Mapping[str, str], patience: Patience) -> Published | None:
    base = base_of(environ, "AICP_FAL_URL")
    response = _get(base, _SCHEMA_HOST, _SCHEMA, endpoint, "", patience)
    if response is None:
        return None
    document = object_of(response)
    if not document:
        raise ProviderUnavailable(f"fal's schema of {endpoint} cannot be read")
    if not environ.get("FAL_KEY", "").strip():
        return Published(document)
    usd, unit = _price(base, endpoint, key_of(environ, "FAL_KEY", "fal"), patience)
    return Published(document, usd, unit)


def _price(base: str | None, endpoint: str, key: str, patience: Patience) -> tuple[Decimal | None, str]:
    response = _get(base, _PRICE_HOST, _PRICING, endpoint, key, patience)
    rows = object_of(response).get("prices") if response is not None else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("endpoint_id") == endpoint and row.get("currency") == "USD":
            return number(row.get("unit_price")), text(row, "unit")
    return None, ""


def _get(
    base: str | None, host: str, path: str, endpoint: str, key: str, patience: Patience
) -> httpx.Response | None:
    """fal's answer about `endpoint`; None where it knows of none."""
    transport = VendorTransport("fal", key, (host,), base, patience)
    headers = _AGENT | ({"Authorization": f"Key {key}"} if key else {})
    with httpx.Client(transport=transport, headers=headers, timeout=patience.read) as client:
        response = client.get((base or f"https://{host}") + path, params={"endpoint_id": endpoint})
        return None if says_404(response) else transport.checked(response)

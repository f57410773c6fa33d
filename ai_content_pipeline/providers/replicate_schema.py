"""What Replicate publishes of a model: the schema of its newest version, or of one. Needs a token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import httpx

from ai_content_pipeline.errors import ProviderUnavailable
from ai_content_pipeline.providers.access import base_of, key_of
from ai_content_pipeline.providers.answers import object_of, says_404
from ai_content_pipeline.providers.published import Published
from ai_content_pipeline.providers.transport import Patience, VendorTransport

_HOST = "api.replicate.com"


def published(endpoint: str, environ: Mapping[str, str], patience: Patience) -> Published | None:
    base = base_of(environ, "REPLICATE_BASE_URL")
    token = key_of(environ, "REPLICATE_API_TOKEN", "replicate")
    model, _, version = endpoint.partition(":")
    path = f"/v1/models/{quote(model)}" + (f"/versions/{quote(version, safe='')}" if version else "")
    transport = VendorTransport("replicate", token, (_HOST,), base, patience)
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "ai-content-pipeline"}
    with httpx.Client(transport=transport, headers=headers, timeout=patience.read) as client:
        response = client.get((base or f"https://{_HOST}") + path)
        if says_404(response):
            return None
        answer = object_of(transport.checked(response))
    found = answer if version else answer.get("latest_version")
    document = found.get("openapi_schema") if isinstance(found, dict) else None
    if not isinstance(document, dict):
        raise ProviderUnavailable(f"replicate shows no schema of {endpoint}")
    return Published(document)

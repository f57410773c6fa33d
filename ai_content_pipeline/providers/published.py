"""What vendors publish of their models: input schemas and base prices. Free, and sends nothing but a name.

A key goes to its own vendor alone, over the same guarded transport as paid requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ai_content_pipeline.jobs import Json
from ai_content_pipeline.providers.transport import Patience

#: Nobody is kept waiting for a page of JSON.
BRIEF = Patience(connect=5.0, read=20.0, write=10.0, whole=30.0)


@dataclass(frozen=True, slots=True)
class Published:
    """`document` is the vendor's OpenAPI, unread. `usd` for one `unit` in the vendor's word, where told."""

    document: Json
    usd: Decimal | None = None
    unit: str = ""


#: None: the vendor has no such model. Raises ConfigurationError and ProviderUnavailable.
Fetch = Callable[[str, Mapping[str, str], Patience], Published | None]


def fetch(
    provider: str, endpoint: str, environ: Mapping[str, str], patience: Patience = BRIEF
) -> Published | None:
    """What `provider` publishes of `endpoint` now; None where it has no such model.

    Raises:
        ConfigurationError: a key is missing or refused.
        ProviderUnavailable: the vendor cannot be reached, or its answer cannot be read.
    """
    from ai_content_pipeline.providers import fal_schema, replicate_schema

    vendors: Mapping[str, Fetch] = {"fal": fal_schema.published, "replicate": replicate_schema.published}
    return vendors[provider](endpoint, environ, patience)

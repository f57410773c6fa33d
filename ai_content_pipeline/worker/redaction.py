"""What of a job may be kept, shown and logged: URLs without what may be secret, pictures as a size."""

from __future__ import annotations

from urllib.parse import urlsplit

from ai_content_pipeline.jobs import Json


def redacted_url(url: str) -> str:
    """Without its query and fragment, where signed URLs keep their signature."""
    if url[:5].lower() == "data:":
        return f"data:({len(url)} characters)"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an impossible URL)"
    return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()


def redacted(body: dict[str, Json]) -> dict[str, Json]:
    """A job's body with every URL in it redacted."""
    return {name: _value(name, value) for name, value in body.items()}


def _value(name: str, value: Json) -> Json:
    if isinstance(value, dict):
        return redacted(value)
    is_url = name.endswith("_url") or name in ("image", "first_frame", "last_frame")
    return redacted_url(value) if is_url and isinstance(value, str) else value

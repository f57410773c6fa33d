"""What is set for a worker: the one that runs here, and the one that pipelines use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ai_content_pipeline.cli.checkup.finding import Finding, misconfigured, ok
from ai_content_pipeline.errors import ConfigurationError

_SERVING = ("TOKEN", "USER_TOKENS", "CALLBACK_SECRET", "CALLBACK_URL")


def worker(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing where no ``AICP_WORKER_…`` is set. Tokens and secrets are never shown."""
    from ai_content_pipeline.providers.access import base_of
    from ai_content_pipeline.worker.settings import access_of

    if any(environ.get(f"AICP_WORKER_{name}", "").strip() for name in _SERVING):
        try:
            access = access_of(environ)
        except ConfigurationError as error:
            yield misconfigured("worker", error.message, error.hint or "see docs/worker.md")
        else:
            asked = "a token is asked for" if not access.open else "no token: it serves loopback alone"
            signed = "callbacks are signed" if access.secrets else "it sends no callbacks"
            yield ok("worker", f"served here: {asked}, {signed}")
    try:
        base = base_of(environ, "AICP_WORKER_URL")
    except ConfigurationError as error:
        yield misconfigured("AICP_WORKER_URL", error.message, error.hint or "unset AICP_WORKER_URL")
        return
    if base is not None:
        yield ok("AICP_WORKER_URL", f"models of worker: run at {base}")

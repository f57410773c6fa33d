"""Every provider there is. A vendor's SDK is imported when its provider is made, not before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.providers.protocol import Provider, Surroundings


def _draft(surroundings: Surroundings) -> Provider:
    from ai_content_pipeline.providers.draft import DraftProvider

    return DraftProvider(surroundings)


def _fal(surroundings: Surroundings) -> Provider:
    from ai_content_pipeline.providers.fal import FalProvider

    return FalProvider(surroundings)


def _replicate(surroundings: Surroundings) -> Provider:
    if find_spec("replicate") is None:
        raise ConfigurationError(
            "the package 'replicate' is not installed",
            hint="use Python 3.11 to 3.13, where it installs with aicp, or render with --draft",
        )
    from ai_content_pipeline.providers.replicate import ReplicateProvider

    return ReplicateProvider(surroundings)


def _worker(surroundings: Surroundings) -> Provider:
    from ai_content_pipeline.providers.worker import WorkerProvider

    return WorkerProvider(surroundings)


def _diffusers(surroundings: Surroundings) -> Provider:
    lacking = [name for name in ("torch", "diffusers", "transformers") if find_spec(name) is None]
    if lacking:
        raise ConfigurationError(
            f"models on this machine need {', '.join(lacking)}, which is not installed",
            hint="pip install 'ai-content-pipeline[diffusers]', in a checkout pip install -e '.[diffusers]',"
            " or use --draft",
        )
    from ai_content_pipeline.providers.diffusers import DiffusersProvider

    return DiffusersProvider(surroundings)


#: Variables that point a vendor somewhere else; its results may then come from there, too.
VENDOR_URLS = ("AICP_FAL_URL", "REPLICATE_BASE_URL")

#: How long after it was made a vendor keeps a result, where it says so: collect it before.
RESULTS_KEPT = {"replicate": timedelta(hours=1)}

PROVIDERS: dict[str, Callable[[Surroundings], Provider]] = {
    "diffusers": _diffusers,
    "draft": _draft,
    "fal": _fal,
    "replicate": _replicate,
    "worker": _worker,
}

"""aicp models pull"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("pull", short_help="Download the weights of a model that runs here.")
@click.argument("key")
@click.option(
    "--models-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where models are kept; else AICP_MODELS_DIR.",
)
@options.showing_options
def command(key: str, models_dir: Path | None, **arguments: Any) -> int:
    """Download the weights of KEY, as in sdxl or diffusers:sdxl, for the provider diffusers.

    Safetensors only, of a pinned commit, each file held against its published sha256. Broken off, the same
    command goes on. Runs themselves never download.
    """
    import os
    import sys
    from importlib.util import find_spec

    from ai_content_pipeline.catalog import local
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.models_list import one_of
    from ai_content_pipeline.errors import ConfigurationError
    from ai_content_pipeline.providers.local import weights

    with invocation("models pull", options.showing(arguments)) as (console, outcome):
        key = one_of("KEY", key.removeprefix(f"{local.PROVIDER}:"), local.keys())
        if find_spec("huggingface_hub") is None:
            raise ConfigurationError(
                "models that run here need more packages",
                hint="pip install 'ai-content-pipeline[diffusers]'",
            )
        from ai_content_pipeline.providers.local.download import download

        needs = local.load(key).local
        assert needs is not None
        console.say(f"{key}: about {needs.download_gb:g} GB, license {needs.license}")
        models = models_dir or weights.folder_of(os.environ)
        bars = console.interactive and sys.stderr.isatty()
        folder, fetched = download(key, models, console.say, os.environ, bars=bars)
        console.say(f"{'downloaded to' if fetched else 'already in'} {folder}")
        outcome.data = {"key": key, "folder": str(folder), "downloaded": fetched}
    return outcome.exit_code

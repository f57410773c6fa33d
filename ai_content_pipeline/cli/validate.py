"""aicp validate"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import completers, options

if TYPE_CHECKING:
    from ai_content_pipeline.catalog import Catalogue
    from ai_content_pipeline.errors import Problem
    from ai_content_pipeline.pipeline.checked import Pipeline


@click.command("validate", short_help="Check pipeline files.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=completers.pipelines,
)
@options.showing_options
def command(files: tuple[Path, ...], **arguments: Any) -> int:
    """Check FILES, with each of their profiles: syntax, keys, models, parameters, inputs and counts. Nothing
    is run, spent or written.
    """
    import os

    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.progress import count
    from ai_content_pipeline.cli.publications import Publications, catalogue_of
    from ai_content_pipeline.errors import InvalidPipeline
    from ai_content_pipeline.pipeline.expansion import expand
    from ai_content_pipeline.pipeline.load import load_pipeline
    from ai_content_pipeline.pipeline.project import find_project

    with invocation("validate", options.showing(arguments)) as (console, outcome):
        problems: list[Problem] = []
        summaries = []
        for file in files:
            try:
                project = find_project(file).seen_from(os.environ)
                catalogue = catalogue_of(project, Publications(project, os.environ, console.warn))
                expansion = expand(load_pipeline(file, environ=os.environ), catalogue=catalogue)
            except InvalidPipeline as error:
                problems += error.problems
                continue
            if wrong := _of_profiles(expansion.pipeline, catalogue):
                problems += wrong
                continue
            steps, items = len(expansion.steps), len(expansion.items)
            console.say(f"{file}: valid, {count(steps, 'step')}, {count(items, 'item')}")
            for warning in expansion.warnings:
                console.warn(f"{file}: {warning}")
            warnings = list(expansion.warnings)
            summaries.append({"file": str(file), "steps": steps, "items": items, "warnings": warnings})
        if problems:
            raise InvalidPipeline(problems)
        outcome.data = {"files": summaries}
    return outcome.exit_code


def _of_profiles(pipeline: Pipeline, catalogue: Catalogue) -> list[Problem]:
    """What is wrong with a pipeline only when one of its profiles is chosen."""
    import os
    from dataclasses import replace

    from ai_content_pipeline.errors import InvalidPipeline
    from ai_content_pipeline.pipeline.blocks import profiles
    from ai_content_pipeline.pipeline.expansion import expand
    from ai_content_pipeline.pipeline.load import load_pipeline

    found: list[Problem] = []
    for name in profiles(pipeline.source):
        try:
            expand(load_pipeline(pipeline.path, environ=os.environ, profile=name), catalogue=catalogue)
        except InvalidPipeline as error:
            found += [
                replace(each, message=f"with profile {name}: {each.message}") for each in error.problems
            ]
    return found

"""What a shell offers for the words of a command line. Quick, and silent: a file that is wrong offers
nothing, and nothing is ever printed into somebody's prompt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SUFFIXES = (".yaml", ".yml")
_MAX_BYTES = 1 << 20  # no pipeline is longer


def pipelines(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Pipeline files, and folders on the way to one."""
    from click.shell_completion import CompletionItem

    folder, _, begun = incomplete.rpartition("/")
    start = f"{folder}/" if "/" in incomplete else ""
    try:
        entries = sorted(
            (entry.name, entry.is_dir())
            for entry in Path(start or ".").expanduser().iterdir()
            if entry.name.startswith(begun) and (begun.startswith(".") or not entry.name.startswith("."))
        )
    except (OSError, RuntimeError, ValueError):  # no such folder, no such user, no such name
        return []
    files = [name for name, is_folder in entries if not is_folder and name.lower().endswith(_SUFFIXES)]
    folders = [f"{name}/" for name, is_folder in entries if is_folder]
    if folders and not files:
        return [CompletionItem(incomplete, type="dir")]  # the shell knows how to go on inside one
    return [CompletionItem(start + name) for name in (*files, *folders)]


def steps(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the file's steps; after a ``/`` the items of one."""
    if "/" in incomplete:
        return items(ctx, param, incomplete)
    from ai_content_pipeline.steps.registry import default_names

    raw = _raw(ctx).get("steps")
    return _beginning(incomplete, default_names(raw) if isinstance(raw, list) else ())


def items(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The addresses of the file's items, such as ``clips/scene_2``."""
    return _beginning(incomplete, _addresses(ctx))


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The file's profiles."""
    raw = _raw(ctx).get("profiles")
    return _beginning(incomplete, raw if isinstance(raw, dict) else ())


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The catalogue's keys, and the project's own."""
    from ai_content_pipeline.catalog.catalogue import OVERLAY, Catalogue
    from ai_content_pipeline.errors import AicpError

    try:
        here = Path.cwd()
        if not any((folder / OVERLAY).exists() for folder in (here, *here.parents)):
            return _beginning(incomplete, Catalogue().keys())  # to look for the project takes as long again
        from ai_content_pipeline.pipeline.project import find_project

        return _beginning(incomplete, Catalogue.of(find_project(here).root).keys())
    except (AicpError, OSError):
        return _beginning(incomplete, Catalogue().keys())


def _beginning(incomplete: str, names: object) -> list[CompletionItem]:
    """Those names that a shell may be handed: of one line, without control characters."""
    from click.shell_completion import CompletionItem

    found = names if isinstance(names, list | tuple | dict) else ()
    return [
        CompletionItem(name)
        for name in found
        if isinstance(name, str) and name and name.isprintable() and name.startswith(incomplete)
    ]


# -- the pipeline on the command line ------------------------------------------------------------------


def _file(ctx: click.Context) -> Path | None:
    """The pipeline file that was named already."""
    # While an option waits for its value, click has not told arguments from options yet.
    words = (Path(word) for word in ctx.args if word.lower().endswith(_SUFFIXES))
    path = ctx.params.get("pipeline") or ctx.params.get("config") or next(words, None)
    return path.expanduser() if isinstance(path, Path) else None


def _raw(ctx: click.Context) -> dict[object, object]:
    """The file as plain YAML, which is read in a tenth of the time of a checked one."""
    import yaml

    path = _file(ctx)
    try:
        if path is None or not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return {}
        text = path.read_text(encoding="utf-8-sig")
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  safe ones
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _addresses(ctx: click.Context) -> tuple[str, ...]:
    from ai_content_pipeline.errors import AicpError

    path = _file(ctx)
    try:
        return tuple(dict.fromkeys(_expanded(path, ctx.params.get("profile")))) if path else ()
    except (AicpError, OSError, ValueError, TypeError, RecursionError):
        return ()


def _expanded(path: Path, profile: object) -> Iterator[str]:
    import os

    from ai_content_pipeline.pipeline.expansion import expand
    from ai_content_pipeline.pipeline.load import load_pipeline

    name = profile if isinstance(profile, str) else None
    expansion = expand(load_pipeline(path, environ=os.environ, profile=name))
    yield from (item.address for item in expansion.items)

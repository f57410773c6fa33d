"""aicp init"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("init", short_help="Write a starter pipeline.")
@click.argument("file", required=False, default="pipeline.yaml", type=click.Path(path_type=Path))
@options.showing_options
def command(file: Path, **arguments: Any) -> int:
    """Write a commented starter pipeline to FILE (pipeline.yaml), and the editor's schema beside it.

    A file that exists is left alone.
    """
    import json
    from importlib.resources import files

    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.errors import UsageError
    from ai_content_pipeline.pipeline.schema import json_schema

    with invocation("init", options.showing(arguments)) as (console, outcome):
        starter = (files("ai_content_pipeline.cli") / "starter.yaml").read_text(encoding="utf-8")
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write(starter)
        except FileExistsError:
            raise UsageError(f"{file} exists already", hint="name another file: aicp init FILE") from None
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from error
        schema = file.with_name("aicp.schema.json")
        schema.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
        outcome.data = {"file": str(file), "schema": str(schema)}
        console.say(f"wrote {file} and {schema}")
        console.say(f"try it, free and without a key:  aicp run-chain {file} --draft")
    return outcome.exit_code

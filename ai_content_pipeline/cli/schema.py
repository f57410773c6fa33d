"""aicp schema"""

from __future__ import annotations

from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("schema", short_help="Print the JSON Schema.")
@options.showing_options
def command(**arguments: Any) -> int:
    """Print the JSON Schema of pipeline files, for editors.

    Save it as aicp.schema.json, and let the first line of a pipeline point to it (`aicp init` does both).
    """
    import json

    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.pipeline.schema import json_schema

    with invocation("schema", options.showing(arguments)) as (console, outcome):
        document = json_schema()
        outcome.data = document
        if not console.machine:
            console.data(json.dumps(document, indent=2))
    return outcome.exit_code

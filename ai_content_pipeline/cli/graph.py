"""aicp graph"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ai_content_pipeline.cli import options


@click.command("graph", short_help="Print the chain as a Mermaid diagram.")
@options.pipeline_argument
@options.plan_options
@options.showing_options
def command(pipeline: Path | None, config: Path | None, **arguments: Any) -> int:
    """Print the steps of PIPELINE and what flows between them, as the text of a Mermaid flowchart. Nothing is
    run, spent or written."""
    from ai_content_pipeline.cli.execute import invocation, prepared
    from ai_content_pipeline.cli.mermaid import edges, flowchart, nodes
    from ai_content_pipeline.cli.wish import Wish

    wish = Wish.of("graph", pipeline, config, options.showing(arguments), **arguments)
    with invocation(wish.command, wish.showing) as (console, outcome):
        expansion, _ = prepared(wish, console)
        diagram = flowchart(expansion)
        outcome.data = {
            "mermaid": diagram,
            "nodes": [
                {"name": node.name, "type": node.type, "models": node.models, "count": node.count}
                for node in nodes(expansion)
            ],
            "edges": [
                {
                    "source": edge.source,
                    "target": edge.target,
                    "role": edge.role,
                    "frame": edge.frame,
                    "count": edge.count,
                }
                for edge in edges(expansion)
            ],
        }
        console.data(diagram)
    return outcome.exit_code

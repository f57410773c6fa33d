"""aicp completion"""

from __future__ import annotations

from typing import Any

import click

from ai_content_pipeline.cli import options

_SHELLS = ("bash", "zsh", "fish")
#: The variable by which the script asks this program for words.
_VARIABLE = "_AICP_COMPLETE"


@click.command("completion", short_help="Print a shell's completion script.")
@click.argument("shell", type=click.Choice(_SHELLS))
@options.showing_options
def command(shell: str, **arguments: Any) -> int:
    """Print the script that makes SHELL complete aicp's words: commands, options, pipeline files, steps,
    items and models.

    \b
    bash: echo 'eval "$(aicp completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(aicp completion zsh)"' >> ~/.zshrc
    fish: aicp completion fish > ~/.config/fish/completions/aicp.fish
    """
    from click.shell_completion import get_completion_class

    from ai_content_pipeline.cli.app import app
    from ai_content_pipeline.cli.execute import invocation

    with invocation("completion", options.showing(arguments)) as (console, outcome):
        kind = get_completion_class(shell)
        assert kind is not None
        # Not `source`: for bash it starts one to see how old it is, and this may run on another machine.
        made = kind(app, {}, "aicp", _VARIABLE)
        script = made.source_template % made.source_vars()
        outcome.data = {"shell": shell, "script": script}
        console.data(script)
    return outcome.exit_code

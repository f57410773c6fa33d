"""The way in and out: finds the command, turns every error into a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import click

from ai_content_pipeline import __version__

if TYPE_CHECKING:
    from ai_content_pipeline.errors import AicpError

#: command → (module in this package, its function, one line for --help). Modules are imported when used.
COMMANDS: dict[str, tuple[str, str]] = {
    "run-chain": ("run_chain", "Run a pipeline; the same command again goes on where it stopped."),
    "plan": ("plan", "Show what a run would do, item by item, and what it would cost."),
    "graph": ("graph", "Print the chain of steps as a Mermaid diagram."),
    "redo": ("redo", "Make one item anew, and what depends on it."),
    "status": ("status", "Show what runs at vendors, what is in doubt and what failed."),
    "fetch": ("fetch", "Collect results from vendors; submit and pay nothing."),
    "resume": ("resume", "Decide about requests whose outcome is unknown."),
    "cancel": ("cancel", "Ask the vendors to stop what still runs."),
    "cost": ("cost", "Show what was spent, by day, run and model."),
    "models": ("models", "The catalogue: list models, show one, check them with their vendors."),
    "worker": ("worker", "Serve a GPU: jobs in over HTTP, media and signed callbacks out."),
    "sandbox": ("sandbox", "A local stand-in for fal and Replicate, for tests and CI."),
    "validate": ("validate", "Check pipeline files; nothing is run, spent or written."),
    "init": ("init", "Write a commented starter pipeline."),
    "schema": ("schema", "Print the JSON Schema of pipeline files, for editors."),
    "doctor": ("doctor", "Check this machine, this project and its settings."),
    "completion": ("completion", "Print the script that completes words in bash, zsh or fish."),
}


class LazyGroup(click.Group):
    """Knows its commands by name, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"ai_content_pipeline.cli.{COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 invalid pipeline, 4 key or configuration missing,"
        " 5 budget refused, 6 content rejected, 7 partly done, 8 outcome unknown, 75 provider down,"
        " 130 interrupted."
    ),
)
@click.version_option(__version__, prog_name="aicp")
def app() -> None:
    """Run chains of AI image and video steps from a YAML file, never paying twice."""


def run_app(arguments: Sequence[str]) -> int:
    """Run the command line; the process's exit code."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        # Whoever read our output has gone (`aicp … | head`); Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk behind `aicp … > file`; what was made is safe
        with suppress(OSError):
            sys.stderr.write(f"error: the output cannot be written: {error.strerror or error}\n")
        return 1


def _run(arguments: Sequence[str]) -> int:
    try:
        result = app.main(args=list(arguments), prog_name="aicp", standalone_mode=False)
        _flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _usage(error, arguments)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(arguments)
    return result if isinstance(result, int) else 0


def _flush() -> None:
    sys.stdout.flush()


def _usage(error: click.ClickException, arguments: Sequence[str]) -> int:
    """A wrong command line, as text or (where JSON was asked for) as an envelope."""
    from ai_content_pipeline.errors import UsageError

    if not _enveloped(UsageError(error.format_message()), arguments):
        error.show()
    return UsageError.exit_code


def _interrupted(arguments: Sequence[str]) -> int:
    from ai_content_pipeline.errors import Interrupted

    sys.stderr.write("interrupted\n")
    _enveloped(Interrupted("interrupted"), arguments)
    return Interrupted.exit_code


def _enveloped(error: AicpError, arguments: Sequence[str]) -> bool:
    """What ended the program outside of any command, where JSON was asked for."""
    if "--json" not in arguments and "--json-stream" not in arguments:
        return False
    from ai_content_pipeline.cli.envelope import dumps, envelope

    command = next((word for word in arguments if not word.startswith("-")), "")
    sys.stdout.write(dumps(envelope(command=command, ok=False, error=error)) + "\n")
    return True

"""aicp sandbox serve | exec"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from ai_content_pipeline.sandbox.state import Settings


@click.group("sandbox", short_help="A local stand-in for fal and Replicate.")
def command() -> None:
    """A local server that speaks fal's and Replicate's protocols: test pipelines without a key or a cent."""


def _common(function: Any) -> Any:
    for option in (
        click.option(
            "--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A fault script."
        ),
        click.option(
            "--video-seconds", type=float, default=0.5, show_default=True, help="How long a clip takes."
        ),
        click.option(
            "--image-seconds", type=float, default=0.2, show_default=True, help="How long a picture takes."
        ),
        click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any free one."),
    ):
        function = option(function)
    return function


@command.command("serve")
@_common
@options.showing_options
def serve(**arguments: Any) -> int:
    """Serve until ^C, and print the variables that send aicp there."""
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.garbage import settle
    from ai_content_pipeline.sandbox import Sandbox

    with invocation("sandbox", options.showing(arguments)) as (console, outcome):
        port, settings = arguments["port"], _settings(arguments)
        with Sandbox(settings, port=port) as sandbox:
            settle()
            console.data("\n".join(f"export {name}={value}" for name, value in sandbox.environ().items()))
            console.say(f"the sandbox listens on {sandbox.url}; ^C ends it")
            _until_stopped()
        outcome.data = {"url": sandbox.url}
    return outcome.exit_code


@command.command("exec", context_settings={"ignore_unknown_options": True})
@_common
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@options.showing_options
def run(words: tuple[str, ...], **arguments: Any) -> int:
    """Run a command against a fresh sandbox: aicp sandbox exec -- aicp run-chain story.yaml --yes

    Its exit code is the command's. What the vendors would have charged is printed at the end.
    """
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.cli.progress import count
    from ai_content_pipeline.cost import ZERO, format_usd
    from ai_content_pipeline.errors import UsageError
    from ai_content_pipeline.sandbox import Sandbox

    with invocation("sandbox", options.showing(arguments)) as (console, outcome):
        with Sandbox(_settings(arguments), port=arguments["port"]) as sandbox:
            try:
                done = subprocess.run(words, env=os.environ | sandbox.environ(), check=False)
            except OSError as error:
                raise UsageError(f"{words[0]} cannot be run: {error.strerror}") from error
            charges = sandbox.charges()
        total = sum((charge.usd for charge in charges), ZERO)
        console.say(f"the sandbox charged {count(len(charges), 'job')}, {format_usd(total)}")
        outcome.exit_code = done.returncode
        outcome.why = f"{words[0]} ended with {done.returncode}"
        outcome.data = {"exit_code": done.returncode, "charges": len(charges), "charged_usd": str(total)}
    return outcome.exit_code


def _settings(arguments: dict[str, Any]) -> Settings:
    from ai_content_pipeline.sandbox import Script, Settings, read_script

    script = read_script(arguments["faults"]) if arguments["faults"] else Script()
    return Settings(
        image_seconds=arguments["image_seconds"], video_seconds=arguments["video_seconds"], script=script
    )


def _until_stopped() -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    try:
        stopped.wait()
    except KeyboardInterrupt:
        return

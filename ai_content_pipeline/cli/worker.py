"""aicp worker serve | run | callbacks"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ai_content_pipeline.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_content_pipeline.worker.settings import Settings

F = TypeVar("F", bound="Callable[..., Any]")

#: Seconds until a busy thread lets another go: an answer passes through four of them.
_SWITCH = 0.0005
_PACKAGES = ("fastapi", "uvicorn", "standardwebhooks", "prometheus_client")


@click.group("worker", short_help="Serve a GPU: jobs in, media and signed callbacks out.")
def command() -> None:
    """Serve this machine's GPU to others: jobs come in over HTTP, media and signed callbacks go out."""


def _making(function: F) -> F:
    for option in (
        click.option(
            "--job-timeout", type=click.FloatRange(1), default=3600.0, show_default=True, help="Seconds."
        ),
        click.option(
            "--job-types",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="More types of jobs, as TOML.",
        ),
        click.option(
            "--env-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Read token and secret from a file of NAME=value.",
        ),
        click.option(
            "--allow-private-hosts", is_flag=True, help="Fetch from, and call back to, private addresses."
        ),
        click.option(
            "--workspace",
            type=click.Path(path_type=Path, file_okay=False),
            default=".",
            help="Where results and the queue lie; here by default.",
        ),
        click.option(
            "--provider",
            type=click.Choice(["diffusers", "draft"]),
            help="What makes the media: diffusers where there is a GPU for it, else the free draft renderer.",
        ),
    ):
        function = option(function)
    return function


@command.command("serve")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Any but loopback needs AICP_WORKER_TOKEN."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8750, show_default=True, help="0: any free one."
)
@click.option(
    "--allowed-host", multiple=True, metavar="NAME", help="A further name it is asked under; repeatable."
)
@click.option(
    "--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs made at once."
)
@click.option(
    "--attempts", type=click.IntRange(1, 100), default=3, show_default=True, help="Starts of one job."
)
@click.option(
    "--backlog", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Jobs that wait."
)
@click.option(
    "--user-backlog", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Of one user."
)
@click.option("--user-running", type=click.IntRange(1, 64), help="Jobs of one user that run at once.")
@click.option("--drain", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds to end in.")
@click.option(
    "--keep-days",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Jobs that ended before are forgotten.",
)
@click.option(
    "--keep-jobs",
    type=click.IntRange(1),
    default=100_000,
    show_default=True,
    help="Beyond so many, the oldest ended jobs are forgotten.",
)
@click.option("--delete-results", is_flag=True, help="Delete the files of jobs that are forgotten.")
@click.option("--log-prompts", is_flag=True, help="Prompts in the log, too.")
@_making
@options.showing_options
def serve(**arguments: Any) -> int:
    """Serve until SIGTERM or ^C: then begin no new job, and let those that run end.

    The token is AICP_WORKER_TOKEN; callbacks are signed with AICP_WORKER_CALLBACK_SECRET and go to a job's
    callback_url, else to AICP_WORKER_CALLBACK_URL. docs/worker.md has the rest.
    """
    from ai_content_pipeline.cli.execute import invocation

    with invocation("worker", options.showing(arguments)) as (console, outcome):
        _need_packages()
        from ai_content_pipeline.cli.garbage import settle
        from ai_content_pipeline.worker import settings as settings_module
        from ai_content_pipeline.worker.logs import logger
        from ai_content_pipeline.worker.rows import Bounds, Retention
        from ai_content_pipeline.worker.server import Listener, on_signals
        from ai_content_pipeline.worker.service import Service

        bounds = Bounds(arguments["backlog"], arguments["user_backlog"], arguments["user_running"])
        kept = Retention(arguments["keep_days"], arguments["keep_jobs"], arguments["delete_results"])
        names = ("host", "port", "processes", "attempts", "drain", "log_prompts")
        given = {name: arguments[name] for name in names}
        settings = _settings(
            arguments, bounds=bounds, retention=kept, allowed_hosts=arguments["allowed_host"], **given
        )
        settings_module.check(settings)
        sys.setswitchinterval(_SWITCH)
        log = logger(prompts=settings.log_prompts)
        listener = Listener(Service(settings, log))
        on_signals(listener.stop)
        settle()
        console.data(listener.url)
        log("listening", url=listener.url, provider=settings.provider, processes=settings.processes)
        whole = listener.serve()
        outcome.data = {"url": listener.url, "drained": whole}
    return outcome.exit_code


@command.command("run")
@click.argument("job", type=click.Path(path_type=Path))
@_making
@options.showing_options
def run(job: Path, **arguments: Any) -> int:
    """Run the one job of a JSON file, without a server; prints what its callback says."""
    import json

    from ai_content_pipeline.cli.execute import invocation

    with invocation("worker", options.showing(arguments)) as (console, outcome):
        _need_packages()
        from ai_content_pipeline.worker.logs import logger, silent
        from ai_content_pipeline.worker.once import read_job, run_job

        settings = _settings(arguments)
        body, undelivered = run_job(read_job(job), job, settings, logger() if settings.verbose else silent)
        outcome.data = body
        console.data(json.dumps(body, indent=2))
        if undelivered is not None:
            console.warn(f"the callback was not delivered: {undelivered}")
        outcome.exit_code = 0 if body["status"] == "completed" else 1
    return outcome.exit_code


@command.group("callbacks")
def callbacks() -> None:
    """Callbacks that nobody has taken yet."""


@callbacks.command("list")
@click.option("--workspace", type=click.Path(path_type=Path, file_okay=False), default=".")
@options.showing_options
def list_callbacks(workspace: Path, **arguments: Any) -> int:
    """Those that wait, and those that were given up."""
    from ai_content_pipeline.cli.execute import invocation

    with invocation("worker", options.showing(arguments)) as (console, outcome):
        from ai_content_pipeline.worker.redaction import redacted_url
        from ai_content_pipeline.worker.redelivery import undelivered

        found = undelivered(_settings_of(workspace))
        for one in found:
            console.data(
                f"{one.id}  {one.state}  {one.tries} tries  {redacted_url(one.url)}  {one.message or ''}"
            )
        outcome.data = [
            {
                "id": one.id,
                "job_id": one.job_id,
                "state": one.state,
                "tries": one.tries,
                "message": one.message,
            }
            for one in found
        ]
    return outcome.exit_code


@callbacks.command("redeliver")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that were given up.")
@click.option("--workspace", type=click.Path(path_type=Path, file_okay=False), default=".")
@options.showing_options
def redeliver(ids: tuple[str, ...], workspace: Path, *, everything: bool, **arguments: Any) -> int:
    """Have callbacks sent again that were given up, by their own id or their job's."""
    from ai_content_pipeline.cli.execute import invocation
    from ai_content_pipeline.errors import UsageError

    with invocation("worker", options.showing(arguments)) as (console, outcome):
        if bool(ids) is everything:
            raise UsageError("name callbacks or jobs, or say --all")
        from ai_content_pipeline.worker.redelivery import wish

        chosen = wish(_settings_of(workspace), ids)
        outcome.data = {"redelivered": chosen}
        for one in chosen:
            console.data(one)
        console.say(f"{len(chosen)} to be sent again, by the worker of {workspace}")
    return outcome.exit_code


def _settings_of(workspace: Path) -> Settings:
    """Those of the worker that runs, or ran, in `workspace`."""
    from ai_content_pipeline.errors import UsageError
    from ai_content_pipeline.worker.settings import Settings

    settings = Settings(workspace, "draft")
    if not settings.queue.exists():
        raise UsageError(f"no worker has run in {workspace}", hint="name its folder with --workspace")
    return settings


def _need_packages() -> None:
    from ai_content_pipeline.errors import ConfigurationError

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the worker needs {', '.join(missing)}",
            hint="pip install 'ai-content-pipeline[worker]' (in a checkout: pip install -e '.[worker]')",
        )


def _settings(arguments: dict[str, Any], **more: Any) -> Settings:
    from ai_content_pipeline.cli.environment import environment
    from ai_content_pipeline.worker.settings import Settings, access_of

    return Settings(
        workspace=arguments["workspace"].absolute(),
        provider=_provider(arguments["provider"]),
        access=access_of(environment(arguments["env_file"])),
        allow_private_hosts=arguments["allow_private_hosts"],
        job_types=arguments["job_types"],
        job_timeout=arguments["job_timeout"],
        **more,
    )


def _provider(name: str | None) -> str:
    """What was asked for; else what this machine can do. Raises ConfigurationError."""
    import shutil

    from ai_content_pipeline.errors import ConfigurationError
    from ai_content_pipeline.providers.registry import PROVIDERS

    if name is None:
        able = "diffusers" in PROVIDERS and find_spec("diffusers") is not None and shutil.which("nvidia-smi")
        return "diffusers" if able else "draft"
    if name not in PROVIDERS:
        raise ConfigurationError(f"this aicp has no provider {name}", hint="use --provider draft")
    return name

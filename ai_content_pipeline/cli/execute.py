"""From a command line to a run: load, plan, ask, run, report. Shared by the commands that run pipelines."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.cli.console import Console
from ai_content_pipeline.cli.envelope import envelope
from ai_content_pipeline.cli.environment import day_cap, environment
from ai_content_pipeline.cli.options import Showing
from ai_content_pipeline.cli.outcome import Outcome
from ai_content_pipeline.cli.wish import Wish
from ai_content_pipeline.errors import AicpError, Interrupted, UsageError

if TYPE_CHECKING:
    from ai_content_pipeline.engine.events import Event
    from ai_content_pipeline.engine.plan import Plan
    from ai_content_pipeline.engine.pricing import PriceBook
    from ai_content_pipeline.engine.run import RunOptions
    from ai_content_pipeline.engine.workshop import Workshop
    from ai_content_pipeline.generation.artifact_store import ArtifactStore
    from ai_content_pipeline.generation.sqlite import SqliteStore
    from ai_content_pipeline.generation.store import Store
    from ai_content_pipeline.pipeline.expansion import Expansion
    from ai_content_pipeline.pipeline.project import Project


@contextmanager
def invocation(command: str, showing: Showing) -> Iterator[tuple[Console, Outcome]]:
    """A console for one command; its errors become messages, an envelope and an exit code."""
    console = Console.standard(showing)
    outcome = Outcome()
    error: AicpError | None = None
    try:
        yield console, outcome
    except AicpError as caught:
        error = caught
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        error = Interrupted("interrupted", hint="nothing is lost; give the same command again")
    except OSError as caught:
        where = f"{caught.filename}: " if caught.filename else ""
        error = AicpError(f"{where}{caught.strerror or caught}")
    except Exception as caught:  # the command line's last line: no traceback reaches a user
        if showing.verbose > 1:
            raise
        error = AicpError(
            f"internal error: {type(caught).__name__}: {caught}", hint="run it again with -vv and report it"
        )
    if error is not None:
        outcome.exit_code = error.exit_code
        console.error(error)
    console.finish(
        envelope(
            command=command,
            ok=outcome.exit_code == 0,
            data=outcome.data,
            error=error or outcome.error,
            run_id=outcome.run_id,
            cost=outcome.cost,
        )
    )


def run_command(wish: Wish) -> int:
    from ai_content_pipeline import report
    from ai_content_pipeline.cli import agreement, consent, garbage
    from ai_content_pipeline.cli.warm import warm
    from ai_content_pipeline.engine.pricing import PriceBook
    from ai_content_pipeline.engine.run import run
    from ai_content_pipeline.engine.safe_folder import SafeFolder
    from ai_content_pipeline.engine.workshop import open_workshop
    from ai_content_pipeline.report import document
    from ai_content_pipeline.report.words import ended

    over = threading.Event()
    with _stoppable(over), invocation(wish.command, wish.showing) as (console, outcome):
        wish, agreed = agreement.taken(wish)
        expansion, project = prepared(wish, console, keep=True)
        root, parts = _output(wish, expansion, project)
        cap = consent.cap(wish.max_cost, expansion)
        environ = environment(wish.env_file)
        if project.forgotten is not None:
            console.warn(project.forgotten)  # now, because a new journal begins here
        with open_workshop(project, environ) as workshop:
            prices = PriceBook(workshop.store)
            plan = planned(wish, expansion, workshop.store, workshop.artifacts, prices)
            if agreed is not None:
                agreement.check(agreed, plan, expansion, wish)
            if wish.locked:
                consent.check_prices(plan, workshop.clock.now().date())
            consent.check_providers(plan, workshop.provider)
            consent.ask(wish, plan, cap, console)
            options = _options(wish, root, parts, cap, day_cap(environ), prices)
            options = replace(options, idle=partial(warm, expansion))
            with SafeFolder(root, parts):
                pass  # a folder that cannot be written to is found out now, before anything is paid
            garbage.settle()
            with console.progress():
                result = run(expansion, workshop, options, _teller(wish, console, workshop, over))
            outcome.data = document.build(result, result.output_dir)
            _, page = report.write(result, result.output_dir, outcome.data)
        outcome.exit_code, outcome.run_id = result.exit_code, result.run_id
        outcome.why, outcome.retry_with = ended(result), result.resume_with
        outcome.cost = {"spent_usd": f"{result.spent:f}", "cap_usd": None if cap is None else f"{cap:f}"}
        console.summary(result, page)
    return outcome.exit_code


def prepared(wish: Wish, console: Console, *, keep: bool = False) -> tuple[Expansion, Project]:
    """The wish's pipeline with all its items, and the project whose memory it has.

    Vendors are asked for the schemas of models without a card; with `keep`, their answers are kept.
    """
    from ai_content_pipeline.cli.publications import Publications, catalogue_of
    from ai_content_pipeline.pipeline.expansion import expand
    from ai_content_pipeline.pipeline.load import load_pipeline
    from ai_content_pipeline.pipeline.project import find_project

    project = find_project(wish.path).seen_from(os.environ)
    environ = environment(wish.env_file)
    publications = Publications(project, environ, console.warn, online=not wish.draft, keep=keep)
    pipeline = load_pipeline(wish.path, environ=os.environ, overrides=wish.overrides, profile=wish.profile)
    expansion = expand(pipeline, draft=wish.draft, catalogue=catalogue_of(project, publications))
    if project.forgotten is not None:
        expansion = replace(expansion, warnings=(*expansion.warnings, project.forgotten))
    return expansion, project


def planned(
    wish: Wish,
    expansion: Expansion,
    store: Store,
    artifacts: ArtifactStore,
    prices: PriceBook | None = None,
) -> Plan:
    """The plan that is shown, asked about and run.

    Raises:
        UsageError: what is wanted is not there, or cannot be made; with the command that makes what it needs.
    """
    from ai_content_pipeline.engine.plan import make_plan
    from ai_content_pipeline.engine.selection import InputMissing

    try:
        return make_plan(expansion, store, artifacts, wish.redo, prices, wish.selection)
    except InputMissing as error:
        error.retry_with = replace(wish, only=(), start=None, until=error.step).retry(None)
        raise


@contextmanager
def looking(project: Project) -> Iterator[tuple[SqliteStore, ArtifactStore]]:
    """The project's memory for looking only: nothing is created where there is none."""
    from ai_content_pipeline.generation.artifact_store import ArtifactStore
    from ai_content_pipeline.generation.sqlite import SqliteStore

    store = SqliteStore(project.journal if project.journal.exists() else None)
    try:
        yield store, ArtifactStore(project.state)
    finally:
        store.close()


def _output(wish: Wish, expansion: Expansion, project: Project) -> tuple[Path, Sequence[str]]:
    """Where the files go. A draft never goes where paid files are.

    Raises:
        UsageError: they would go into the project's memory.
    """
    from ai_content_pipeline.pipeline.project import STATE_FOLDER

    if wish.output_dir is not None:
        folder = wish.output_dir.absolute()
        state = (project.root / STATE_FOLDER).resolve()
        if folder.resolve().is_relative_to(state):
            raise UsageError(
                f"--output-dir {wish.output_dir}: {state} is the project's memory, not for results",
                hint="choose another folder",
            )
        return (folder.with_name(f"{folder.name}.draft") if wish.draft else folder), ()
    parts = Path(expansion.pipeline.top.output_dir).parts
    return project.root, (*parts[:-1], f"{parts[-1]}.draft") if wish.draft else parts


def _teller(
    wish: Wish, console: Console, workshop: Workshop, over: threading.Event
) -> Callable[[Event], None]:
    """Events go to the console; with --cancel-on-interrupt a ^C also goes to the vendors. The run's end sets
    `over`."""
    from ai_content_pipeline.engine import events
    from ai_content_pipeline.engine.collect import answered, cancel_jobs

    def tell(event: Event) -> None:
        if isinstance(event, events.RunEnded):
            over.set()
        console.on_event(event)
        if wish.cancel_on_interrupt and isinstance(event, events.Interrupting):
            for job, answer in cancel_jobs(workshop, mine=True):
                console.say(answered(job, answer))

    return tell


def _options(
    wish: Wish,
    root: Path,
    parts: Sequence[str],
    cap: Decimal | None,
    per_day: Decimal | None,
    prices: PriceBook,
) -> RunOptions:
    import secrets
    from datetime import UTC, datetime

    from ai_content_pipeline.engine.run import RunOptions

    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return RunOptions(root, parts, run_id, wish.retry, wish.redo, cap, per_day, today, prices, wish.selection)


@contextmanager
def _stoppable(over: threading.Event) -> Iterator[None]:
    """^C, SIGTERM and SIGHUP end the command cleanly until `over` is set: the run has ended then, and nothing
    keeps its report from being written and shown, however often they come."""
    from ai_content_pipeline.engine import signals

    def interrupt() -> None:
        if not over.is_set():
            raise KeyboardInterrupt

    with signals.heard(interrupt):
        yield

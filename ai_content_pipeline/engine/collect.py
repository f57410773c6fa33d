"""Bringing home what earlier runs left at a vendor: by the journal alone, without YAML or input files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime

from ai_content_pipeline.engine.workshop import Workshop
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation import outcomes
from ai_content_pipeline.generation.door import Door
from ai_content_pipeline.generation.store import OPEN, Job, State
from ai_content_pipeline.jobs import CancelAnswer, Handle, Reason
from ai_content_pipeline.providers.registry import RESULTS_KEPT

COLLECTORS = 16


def orphaned(workshop: Workshop) -> list[Job]:
    """Open and doubtful jobs of the journal whose process is gone."""
    jobs = workshop.store.jobs((*OPEN, State.IN_DOUBT))
    alive = {owner: workshop.owners.alive(owner) for owner in {job.owner for job in jobs}}
    return [job for job in jobs if not alive[job.owner]]


def collect_one(door: Door, job: Job) -> AicpError | None:
    """Bring one orphan home; None when its result is here now, or when there surely is none (PENDING)."""
    try:
        ended = door.collect(job, lambda status: None)
    except AicpError as error:
        return error
    except OSError as error:
        return AicpError(f"it cannot be stored: {error.strerror or error}", hint="make room, and try again")
    return None if ended.state in (State.DONE, State.PENDING) else outcomes.ended(ended)


def told(job: Job, error: AicpError | None) -> str:
    """What became of an orphan, in words."""
    if error is not None:
        return error.message
    return "collected" if job.state is State.DONE else "was never accepted; the same command sends it again"


def collect_all(workshop: Workshop) -> Iterator[tuple[Job, AicpError | None]]:
    """Collect every orphan, and ask again for results that did not decode; each with what went wrong."""
    jobs = orphaned(workshop)
    jobs += [job for job in workshop.store.jobs((State.FAILED,)) if job.reason is Reason.BAD_OUTPUT]
    yield from collect_jobs(workshop, jobs)


def collect_jobs(workshop: Workshop, jobs: Sequence[Job]) -> Iterator[tuple[Job, AicpError | None]]:
    """Collect `jobs` side by side, in the order they end, each as it stands then.

    Whatever ends the loop early (^C, a broken pipe) leaves the rest to a later command.
    """
    with ThreadPoolExecutor(COLLECTORS, thread_name_prefix="aicp-collect") as pool:
        door = workshop.door(run="")
        futures = {pool.submit(collect_one, door, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                job = futures[future]
                yield workshop.store.job(job.key) or job, future.result()
        except BaseException:  # ^C as well; it goes on after the clearing up
            workshop.detached.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def left_running(workshop: Workshop) -> Iterator[str]:
    """What this process leaves at its vendors, and until when to collect it: a sentence for each vendor."""
    jobs = workshop.store.jobs((State.SUBMITTED, State.FINISHED))
    mine = [job for job in jobs if job.owner == workshop.owners.me]
    for name in sorted({job.provider for job in mine}):
        if workshop.provider(name).repeatable:
            continue
        theirs = [job for job in mine if job.provider == name]
        count = f"{len(theirs)} {'job goes' if len(theirs) == 1 else 'jobs go'} on at {name}"
        yield f"{count}: aicp fetch, or the same command, collects at no cost; {_kept(name, theirs)}"


def _kept(provider: str, jobs: Sequence[Job]) -> str:
    """Until when all results are surely there."""
    untils = [until for job in jobs if (until := kept_until(job)) is not None]
    if not untils:
        return f"{provider} does not say how long it keeps a result, so do it soon"
    return f"do it before {min(untils):%Y-%m-%d %H:%M} UTC, when {provider} may delete the first result"


def kept_until(job: Job) -> datetime | None:
    """Until when the vendor surely keeps the result of a job; None where it does not say, or has none.

    By its own word once the job has ended, else counted from the submit: no result is made before that.
    """
    kept = RESULTS_KEPT.get(job.provider)
    if job.expires is not None or kept is None or job.submitted_at is None or job.state not in OPEN:
        return job.expires
    return job.submitted_at + kept


def cancel_jobs(
    workshop: Workshop, addresses: Sequence[str] = (), *, mine: bool = False
) -> list[tuple[Job, CancelAnswer]]:
    """Ask the vendors to cancel every submitted job (or those at `addresses`; or this process's own
    with `mine`), and what each answered. One that cannot be asked does not keep the others from it."""
    answers = []
    for job in workshop.store.jobs((State.SUBMITTED,)):
        if mine and job.owner != workshop.owners.me:
            continue
        if job.handle is not None and (not addresses or job.address in addresses):
            answers.append((job, _cancel(workshop, job, job.handle)))
    return answers


def answered(job: Job, answer: CancelAnswer) -> str:
    """What its vendor said to a cancel: ``clips/scene_2  fal: requested, it stops if it still can``."""
    more = ", it stops if it still can" if answer is CancelAnswer.REQUESTED else ""
    return f"{job.address}  {job.provider}: {answer.value.replace('_', ' ')}{more}"


def _cancel(workshop: Workshop, job: Job, handle: Handle) -> CancelAnswer:
    try:
        return workshop.provider(job.provider).cancel(handle)
    except AicpError:
        return CancelAnswer.NO_ANSWER

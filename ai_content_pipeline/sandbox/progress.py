"""What a job that runs tells who polls it."""

from __future__ import annotations

from math import isfinite

from .state import Job, Phase


def reported(job: Job, now: float) -> Phase:
    """Counts the poll and says which phase it is told: the true one, unless the script lies."""
    job.polls += 1
    phase = job.phase(now)
    if phase is Phase.ENDED:
        job.polls_after_end += 1
        return Phase.RUNNING if job.quirks.twice and job.polls_after_end == 2 else phase
    if phase is Phase.RUNNING and job.quirks.backwards and job.polls % 2 == 0:
        return Phase.QUEUED
    return phase


def progress_lines(job: Job, now: float) -> list[str]:
    """Lines as a progress bar writes them: every fifth of the run that is done."""
    ran = min(now, job.ended) - job.started
    if ran < 0 or not isfinite(job.run):
        return []
    fifths = int(5 * ran / job.run + 1e-6) if job.run else 5
    return [f"{20 * n:3d}%|{'#' * 2 * n:<10}| {4 * n}/20" for n in range(1, fifths + 1)]

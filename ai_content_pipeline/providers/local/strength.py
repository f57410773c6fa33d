"""How many denoising steps a changed picture takes: the owner's parameters in diffusers' terms.

diffusers draws ``int(num_inference_steps * strength)`` steps, and crashes where that is none. Steps are
therefore meant as the ones that run in an exact copy, and as the whole schedule otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

#: An exact copy draws at most this much anew, in so many steps.
MOST_OF_A_COPY = 0.05
_COPY_STEPS = 6, 10
#: The noise levels that a model was trained on: no schedule can have more steps.
_LEVELS = 1000


@dataclass(frozen=True, slots=True)
class Denoising:
    """`steps` is what the job is said to take, `scheduled` what diffusers is told, `run` what really runs.

    Nothing runs (`run` 0) where the picture stays as it is.
    """

    strength: float
    steps: int
    scheduled: int
    run: int


def copying(strength: float, steps: int | None) -> Denoising:
    """An exact copy: 6 to 10 steps that really run; none at strength 0."""
    low, high = _COPY_STEPS
    strength = min(strength, MOST_OF_A_COPY)
    wanted = min(max(low, low if steps is None else steps), high)
    run = min(wanted, int(strength * _LEVELS))
    return Denoising(strength, wanted, _schedule(run, strength), run)


def modifying(strength: float, steps: int) -> Denoising:
    """The values as they are given; at least one step wherever there is anything to draw."""
    run = min(int(steps * strength), steps)
    if run == 0 and int(strength * _LEVELS) > 0:
        return Denoising(strength, steps, _schedule(1, strength), 1)
    return Denoising(strength, steps, steps, run)


def _schedule(run: int, strength: float) -> int:
    """The shortest schedule of which exactly `run` steps are drawn."""
    if not run:
        return 0
    scheduled = ceil(run / strength)
    while int(scheduled * strength) < run:
        scheduled += 1
    return min(scheduled, _LEVELS)

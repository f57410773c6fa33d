"""The time of day may jump (a machine that slept, a corrected clock): nothing is lost or paid twice (R2)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from ai_content_pipeline.generation.clock import SystemClock
from ai_content_pipeline.providers.fake import Act


class JumpingClock(SystemClock):
    """Jumps by `jump` while it waits for the first time."""

    def __init__(self, jump: timedelta) -> None:
        self._jump = jump
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self._ahead = self._jump
        return super().wait(event, seconds)


@pytest.mark.parametrize("hours", [-30 * 24, -3, 1, 3, 30 * 24])
@pytest.mark.parametrize("answer", ["accepted", "lost"])
def test_a_jump_while_it_waits(studio, pictures, hours, answer):
    """A job that seems to last for weeks, or to have been submitted tomorrow, comes home and is paid once."""
    studio.clock = JumpingClock(timedelta(hours=hours))
    studio.vendor.script = lambda wire: Act(0.8, answer=answer)
    first = studio.run(pictures("a", "b"))
    assert first.exit_code in (0, 7, 75), "made, or not yet"
    for job in studio.vendor.jobs:
        job.act = Act()
    assert studio.run(pictures("a", "b")).exit_code == 0
    assert (studio.vendor.submits, len(studio.vendor.charges)) == (2, 2)

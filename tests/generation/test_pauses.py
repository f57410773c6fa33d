"""Retry-After outside of a submit: how long a vendor's jobs are not looked at."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ai_content_pipeline.errors import Interrupted, ProviderUnavailable
from ai_content_pipeline.generation.limits import Gates
from ai_content_pipeline.generation.store import State
from ai_content_pipeline.providers.fake import Act
from tests.generation.conftest import GOOD


def resting(process, *pauses: float):
    """The vendor answers that many looks with a wish to be left alone; the times of all looks so far."""
    provider, wishes, looks = process.door.provider("fake"), list(pauses), []
    poll = provider.poll

    def rest(handle):
        looks.append(process.door.clock.monotonic())
        if wishes:
            raise ProviderUnavailable("429", retry_after=wishes.pop(0))
        return poll(handle)

    provider.poll = rest
    process.door.gate = Gates({}, process.door.clock, process.door.stopping)
    return looks


def test_a_vendor_is_not_looked_at_sooner_than_it_says(world):
    """Retry-After on a look is waited out, and after it the looks do not come all at once."""
    world.vendor.script = lambda wire: Act(seconds=60)
    process = world.start()
    looks = resting(process, 30.0, 12.0)
    assert process.generate(world.order()).job.state is State.DONE
    gaps = [later - sooner for sooner, later in pairwise(looks)]
    assert gaps[:2] == [30.0, 12.0]
    assert min(gaps) >= 2.0
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)


def test_a_pause_holds_for_every_job_of_the_vendor(world):
    """What one look was told holds for the others: nobody looks before it is over."""
    world.vendor.script = lambda wire: Act(seconds=5)
    process = world.start()
    looks = resting(process)
    process.door.gate("fake").hush(90.0)
    assert process.generate(world.order()).job.state is State.DONE
    assert looks == [190.0]


def test_no_pause_is_longer_than_results_are_kept(world):
    """A vendor that asks for ages is looked at every five minutes: a result may be deleted within an hour."""
    world.vendor.script = lambda wire: Act(seconds=5)
    process = world.start()
    looks = resting(process, 1e9, float("inf"))
    assert process.generate(world.order()).job.state is State.DONE
    assert [later - sooner for sooner, later in pairwise(looks)] == [300.0, 300.0]


def test_leaving_does_not_wait_for_a_pause(world):
    """Detached within one: the item ends at once, its job stays SUBMITTED, and is collected, paid once."""
    process = world.start()
    resting(process, 200.0)
    world.clock.on_wait = lambda: process.door.detached.set() if world.clock.waits[-1] > 100 else None
    with pytest.raises(Interrupted, match="goes on at the vendor"):
        process.generate(world.order())
    assert world.clock.waited_for[-1] is process.door.detached
    (job,) = process.store.jobs([State.SUBMITTED])
    process.kill()
    world.clock.on_wait = lambda: None
    assert world.start().collect(job).state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)


def test_an_upload_is_tried_again_when_the_vendor_says(world):
    """Retry-After on an upload is honoured as well; for longer than anybody waits it is exit 75."""
    process = world.start()
    provider = process.door.provider("fake")
    upload, wishes = provider.upload, [42.0]

    def rest(artifact, path):
        if wishes:
            raise ProviderUnavailable("429", retry_after=wishes.pop())
        return upload(artifact, path)

    provider.upload = rest
    assert process.generate(world.order(inputs=world.input())).job.state is State.DONE
    assert world.clock.waits[0] == 42.0
    wishes.append(3600.0)
    with pytest.raises(ProviderUnavailable):
        process.generate(world.order("a plate", inputs=world.input(GOOD + b"another")))
    assert world.vendor.submits == 1

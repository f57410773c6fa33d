"""Requests in doubt: adopted, disproved or held, never guessed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from ai_content_pipeline.errors import ConfigurationError, Interrupted, OutcomeUnknown, ProviderUnavailable
from ai_content_pipeline.generation import orders
from ai_content_pipeline.generation.store import Cap, Claimed, State
from ai_content_pipeline.jobs import Handle, Sightings
from ai_content_pipeline.providers.fake import Act, FakeProvider

RUN = Cap(0, run="run")


def lose_first(*answers: str, **changes):
    """A script whose first submits are answered so; the later ones are accepted."""
    left = list(answers)
    return lambda wire: Act(answer=left.pop(0) if left else "accepted", **changes)


def no_seed(world, prompt="a cup", **changes):
    """An order for a model without a seed: its twin has the same payload."""
    order = world.order(prompt, **changes)
    model = replace(order.request.model, seed_field=None)
    return replace(order, request=replace(order.request, model=model))


def test_a_lost_answer_is_adopted(world):
    """Accepted and the answer lost: the listing shows the job, it is adopted, and there is one charge."""
    world.vendor.script = lose_first("lost")
    process = world.start()
    made = process.generate(world.order())
    assert (made.job.state, made.job.handle) == (State.DONE, Handle("0"))
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)
    assert process.store.committed(RUN) == 40000


def test_a_listing_may_lag(world):
    """A job that the listing shows only after a while is still adopted, not submitted again."""
    world.vendor.script = lose_first("lost")
    world.vendor.lag = 45
    made = world.start().generate(world.order())
    assert (made.job.state, world.vendor.submits) == (State.DONE, 1)


def test_a_request_that_never_arrived_is_sent_again(world):
    """Not listed in two reads after the grace period: nothing is owed, and it is sent again."""
    world.vendor.script = lose_first("dropped")
    process = world.start()
    made = process.generate(world.order())
    assert (made.job.state, world.vendor.submits, len(world.vendor.charges)) == (State.DONE, 2, 1)
    assert sum(world.clock.waits) >= 60 + 5
    assert process.store.committed(RUN) == 40000


def test_two_empty_reads_are_needed_after_the_grace_period(world):
    """A job that shows up between the first and the second read past the grace period is adopted."""
    world.vendor.script = lose_first("lost")
    world.vendor.lag = 62
    made = world.start().generate(world.order())
    assert (made.job.state, world.vendor.submits) == (State.DONE, 1)


@pytest.mark.parametrize("answer", ["lost", "dropped"])
def test_without_a_listing_it_is_held(world, answer):
    """Where the vendor lists nothing nobody can know: held, counted, never sent again by itself."""
    world.vendor.listing = "none"
    world.vendor.script = lose_first(answer)
    for _ in range(3):
        process = world.start()
        with pytest.raises(OutcomeUnknown, match="nobody knows whether it was accepted") as raised:
            process.generate(world.order())
        assert (raised.value.exit_code, process.store.committed(RUN)) == (8, 40000)
        assert "resume --in-doubt" in raised.value.hint
        process.kill()
    assert world.vendor.submits == 1


def test_a_listing_of_ended_jobs_adopts_late(world):
    """fal lists only what has ended: held until then, adopted by the next command after, one charge."""
    world.vendor.listing = "ended"
    world.vendor.script = lose_first("lost", seconds=300)
    process = world.start()
    with pytest.raises(OutcomeUnknown):
        process.generate(world.order())
    process.end()
    world.clock.pass_time(300)
    assert world.start().generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)


def test_the_silence_of_such_a_listing_proves_nothing(world):
    """A listing of ended jobs that stays empty for ever never sends a request again."""
    world.vendor.listing = "ended"
    world.vendor.script = lose_first("dropped")
    for _ in range(3):
        process = world.start()
        with pytest.raises(OutcomeUnknown):
            process.generate(world.order())
        process.end()
        world.clock.pass_time(3600)
    assert world.vendor.submits == 1


def test_an_old_doubt_that_stays_one_is_told_soon(world):
    """A doubt that only an uninformative listing could resolve does not cost every command a minute."""
    world.vendor.listing = "ended"
    world.vendor.script = lose_first("dropped")
    process = world.start()
    with pytest.raises(OutcomeUnknown):
        process.generate(world.order())
    world.clock.pass_time(3600)
    waits = len(world.clock.waits)
    with pytest.raises(OutcomeUnknown):
        process.generate(world.order())
    assert sum(world.clock.waits[waits:]) <= 5


def test_one_mixed_read_is_no_proof(world):
    """Both reads must be of a listing that is exhaustive."""
    world.vendor.script = lose_first("dropped")
    process = world.start()
    provider = process.door.provider("fake")
    reads = []
    provider.find = lambda wire, since: reads.append(1) or Sightings(exhaustive=len(reads) % 2 == 0)
    with pytest.raises(OutcomeUnknown):
        process.generate(world.order())
    assert world.vendor.submits == 1


def test_several_matches_are_held(world):
    """When two unclaimed jobs look like ours, nobody can tell which is: held."""
    world.vendor.script = lose_first("lost")
    process = world.start()
    twin = no_seed(world)
    provider = process.door.provider("fake")
    wire = provider.wire(twin.request, {}, None)
    submit = provider.submit

    def with_a_stranger(wire_, key):
        stranger(world, wire)
        return submit(wire_, key)

    provider.submit = with_a_stranger
    with pytest.raises(OutcomeUnknown):
        process.generate(twin)
    assert len(process.store.jobs([State.IN_DOUBT])) == 1


def stranger(world, wire) -> None:
    """Somebody else, with our account, asks for the very same."""
    script, world.vendor.script = world.vendor.script, lambda wire: Act()
    FakeProvider(world.vendor, world.root).submit(wire, "theirs")
    world.vendor.script = script


def test_a_claimed_id_is_never_adopted_twice(world):
    """A twin's job, which has its owner, is no proof of ours: ours never arrived, and is sent again."""
    process = world.start()
    first = process.generate(no_seed(world, ordinal=0))
    world.vendor.script = lose_first("dropped")
    world.vendor.jobs[0].created = world.clock.now()  # as if made in the same second
    second = process.generate(no_seed(world, ordinal=1))
    assert (first.job.wire, second.job.state) == (second.job.wire, State.DONE)
    assert first.job.handle != second.job.handle
    assert (world.vendor.submits, len(world.vendor.charges)) == (3, 2)


def test_twins_that_are_both_lost_are_held(world):
    """Two equal requests, both answers lost: which job is whose cannot be told, so neither is guessed."""
    world.vendor.script = lose_first("lost", "lost")
    process = world.start()
    twins = [no_seed(world, ordinal=ordinal) for ordinal in (0, 1)]
    for twin in twins:
        claim_and_lose(process, twin)
    for twin in twins:
        with pytest.raises(OutcomeUnknown):
            process.generate(twin)
    assert (world.vendor.submits, len(world.vendor.charges)) == (2, 2)


def claim_and_lose(process, order) -> None:
    """Submit `order` and die before its doubt is looked into."""
    resolve, process.door.reconciler.resolve = process.door.reconciler.resolve, lambda *arguments: None
    with pytest.raises(OutcomeUnknown):
        process.generate(order)
    process.door.reconciler.resolve = resolve


def test_an_answer_on_its_way_is_not_adopted_by_its_twin(world):
    """A listed job may be that of a twin whose answer has not come yet: it is left to the twin."""
    process = world.start()
    one, two = (no_seed(world, ordinal=i) for i in (0, 1))
    wire = process.door.provider("fake").wire(one.request, {}, None)
    me = process.owners.me
    twin = orders.claim(two, two.key, wire, None, run="run", owner=me, caps=())  # its POST is on its way
    assert process.store.claim(twin, world.clock.now()) is Claimed.MINE
    stranger(world, wire)  # what the vendor made of it
    world.vendor.script = lose_first("dropped")
    arrived = []

    def answer_arrives() -> None:
        if not arrived:
            arrived.append(process.store.submitted(two.key, me, Handle("0"), world.clock.now()))

    world.clock.on_wait = answer_arrives
    made = process.generate(one)
    assert made.job.handle == Handle("1")
    assert process.store.job(two.key).handle == Handle("0")


def test_a_clock_that_was_set_forward_proves_nothing(world):
    """The grace period is measured by the steady clock: a corrected clock does not shorten it."""
    world.vendor.script = lose_first("lost")
    world.vendor.listing = "all"
    process = world.start()
    claim_and_lose(process, world.order())
    process.kill()
    world.clock.set_by(3600)
    hidden_until = world.clock.monotonic() + 30
    later = world.start()
    provider = later.door.provider("fake")
    find = provider.find
    provider.find = lambda wire, since: (
        find(wire, since) if world.clock.monotonic() > hidden_until else Sightings(exhaustive=True)
    )
    assert later.generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)


def test_a_vendor_that_is_down_leaves_the_doubt(world):
    """A listing that cannot be read is no listing: held, and looked at again by a later command."""
    world.vendor.script = lose_first("lost")
    process = world.start()
    provider = process.door.provider("fake")
    find = provider.find
    provider.find = lambda wire, since: down()
    with pytest.raises(OutcomeUnknown):
        process.generate(world.order())
    provider.find = find
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


def down() -> None:
    raise ProviderUnavailable("503")


def test_a_wrong_key_leaves_the_doubt(world):
    """An error that no waiting mends is shown as it is; the doubt stays."""
    world.vendor.script = lose_first("lost")
    process = world.start()

    def refused(wire, since):
        raise ConfigurationError("401")

    process.door.provider("fake").find = refused
    with pytest.raises(ConfigurationError):
        process.generate(world.order())
    assert process.store.jobs([State.IN_DOUBT])


def test_detaching_from_a_doubt(world):
    """The second ^C ends the look-out, too; the doubt stays."""
    world.vendor.script = lose_first("dropped")
    process = world.start()
    world.clock.on_wait = process.door.detached.set
    with pytest.raises(Interrupted) as raised:
        process.generate(world.order())
    assert raised.value.retry_with == "aicp resume --in-doubt wait"
    assert process.store.jobs([State.IN_DOUBT])


def test_a_repeatable_provider_is_simply_asked_again(world):
    """Where a second submit costs nothing there is no doubt to resolve."""
    world.repeatable = True
    world.vendor.script = lose_first("lost", "dropped")
    process = world.start()
    assert process.generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, world.vendor.charges) == (3, [])
    assert sum(world.clock.waits) < 5


def test_a_process_that_dies_while_it_sends(world):
    """A killed process's INTENT is a doubt: found by its heir if the vendor got it."""
    process = world.start()
    submit = process.door.provider("fake").submit

    def accepted_and_killed(wire, key):
        submit(wire, key)
        raise KeyboardInterrupt

    process.door.provider("fake").submit = accepted_and_killed
    with pytest.raises(KeyboardInterrupt):
        process.generate(world.order())
    process.kill()
    later = world.start()
    (job,) = later.store.jobs([State.INTENT])
    assert later.collect(job).state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)


def test_a_bug_while_sending_is_a_doubt(world):
    """Whatever a provider raises after it began to send, the request may have left: it is looked for."""
    process = world.start()
    provider = process.door.provider("fake")
    submit = provider.submit

    def stumble(wire, key):
        submit(wire, key)
        raise KeyError("request_id")

    provider.submit = stumble
    assert process.generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (1, 1)
    world.vendor.listing = "none"
    with pytest.raises(OutcomeUnknown, match="KeyError: 'request_id'"):
        process.generate(world.order("another"))


def test_the_users_decision_stands(world):
    """After `resubmit` the job is sent once more; the doubtful one stays counted, and the cap knows it."""
    world.vendor.listing = "none"
    world.vendor.script = lose_first("lost")
    world.caps = (Cap(100_000, run="run"),)
    process = world.start()
    with pytest.raises(OutcomeUnknown):
        process.generate(world.order())
    (job,) = process.store.jobs([State.IN_DOUBT])
    assert process.store.undoubted(job.key, abandon=False, spent=True, now=world.clock.now())
    assert process.generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, process.store.committed(RUN)) == (2, 80_000)


def test_a_user_who_decides_while_a_process_looks(world):
    """`resume` from another terminal: what the looking process sees later does not undo it."""
    world.vendor.script = lose_first("dropped")
    process = world.start()
    decided = []

    def decide() -> None:
        if not decided and process.store.jobs([State.IN_DOUBT]):
            (job,) = process.store.jobs([State.IN_DOUBT])
            decided.append(process.store.undoubted(job.key, abandon=True, spent=True, now=world.clock.now()))

    world.clock.on_wait = decide
    with pytest.raises(Exception, match="given up while in doubt"):
        process.generate(world.order())
    assert (world.vendor.submits, process.store.committed(RUN)) == (1, 40000)


def test_many_doubts_at_once(world):
    """Twenty answers lost at once: every job is adopted by its own item, and paid once."""
    world.vendor.script = lose_first(*["lost"] * 20)
    process = world.start()
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda i: process.generate(world.order(f"p{i}")), range(20)))
    assert {each.job.state for each in made} == {State.DONE}
    assert len({each.job.handle.request_id for each in made}) == 20
    assert (world.vendor.submits, len(world.vendor.charges)) == (20, 20)
    for each in made:
        assert world.vendor.jobs[int(each.job.handle.request_id)].wire == each.job.wire


def test_a_doubt_is_settled_like_any_other_job(world):
    """What an adopted job turns out to cost replaces its reservation."""
    world.vendor.script = lose_first("lost", cost=Decimal("0.01"))
    process = world.start()
    process.generate(world.order())
    assert process.store.committed(RUN) == 10_000


def test_a_match_in_the_listing_is_asked_before_it_is_believed(world):
    """An adopted job is polled like any other: what it became is what its own status says."""
    world.vendor.script = lose_first("lost", end="failed")
    process = world.start()
    with pytest.raises(Exception, match="failed this job"):
        process.generate(world.order())

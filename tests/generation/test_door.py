"""The money door, seen from outside: what is charged, what is delivered, what the user reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.errors import (
    AicpError,
    BadMedia,
    BudgetRefused,
    ConfigurationError,
    ContentRejected,
    Interrupted,
    JournalError,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.generation import orders
from ai_content_pipeline.generation.store import Cap, State
from ai_content_pipeline.jobs import Billed, Gone, Output, Reason, Running, Succeeded, Upload
from ai_content_pipeline.media import probe
from ai_content_pipeline.providers.fake import Act

# -- the plain way --------------------------------------------------------------------------------


@pytest.mark.parametrize("links", [False, True])
def test_a_request_is_paid_once_and_stored(world, links):
    """One order: one submit, one charge, the file in the store, the job DONE with its cost."""
    world.vendor.links = links
    world.vendor.script = lambda wire: Act(cost=Decimal("0.0398"))
    process = world.start()
    made = process.generate(world.order())
    assert (made.cached, made.job.state, made.job.cost) == (False, State.DONE, 39800)
    assert world.content(made.job) == b"PICTURE " + repr(made.job.wire).encode()
    assert (len(world.vendor.charges), world.vendor.submits) == (1, 1)
    assert process.store.committed(Cap(0, run="run")) == 39800
    assert list(world.artifacts.scratch.iterdir()) == []


def test_what_is_there_at_once_is_recorded_as_a_whole(world):
    """Free, and here with its acceptance: no write between the claim and the end, which tells everything."""
    world.repeatable = True
    process = world.start()
    told: list[str] = []
    process.store._writer.look(lambda db: db.set_trace_callback(told.append))
    job = process.generate(world.order()).job
    assert (job.state, job.handle.request_id) == (State.DONE, "0")
    assert job.intent_at == job.submitted_at == job.ended_at == world.clock.now()
    assert job == process.store.job(job.key)
    assert sum(line.startswith("UPDATE job") for line in told) == 1
    with sqlite3.connect(f"file:{world.aicp / 'journal.sqlite3'}?mode=ro", uri=True) as other:
        # What is finished is never done again: it is on the disk before anybody hears of it.
        assert other.execute("SELECT state FROM job").fetchall() == [("done",)]


def test_what_is_not_there_at_once_is_recorded_first(world):
    """Free, but still running at the first look: its id is written down, and it is waited for."""
    world.repeatable = True
    world.vendor.script = lambda wire: Act(seconds=3)
    process = world.start()
    states: list[State] = []
    world.clock.on_wait = lambda: states.append(process.store.jobs(State)[0].state)
    assert process.generate(world.order()).job.state is State.DONE
    assert set(states) == {State.SUBMITTED}
    assert world.vendor.submits == 1


@pytest.mark.parametrize(("end", "error"), [("failed", AicpError), ("rejected", ContentRejected)])
def test_what_fails_at_once_is_not_asked_again(world, end, error):
    """The first answer is the end: a second look would make it, and fail, once more."""
    world.repeatable = True
    world.vendor.script = lambda wire: Act(end=end)
    process = world.start()
    with pytest.raises(error):
        process.generate(world.order())
    assert process.store.jobs(State)[0].state is State.FAILED
    assert (world.vendor.submits, world.vendor.polls) == (1, 1)


def test_a_bad_file_that_is_there_at_once_is_kept_aside(world):
    """It does not decode: FAILED, in quarantine, with everything that was to be recorded of its job."""
    world.repeatable = True
    world.vendor.draw = lambda wire, path: path.write_bytes(b"<html>") and path
    process = world.start()
    with pytest.raises(BadMedia):
        process.generate(world.order())
    (job,) = process.store.jobs(State)
    assert (job.state, job.reason) == (State.FAILED, Reason.BAD_OUTPUT)
    assert job.handle is not None
    assert job.submitted_at is not None
    assert list((world.aicp / "quarantine").iterdir())


def test_the_same_request_again_is_cached(world):
    """The second time nothing is asked of the vendor, in this process or any other."""
    first = world.start()
    made = first.generate(world.order())
    again = first.generate(world.order())
    first.end()
    later = world.start().generate(world.order())
    assert again.cached
    assert later.cached
    assert again.job == later.job == made.job
    assert (world.vendor.submits, world.vendor.polls) == (1, 1)


def test_equal_requests_with_two_ordinals_are_two_jobs(world):
    """Who wants two pictures of one prompt pays for two."""
    process = world.start()
    one, two = (process.generate(world.order(ordinal=i)) for i in (0, 1))
    assert one.job.key != two.job.key
    assert len(world.vendor.charges) == 2


def test_equal_keys_in_flight_share_one_job(world):
    """Many threads that want the same thing at once get it from one submit."""
    process = world.start()
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: process.generate(world.order()), range(16)))
    assert all(each.job == made[0].job for each in made)
    assert [each.cached for each in made].count(False) == 1
    assert world.vendor.submits == 1


def test_a_job_is_journaled_with_all_that_is_needed_later(world):
    """Prompt, parameters, seed, inputs and address are found in the journal without the YAML."""
    inputs = world.input()
    made = world.start().generate(world.order(params={"n": "5"}, inputs=inputs, outputs=2))
    (file,) = inputs[Role.START]
    assert made.job.description == {
        "model": "m",
        "kind": "image",
        "task": "text_to_image",
        "prompt": "a cup",
        "params": {"n": "5"},
        "seed": made.job.wire.payload["seed"],
        "inputs": {"start": [file.sha256]},
        "terms": None,
        "second_hand": False,
    }
    assert (made.job.address, made.job.run, made.job.outputs) == ("stills/a cup", "run", 2)
    assert made.job.wire.payload["start"] == [f"fake://{file.sha256}"]


def test_seeds(world):
    """The user's seed is sent as it is; a derived one otherwise, for a redo, and never to a model without."""
    process = world.start()

    def seed(**changes):
        return process.generate(world.order(**changes)).job.wire.payload["seed"]

    derived = seed()
    assert 0 <= derived < 2**31
    assert seed(seed=7) == 7
    redone = seed(seed=7, take=1)
    assert redone not in (7, derived)
    assert seed(seed=7, take=2) not in (7, derived, redone)
    no_seed = replace(world.order().request.model, seed_field=None)
    assert seed(model=no_seed, seed=7, prompt="x") is None


def test_watching(world):
    """Whoever watches sees the job's progress, and the waits are short at first."""
    world.vendor.script = lambda wire: Act(seconds=20)
    process = world.start()
    process.generate(world.order())
    progress = [status.progress for status in process.seen]
    assert progress == sorted(progress)
    assert world.vendor.polls <= 15
    assert world.clock.waits[0] == 0.5


@pytest.fixture
def vendor_process(world):
    """A process whose provider is no sooner done than in half a second, as over a network."""
    process = world.start()
    process.door.provider("fake").soonest = 0.5
    return process


@pytest.mark.parametrize(
    ("first", "waits"),
    [(1.0, [0.75, 0.25]), (20.0, [2.0]), (0.0, [0.5])],
    ids=["as_long", "never_later_than_2_s", "at_once"],
)
def test_the_next_job_is_not_asked_while_the_others_ran(world, vendor_process, first, waits):
    """The first look at a job is when all others of its model still ran, but not later than at 2 s."""
    world.vendor.script = lambda wire: Act(seconds=first)
    vendor_process.generate(world.order("one"))
    world.clock.waits.clear()
    world.vendor.script = lambda wire: Act(seconds=min(first, 1.0))
    vendor_process.generate(world.order("two"))
    assert world.clock.waits == waits


def test_one_late_job_makes_nobody_wait(world, vendor_process):
    """It is the quickest of a model's jobs that says when to look first."""
    for number, seconds in enumerate((1.0, 3.0, 1.0)):
        world.clock.waits.clear()
        world.vendor.script = lambda wire, seconds=seconds: Act(seconds=seconds)
        vendor_process.generate(world.order(f"number {number}"))
    assert world.clock.waits == [0.75, 0.25]


def test_a_model_that_became_quicker_is_asked_early_again(world, vendor_process):
    """A job that has ended by the first look says nothing of when: the one after it is asked early."""
    for seconds in (5.0, 0.1):
        world.vendor.script = lambda wire, seconds=seconds: Act(seconds=seconds)
        vendor_process.generate(world.order(f"takes {seconds}"))
    world.clock.waits.clear()
    vendor_process.generate(world.order("the third"))
    assert world.clock.waits == [0.5]


def test_a_model_of_this_machine_is_asked_at_once_however_long_the_last_job_took(world):
    """Its poll notices the end by itself, so nothing is gained by sleeping over it."""
    process = world.start()
    for seconds in (15.0, 0.0):
        world.clock.waits.clear()
        world.vendor.script = lambda wire, seconds=seconds: Act(seconds=seconds)
        process.generate(world.order(f"takes {seconds}"))
    assert world.clock.waits == []


def test_an_upload_serves_everyone_until_it_expires(world):
    """One content is uploaded once, however many items want it, and again when it may have expired."""
    inputs = world.input()
    process = world.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: process.generate(world.order(f"p{i}", inputs=inputs)), range(8)))
    assert len(world.vendor.uploads) == 1
    (file,) = inputs[Role.START]
    soon = world.clock.now() + timedelta(minutes=14)  # a queue may be longer than that
    process.store.uploaded("fake", file.sha256, Upload("fake://old", soon))
    process.generate(world.order("later", inputs=inputs))
    assert len(world.vendor.uploads) == 2


@pytest.mark.parametrize("act", [Act(answer="refused"), Act(end="invalid", billed=Billed.NO)])
def test_an_upload_that_the_vendor_may_have_lost_is_made_again(world, act):
    """After an 'invalid request' the inputs are uploaded anew; after any other failure they are not."""
    inputs = world.input()
    process = world.start()
    for each, uploads in ((act, 1), (Act(end="failed"), 2), (Act(), 2)):
        world.vendor.script = lambda wire, each=each: each
        with contextlib.suppress(AicpError):
            process.generate(world.order(inputs=inputs))
        assert len(world.vendor.uploads) == uploads
    assert len(world.vendor.charges) == 1


def test_a_promise_is_not_paid_for(world):
    """An order whose input does not exist yet is a mistake of ours, found before anything is sent."""
    promised = {Role.START: (Pending("scenes/scene_1", Kind.IMAGE),)}
    with pytest.raises(AssertionError, match="does not exist yet"):
        world.start().generate(world.order(inputs=promised))
    assert world.vendor.submits == 0


# -- refusals -------------------------------------------------------------------------------------


def test_a_refusal_costs_nothing_and_may_be_repeated(world):
    """A request that was refused is FAILED, not billed; the same command tries it again."""
    world.vendor.script = lambda wire: Act(answer="refused")
    process = world.start()
    with pytest.raises(AicpError, match="refuses this request"):
        process.generate(world.order())
    (job,) = process.store.jobs([State.FAILED])
    assert (job.billed, job.reason, process.store.committed(Cap(0, run="run"))) == (
        Billed.NO,
        Reason.INVALID,
        0,
    )
    world.vendor.script = lambda wire: Act()
    assert process.generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (2, 1)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ContentRejected("no"), Reason.CONTENT),
        (ConfigurationError("wrong key"), Reason.CONFIGURATION),
        (AicpError("422"), Reason.INVALID),
    ],
)
def test_a_refusal_keeps_its_kind(world, cause, reason):
    """The user sees the vendor's reason with its own exit code, and so does the journal."""
    process = world.start()
    process.door.provider("fake").submit = lambda wire, key: refuse(cause)
    with pytest.raises(type(cause)) as raised:
        process.generate(world.order())
    assert raised.value is cause
    assert process.store.jobs([State.FAILED])[0].reason is reason


def refuse(cause: AicpError) -> None:
    raise NotAccepted(cause)


def busy_for(times: int, **changes):
    """A script that refuses so many times, and accepts then."""
    answers = [Act(answer="busy", **changes)] * times
    return lambda wire: answers.pop() if answers else Act()


def test_a_busy_vendor_is_asked_again_with_one_reservation(world):
    """A 429 is sat out with growing pauses; while it lasts at most one reservation is counted."""
    world.vendor.script = busy_for(3)
    process = world.start()
    most = []
    world.clock.on_wait = lambda: most.append(process.store.committed(Cap(0, run="run")))
    made = process.generate(world.order())
    assert made.job.state is State.DONE
    assert world.clock.waits == [0.5, 1.0, 2.0]
    assert max(most) == 0  # released while it waits
    assert process.store.committed(Cap(0, run="run")) == 40000
    assert len(world.vendor.charges) == 1


def test_a_busy_vendor_is_asked_when_it_says(world):
    """Retry-After is honoured where it is longer than our own pause."""
    world.vendor.script = busy_for(2, retry_after=42.0)
    world.start().generate(world.order())
    assert world.clock.waits == [42.0, 42.0]


@pytest.mark.parametrize("seconds", [301.0, 1e9, float("inf")])
def test_an_absurd_retry_after_is_not_waited_for(world, seconds):
    """A vendor that asks for hours is down for now: the item fails at once and costs nothing."""
    world.vendor.script = busy_for(1, retry_after=seconds)
    process = world.start()
    with pytest.raises(AicpError, match="busy"):
        process.generate(world.order())
    assert world.clock.waits == []
    assert process.store.jobs([State.PENDING])[0].reserved == 40000
    assert process.store.committed(Cap(0, run="run")) == 0


def test_an_always_busy_vendor_is_given_up(world):
    """After eight refusals the item fails, free, and the next command may try again."""
    world.vendor.script = busy_for(8)
    process = world.start()
    with pytest.raises(AicpError, match="busy"):
        process.generate(world.order())
    assert world.vendor.submits == 8
    assert process.generate(world.order()).job.state is State.DONE


# -- failures after acceptance --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "billed", "error", "hint", "again"),
    [
        ("failed", Billed.NO, AicpError, "not billed; the same command tries again", 2),
        ("failed", Billed.YES, AicpError, "was billed; `aicp redo`", 1),
        ("failed", Billed.UNKNOWN, AicpError, "may have been billed; `aicp redo`", 1),
        ("rejected", Billed.NO, ContentRejected, "not billed", 2),
        ("rejected", Billed.YES, ContentRejected, "was billed", 1),
    ],
)
def test_a_failed_job_is_repeated_only_if_it_was_free(world, end, billed, error, hint, again):
    """Unless it was surely free, the same command never submits a failed job again."""
    world.vendor.script = lambda wire: Act(end=end, billed=billed)
    for _ in range(3):
        process = world.start()
        with pytest.raises(error) as raised:
            process.generate(world.order())
        assert hint in raised.value.hint
        process.end()
    assert world.vendor.submits == (3 if again == 2 else 1)


def test_a_hiccup_is_repeated_at_once_if_it_was_free(world):
    """What the vendor calls temporary, and did not bill, is sent again in the same run, after a pause."""
    ends = ["temporary", "temporary", "done"]
    world.vendor.script = lambda wire: Act(end=ends.pop(0))
    made = world.start().generate(world.order())
    assert made.job.state is State.DONE
    assert (world.vendor.submits, len(world.vendor.charges)) == (3, 1)
    assert world.clock.waits == [0.5, 1.0]


def test_a_billed_hiccup_is_not_repeated(world):
    """Temporary or not: what was billed is not sent again by itself."""
    world.vendor.script = lambda wire: Act(end="temporary", billed=Billed.YES)
    process = world.start()
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            process.generate(world.order())
    assert world.vendor.submits == 1


def test_gone_must_be_said_three_times(world):
    """A job that its vendor does not know at first is asked for again: 'gone' would end it for good."""
    world.vendor.script = lambda wire: Act(seconds=1)
    process = world.start()
    provider = process.door.provider("fake")
    poll, answers = provider.poll, [Gone("404"), Gone("404")]
    provider.poll = lambda handle: answers.pop() if answers else poll(handle)
    assert process.generate(world.order()).job.state is State.DONE


def test_a_job_that_is_gone_is_over_and_counts(world):
    """GONE is final: it counts as spent, is not submitted again, and the user is told what to do."""
    world.vendor.script = lambda wire: Act(end="gone", billed=Billed.YES)
    process = world.start()
    for _ in range(2):
        with pytest.raises(AicpError, match="no longer has the result") as raised:
            process.generate(world.order())
        assert "aicp redo" in raised.value.hint
    assert (world.vendor.submits, world.vendor.polls) == (1, 3)
    assert sum(world.clock.waits) >= 8
    assert process.store.committed(Cap(0, run="run")) == 40000


def test_a_silent_vendor_is_asked_again(world):
    """A poll that gets no answer never loses the job."""
    process = world.start()
    provider = process.door.provider("fake")
    poll, trouble = provider.poll, [ProviderUnavailable("502")] * 5

    def unsteady(handle):
        if trouble:
            raise trouble.pop()
        return poll(handle)

    provider.poll = unsteady
    assert process.generate(world.order()).job.state is State.DONE
    assert all(isinstance(status, Running) for status in process.seen)


def test_a_wrong_key_while_polling_keeps_the_job(world):
    """An error that no later try mends ends the item; its job is collected by a later command."""
    process = world.start()
    provider = process.door.provider("fake")
    poll = provider.poll
    provider.poll = lambda handle: wrong_key()
    with pytest.raises(ConfigurationError):
        process.generate(world.order())
    provider.poll = poll
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


def wrong_key() -> None:
    raise ConfigurationError("401")


def test_a_job_that_never_ends_is_left_to_fetch(world):
    """After two hours the item fails with 'not yet'; the job is collected when it is ready."""
    world.vendor.script = lambda wire: Act(seconds=3 * 3600)
    process = world.start()
    with pytest.raises(ProviderUnavailable, match="not finished it yet") as raised:
        process.generate(world.order())
    assert raised.value.retry_with == "aicp fetch"
    world.clock.pass_time(3600)
    (job,) = process.store.jobs([State.SUBMITTED])
    assert process.collect(job).state is State.DONE
    assert world.vendor.submits == 1


# -- outputs --------------------------------------------------------------------------------------


class Shop:
    """A file host that sometimes serves rubbish: `bad` is how many answers are."""

    def __init__(self, world, bad: int) -> None:
        self.world, self.bad, self.calls = world, bad, 0

    def download(self, url: str, path: Path) -> None:
        self.calls += 1
        if self.calls <= self.bad:
            path.write_bytes(b"<html>try later</html>")
        else:
            self.world.vendor.download(url, path)


@pytest.fixture
def shop(world):
    def open_shop(bad: int) -> Shop:
        world.vendor.links = True
        shop = Shop(world, bad)
        world.wrap = lambda name, thing: shop.download if name == "download" else thing
        return shop

    return open_shop


def quarantined(world) -> list[bytes]:
    folder = world.aicp / "quarantine"
    return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []


def test_rubbish_is_fetched_again(world, shop):
    """A file that does not decode is asked for again, up to five times, with pauses, for free."""
    host = shop(bad=4)
    made = world.start().generate(world.order())
    assert (made.job.state, host.calls, len(world.vendor.charges)) == (State.DONE, 5, 1)
    assert world.clock.waits == [0.5, 1.0, 2.0, 4.0]
    assert quarantined(world) == []


def test_lasting_rubbish_is_kept_and_asked_for_again_later(world, shop):
    """After five tries: a typed error, and the bytes kept; the next command fetches again for free."""
    host = shop(bad=5)
    process = world.start()
    with pytest.raises(BadMedia) as raised:
        process.generate(world.order())
    assert "fetch" in raised.value.hint
    assert quarantined(world) == [b"<html>try later</html>"]
    (job,) = process.store.jobs([State.FAILED])
    assert (job.reason, job.billed) == (Reason.BAD_OUTPUT, Billed.YES)
    process.end()
    later = world.start()
    made = later.generate(world.order())
    assert (made.job.state, host.calls) == (State.DONE, 6)
    assert (world.vendor.submits, later.store.committed(Cap(0, run="run"))) == (1, 40000)


def test_rubbish_is_collected_too(world, shop):
    """`aicp fetch` asks again for a result that did not decode."""
    shop(bad=5)
    process = world.start()
    with pytest.raises(BadMedia):
        process.generate(world.order())
    (job,) = process.store.jobs([State.FAILED])
    assert process.collect(job).state is State.DONE
    assert world.vendor.submits == 1


def test_a_wrong_kind_of_file_is_rubbish(world):
    """A video where a picture was asked for cannot be used, and is kept."""
    process = world.start()
    info = process.door.fetcher.verify
    process.door.fetcher.verify = lambda path, blank: replace(
        info(path), kind=Kind.VIDEO, media_type="video/mp4"
    )
    with pytest.raises(BadMedia, match="asked for image, got video/mp4"):
        process.generate(world.order())
    assert len(quarantined(world)) == 1


def test_a_blacked_out_picture_is_delivered_and_remarked_upon(world):
    """It is paid for and may be meant, so it is no error; but nobody has to find it by looking."""
    from PIL import Image

    def draw(wire, path):
        Image.new("RGB", (64, 64)).save(path, "PNG")
        return path

    world.vendor.draw, world.vendor.links = draw, True
    process = world.start()
    process.door.fetcher.verify = probe.verify
    made = process.generate(world.order())
    assert made.job.state is State.DONE
    assert made.job.notes == ("it is all black: the vendor may have blacked it out",)
    assert world.start().generate(world.order()).job.notes == made.job.notes


def test_rubbish_without_a_url_is_asked_for_anew(world):
    """A result that came with the answer, and did not decode, is asked of the vendor again."""
    process = world.start()
    draw = world.vendor.draw
    world.vendor.draw = lambda wire, path: path.write_bytes(b"<html>") and path
    with pytest.raises(BadMedia):
        process.generate(world.order())
    world.vendor.draw = draw
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


def test_no_output_at_all_is_rubbish(world):
    """A vendor that reports success and returns nothing: a typed error, asked again for free."""
    counts = [0, 1]
    world.vendor.script = lambda wire: Act(outputs=0)
    process = world.start()
    with pytest.raises(BadMedia, match="no file"):
        process.generate(world.order())
    world.vendor.jobs[0].act = Act(outputs=counts[1])
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


@pytest.mark.parametrize(("returned", "stored"), [(2, 2), (4, 4), (6, 4)])
def test_several_outputs(world, returned, stored):
    """Several outputs are stored in order; fewer than asked are what there is, more are left out."""
    world.vendor.script = lambda wire: Act(outputs=returned)
    world.vendor.links = True
    world.wrap = lambda name, thing: numbered if name == "download" else thing

    def numbered(url: str, path: Path) -> None:
        path.write_bytes(b"PICTURE " + url.encode())

    made = world.start().generate(world.order(outputs=4))
    contents = [world.artifacts.path(each).read_bytes() for each in made.job.artifacts]
    assert contents == [b"PICTURE fake://0/%d" % i for i in range(stored)]


def test_a_network_that_fails_keeps_the_result(world):
    """A download that cannot be made now leaves the job FINISHED; the next command makes it."""
    world.vendor.links = True
    down = [ProviderUnavailable("no route")]
    world.wrap = lambda name, thing: flaky if name == "download" else thing

    def flaky(url: str, path: Path) -> None:
        if down:
            raise down.pop()
        world.vendor.download(url, path)

    process = world.start()
    with pytest.raises(ProviderUnavailable):
        process.generate(world.order())
    assert process.store.jobs([State.FINISHED])
    assert process.generate(world.order()).job.state is State.DONE
    assert (world.vendor.submits, world.vendor.polls) == (1, 1)


def test_a_full_disk_keeps_the_result(world):
    """Without room for the file the job stays FINISHED, and the error says what to do."""
    process = world.start()
    put, full = process.door.artifacts.put, [OSError(28, "No space left on device")]
    process.door.artifacts.put = lambda path, info: raise_it(full.pop()) if full else put(path, info)
    with pytest.raises(JournalError, match="No space left") as raised:
        process.generate(world.order())
    assert "make room" in raised.value.hint
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


def raise_it(error: Exception) -> None:
    raise error


def test_our_own_missing_folder_is_not_the_vendors_fault(world):
    """When our temporary folder vanishes in mid-download the paid job is not written off as deleted."""
    world.vendor.links = True
    world.wrap = lambda name, thing: careless if name == "download" else thing
    vanish = [True]

    def careless(url: str, path: Path) -> None:
        if vanish.pop() if vanish else False:
            path.parent.rmdir()
        world.vendor.download(url, path)

    process = world.start()
    with pytest.raises(JournalError):
        process.generate(world.order())
    assert process.generate(world.order()).job.state is State.DONE


# -- stored files that are lost ----------------------------------------------------------------------


def lose(world, job, how: str) -> bytes:
    path = world.artifacts.path(job.artifacts[0])
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"PICTURE of something else")
    return content


@pytest.mark.parametrize("how", ["deleted", "damaged"])
@pytest.mark.parametrize("links", [False, True])
def test_a_lost_file_is_fetched_again(world, how, links):
    """As long as the vendor has the result, a lost or damaged file is fetched again, and not paid again."""
    world.vendor.links = links
    process = world.start()
    made = process.generate(world.order())
    content = lose(world, made.job, how)
    world.clock.pass_time(86400)
    again = process.generate(world.order())
    assert world.content(again.job) == content
    assert (again.job.state, again.cached, world.vendor.submits) == (State.DONE, False, 1)
    assert again.job.seconds == made.job.seconds  # the model took no longer for it


def test_a_vendor_may_move_its_files(world):
    """A stored URL that is dead is no loss while the vendor, asked again, names another."""
    world.vendor.links = True
    process = world.start()
    made = process.generate(world.order())
    content = lose(world, made.job, "deleted")
    world.vendor.deleted.add("fake://0/0")
    process.door.provider("fake").poll = lambda handle: Succeeded((Output(url="fake://0/0?signed=anew"),))
    assert world.content(process.generate(world.order()).job) == content
    assert world.vendor.submits == 1


@pytest.mark.parametrize("act", [Act(end="failed"), Act(end="failed", billed=Billed.YES), Act(end="gone")])
def test_what_a_vendor_says_later_changes_no_good_result(world, act):
    """A job that was DONE is not turned into a failure because its file was lost here: it stays blocked."""
    process = world.start()
    made = process.generate(world.order())
    content = lose(world, made.job, "deleted")
    world.vendor.jobs[0].act = act
    with pytest.raises(BadMedia, match="missing or damaged"):
        process.generate(world.order())
    world.artifacts.path(made.job.artifacts[0]).write_bytes(content)
    assert process.generate(world.order()).job == made.job
    assert world.vendor.submits == 1


@pytest.mark.parametrize("how", ["deleted", "damaged"])
@pytest.mark.parametrize("links", [False, True])
def test_a_lost_file_that_the_vendor_lacks_is_blocked(world, how, links):
    """When the vendor has it no more, the item is blocked: never paid again, and good again from a backup."""
    world.vendor.links = links
    process = world.start()
    made = process.generate(world.order())
    content = lose(world, made.job, how)
    world.vendor.deleted.add("fake://0/0")
    world.vendor.jobs[0].act = Act(end="gone")
    for _ in range(2):
        with pytest.raises(BadMedia, match="missing or damaged") as raised:
            process.generate(world.order())
        assert "backup" in raised.value.hint
    assert world.vendor.submits == 1
    world.artifacts.path(made.job.artifacts[0]).write_bytes(content)
    restored = process.generate(world.order())
    assert restored.cached
    assert restored.job == made.job


def test_a_lost_file_whose_vendor_serves_rubbish_is_blocked(world, shop):
    """A result that was good once is not turned into a failure by a bad answer."""
    host = shop(bad=0)
    process = world.start()
    made = process.generate(world.order())
    content = lose(world, made.job, "deleted")
    host.bad = 100
    with pytest.raises(BadMedia, match="missing or damaged"):
        process.generate(world.order())
    assert process.store.job(made.job.key).state is State.DONE
    world.artifacts.path(made.job.artifacts[0]).write_bytes(content)
    assert process.generate(world.order()).cached


def test_a_lost_file_of_a_repeatable_provider_is_made_again(world):
    """What costs nothing is simply made again."""
    world.repeatable = True
    process = world.start()
    made = process.generate(world.order())
    content = lose(world, made.job, "deleted")
    again = process.generate(world.order())
    assert world.content(again.job) == content
    assert (world.vendor.submits, world.vendor.charges) == (2, [])


def test_a_bad_picture_of_a_repeatable_provider_is_made_again_later(world):
    """A free renderer that drew rubbish is asked again by the next command, once."""
    world.repeatable = True
    draw = world.vendor.draw
    world.vendor.draw = lambda wire, path: path.write_bytes(b"oops") and path
    process = world.start()
    with pytest.raises(BadMedia):
        process.generate(world.order())
    world.vendor.draw = draw
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 2


# -- money ----------------------------------------------------------------------------------------


def test_a_cap_is_refused_before_the_vendor_hears_of_it(world):
    """An order above the cap is refused with exit code 5, unsent and unrecorded; a cached one is not."""
    world.caps = (Cap(100_000, run="run"),)
    process = world.start()
    for prompt in ("one", "two"):
        process.generate(world.order(prompt))
    with pytest.raises(BudgetRefused, match=r"\$0.04 more would pass the cap") as raised:
        process.generate(world.order("three"))
    assert (raised.value.exit_code, world.vendor.submits) == (5, 2)
    assert process.generate(world.order("one")).cached


def test_twenty_workers_under_a_cap_for_ten(world):
    """Ten of twenty items are paid for at once, and what is committed is the cap exactly."""
    world.caps = (Cap(400_000, run="run"),)
    process = world.start()

    def one(i: int) -> bool:
        try:
            process.generate(world.order(f"p{i}"))
        except BudgetRefused:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))).count(True) == 10
    assert (len(world.vendor.charges), process.store.committed(world.caps[0])) == (10, 400_000)


def test_an_unpriced_order_is_outside_the_cap(world):
    """Without a price nothing can be reserved; what the vendor reports is counted afterwards."""
    world.caps = (Cap(0, run="run"),)
    world.vendor.script = lambda wire: Act(cost=Decimal("0.5"))
    process = world.start()
    made = process.generate(world.order(price=None))
    assert (made.job.reserved, made.job.cost) == (None, 500_000)
    assert process.store.committed(world.caps[0]) == 500_000


def test_units_become_dollars_whoever_collects(world):
    """Reported units times the price that was known at the claim, also when another process collects."""
    world.vendor.script = lambda wire: Act(seconds=60, units=Decimal("5.25"))
    order = world.order(unit_price=Decimal("0.07"))
    process = world.start()
    world.clock.on_wait = process.door.detached.set
    with pytest.raises(Interrupted):
        process.generate(order)
    process.kill()
    world.clock.on_wait = lambda: None
    later = world.start()
    (job,) = later.store.jobs([State.SUBMITTED])
    assert later.collect(job).cost == 367_500


@pytest.mark.parametrize(
    ("act", "cost"),
    [
        (Act(), None),
        (Act(cost=Decimal(0)), 0),
        (Act(cost=Decimal("0.0000001")), 1),
        (Act(cost=Decimal("-1")), None),
        (Act(cost=Decimal("NaN")), None),
        (Act(cost=Decimal("sNaN")), None),
        (Act(cost=Decimal("Infinity")), None),
        (Act(cost=Decimal("1e30")), None),
        (Act(units=Decimal("NaN")), None),
        (Act(units=Decimal("sNaN")), None),
        (Act(units=Decimal("-3")), None),
        (Act(units=Decimal(2), cost=Decimal("0.01")), 10_000),
    ],
)
def test_an_absurd_cost_is_not_believed(world, act, cost):
    """A negative, infinite or gigantic report neither frees money nor stops the job: the estimate stands."""
    world.vendor.script = lambda wire: act
    process = world.start()
    made = process.generate(world.order(unit_price=Decimal("0.07")))
    assert (made.job.state, made.job.cost) == (State.DONE, cost)
    assert process.store.committed(Cap(0, run="run")) == (40000 if cost is None else cost)


def test_the_known_part_of_a_price_is_reserved(world):
    """Where only a part of the price is unknown the rest counts towards the cap."""
    order = world.order()
    partly = replace(order, estimate=replace(order.estimate, unpriced=("audio",)))
    assert orders.claim(partly, "k", None, None, run="r", owner="o", caps=()).reserve == 40000


# -- stopping -------------------------------------------------------------------------------------


def test_stopping_starts_nothing_new(world):
    """After the first ^C nothing is submitted; what is submitted already is collected."""
    world.vendor.script = lambda wire: Act(seconds=30)
    process = world.start()
    world.clock.on_wait = process.door.stopping.set
    assert process.generate(world.order("running")).job.state is State.DONE
    with pytest.raises(Interrupted, match="not started"):
        process.generate(world.order("new"))
    assert process.generate(world.order("running")).cached
    assert world.vendor.submits == 1


def test_stopping_ends_the_wait_for_a_busy_vendor(world):
    """Who waits to submit again has nothing to collect, and stops waiting."""
    world.vendor.script = lambda wire: Act(answer="busy")
    process = world.start()
    world.clock.on_wait = process.door.stopping.set
    with pytest.raises(Interrupted, match="not started"):
        process.generate(world.order())
    assert world.vendor.submits == 1
    assert world.clock.waited_for == [process.door.stopping]


def test_detaching_leaves_the_job_at_the_vendor(world):
    """After the second ^C waiting ends at once; the job stays SUBMITTED and is collected later, once paid."""
    world.vendor.script = lambda wire: Act(seconds=30)
    process = world.start()
    world.clock.on_wait = process.door.detached.set
    with pytest.raises(Interrupted, match="goes on at the vendor") as raised:
        process.generate(world.order())
    assert (raised.value.exit_code, raised.value.retry_with) == (130, "aicp fetch")
    assert process.store.jobs([State.SUBMITTED])
    process.end()
    world.clock.on_wait = lambda: None
    assert world.start().generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


def test_detaching_from_a_slow_file_host(world, shop):
    """The pauses between downloads end, too."""
    shop(bad=100)
    process = world.start()
    world.clock.on_wait = process.door.detached.set
    with pytest.raises(Interrupted):
        process.generate(world.order())
    assert process.store.jobs([State.FINISHED])


@pytest.fixture
def slow_host(world):
    """Downloads wait until `open` is set; `most` ever waited at once."""

    class Host:
        def __init__(self) -> None:
            self.open, self.guard = threading.Event(), threading.Lock()
            self.inside = self.most = 0

        def download(self, url: str, path: Path) -> None:
            with self.guard:
                self.inside += 1
                self.most = max(self.most, self.inside)
            assert self.open.wait(60)
            with self.guard:
                self.inside -= 1
            world.vendor.download(url, path)

    host = Host()
    world.vendor.links = True
    world.wrap = lambda name, thing: host.download if name == "download" else thing
    yield host
    host.open.set()


def until(condition) -> None:
    """Wait until it holds; half a minute at most."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def at_once(world, process, host, names: str, inside: int) -> None:
    """Twenty jobs end at once, all their results come; `inside` of them are at the host before it opens."""
    with ThreadPoolExecutor(20) as pool:
        made = [pool.submit(process.generate, world.order(f"{names} {i}")) for i in range(20)]
        until(lambda: host.inside == inside and len(process.store.jobs([State.FINISHED])) == 20)
        host.open.set()
        assert all(future.result().job.state is State.DONE for future in made)
    host.open.clear()


def test_some_results_are_brought_home_at_a_time(world, slow_host):
    """Of twenty results that are there at once, eight are fetched side by side; all arrive."""
    process = world.start()
    process.door.fetcher.turn = 60.0
    at_once(world, process, slow_host, "some", 8)
    assert slow_host.most == 8


def test_a_slow_host_does_not_hold_up_the_others(world, slow_host):
    """Whoever has waited long enough for a turn goes ahead without one, and takes nobody else's."""
    process = world.start()
    process.door.fetcher.turn = 0.05
    at_once(world, process, slow_host, "impatient", 20)
    slow_host.most, process.door.fetcher.turn = 0, 60.0
    at_once(world, process, slow_host, "patient", 8)
    assert slow_host.most == 8


def test_nobody_waits_for_a_turn_when_nobody_waits_for_the_run(world, slow_host):
    """After a second ^C a result that is not downloaded yet does not wait for those that are."""
    process = world.start()
    process.door.fetcher.turn = 60.0
    with ThreadPoolExecutor(9) as pool:
        made = [pool.submit(process.generate, world.order(f"p{i}")) for i in range(9)]
        until(lambda: slow_host.inside == 8 and len(process.store.jobs([State.FINISHED])) == 9)
        process.door.detached.set()
        until(lambda: slow_host.inside == 9)
        slow_host.open.set()
        assert all(future.result().job.state is State.DONE for future in made)


# -- other processes ------------------------------------------------------------------------------


def test_a_live_process_is_waited_for(world):
    """A job that another living process runs is neither taken nor repeated; its result is used."""
    world.vendor.script = lambda wire: Act(seconds=5)
    other, mine = world.start(), world.start()
    order = world.order()
    paused, go_on = threading.Event(), threading.Event()
    poll = other.door.provider("fake").poll

    def slow_poll(handle):
        paused.set()
        go_on.wait()
        return poll(handle)

    other.door.provider("fake").poll = slow_poll
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(other.generate, order)
        paused.wait()
        world.clock.on_wait = lambda: len(world.clock.waits) == 4 and go_on.set()
        made = mine.generate(order)
        assert made.job == theirs.result().job
    assert (made.job.owner, world.vendor.submits) == (other.owners.me, 1)
    assert 0.25 in world.clock.waits


@pytest.mark.parametrize("times", [1, 2])
def test_a_dead_process_is_inherited(world, times):
    """The job of a killed process is taken over and brought to its end, also when the heir dies as well."""
    world.vendor.script = lambda wire: Act(seconds=30)
    for _ in range(times):
        process = world.start()
        world.clock.on_wait = process.door.detached.set
        with pytest.raises(Interrupted):
            process.generate(world.order())
        process.kill()
    world.clock.on_wait = lambda: None
    heir = world.start()
    (job,) = heir.store.jobs([State.SUBMITTED])
    collected = heir.collect(job)
    assert (collected.state, collected.owner) == (State.DONE, heir.owners.me)
    assert heir.generate(world.order()).cached
    assert world.vendor.submits == 1


def test_an_old_job_is_asked_calmly(world):
    """A job that has run for minutes in another process is not asked as if it were new."""
    world.vendor.script = lambda wire: Act(seconds=600)
    process = world.start()
    world.clock.on_wait = process.door.detached.set
    with pytest.raises(Interrupted):
        process.generate(world.order())
    process.kill()
    world.clock.on_wait = lambda: None
    world.clock.pass_time(300)
    world.clock.waits.clear()
    assert world.start().generate(world.order()).job.state is State.DONE
    assert set(world.clock.waits) == {4.0}


def test_many_heirs(world):
    """Several processes that find a dead one's job end up with one result and one charge."""
    world.vendor.script = lambda wire: Act(seconds=2)
    process = world.start()
    world.clock.on_wait = process.door.detached.set
    with pytest.raises(Interrupted):
        process.generate(world.order())
    process.kill()
    world.clock.on_wait = lambda: None
    heirs = [world.start() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda heir: heir.generate(world.order()), heirs))
    assert all(each.job == made[0].job for each in made)
    assert len(world.vendor.charges) == 1


def test_a_job_of_a_live_process_in_doubt_is_held(world):
    """A doubt that a living process is resolving is shown as held, not resolved twice."""
    world.vendor.listing = "none"
    world.vendor.script = lambda wire: Act(answer="lost")
    other, mine = world.start(), world.start()
    with pytest.raises(OutcomeUnknown):
        other.generate(world.order())
    waits = len(world.clock.waits)
    with pytest.raises(OutcomeUnknown) as raised:
        mine.generate(world.order())
    assert raised.value.exit_code == 8
    assert len(world.clock.waits) == waits
    assert world.vendor.submits == 1


def test_an_accepted_job_that_cannot_be_journaled_is_reported(world):
    """When the disk is full just after the vendor's answer, the user reads the request id."""
    process = world.start()
    store = process.door.store
    submitted = store.submitted
    store.submitted = lambda *arguments, **options: raise_it(JournalError("disk full"))
    with pytest.raises(OutcomeUnknown, match="accepted it as request 0") as raised:
        process.generate(world.order())
    assert raised.value.exit_code == 8
    store.submitted = submitted
    assert process.generate(world.order()).job.state is State.DONE
    assert world.vendor.submits == 1


def test_statuses_are_typed(world):
    """The fake's own success is what the door takes for one."""
    made = world.start().generate(world.order())
    assert isinstance(world.start().door.provider("fake").poll(made.job.handle), Succeeded)

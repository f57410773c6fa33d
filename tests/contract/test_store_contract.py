"""What the money door may rely on, whichever store it has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.errors import JournalError
from ai_content_pipeline.generation.store import (
    MOVES,
    Accepted,
    Cap,
    Claimed,
    Delivered,
    Ending,
    Run,
    State,
    claimable,
)
from ai_content_pipeline.jobs import Billed, Handle, Reason, Upload

T = TypeVar("T")

#: Where each plain move leads. `undoubted` and `adopted` answer False instead of raising.
LEADS = {
    "submitted": State.SUBMITTED,
    "released": State.PENDING,
    "doubted": State.IN_DOUBT,
    "finished": State.FINISHED,
    "done": State.DONE,
    "failed": State.FAILED,
    "gone": State.GONE,
}
OWNED = ("submitted", "released", "doubted")
EVERY_STATE = [pytest.param(state, id=state.value) for state in State]

_WAYS = {
    "good": ("submitted", "finished", "done"),
    "bad output": ("submitted", "finished", "failed"),
    "failed": ("submitted", "failed"),
    "refused": ("refused",),
    "gone": ("submitted", "gone"),
    "busy": ("released",),
    "abandoned": ("doubted", "abandoned"),
    "absent": ("doubted", "absent"),
}


def together(count: int, call: Callable[[int], T]) -> list[T]:
    """What `call(i)` returns for every i, all started at the same moment."""
    barrier = threading.Barrier(count)

    def one(index: int) -> T:
        barrier.wait()
        return call(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# -- claims ---------------------------------------------------------------------------------------


def test_a_new_key_is_mine_and_its_claim_is_remembered(journal):
    """A claim of an unknown key is MINE, and every field of it is read back as it was written."""
    claim = journal.claim_of(
        description={
            "model": "m",
            "kind": "image",
            "prompt": "café ☕ \ud83d",
            "params": {"n": [1, 2.5, None, True]},
        },
        unit_price=Decimal("0.07"),
        outputs=4,
        take=2,
    )
    assert journal.store.claim(claim, journal.now) is Claimed.MINE
    job = journal.job()
    assert job.state is State.INTENT
    assert (job.intent_at, job.reserved, job.unit_price) == (journal.now, 100, Decimal("0.07"))
    for name in ("key", "lineage", "take", "provider", "endpoint", "description", "wire", "outputs", "run",
                 "address", "owner"):  # fmt: skip
        assert getattr(job, name) == getattr(claim, name), name


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (State.PENDING, Claimed.MINE),
        (State.INTENT, Claimed.BUSY),
        (State.SUBMITTED, Claimed.BUSY),
        (State.FINISHED, Claimed.BUSY),
        (State.DONE, Claimed.DONE),
        (State.FAILED, Claimed.FAILED),
        (State.GONE, Claimed.FAILED),
        (State.IN_DOUBT, Claimed.DOUBT),
        (State.ABANDONED, Claimed.FAILED),
    ],
)
def test_a_second_claim_is_mine_only_where_nothing_was_paid(journal, state, answer):
    """Only a job that surely cost nothing is claimed again; the claim of any other changes nothing."""
    before = journal.bring(state)
    committed = journal.committed()
    assert journal.claim(owner="another", run="another run") is answer
    if answer is Claimed.MINE:
        assert (journal.job().state, journal.job().owner) == (State.INTENT, "another")
    else:
        assert journal.job() == before
        assert journal.committed() == committed


def test_a_refused_request_may_be_claimed_again(journal):
    """FAILED and not billed is claimed by the same command; FAILED and billed, or perhaps billed, is not."""
    for billed, answer in [
        (Billed.NO, Claimed.MINE),
        (Billed.YES, Claimed.FAILED),
        (Billed.UNKNOWN, Claimed.FAILED),
    ]:
        key = billed.value
        journal.bring(State.SUBMITTED, key)
        job = journal.store.failed(key, Reason.PROVIDER, "no", billed, journal.now)
        assert claimable(job) is (answer is Claimed.MINE)
        assert journal.claim(key) is answer


def test_one_of_many_claims_wins(journal):
    """However many threads claim one key at once, one of them is told to submit."""
    answers = together(32, lambda i: journal.claim(owner=f"owner {i}"))
    assert sorted(answers) == sorted([Claimed.MINE] + [Claimed.BUSY] * 31)
    assert journal.committed() == 100


# -- moves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", EVERY_STATE)
@pytest.mark.parametrize("name", LEADS)
def test_only_legal_moves_are_made(journal, state, name):
    """A move that the machine's table lacks raises and leaves the job and its money as they were."""
    before = journal.bring(state)
    committed = journal.committed()
    if LEADS[name] in MOVES[state]:
        after = journal.move(name)
        assert after == journal.job()
        assert after.state is LEADS[name]
    else:
        with pytest.raises(JournalError, match="cannot go"):
            journal.move(name)
        assert journal.job() == before
        assert journal.committed() == committed


@pytest.mark.parametrize("name", OWNED)
def test_only_the_owner_submits(journal, name):
    """Between claim and answer a job belongs to its claimer: nobody else can move it."""
    before = journal.bring(State.INTENT)
    journal.owner = "somebody else"
    with pytest.raises(JournalError, match="another process"):
        journal.move(name)
    assert journal.job() == before


@pytest.mark.parametrize("name", LEADS)
def test_an_unknown_job_cannot_move(journal, name):
    """A move of a key that was never claimed is an error, not a new job."""
    with pytest.raises(JournalError, match="not in the journal"):
        journal.move(name)
    assert journal.store.job("k") is None


def test_an_illegal_move_harms_no_neighbour(journal):
    """One refused move among many at once neither undoes nor doubles the others."""
    for i in range(30):
        journal.bring(State.INTENT, f"k{i}")

    def submit(i):
        if i % 3 == 0:
            with pytest.raises(JournalError):
                journal.store.done(f"k{i}", [journal.picture], journal.now)
            return None
        return journal.store.submitted(f"k{i}", "me", Handle(f"id-{i}"), journal.now)

    together(30, submit)
    states = [journal.job(f"k{i}").state for i in range(30)]
    assert states == [State.INTENT if i % 3 == 0 else State.SUBMITTED for i in range(30)]


def test_the_life_of_a_job_is_remembered(journal):
    """Handle, URLs, units, cost, expiry, notes, artifacts and times are read back as they were written."""
    later = journal.now + timedelta(seconds=30, microseconds=7)
    clip = Artifact("cd" * 32, 4567, MediaInfo(Kind.VIDEO, "video/mp4", 64, 48, 5.0, 24.0))
    journal.bring(State.INTENT)
    handle = Handle("id-1", {"status": "https://x/1", "deep": {"list": [1, "ü\udc00"]}})
    journal.store.submitted("k", "me", handle, later)
    journal.store.finished(
        "k", Ending(("https://x/a", "https://x/\ud800"), Decimal("5.25"), 12345, later, ("a note",))
    )
    job = journal.store.done("k", [journal.picture, clip], later)
    assert job == journal.job()
    assert (job.handle, job.urls) == (handle, ("https://x/a", "https://x/\ud800"))
    assert (job.units, job.cost, job.expires, job.notes) == (Decimal("5.25"), 12345, later, ("a note",))
    assert (job.artifacts, job.billed) == ((journal.picture, clip), Billed.YES)
    assert (job.intent_at, job.submitted_at, job.ended_at) == (journal.now, later, later)
    assert job.seconds == pytest.approx(30.000007)


@pytest.mark.parametrize("way", _WAYS.values(), ids=" ".join)
def test_what_a_move_returns_is_what_is_remembered(journal, way):
    """After every move of every life: the job as it is returned is the job as it is read."""
    assert journal.claim() is Claimed.MINE
    for name in way:
        returned = journal.move(name)
        assert returned is True or returned == journal.job()


@pytest.mark.parametrize("good", [True, False])
def test_an_acceptance_may_be_told_with_the_end(journal, good):
    """Of what ends at once the journal hears no more than the claim and the end, and knows as much."""
    later = journal.now + timedelta(seconds=3)
    journal.bring(State.INTENT)
    ending = Ending(cost=70, notes=("drawn",), accepted=Accepted(Handle("id-1", {"a": 1}), later, "me"))
    if good:
        job = journal.store.done("k", [journal.picture], later, ending)
        assert (job.state, job.artifacts) == (State.DONE, (journal.picture,))
    else:
        job = journal.store.finished("k", ending)
        assert (job.state, job.artifacts) == (State.FINISHED, ())
    assert job == journal.job()
    assert (job.handle, job.submitted_at) == (Handle("id-1", {"a": 1}), later)
    assert (job.cost, job.notes, job.billed) == (70, ("drawn",), Billed.YES)
    assert journal.committed() == 70
    journal.bring(State.INTENT, "other")
    stranger = replace(ending, accepted=Accepted(Handle("id-2"), later, "somebody"))
    with pytest.raises(JournalError, match="belongs to another"):
        journal.store.finished("other", stranger)
    with pytest.raises(JournalError, match="cannot go from"):
        journal.store.finished("k", ending)  # it was accepted once


def test_good_outputs_of_a_failed_job_keep_their_places(journal):
    """What can be used of a result that cannot be used whole, and what is missing of it."""
    journal.bring(State.FINISHED)
    kept = (None, journal.picture, None)
    failed = journal.store.failed("k", Reason.BAD_OUTPUT, "file 1", Billed.YES, journal.now, kept)
    assert failed == journal.job("k")
    assert (failed.artifacts, failed.stored) == (kept, (journal.picture,))
    assert journal.store.refetch("k", journal.owner)
    assert journal.job("k").artifacts == kept
    assert journal.store.done("k", [journal.picture] * 3, journal.now).stored == (journal.picture,) * 3


def test_hostile_words_are_stored(journal):
    """A vendor's message may hold anything, of any length: the move is made, and the message is bounded."""
    journal.bring(State.SUBMITTED)
    job = journal.store.failed(
        "k", Reason.PROVIDER, "\x00\x1b[31m\ud83d" + "x" * 1_000_000, Billed.NO, journal.now
    )
    assert job == journal.job()
    assert job.message.startswith("\x00\x1b[31m\\ud83dx")
    assert len(job.message) < 5000


# -- money ----------------------------------------------------------------------------------------


def test_a_reservation_counts_until_it_is_settled(journal):
    """Reserved or in doubt: the estimate counts; reported: what the vendor says; released: nothing."""
    journal.bring(State.IN_DOUBT, "doubt")
    journal.bring(State.SUBMITTED, "running")
    journal.bring(State.ABANDONED, "abandoned")
    journal.bring(State.PENDING, "released")
    journal.bring(State.SUBMITTED, "reported")
    journal.store.finished("reported", Ending(cost=37))
    journal.bring(State.FINISHED, "finished, cost not reported")
    assert journal.committed() == 100 + 100 + 100 + 0 + 37 + 100


@pytest.mark.parametrize(("billed", "committed"), [(Billed.NO, 0), (Billed.YES, 100), (Billed.UNKNOWN, 100)])
def test_a_failed_job_counts_unless_it_was_surely_free(journal, billed, committed):
    """FAILED and billed, or nobody knows: the reservation stays spent."""
    journal.bring(State.SUBMITTED)
    journal.store.failed("k", Reason.PROVIDER, "no", billed, journal.now)
    assert journal.committed() == committed


def test_a_bad_output_stays_paid(journal):
    """What was billed stays counted when its file turns out bad, and when it is fetched again."""
    journal.bring(State.SUBMITTED)
    journal.store.finished("k", Ending(("https://x",), cost=60))
    journal.store.failed("k", Reason.BAD_OUTPUT, "not a picture", Billed.YES, journal.now)
    assert journal.committed() == 60
    assert journal.store.refetch("k", "me")
    journal.store.done("k", [journal.picture], journal.now)
    assert journal.committed() == 60


def test_the_users_word_on_a_doubt(journal):
    """Resubmitting after a doubt counts the doubtful job as spent besides the new one; abandoning, too."""
    journal.bring(State.IN_DOUBT)
    assert journal.store.undoubted("k", abandon=False, spent=True, now=journal.now)
    assert (journal.job().state, journal.committed()) == (State.PENDING, 100)
    assert journal.claim() is Claimed.MINE
    assert journal.committed() == 200
    journal.bring(State.IN_DOUBT, "other")
    assert journal.store.undoubted("other", abandon=True, spent=True, now=journal.now)
    assert (journal.job("other").state, journal.committed()) == (State.ABANDONED, 300)


def test_a_disproved_doubt_gives_the_reservation_back(journal):
    """When the vendor's listing proves that there is no job, nothing is spent."""
    journal.bring(State.IN_DOUBT)
    assert journal.store.undoubted("k", abandon=False, spent=False, now=journal.now)
    assert (journal.job().state, journal.committed()) == (State.PENDING, 0)


@pytest.mark.parametrize("state", [state for state in State if state is not State.IN_DOUBT])
def test_only_a_doubt_can_be_undoubted_or_adopted(journal, state):
    """Who comes late with the answer to a doubt changes nothing, and is told so."""
    before = journal.bring(state)
    committed = journal.committed()
    assert not journal.store.undoubted("k", abandon=True, spent=True, now=journal.now)
    assert not journal.store.undoubted("k", abandon=False, spent=False, now=journal.now, owner="me")
    assert not journal.store.adopted("k", "me", Handle("seen"), journal.now)
    assert (journal.job(), journal.committed()) == (before, committed)


def test_a_doubt_is_resolved_by_its_owner_or_the_user(journal):
    """A process that no longer owns a doubt cannot resolve it; a user's decision needs no owner."""
    journal.bring(State.IN_DOUBT)
    assert journal.store.take_over("k", "me", "you")
    assert not journal.store.undoubted("k", abandon=False, spent=False, now=journal.now, owner="me")
    assert not journal.store.adopted("k", "me", Handle("seen"), journal.now)
    assert journal.job().state is State.IN_DOUBT
    assert journal.store.undoubted("k", abandon=False, spent=True, now=journal.now)


def test_spend_adds_up(journal):
    """Spend by run, model and day: estimated, reserved, reported, in doubt, and jobs without a price."""
    journal.bring(State.SUBMITTED, "a")
    journal.bring(State.SUBMITTED, "b")
    journal.store.finished("b", Ending(cost=70))
    journal.bring(State.IN_DOUBT, "c")
    journal.bring(State.ABANDONED, "d")
    journal.bring(State.PENDING, "e")
    journal.bring(State.SUBMITTED, "f", reserve=None)
    tomorrow = journal.now + timedelta(days=1)
    assert journal.claim("g", now=tomorrow, run="other") is Claimed.MINE
    first, second = journal.store.spend()
    assert (first.run, first.model, first.day, first.jobs) == ("run", "m", "2026-05-17", 5)
    assert (first.estimated, first.reserved, first.reported, first.in_doubt, first.unpriced) == (
        400, 100, 70, 200, 1,
    )  # fmt: skip
    assert (second.run, second.day, second.jobs, second.reserved) == ("other", "2026-05-18", 1, 100)


def test_spend_tells_second_hand_prices_apart(journal):
    """One job at a price that others reported, and the row says so; a journal that does not tell says no."""
    for key, run, told in (("a", "one", {"second_hand": True}), ("b", "one", {}), ("c", "two", {}),
                           ("d", "three", {"second_hand": False})):  # fmt: skip
        description = {"model": "m", "kind": "image", **told}
        assert journal.claim(key, run=run, description=description) is Claimed.MINE
    assert {row.run: row.second_hand for row in journal.store.spend()} == {
        "one": True, "two": False, "three": False,
    }  # fmt: skip


# -- caps -----------------------------------------------------------------------------------------


def test_a_cap_is_reached_and_never_passed(journal):
    """A claim that would pass a cap is refused and leaves no trace; one that just reaches it is not."""
    caps = (Cap(250, run="run"),)
    assert journal.claim("a", caps=caps) is Claimed.MINE
    assert journal.claim("b", caps=caps) is Claimed.MINE
    assert journal.claim("c", caps=caps) is Claimed.CAP
    assert journal.store.job("c") is None
    assert journal.claim("d", caps=caps, reserve=50) is Claimed.MINE
    assert journal.committed() == 250


def test_every_cap_binds(journal):
    """A run's cap counts that run alone, a day's cap every run of that day, a bare cap everything ever."""
    yesterday = journal.now - timedelta(days=1)
    midnight = journal.now.replace(hour=0, minute=0, second=0, microsecond=0)
    journal.claim("old", now=yesterday, run="old run")
    journal.claim("other", run="other run")
    assert journal.store.committed(Cap(0, run="run")) == 0
    assert journal.store.committed(Cap(0, since=midnight)) == 100
    assert journal.store.committed(Cap(0, run="old run", since=midnight)) == 0
    assert journal.store.committed(Cap(0)) == 200
    assert journal.claim("a", caps=(Cap(500, run="run"), Cap(199, since=midnight))) is Claimed.CAP
    assert journal.claim("a", caps=(Cap(99, run="run"), Cap(900, since=midnight))) is Claimed.CAP
    assert journal.claim("a", caps=(Cap(100, run="run"), Cap(200, since=midnight))) is Claimed.MINE


def test_what_costs_nothing_passes_every_cap(journal):
    """Free jobs, and jobs without a price, are not refused, even where a cap has been passed already."""
    journal.bring(State.SUBMITTED, "dear")
    journal.store.finished("dear", Ending(cost=1000))
    caps = (Cap(500, run="run"),)
    assert journal.claim("paid", reserve=1, caps=caps) is Claimed.CAP
    assert journal.claim("free", reserve=0, caps=caps) is Claimed.MINE
    assert journal.claim("unpriced", reserve=None, caps=caps) is Claimed.MINE


def test_a_cap_for_ten_of_twenty(journal):
    """Twenty workers at once against a cap for ten: ten win, and what is committed is the cap."""
    answers = together(20, lambda i: journal.claim(f"k{i}", caps=(Cap(1000, run="run"),)))
    assert answers.count(Claimed.MINE) == 10
    assert answers.count(Claimed.CAP) == 10
    assert journal.committed() == 1000


# -- request ids and owners ---------------------------------------------------------------------------


def test_a_request_id_is_adopted_once(journal):
    """Two jobs in doubt that see one request id: one of them gets it, the other is told that it is taken."""
    for i in range(16):
        journal.bring(State.IN_DOUBT, f"k{i}")
    seen = Handle("seen", {"url": "https://x"})
    adopted = together(16, lambda i: journal.store.adopted(f"k{i}", "me", seen, journal.now))
    assert adopted.count(True) == 1
    winner = journal.job(f"k{adopted.index(True)}")
    assert (winner.state, winner.handle, winner.submitted_at) == (State.SUBMITTED, seen, journal.now)
    assert journal.store.handles("fake") == {"seen"}
    assert len(journal.store.jobs([State.IN_DOUBT])) == 15


def test_a_request_id_belongs_to_its_provider(journal):
    """Two vendors may use the same id; one vendor giving it twice is an error that loses neither job."""
    for key, provider in (("a", "fake"), ("b", "other"), ("c", "fake")):
        journal.bring(State.INTENT, key, provider=provider)
    journal.store.submitted("a", "me", Handle("1"), journal.now)
    journal.store.submitted("b", "me", Handle("1"), journal.now)
    with pytest.raises(JournalError):
        journal.store.submitted("c", "me", Handle("1"), journal.now)
    assert journal.job("c").state is State.INTENT
    assert journal.store.handles("fake") == {"1"}


def test_a_released_job_forgets_its_request_id(journal):
    """A job that is made again gets a new id, and the old one may be seen again."""
    journal.bring(State.SUBMITTED)
    job = journal.store.released("k", "me", "lost", journal.now)
    assert (job.handle, journal.store.handles("fake")) == (None, set())


@pytest.mark.parametrize("state", EVERY_STATE)
def test_only_open_jobs_are_taken_over(journal, state):
    """A job that is open or in doubt may change its owner; one that has ended has nobody to wait for."""
    journal.bring(state)
    open_now = state in (State.INTENT, State.SUBMITTED, State.FINISHED, State.IN_DOUBT)
    assert journal.store.take_over("k", "me", "you") is open_now
    assert journal.job().owner == ("you" if open_now else "me")
    assert not journal.store.take_over("k", "me", "third")


def test_one_of_many_takes_over(journal):
    """A dead process's job goes to one of those who want it."""
    journal.bring(State.SUBMITTED)
    won = together(32, lambda i: journal.store.take_over("k", "me", f"heir {i}"))
    assert won.count(True) == 1
    assert journal.job().owner == f"heir {won.index(True)}"


@pytest.mark.parametrize("state", EVERY_STATE)
def test_what_can_be_fetched_again(journal, state):
    """DONE, and FAILED for its bad output, go back to FINISHED with a new owner; nothing else does."""
    journal.bring(state)
    assert journal.store.refetch("k", "you") is (state is State.DONE)
    assert journal.job().state is (State.FINISHED if state is State.DONE else state)
    if state is State.FINISHED:
        journal.store.failed("k", Reason.BAD_OUTPUT, "html", Billed.YES, journal.now)
        assert journal.store.refetch("k", "you")
        assert journal.job().owner == "you"
        assert not journal.store.refetch("k", "third")


# -- looking ----------------------------------------------------------------------------------------


def test_jobs_are_found_by_state_and_by_lineage(journal):
    """Jobs come back by state, oldest first, and the takes of one request by take."""
    for i, state in enumerate((State.SUBMITTED, State.DONE, State.SUBMITTED)):
        assert journal.claim(f"k{i}", now=journal.now - timedelta(hours=i), lineage="l", take=2 - i)
        for move in ("submitted", "finished", "done")[: 3 if state is State.DONE else 1]:
            journal.move(move, f"k{i}")
    assert [job.key for job in journal.store.jobs([State.SUBMITTED])] == ["k2", "k0"]
    assert [job.key for job in journal.store.jobs([State.SUBMITTED, State.DONE])] == ["k2", "k1", "k0"]
    assert journal.store.jobs([]) == []
    assert [job.take for job in journal.store.takes("l")] == [0, 1, 2]
    assert journal.store.takes("unknown") == []


def test_timings_are_those_of_the_newest_jobs(journal):
    """What a model took lately: DONE jobs of that endpoint, newest first, at most so many."""
    for i in range(4):
        journal.bring(State.FINISHED, f"k{i}")
        journal.store.done(f"k{i}", [journal.picture], journal.now + timedelta(seconds=10 + i))
    journal.bring(State.DONE, "elsewhere", endpoint="other/model")
    journal.bring(State.SUBMITTED, "running")
    assert journal.store.timings("fake/model", limit=3) == pytest.approx([13, 12, 11])


def test_an_upload_is_reused_until_it_expires(journal):
    """An upload is known by provider and content, until its expiry; a newer one replaces it."""
    store, hour = journal.store, timedelta(hours=1)
    assert store.upload("fal", "ab", journal.now) is None
    store.uploaded("fal", "ab", Upload("https://x/1", journal.now + hour))
    assert store.upload("fal", "ab", journal.now) == Upload("https://x/1", journal.now + hour)
    assert store.upload("fal", "ab", journal.now + hour) is None
    assert store.upload("replicate", "ab", journal.now) is None
    store.uploaded("fal", "ab", Upload("https://x/2"))
    assert store.upload("fal", "ab", journal.now + 1000 * hour) == Upload("https://x/2")


def test_uploads_are_forgotten_by_provider_and_content(journal):
    """What a vendor may have lost is uploaded anew; what others have, or was not named, is kept."""
    store = journal.store
    for provider, content in (("fal", "ab"), ("fal", "cd"), ("fal", "ef"), ("replicate", "ab")):
        store.uploaded(provider, content, Upload(f"https://{provider}/{content}"))
    store.forget_uploads("fal", ["ab", "cd", "unknown"])
    store.forget_uploads("fal", [])
    kept = [
        (p, c) for p in ("fal", "replicate") for c in ("ab", "cd", "ef") if store.upload(p, c, journal.now)
    ]
    assert kept == [("fal", "ef"), ("replicate", "ab")]


def test_local_results_are_remembered(journal):
    """A local result is found by its key; the newest one counts."""
    store = journal.store
    assert store.local("key") is None
    store.local_done("key", [journal.picture])
    store.local_done("key", [journal.picture, replace(journal.picture, sha256="ef" * 32)])
    found = store.local("key")
    assert found is not None
    assert [artifact.sha256[:2] for artifact in found] == ["ab", "ef"]


# -- takes and runs -----------------------------------------------------------------------------------


def test_a_redo_is_one_take_a_run(journal):
    """A repeated or resumed redo gets the take it had; another run, another one."""
    store = journal.store
    assert [store.redo_take("l", "run 1", "clips/a") for _ in range(3)] == [1, 1, 1]
    assert store.redo_take("l", "run 2", "clips/a") == 2
    assert store.redo_take("l", "run 1", "clips/a") == 1
    assert store.redo_take("other", "run 1", "clips/a") == 1


def test_a_redo_never_reuses_a_number(journal):
    """Takes are numbered above every take that a job or a redo has had."""
    journal.bring(State.DONE, lineage="l", take=7)
    assert journal.store.redo_take("l", "run", "clips/a") == 8


@pytest.mark.parametrize("state", EVERY_STATE)
def test_a_redo_whose_take_failed_gets_a_new_one(journal, state):
    """Asked again in the same run, a redo goes on with its take, unless that one has ended in failure."""
    take = journal.store.redo_take("l", "run", "clips/a")
    journal.bring(state, lineage="l", take=take)
    ended = state in (State.FAILED, State.GONE, State.ABANDONED)
    assert journal.store.redo_take("l", "run", "clips/a") == (take + 1 if ended else take)


def test_many_redos_at_once_get_many_takes(journal):
    """No two runs ever get the same take of one request."""
    takes = together(16, lambda i: journal.store.redo_take("l", f"run {i}", "clips/a"))
    assert sorted(takes) == list(range(1, 17))


def test_the_current_take_is_the_newest_good_redo(journal):
    """Takes that a redo made count when they are DONE; a take without a redo is not promoted."""
    store = journal.store
    assert store.current_takes() == {}
    journal.bring(State.DONE, "planned", lineage="l", take=5)
    assert store.current_takes() == {}
    for run, state in (("1", State.DONE), ("2", State.DONE), ("3", State.FAILED), ("4", State.SUBMITTED)):
        journal.bring(state, run, lineage="l", take=store.redo_take("l", run, "clips/a"))
    assert store.current_takes() == {"l": 7}


def run(identity: str, pipeline: str = "story.yaml", output_dir: str = "output/story") -> Run:
    return Run(identity, pipeline, output_dir, datetime(2026, 5, 17, tzinfo=UTC))


def test_an_unfinished_run_is_resumed(journal):
    """A run that was killed or ended badly goes on; one that ended well is followed by a new one."""
    store = journal.store
    assert store.begin(run("1"), None).id == "1"
    assert store.begin(run("2"), None).id == "1"  # killed
    store.end("1", 7, journal.now)
    assert store.begin(run("3"), None).id == "1"  # partly done
    assert store.begin(run("4"), None).id == "1"  # killed while resumed
    store.end("1", 0, journal.now)
    assert store.begin(run("5"), None) == run("5")


def test_a_run_remembers_how_to_go_on_with_it(journal):
    """The command line of a run is that of its last resume; an unknown run has none."""
    store = journal.store
    store.begin(replace(run("1"), command="aicp run-chain a.yaml"), None)
    assert store.command("1") == "aicp run-chain a.yaml"
    assert store.begin(replace(run("2"), command="aicp run-chain a.yaml --yes"), None).command.endswith(
        "--yes"
    )
    assert store.command("1") == "aicp run-chain a.yaml --yes"
    assert store.command("2") is None


def test_only_the_same_wish_is_resumed(journal):
    """Another file, another output folder or another redo is another run, and stays so."""
    store = journal.store
    wishes = [
        (run("1"), None),
        (run("2", pipeline="other.yaml"), None),
        (run("3", output_dir="output/other"), None),
        (run("4"), "clips/a"),
        (run("5"), "clips/b"),
    ]
    assert [store.begin(wish, redo).id for wish, redo in wishes] == ["1", "2", "3", "4", "5"]
    again = [(replace(wish, id="again"), redo) for wish, redo in wishes]
    assert [store.begin(wish, redo).id for wish, redo in again] == ["1", "2", "3", "4", "5"]


def test_a_run_is_resumed_when_the_clock_was_set_back(journal):
    """The newest run is the one begun last, whatever the clock said."""
    store = journal.store
    store.begin(run("1"), None)
    store.end("1", 0, journal.now)
    store.begin(replace(run("2"), started=journal.now - timedelta(days=400)), None)
    assert store.begin(run("3"), None).id == "2"


# -- delivered files ------------------------------------------------------------------------------------


def test_delivered_files_are_remembered_by_folder_and_pipeline(journal):
    """What was written where, by which pipeline, as it was when written; forgotten when told so."""
    store = journal.store
    a, b = Delivered("scenes/a.png", "ab" * 32, 10, 1), Delivered("scenes/b.png", "cd" * 32, 20, 2**62)
    store.deliver("output/x", "x.yaml", [a, b])
    store.deliver("output/y", "x.yaml", [a])
    assert store.delivered("output/x", "x.yaml") == {a.path: a, b.path: b}
    assert store.delivered("output/x", "y.yaml") == {}
    newer = replace(a, sha256="ef" * 32)
    store.deliver("output/x", "x.yaml", [newer])
    store.undeliver("output/x", b.path)
    assert store.delivered("output/x", "x.yaml") == {a.path: newer}
    assert store.delivered("output/y", "x.yaml") == {a.path: a}


def test_a_project_has_one_random_name(journal):
    """Two projects on one account must not derive the same seeds."""
    assert len(journal.store.project) >= 16

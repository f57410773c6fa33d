"""What the money door may rely on, whichever vendor it talks to."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import NotAccepted, OutcomeUnknown
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Gone,
    Handle,
    Output,
    Queued,
    Reason,
    Running,
    Succeeded,
    Upload,
)
from ai_content_pipeline.media.images import save_png
from ai_content_pipeline.media.probe import verify


@pytest.fixture
def behave(rig):
    """Tell the far side how to answer; providers whose far side is always well have nothing to show."""
    if rig.behave is None:
        pytest.skip("its far side cannot be told to misbehave")
    return rig.behave


def journaled(handle: Handle) -> Handle:
    """The handle as a later process reads it."""
    return Handle(handle.request_id, json.loads(json.dumps(dict(handle.data))))


def file_of(output: Output, rig, folder: Path) -> Path:
    if output.path is not None:
        return output.path
    assert output.url is not None
    path = folder / "download"
    rig.download(output.url, path)
    return path


# -- before the submit ------------------------------------------------------------------------------


def test_it_has_a_name_and_says_whether_repeating_is_free(rig):
    """Two facts that decide how a doubt is resolved."""
    assert rig.provider.name
    assert isinstance(rig.provider.repeatable, bool)


def test_wiring_is_pure(rig):
    """The same request is the same JSON, in this process and the next; wiring sends and costs nothing."""
    wire = rig.wire()
    assert wire == rig.wire() == rig.again().wire(rig.request(), {}, 7)
    assert json.loads(json.dumps(wire.payload)) == wire.payload
    assert wire.endpoint == rig.model.endpoint
    assert rig.charges() == 0


def test_what_is_asked_is_what_is_sent(rig):
    """Prompt, seed, parameters and files all reach the payload: no two requests look alike."""
    wires = [
        rig.wire(),
        rig.wire(prompt="a cup of tea"),
        rig.wire(seed=8),
        rig.wire(seed=None),
        rig.provider.wire(rig.request(params={"aspect_ratio": "16:9"}), {}, 7),
        rig.provider.wire(rig.request(), {Role.REFERENCE: (Upload("https://files.example/1"),)}, 7),
        rig.provider.wire(rig.request(), {Role.REFERENCE: (Upload("https://files.example/2"),)}, 7),
    ]
    texts = [json.dumps([wire.endpoint, wire.payload], sort_keys=True) for wire in wires]
    assert len(set(texts)) == len(texts)


def test_an_upload_is_free_and_repeatable(rig, tmp_path):
    """A file may be uploaded again and again; each time it is there under a URL, and nothing is charged."""
    from PIL import Image

    path = tmp_path / "panel.png"
    save_png(Image.new("RGB", (64, 64), "red"), path)
    artifact = Artifact("ab" * 32, path.stat().st_size, verify(path))
    first, second = (rig.provider.upload(artifact, path) for _ in range(2))
    for upload in (first, second):
        assert upload.url
        assert upload.expires is None or upload.expires > rig.now()
    assert path.exists()
    assert rig.charges() == 0


# -- the plain way ----------------------------------------------------------------------------------


def test_a_submit_is_one_job(rig):
    """One submit, one job, one charge (none where repeating is free), one id."""
    handle = rig.provider.submit(rig.wire(), "key")
    assert handle.request_id
    assert journaled(handle) == handle
    assert rig.charges() == (0 if rig.provider.repeatable else 1)


def test_a_job_ends_with_its_files(rig, tmp_path):
    """A job comes to its end; its outputs are as many as were asked for, and each is a real file."""
    wire = rig.provider.wire(rig.request(outputs=2), {}, 7)
    status = rig.end(rig.provider.submit(wire, "key"))
    assert isinstance(status, Succeeded)
    assert len(status.outputs) == 2
    for output in status.outputs:
        assert (output.url is None) != (output.path is None)
        assert verify(file_of(output, rig, tmp_path)).kind is rig.model.task.makes


def test_looking_is_free(rig):
    """Polling never pays, and an end stays the end however often it is asked for."""
    handle = rig.provider.submit(rig.wire(), "key")
    charges = rig.charges()
    rig.end(handle)
    for _ in range(3):
        assert isinstance(rig.provider.poll(handle), Succeeded)
    assert rig.charges() == charges


def test_a_later_process_collects(rig):
    """A handle read from the journal by another process is as good as the first one."""
    handle = rig.provider.submit(rig.wire(), "key")
    rig.end(handle)
    assert isinstance(rig.again().poll(journaled(handle)), Succeeded)


def test_many_threads_share_a_client(rig):
    """Submits at once are jobs of their own, and each gets the answer that is its own."""
    wires = [rig.wire(prompt=f"cup {i}") for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        handles = list(pool.map(lambda pair: rig.provider.submit(pair[1], f"key{pair[0]}"), enumerate(wires)))
    assert len({handle.request_id for handle in handles}) == 12
    assert rig.charges() == (0 if rig.provider.repeatable else 12)
    assert all(isinstance(rig.end(handle), Succeeded) for handle in handles)


# -- answers to a submit ------------------------------------------------------------------------------


def test_a_refusal_is_not_accepted(rig, behave):
    """A request that is refused created no job, and waiting does not help it."""
    behave("refuse")
    with pytest.raises(NotAccepted) as refused:
        rig.provider.submit(rig.wire(), "key")
    assert not refused.value.temporary
    assert refused.value.cause.message
    assert rig.charges() == 0


def test_a_busy_vendor_is_not_accepted_for_now(rig, behave):
    """A 429 created no job; it says that waiting helps, and for how long where the vendor says so."""
    behave("busy")
    with pytest.raises(NotAccepted) as refused:
        rig.provider.submit(rig.wire(), "key")
    assert refused.value.temporary
    assert refused.value.retry_after is None or refused.value.retry_after > 0
    assert rig.charges() == 0


def test_a_lost_answer_is_unknown_and_one_job(rig, behave):
    """Accepted and the connection lost: never tried again by itself, never called refused."""
    behave("lose the answer")
    with pytest.raises(OutcomeUnknown):
        rig.provider.submit(rig.wire(), "key")
    assert rig.charges() == (0 if rig.provider.repeatable else 1)


def test_a_dropped_request_is_unknown(rig, behave):
    """The connection was lost and nothing created: to us that looks the same."""
    behave("drop the request")
    with pytest.raises(OutcomeUnknown):
        rig.provider.submit(rig.wire(), "key")
    assert rig.charges() == 0


# -- ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reasons", "billed"),
    [
        ("fail", (Reason.PROVIDER, Reason.TEMPORARY), Billed.NO),
        ("fail and bill", (Reason.PROVIDER,), Billed.YES),
        ("reject the content", (Reason.CONTENT,), Billed.NO),
    ],
)
def test_a_failure_says_why_and_whether_it_was_billed(rig, behave, how, reasons, billed):
    """What decides the exit code, and whether the same command may pay again: 'unknown' is honest, too."""
    behave(how)
    status = rig.end(rig.provider.submit(rig.wire(), "key"))
    assert isinstance(status, Failed)
    assert status.reason in reasons
    assert status.billed in (billed, Billed.UNKNOWN)
    assert status.message


def test_an_unknown_job_is_gone(rig):
    """A handle that the vendor does not know is GONE, not a crash; cancelling it says so."""
    if rig.provider.repeatable and rig.behave is None:
        pytest.skip("its handles hold all that is needed, so it knows every job")
    assert isinstance(rig.provider.poll(rig.stranger), Gone)
    assert rig.provider.cancel(rig.stranger) in (CancelAnswer.UNKNOWN_JOB, CancelAnswer.UNSUPPORTED)


def test_a_cancelled_job_ends(rig):
    """After a cancel the job comes to an end; the answer says whether it surely stopped."""
    handle = rig.provider.submit(rig.wire(), "key")
    answer = rig.provider.cancel(handle)
    status = rig.end(handle)
    if answer is CancelAnswer.CANCELLED:
        assert isinstance(status, Failed)
        assert status.reason is Reason.CANCELLED
    else:
        assert isinstance(status, Succeeded | Failed)


def test_a_late_cancel_loses_nothing(rig):
    """Cancelling what has ended says so, and the result can still be collected."""
    handle = rig.provider.submit(rig.wire(), "key")
    rig.end(handle)
    assert rig.provider.cancel(handle) in (CancelAnswer.TOO_LATE, CancelAnswer.UNSUPPORTED)
    assert isinstance(rig.provider.poll(handle), Succeeded)


# -- finding what was lost ----------------------------------------------------------------------------


def test_a_listing_shows_exactly_what_was_sent(rig):
    """Jobs with the very same payload, made since then, and no others; each can be polled."""
    since = rig.now()
    wire = rig.wire()
    handle = rig.provider.submit(wire, "key")
    rig.provider.submit(rig.wire(prompt="something else"), "other")
    rig.end(handle)
    rig.pass_time(120.0)
    found = rig.again().find(wire, since)
    if not found.matches:
        assert not found.exhaustive, "its silence is called a proof, and there is a job"
        return
    assert [sighting.handle.request_id for sighting in found.matches] == [handle.request_id]
    assert isinstance(rig.provider.poll(found.matches[0].handle), Succeeded)
    assert found.matches[0].created is None or found.matches[0].created >= since - timedelta(seconds=1)


def test_a_listing_leaves_out_what_is_older(rig):
    """A job from long before the claim is not ours."""
    wire = rig.wire()
    rig.end(rig.provider.submit(wire, "key"))
    rig.pass_time(3 * 86400.0)
    assert rig.provider.find(wire, rig.now()).matches == ()


def test_a_lost_job_is_found(rig, behave):
    """What was accepted without an answer is in the listing, sooner or later, where there is one."""
    since = rig.now()
    wire = rig.wire()
    behave("lose the answer")
    with pytest.raises(OutcomeUnknown):
        rig.provider.submit(wire, "key")
    rig.pass_time(600.0)
    found = rig.provider.find(wire, since)
    assert len(found.matches) == 1 or not found.exhaustive
    for sighting in found.matches:
        assert isinstance(rig.end(sighting.handle), Succeeded)


def test_looking_for_jobs_changes_nothing(rig):
    """A listing creates and charges nothing, and a running job is still running after it."""
    wire = rig.wire()
    handle = rig.provider.submit(wire, "key")
    charges = rig.charges()
    rig.provider.find(wire, rig.now())
    assert rig.charges() == charges
    assert isinstance(rig.provider.poll(handle), Queued | Running | Succeeded)

"""Waiting, batching, stopping and running out of memory: many askers, one model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from PIL import Image, ImageChops

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.errors import Interrupted
from ai_content_pipeline.jobs import (
    CancelAnswer,
    Failed,
    Gone,
    Handle,
    Reason,
    Running,
    Succeeded,
    Task,
)
from ai_content_pipeline.providers.local.machine import Offload

T2I, I2I, T2V = Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE, Task.TEXT_TO_VIDEO
QUICK: dict[str, Any] = {"num_inference_steps": 2}
SMALL: dict[str, Any] = {"num_inference_steps": 2, "num_frames": 5, "width": 32, "height": 32}
WORDS = "wan2.1_t2v_1.3b"


def apart(one: Image.Image, other: Image.Image) -> int:
    return max(high for _, high in ImageChops.difference(one, other).getextrema())


def model(gpu: Any) -> Any:
    """The one model in memory."""
    (resident,) = gpu.provider._desk._residents.values()
    return resident


def denoiser(gpu: Any) -> Any:
    """What the model in memory calls at each step."""
    resident = model(gpu)
    return resident.words.unet if hasattr(resident, "words") else resident.pipeline.transformer


@contextmanager
def busy(gpu: Any, key: str = "sdxl", task: Task = T2I) -> Iterator[None]:
    """The model is kept in a job of its own meanwhile, so that whatever is submitted waits together."""
    entered, release = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        entered.set()
        assert release.wait(60)

    hook = denoiser(gpu).register_forward_pre_hook(wait)
    first = gpu.submit(key, task, seed=99, guidance_scale=1, **{**SMALL, "num_inference_steps": 1})
    assert entered.wait(60)
    hook.remove()
    yield
    release.set()
    assert isinstance(gpu.end(first), Succeeded)


def passes(unet: Any) -> list[int]:
    """How many pictures each call of the denoiser works on (guidance doubles them)."""
    sizes: list[int] = []
    unet.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0]) // 2))
    return sizes


def test_four_threads_make_what_four_single_runs_make(gpu: Any) -> None:
    """Scenes asked for at once share passes, and each is the picture that it is alone."""
    scenes = [(f"scene {number}", 10 + number) for number in range(4)]
    alone = [gpu.picture("sdxl", T2I, words, seed=seed, **QUICK) for words, seed in scenes]
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(gpu.picture, "sdxl", T2I, words, seed=seed, **QUICK) for words, seed in scenes]
        together = [task.result() for task in tasks]
    assert all(apart(one, other) <= 1 for one, other in zip(alone, together, strict=True))
    assert apart(alone[0], alone[1]) > 1


def test_jobs_that_wait_and_are_alike_share_a_pass(gpu: Any, still: Any) -> None:
    """While one job runs, others queue; those alike are made in one pass, up to four, others in their own."""
    alone = [gpu.picture("sdxl", T2I, seed=seed, **QUICK) for seed in range(6)]
    with busy(gpu):
        sizes = passes(denoiser(gpu))
        handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(6)]
        other = gpu.submit("sdxl", T2I, seed=3, num_inference_steps=3)
    made = [still(gpu.end(handle)) for handle in handles]
    gpu.end(other)
    assert sizes == [4, 4] + [2, 2] + [1] * 3
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=True))


def test_pictures_to_change_share_a_pass_too(gpu: Any, still: Any) -> None:
    """Each with its own picture."""

    def given(number: int) -> dict[Role, Any]:
        return {Role.INPUT: (gpu.store(Image.new("RGB", (64, 64), (40 * number, 90, 120)), f"{number}.png"),)}

    alone = [gpu.picture("sdxl", I2I, inputs=given(n), num_inference_steps=4) for n in range(3)]
    with busy(gpu):
        sizes = passes(denoiser(gpu))
        handles = [gpu.submit("sdxl", I2I, inputs=given(n), num_inference_steps=4) for n in range(3)]
    made = [still(gpu.end(handle)) for handle in handles]
    assert sizes == [3, 3]
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=True))


def test_scenes_with_one_subject_share_a_pass_and_no_others_do(gpu: Any, still: Any) -> None:
    """Three scenes show it in one pass, each as it does alone; a scene with another subject has its own."""
    subject = {Role.REFERENCE: (gpu.store(Image.linear_gradient("L").convert("RGB"), "subject.png"),)}
    other = {Role.REFERENCE: (gpu.store(Image.new("RGB", (64, 64), "red"), "other.png"),)}
    how = {"inputs": subject, **QUICK}
    alone = [gpu.picture("sdxl", T2I, f"scene {seed}", seed=seed, **how) for seed in range(3)]
    with busy(gpu):
        sizes = passes(denoiser(gpu))
        handles = [gpu.submit("sdxl", T2I, f"scene {seed}", seed=seed, **how) for seed in range(3)]
        last = gpu.submit("sdxl", T2I, inputs=other, **QUICK)
    made = [still(gpu.end(handle)) for handle in (*handles, last)]
    assert sizes == [3, 3, 1, 1]
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=False))


def test_the_operator_may_bound_a_pass(gpu: Any) -> None:
    """AICP_DIFFUSERS_MAX_BATCH."""
    gpu.provider = gpu.another(AICP_DIFFUSERS_MAX_BATCH="2")
    gpu.picture("sdxl", T2I, **QUICK)
    with busy(gpu):
        sizes = passes(denoiser(gpu))
        handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]
    assert all(isinstance(gpu.end(handle), Succeeded) for handle in handles)
    assert sizes == [2, 2, 1, 1]


def test_a_card_says_how_many_share_a_pass(gpu: Any) -> None:
    """Its max_batch; of weights without a card, what their pipeline can do."""
    from ai_content_pipeline.catalog import local
    from ai_content_pipeline.providers.local.residents import Place, batch_of

    for key in local.keys():  # noqa: SIM118 - a module is no dict
        needs = local.load(key).local
        assert needs is not None
        assert batch_of(Place(gpu.models / key, needs.family, "")) == needs.max_batch
        own = batch_of(Place(gpu.models / "my_style", needs.family, ""))
        assert own == {"sdxl": 4, "wan_t2v": 2}.get(needs.family, 1)


def test_clips_of_words_share_a_pass(gpu: Any) -> None:
    """Two at a time, each with its own words and seed."""
    alone = [gpu.make(WORDS, T2V, f"scene {n}", seed=n, **SMALL).outputs[0].still for n in range(2)]
    sizes: list[int] = []
    with busy(gpu, WORDS, T2V):
        handles = [gpu.submit(WORDS, T2V, f"scene {n}", seed=n, **SMALL) for n in range(2)]
        denoiser(gpu).register_forward_pre_hook(
            lambda module, args, kwargs: sizes.append(len(kwargs["hidden_states"])), with_kwargs=True
        )
    stills = [gpu.end(handle).outputs[0].still for handle in handles]
    assert sizes == [2] * 4  # two steps, each with and without its words
    assert all(apart(one, two) <= 1 for one, two in zip(alone, stills, strict=True))


@pytest.mark.parametrize(
    ("key", "task", "number", "kind"), [("sdxl", T2I, 4, "float16"), (WORDS, T2V, 2, "bfloat16")]
)
def test_in_16_bits_a_shared_pass_is_within_four_levels(
    gpu: Any, key: str, task: Task, number: int, kind: str
) -> None:
    """The tolerance that is promised for a GPU's arithmetic, of 255 levels: each model in the type it has
    there."""
    import torch

    how = {**SMALL, "num_inference_steps": 6}
    gpu.make(key, task, **SMALL)
    resident = model(gpu)
    parts = resident.words if key == "sdxl" else resident.pipeline
    for name in ("text_encoder", "text_encoder_2", "unet", "vae") if key == "sdxl" else ("transformer",):
        getattr(parts, name).to(getattr(torch, kind))
    alone = [gpu.make(key, task, f"scene {n}", seed=n, **how).outputs[0].still for n in range(number)]
    with busy(gpu, key, task):
        handles = [gpu.submit(key, task, f"scene {n}", seed=n, **how) for n in range(number)]
    made = [gpu.end(handle).outputs[0].still for handle in handles]
    assert all(apart(one, two) <= 4 for one, two in zip(alone, made, strict=True))
    assert apart(made[0], made[1]) > 4


# -- progress, and its end -----------------------------------------------------------------------------


def at_each_call(gpu: Any, handle: Handle, tell: Any) -> None:
    """`tell` is told of each call of the denoiser: which it is, and the job's ticket."""
    ticket, calls = gpu.provider._tickets[handle.request_id], count(1)

    def told(*_: Any) -> None:
        tell(next(calls), ticket)

    denoiser(gpu).register_forward_pre_hook(told)


@pytest.mark.parametrize(
    ("key", "task", "how", "calls"),
    [
        ("sdxl", T2I, {"num_inference_steps": 5}, 1),
        ("sdxl", I2I, {"num_inference_steps": 10}, 1),  # at 0.5 half of them run
        ("sdxl", I2I, {"exact_copy_mode": True}, 1),
        (WORDS, T2V, {**SMALL, "num_inference_steps": 5}, 2),  # with and without its words
    ],
)
def test_progress_is_told_at_every_step(gpu: Any, key: str, task: Task, how: Any, calls: int) -> None:
    """Before each step it is known how much is done: of the steps that really run."""
    given = {Role.INPUT: (gpu.store(Image.new("RGB", (64, 64), "teal")),)} if task is I2I else {}
    gpu.make(key, task, inputs=given, **how)
    seen: list[float | None] = []
    with busy(gpu, key, T2V if task is T2V else T2I):
        handle = gpu.submit(key, task, inputs=given, **how)
        ticket = gpu.provider._tickets[handle.request_id]
        at_each_call(gpu, handle, lambda call, ticket: seen.append(ticket.progress))
    assert isinstance(gpu.end(handle), Succeeded)
    run = 6 if "exact_copy_mode" in how else 5
    assert seen == [step / run or None for step in range(run) for _ in range(calls)]
    assert ticket.progress == 1


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize(("key", "task", "calls"), [("sdxl", T2I, 1), (WORDS, T2V, 2)])
def test_a_cancelled_job_stops_at_its_next_step(
    gpu: Any, key: str, task: Task, calls: int, step: int
) -> None:
    """Whichever step it is at; no further one begins, and the model then works as before."""
    plain = gpu.make(key, task, **SMALL).outputs[0].still
    answers, seen = [], []
    with busy(gpu, key, task):
        running = gpu.submit(key, task, **{**SMALL, "num_inference_steps": 4})

        def cancel(call: int, ticket: Any) -> None:
            seen.append(call)
            if call == (step - 1) * calls + 1:
                answers.append(gpu.provider.cancel(running))

        at_each_call(gpu, running, cancel)
    status = gpu.end(running)
    assert isinstance(status, Failed)
    assert (status.reason, status.billed.value) == (Reason.CANCELLED, "no")
    assert answers == [CancelAnswer.REQUESTED]
    assert len(seen) == step * calls
    assert apart(plain, gpu.make(key, task, **SMALL).outputs[0].still) == 0


def test_a_job_that_waits_is_cancelled_at_once(gpu: Any) -> None:
    """It never begins; a job that nobody knows cannot be cancelled."""
    gpu.picture("sdxl", T2I, **QUICK)
    with busy(gpu):
        sizes = passes(denoiser(gpu))
        waiting = gpu.submit("sdxl", T2I, num_inference_steps=3)
        assert gpu.provider.cancel(waiting) is CancelAnswer.CANCELLED
    assert isinstance(gpu.end(waiting), Failed)
    assert sizes == []
    assert gpu.provider.cancel(Handle("unknown")) is CancelAnswer.UNKNOWN_JOB


def test_a_job_given_up_while_its_model_is_loaded_costs_no_model(
    gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading takes minutes; what was loaded stays for the next job."""
    from ai_content_pipeline.providers.local import desk

    loading, load = threading.Event(), desk.load

    def slow(*arguments: Any) -> Any:
        loading.set()
        assert dropped.wait(60)
        return load(*arguments)

    dropped = threading.Event()
    monkeypatch.setattr(desk, "load", slow)
    handle = gpu.submit("sdxl", T2I, **QUICK)
    assert loading.wait(60)
    assert gpu.provider.cancel(handle) is CancelAnswer.CANCELLED
    dropped.set()
    monkeypatch.setattr(desk, "load", lambda *_: pytest.fail("loaded twice"))
    assert gpu.picture("sdxl", T2I, **QUICK).size == (64, 64)


def test_a_job_that_shares_its_pass_is_not_stopped_with_another(gpu: Any) -> None:
    """A pass ends early only when nobody wants any of it."""
    gpu.picture("sdxl", T2I, **QUICK)
    with busy(gpu):
        unwanted, wanted = (gpu.submit("sdxl", T2I, seed=seed, num_inference_steps=3) for seed in (1, 2))
        at_each_call(gpu, unwanted, lambda call, ticket: gpu.provider.cancel(unwanted))
    assert isinstance(gpu.end(wanted), Succeeded)


def test_nobody_waiting_stops_it_and_the_next_process_makes_it(gpu: Any, still: Any) -> None:
    """A scene given up half-way is simply made again from its journaled handle: the same picture."""
    plain = gpu.picture("sdxl", T2I, seed=5, num_inference_steps=4)
    with busy(gpu):
        handle = gpu.submit("sdxl", T2I, seed=5, num_inference_steps=4)
        gpu.detached.set()
        with pytest.raises(Interrupted):
            gpu.provider.poll(handle)
        gpu.detached.clear()
    gpu.provider.close()
    later = gpu.another()
    status = later.poll(handle)
    while isinstance(status, Running):
        status = later.poll(handle)
    assert still(status).tobytes() == plain.tobytes()
    later.close()


def test_a_closed_desk_leaves_nobody_behind(gpu: Any) -> None:
    """Closing stops what runs at its next step, and ends the thread."""
    gpu.picture("sdxl", T2I, **QUICK)
    gpu.submit("sdxl", T2I, num_inference_steps=400)
    gpu.provider.close()
    assert not gpu.provider._desk._thread.is_alive()


def test_what_is_no_job_of_ours_is_gone(gpu: Any) -> None:
    """A handle without a payload cannot be made."""
    assert isinstance(gpu.provider.poll(Handle("999999")), Gone)


# -- memory --------------------------------------------------------------------------------------------


def exhausted(part: Any, times: int) -> list[int]:
    """The GPU runs out of memory at the next `times` calls."""
    import torch

    calls: list[int] = []

    def refuse(*_: Any) -> None:
        calls.append(1)
        if len(calls) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    part.register_forward_pre_hook(refuse)
    return calls


@pytest.mark.parametrize(("key", "task"), [("sdxl", T2I), (WORDS, T2V)])
def test_out_of_memory_is_tried_once_more_with_less_on_the_gpu(gpu: Any, key: str, task: Task) -> None:
    """Parts of the model are set aside, and the same picture comes of it; the next time single layers are."""
    plain = gpu.make(key, task, **SMALL).outputs[0].still
    for before, after in ((Offload.NONE, Offload.MODEL), (Offload.MODEL, Offload.GROUP)):
        assert model(gpu).offload is before
        exhausted(denoiser(gpu), times=1)
        status = gpu.make(key, task, **SMALL)
        assert apart(plain, status.outputs[0].still) <= 1
        assert model(gpu).offload is after
        assert status.units > 0  # the time that a price per second counts


def test_a_fast_model_that_does_not_fit_is_loaded_anew_in_eight_bits(gpu: Any) -> None:
    """What was compiled cannot be cast, so the lower set of its profile is loaded in its place."""
    import torch

    how = {"profile": "fast", **SMALL}
    gpu.make(WORDS, T2V, **how)
    first = model(gpu).pipeline
    exhausted(first.transformer, times=1)
    gpu.make(WORDS, T2V, **how)
    assert model(gpu).pipeline is not first
    assert model(gpu).pipeline.transformer.blocks[0].attn1.to_q.weight.dtype == torch.float8_e4m3fn


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_out_of_memory_twice_says_what_to_lower(gpu: Any, part: str) -> None:
    """A typed failure that names the size, whichever part needed too much; the process goes on."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    found = getattr(model(gpu).words, part)
    exhausted(found.decoder if part == "vae" else found, times=2)
    status = gpu.end(gpu.submit("sdxl", T2I, **QUICK))
    assert isinstance(status, Failed)
    assert (status.reason, status.billed.value) == (Reason.LOCAL, "no")
    assert status.message == (
        "out of memory at 64x64 pixels, also with parts of the model set aside; lower width and height, or"
        " num_images; or set AICP_DIFFUSERS_OFFLOAD=group"
    )
    assert apart(plain, gpu.picture("sdxl", T2I, **QUICK)) <= 1


def test_where_nothing_more_can_be_set_aside_no_such_advice_is_given(gpu: Any) -> None:
    """A clip is told of its frames; what is set already is not advised."""
    gpu.provider = gpu.another(AICP_DIFFUSERS_OFFLOAD="group")
    gpu.make(WORDS, T2V, **SMALL)
    exhausted(denoiser(gpu), times=1)
    status = gpu.end(gpu.submit(WORDS, T2V, **SMALL))
    assert status.message == (
        "out of memory at 32x32 pixels, also with parts of the model set aside; lower num_frames, or width"
        " and height"
    )


def test_a_batch_that_does_not_fit_is_made_one_by_one(gpu: Any, still: Any) -> None:
    """Sharing a pass must not lose a picture that has room alone."""
    alone = [gpu.picture("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]
    with busy(gpu):
        sizes = too_many(gpu)
        handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]
    made = [still(gpu.end(handle)) for handle in handles]
    assert sizes == [3] + [1] * 6
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=True))


def test_a_batch_made_one_by_one_loses_only_what_nobody_wants(gpu: Any) -> None:
    """The first of three is cancelled when its own turn has come; the others are made."""
    gpu.picture("sdxl", T2I, **QUICK)
    with busy(gpu):
        sizes = too_many(gpu)
        handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]

        def cancel(call: int, ticket: Any) -> None:
            if call == 1:  # the one that did not fit has not come so far
                gpu.provider.cancel(handles[0])

        at_each_call(gpu, handles[0], cancel)
    ends = [gpu.end(handle) for handle in handles]
    assert [type(end) for end in ends] == [Failed, Succeeded, Succeeded]
    assert sizes == [3] + [1] * 5


def too_many(gpu: Any) -> list[int]:
    """There is room for one picture a pass; how many each call was for."""
    import torch

    sizes = []

    def refuse(module: Any, given: Any) -> None:
        sizes.append(len(given[0]) // 2)
        if sizes[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    denoiser(gpu).register_forward_pre_hook(refuse)
    return sizes


@pytest.mark.parametrize("times", [1, 2])
def test_a_model_that_does_not_fit_is_loaded_once_more_in_parts(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Then it is a typed failure; and the next job tries anew."""
    import torch

    from ai_content_pipeline.providers.local import desk

    load, tried = desk.load, list[Offload]()

    def refuse(place: Any, machine: Any, offload: Offload) -> Any:
        tried.append(offload)
        if len(tried) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load(place, machine, offload)

    monkeypatch.setattr(desk, "load", refuse)
    status = gpu.end(gpu.submit("sdxl", T2I, **QUICK))
    assert tried == [Offload.NONE, Offload.MODEL]
    if times == 1:
        assert isinstance(status, Succeeded)
    else:
        assert isinstance(status, Failed)
        assert status.message.startswith("sdxl does not fit into memory; set AICP_DIFFUSERS_OFFLOAD=group")
    assert gpu.picture("sdxl", T2I, **QUICK).size == (64, 64)


def test_a_model_that_fails_is_loaded_anew(gpu: Any) -> None:
    """Whatever a library raises fails one pass, by name, and spoils no other."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    broken = model(gpu)

    def fail(*_: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    broken.words.unet.register_forward_pre_hook(fail)
    status = gpu.end(gpu.submit("sdxl", T2I, **QUICK))
    assert isinstance(status, Failed)
    assert "the model failed: RuntimeError: CUDA error: an illegal memory access" in status.message
    assert gpu.picture("sdxl", T2I, **QUICK).tobytes() == plain.tobytes()
    assert model(gpu) is not broken


def test_few_models_stay_in_memory(gpu: Any) -> None:
    """The fourth takes the place of the others."""
    for profile in ("quality", "balanced", "fast"):
        gpu.make(WORDS, T2V, profile=profile, **{**SMALL, "num_inference_steps": 1})
    assert len(gpu.provider._desk._residents) == 3
    gpu.picture("sdxl", T2I, **QUICK)
    assert len(gpu.provider._desk._residents) == 1

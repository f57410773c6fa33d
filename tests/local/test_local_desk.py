"""Waiting, batching, stopping and running out of memory: many askers, one model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image, ImageChops

pytest.importorskip("torch")

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

T2I, I2I, T2V = Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE, Task.TEXT_TO_VIDEO
QUICK: dict[str, Any] = {"num_inference_steps": 2}
LONG: dict[str, Any] = {"num_inference_steps": 400}


def apart(one: Image.Image, other: Image.Image) -> int:
    return max(high for _, high in ImageChops.difference(one, other).getextrema())


def model(gpu: Any) -> Any:
    """The one model in memory."""
    (resident,) = gpu.provider._desk._residents.values()
    return resident


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
    sizes = passes(model(gpu).words.unet)
    first = gpu.submit("sdxl", T2I, seed=99, num_inference_steps=30)
    handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(6)]
    other = gpu.submit("sdxl", T2I, seed=3, num_inference_steps=3)
    assert isinstance(gpu.end(first), Succeeded)
    made = [still(gpu.end(handle)) for handle in handles]
    gpu.end(other)
    assert sizes == [1] * 30 + [4, 4] + [2, 2] + [1] * 3
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=True))


def test_pictures_to_change_share_a_pass_too(gpu: Any, still: Any) -> None:
    """Each with its own picture."""

    def given(number: int) -> dict[Role, Any]:
        return {Role.INPUT: (gpu.store(Image.new("RGB", (64, 64), (40 * number, 90, 120)), f"{number}.png"),)}

    alone = [gpu.picture("sdxl", I2I, inputs=given(n), num_inference_steps=4) for n in range(3)]
    sizes = passes(model(gpu).words.unet)
    first = gpu.submit("sdxl", T2I, num_inference_steps=30)
    handles = [gpu.submit("sdxl", I2I, inputs=given(n), num_inference_steps=4) for n in range(3)]
    gpu.end(first)
    made = [still(gpu.end(handle)) for handle in handles]
    assert sizes[30:] == [3, 3]
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=True))


def test_the_operator_may_bound_a_pass(gpu: Any) -> None:
    """AICP_DIFFUSERS_MAX_BATCH."""
    gpu.provider = gpu.another(AICP_DIFFUSERS_MAX_BATCH="2")
    gpu.picture("sdxl", T2I, **QUICK)
    sizes = passes(model(gpu).words.unet)
    first = gpu.submit("sdxl", T2I, seed=99, num_inference_steps=30)
    handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]
    for handle in (first, *handles):
        assert isinstance(gpu.end(handle), Succeeded)
    assert sizes[30:] == [2, 2, 1, 1]


def test_clips_of_words_share_a_pass(gpu: Any) -> None:
    """Two at a time, each with its own words and seed."""
    small = {"num_inference_steps": 2, "num_frames": 5, "width": 32, "height": 32}
    key = "wan2.1_t2v_1.3b"
    alone = [gpu.make(key, T2V, f"scene {n}", seed=n, **small).outputs[0].still for n in range(2)]
    first = gpu.submit(key, T2V, **{**small, "num_inference_steps": 40})
    handles = [gpu.submit(key, T2V, f"scene {n}", seed=n, **small) for n in range(2)]
    sizes: list[int] = []
    model(gpu).pipeline.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(len(kwargs["hidden_states"])), with_kwargs=True
    )
    gpu.end(first)
    stills = [gpu.end(handle).outputs[0].still for handle in handles]
    assert sizes[-1] == 2
    assert all(apart(one, two) <= 1 for one, two in zip(alone, stills, strict=True))


# -- progress, and its end -----------------------------------------------------------------------------


def test_progress_grows_step_by_step(gpu: Any) -> None:
    """A look shows how far it is."""
    gpu.picture("sdxl", T2I, **QUICK)
    handle = gpu.submit("sdxl", T2I, num_inference_steps=150)
    ticket = gpu.provider._tickets[handle.request_id]
    seen = set()
    while not ticket.ended.wait(0.02):
        seen.add(ticket.progress)
    told = sorted(share for share in seen if share is not None)
    assert len(told) > 3
    assert 0 < told[0] < told[-1] <= 1


def test_a_cancelled_job_stops_at_its_next_step(gpu: Any) -> None:
    """One that waits never begins; one that runs ends early; the model then works as before."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    sizes = passes(model(gpu).words.unet)
    running, waiting = gpu.submit("sdxl", T2I, **LONG), gpu.submit("sdxl", T2I, num_inference_steps=3)
    while gpu.provider._tickets[running.request_id].progress is None:
        pass
    assert gpu.provider.cancel(waiting) is CancelAnswer.CANCELLED
    assert gpu.provider.cancel(running) is CancelAnswer.REQUESTED
    for handle in (running, waiting):
        status = gpu.end(handle)
        assert isinstance(status, Failed)
        assert (status.reason, status.billed.value) == (Reason.CANCELLED, "no")
    assert 0 < len(sizes) < 400
    assert gpu.picture("sdxl", T2I, **QUICK).tobytes() == plain.tobytes()
    assert gpu.provider.cancel(Handle("unknown")) is CancelAnswer.UNKNOWN_JOB


def test_a_job_that_shares_its_pass_is_not_stopped_with_another(gpu: Any) -> None:
    """A pass ends early only when nobody wants any of it."""
    gpu.picture("sdxl", T2I, **QUICK)
    first = gpu.submit("sdxl", T2I, num_inference_steps=30)
    unwanted, wanted = (gpu.submit("sdxl", T2I, seed=seed, num_inference_steps=25) for seed in (1, 2))
    gpu.end(first)
    while gpu.provider._tickets[wanted.request_id].progress is None:
        pass
    assert gpu.provider.cancel(unwanted) is CancelAnswer.REQUESTED
    assert isinstance(gpu.end(wanted), Succeeded)


def test_nobody_waiting_stops_it_and_the_next_process_makes_it(gpu: Any, still: Any) -> None:
    """A scene given up half-way is simply made again from its journaled handle: the same picture."""
    plain = gpu.picture("sdxl", T2I, seed=5, num_inference_steps=40)
    handle = gpu.submit("sdxl", T2I, seed=5, num_inference_steps=40)
    gpu.detached.set()
    with pytest.raises(Interrupted):
        gpu.provider.poll(handle)
    gpu.provider.close()
    gpu.detached.clear()
    later = gpu.another()
    status = later.poll(handle)
    while isinstance(status, Running):
        status = later.poll(handle)
    assert still(status).tobytes() == plain.tobytes()
    later.close()


def test_a_closed_desk_leaves_nobody_behind(gpu: Any) -> None:
    """Closing stops what runs at its next step, and ends the thread."""
    gpu.picture("sdxl", T2I, **QUICK)
    gpu.submit("sdxl", T2I, **LONG)
    gpu.provider.close()
    assert not gpu.provider._desk._thread.is_alive()


def test_what_is_no_job_of_ours_is_gone(gpu: Any) -> None:
    """A handle without a payload cannot be made."""
    assert isinstance(gpu.provider.poll(Handle("999999")), Gone)


# -- memory --------------------------------------------------------------------------------------------


def exhausted(unet: Any, times: int) -> list[int]:
    """The GPU runs out of memory at the next `times` calls."""
    import torch

    calls: list[int] = []

    def refuse(*_: Any) -> None:
        calls.append(1)
        if len(calls) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    unet.register_forward_pre_hook(refuse)
    return calls


def test_out_of_memory_is_tried_once_more_with_less_on_the_gpu(gpu: Any) -> None:
    """Parts of the model are set aside, and the same picture comes of it."""
    from ai_content_pipeline.providers.local.machine import Offload

    plain = gpu.picture("sdxl", T2I, **QUICK)
    exhausted(model(gpu).words.unet, times=1)
    assert model(gpu).offload is Offload.NONE
    assert apart(plain, gpu.picture("sdxl", T2I, **QUICK)) <= 1
    assert model(gpu).offload is Offload.MODEL


def test_out_of_memory_twice_says_what_to_lower(gpu: Any) -> None:
    """A typed failure that names the size; the process goes on."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    exhausted(model(gpu).words.unet, times=2)
    status = gpu.end(gpu.submit("sdxl", T2I, **QUICK))
    assert isinstance(status, Failed)
    assert (status.reason, status.billed.value) == (Reason.LOCAL, "no")
    assert status.message == (
        "out of memory at 64x64 pixels, also with parts of the model set aside; lower width and height, or"
        " num_images; or set AICP_DIFFUSERS_OFFLOAD=group"
    )
    assert apart(plain, gpu.picture("sdxl", T2I, **QUICK)) <= 1


def test_a_batch_that_does_not_fit_is_made_one_by_one(gpu: Any, still: Any) -> None:
    """Sharing a pass must not lose a picture that has room alone."""
    alone = [gpu.picture("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]
    import torch

    unet = model(gpu).words.unet

    def refuse(module: Any, given: Any) -> None:
        if len(given[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    unet.register_forward_pre_hook(refuse)
    first = gpu.submit("sdxl", T2I, seed=99, num_inference_steps=30)
    handles = [gpu.submit("sdxl", T2I, seed=seed, **QUICK) for seed in range(3)]
    gpu.end(first)
    made = [still(gpu.end(handle)) for handle in handles]
    assert all(apart(one, two) <= 1 for one, two in zip(alone, made, strict=True))


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
    small = {"num_inference_steps": 1, "num_frames": 5, "width": 32, "height": 32}
    for profile in ("quality", "balanced", "fast"):
        gpu.make("wan2.1_t2v_1.3b", T2V, profile=profile, **small)
    assert len(gpu.provider._desk._residents) == 3
    gpu.picture("sdxl", T2I, **QUICK)
    assert len(gpu.provider._desk._residents) == 1

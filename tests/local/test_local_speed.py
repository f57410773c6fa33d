"""What a profile and a shortage of memory do to a model, and that each of diffusers' options takes effect.

What needs CUDA is recorded as the call that is made, and held against the signature that diffusers has.
"""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.catalog import local
from ai_content_pipeline.jobs import Failed, Task
from ai_content_pipeline.providers.local import speed
from ai_content_pipeline.providers.local.asked import PROFILES, Profile
from ai_content_pipeline.providers.local.loading import load_sdxl, load_wan
from ai_content_pipeline.providers.local.machine import Machine, Offload, spread
from ai_content_pipeline.providers.local.tiny import build_few_step_lora

T2I, T2V, I2V = Task.TEXT_TO_IMAGE, Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO
QUICK: dict[str, Any] = {"num_inference_steps": 2, "num_frames": 5, "width": 48, "height": 32}
VACE, I2V_480, WORDS = "wan2.1_vace_1.3b", "wan2.1_i2v_14b_480p", "wan2.1_t2v_1.3b"
CPU = Machine("cpu", "cpu")


def ramp(turn: int = 0, size: tuple[int, int] = (48, 32)) -> Image.Image:
    return Image.linear_gradient("L").rotate(turn).resize(size).convert("RGB")


def apart(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of two pictures, in levels of 255."""
    return max(high for _, high in ImageChops.difference(one, other).getextrema())


def given(gpu: Any, *wanted: Role) -> dict[Role, tuple[Artifact, ...]]:
    return {
        role: (gpu.store(ramp(90 * turn, (64, 48)), f"{role.value}.png"),) for turn, role in enumerate(wanted)
    }


def first_frame(gpu: Any, key: str, task: Task = T2V, **how: Any) -> Image.Image:
    still: Image.Image = gpu.make(key, task, **{**QUICK, **how}).outputs[0].still
    return still


def model(gpu: Any) -> Any:
    """The model that was used last."""
    return list(gpu.provider._desk._residents.values())[-1]


def spread_by(gpu: Any, offload: str) -> Any:
    """The same machine, which spreads its models out like that."""
    gpu.provider.close()
    gpu.environ = {"AICP_DIFFUSERS_OFFLOAD": offload}
    gpu.provider = gpu.another()
    return gpu


# -- profiles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [key for key in local.keys() if key != "sdxl"])  # noqa: SIM118 - a module
def test_every_profile_of_every_card_makes_a_clip(gpu: Any, key: str) -> None:
    """Each takes the steps that its profile has, whole on the GPU and with parts of it set aside."""
    small = {"num_inference_steps": 1, "num_frames": 5, "width": 32, "height": 32}
    roles = [role for role in (Role.START, Role.END) if role in local.load(key).roles]
    how = {"inputs": given(gpu, *roles)}
    task = I2V if roles else T2V
    usual = []
    for profile in PROFILES:
        handle = gpu.submit(key, task, profile=profile, **how, **{**small, "num_inference_steps": None})
        usual.append(gpu.provider._tickets[handle.request_id].work.steps)
        gpu.provider.cancel(handle)
        gpu.make(key, task, profile=profile, **how, **small)
    assert usual == [50, 40 if key.startswith(("wan2.1_i2v", "wan2.1_flf2v")) else 50, 20]
    spread_by(gpu, "model")
    gpu.make(key, task, profile="fast", **how, **small)
    assert {str(one.dtype) for one in model(gpu).pipeline.transformer.blocks.parameters()} >= {
        "torch.float8_e4m3fn"
    }


@pytest.fixture
def own(gpu: Any, tmp_path: Path) -> Any:
    """The same machine, its folder of weights to be changed."""
    shutil.copytree(gpu.models / I2V_480, tmp_path / "m" / I2V_480)
    gpu.models = tmp_path / "m"
    gpu.provider = gpu.another()
    return gpu


def test_fast_takes_fewer_steps_and_four_with_a_lora_for_it(own: Any) -> None:
    """Without a LoRA fast is 20 steps; with one it is 4, without guidance, on the noise levels it knows."""
    inputs, small = given(own, Role.START), {"num_frames": 5, "width": 32, "height": 32}
    plain = own.submit(I2V_480, I2V, inputs=inputs, profile="fast", **small)
    ticket = own.provider._tickets[plain.request_id]
    assert ticket.work.facts["steps"] == 20
    assert ticket.work.facts["guidance_scale"] == 5.0
    first = own.end(plain).outputs[0].still
    build_few_step_lora(own.models / I2V_480)
    own.provider.close()
    own.provider = own.another()
    quick = own.submit(I2V_480, I2V, inputs=inputs, profile="fast", **small)
    ticket = own.provider._tickets[quick.request_id]
    assert ticket.work.facts["steps"] == 4
    assert ticket.work.facts["guidance_scale"] == 1.0
    assert apart(first, own.end(quick).outputs[0].still) > 0
    assert model(own).pipeline.scheduler.config.flow_shift == 5.0
    levels = [round(float(time)) for time in model(own).pipeline.scheduler.timesteps]
    assert levels == [999, 937, 833, 625]


def test_a_lora_changes_the_weights_themselves(own: Any) -> None:
    """The same steps and seed give another clip with it, and it costs nothing afterwards: it is fused."""
    how = {"inputs": given(own, Role.START), "profile": "fast", "guidance_scale": 1.0}
    plain = first_frame(own, I2V_480, I2V, **how)
    build_few_step_lora(own.models / I2V_480)
    own.provider.close()
    own.provider = own.another()
    assert apart(plain, first_frame(own, I2V_480, I2V, **how)) > 0
    assert not [name for name, _ in model(own).pipeline.transformer.named_parameters() if "lora" in name]


def test_a_lora_that_is_no_safetensors_file_is_refused(own: Any) -> None:
    """A pickle by that name is not read."""
    (own.models / I2V_480 / "few_step_lora.safetensors").write_bytes(b"\x80\x04K\x01.")
    status = own.end(own.submit(I2V_480, I2V, inputs=given(own, Role.START), profile="fast", **QUICK))
    assert isinstance(status, Failed)
    assert "few_step_lora.safetensors is no sound safetensors file" in status.message


def test_where_memory_is_short_fast_keeps_the_transformer_in_eight_bits(gpu: Any) -> None:
    """Its weights take a quarter of the memory between two uses; the clip is a little different. With room
    for all of it they stay as they are."""
    import torch

    exact = first_frame(gpu, WORDS, profile="fast")
    kinds = {one.dtype for one in model(gpu).pipeline.transformer.blocks.parameters()}
    assert kinds == {torch.float32}
    for offload in ("model", "group"):
        assert apart(exact, first_frame(spread_by(gpu, offload), WORDS, profile="fast")) > 0
        (block, *_) = model(gpu).pipeline.transformer.blocks
        assert block.attn1.to_q.weight.dtype == block.ffn.net[2].weight.dtype == torch.float8_e4m3fn


# -- compiled blocks -----------------------------------------------------------------------------------

TOGETHER = [(profile, offload) for profile in PROFILES for offload in Offload]


@pytest.mark.parametrize(
    ("key", "kind", "role"),
    [(WORDS, "wan_t2v", None), (VACE, "wan_vace", None), (I2V_480, "wan_i2v", Role.START)],
)
def test_blocks_are_one_graph_wherever_they_are_compiled(
    models: Path, key: str, kind: str, role: Role | None
) -> None:
    """Where a profile says that blocks are compiled, they can be, without a break, and the clip is the same.
    (Traced as for a GPU; only the last stage, which makes a GPU's code, is left out.)"""
    together = [pair for pair in TOGETHER if speed.compiles(*pair)]
    for profile, offload in together if key == WORDS else together[1:2]:
        pipeline = load_wan(models / key, kind, CPU, profile, offload)
        spread(pipeline, CPU, offload)
        plain = frames(pipeline, role)
        pipeline.transformer.compile_repeated_blocks(fullgraph=True, backend="eager")
        assert abs(plain - frames(pipeline, role)).max() < 1e-4


def frames(pipeline: Any, role: Role | None) -> Any:
    import torch

    how = {} if role is None else {"image": ramp()}
    return pipeline(
        prompt="a cat",
        width=48,
        height=32,
        num_frames=5,
        num_inference_steps=1,
        generator=torch.Generator().manual_seed(1),
        output_type="np",
        **how,
    ).frames


def test_blocks_are_not_compiled_where_their_layers_move() -> None:
    """Layers that are cast or fetched while a block runs cannot be part of one graph; and quality is
    diffusers as it is."""
    compiled = {(profile, offload) for profile, offload in TOGETHER if speed.compiles(profile, offload)}
    assert compiled == {
        ("balanced", Offload.NONE),
        ("balanced", Offload.MODEL),
        ("fast", Offload.NONE),
    }


# -- memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offload", ["none", "model", "group"])
@pytest.mark.parametrize(
    ("key", "task", "roles"),
    [
        ("sdxl", T2I, ()),
        ("sdxl", T2I, (Role.REFERENCE,)),
        ("sdxl", Task.IMAGE_TO_IMAGE, (Role.INPUT,)),
        (VACE, I2V, (Role.START,)),
        ("wan2.1_flf2v_14b", I2V, (Role.START, Role.END)),
    ],
)
def test_where_weights_wait_changes_nothing(
    gpu: Any, key: str, task: Task, roles: tuple[Role, ...], offload: str
) -> None:
    """Every way to spread a model out makes the same picture."""
    params = QUICK if task is I2V else {"num_inference_steps": 2}
    how = {"inputs": given(gpu, *roles), **params}
    plain = gpu.make(key, task, **how).outputs[0].still
    spread_by(gpu, offload)
    assert apart(plain, gpu.make(key, task, **how).outputs[0].still) <= 1
    assert model(gpu).offload is Offload[offload.upper()]


def onloads(pipeline: Any) -> dict[str, tuple[bool, bool]]:
    """Which parts wait aside as a whole, and which layer by layer."""
    import torch

    return {
        name: (hasattr(part, "_hf_hook"), any(map(in_group, part.modules())))
        for name, part in pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }


def in_group(module: Any) -> bool:
    hooks = getattr(module, "_diffusers_hook", None)
    return hooks is not None and hooks.get_hook("group_offloading") is not None


def test_each_further_offload_is_in_effect_and_the_last_one_gone(models: Path) -> None:
    """Nothing, then parts, then single layers wait aside; the autoencoder, which is small, stays."""
    pipeline = load_wan(models / I2V_480, "wan_i2v", CPU, "quality", Offload.NONE)
    parts = ("text_encoder", "vae", "transformer", "image_encoder")
    spread(pipeline, CPU, Offload.NONE)
    assert onloads(pipeline) == dict.fromkeys(parts, (False, False))
    spread(pipeline, CPU, Offload.MODEL)
    assert onloads(pipeline) == dict.fromkeys(parts, (True, False))
    spread(pipeline, CPU, Offload.GROUP)
    assert onloads(pipeline) == {**dict.fromkeys(parts, (False, True)), "vae": (False, False)}


def test_clips_are_decoded_in_tiles_where_memory_is_short(gpu: Any) -> None:
    """A clip of more than a tile's 256 pixels is decoded in several pieces then, and in one otherwise."""
    wide = {"num_inference_steps": 1, "width": 320}
    counts = []
    for offload in ("none", "model"):
        first_frame(spread_by(gpu, offload), WORDS, num_inference_steps=1)  # loaded
        calls: list[int] = []
        hook = model(gpu).pipeline.vae.decoder.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        first_frame(gpu, WORDS, **wide)
        hook.remove()
        counts.append(len(calls))
    assert counts == [2, 4]  # two latent frames; in tiles of 256 pixels, side by side


def test_pictures_are_decoded_one_by_one_and_in_tiles_where_memory_is_short(gpu: Any) -> None:
    """Of a batch of three, at once otherwise; larger than a tile, in pieces; and they are the same."""
    counts, stills = [], []
    for offload in ("none", "model"):
        gpu = spread_by(gpu, offload)
        gpu.make("sdxl", T2I, num_inference_steps=1)
        sizes: list[int] = []
        hook = model(gpu).words.vae.decoder.register_forward_pre_hook(
            lambda module, given, sizes=sizes: sizes.append(len(given[0]))
        )
        made = gpu.make("sdxl", T2I, num_inference_steps=1, outputs=3, num_images=3)
        stills.append([output.still for output in made.outputs])
        gpu.make("sdxl", T2I, num_inference_steps=1, width=96, height=64)
        hook.remove()
        counts.append(sizes)
    assert counts[0] == [3, 1]
    assert counts[1][:3] == [1, 1, 1]
    assert len(counts[1]) > 4
    assert all(apart(one, other) <= 1 for one, other in zip(*stills, strict=True))


# -- what needs CUDA: the calls that are made ----------------------------------------------------------


class Recorder:
    """Notes what is called on it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **how: self.calls.append((name, arguments, how))

    def held_against(self, kind: type) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        """The calls, each of which `kind` has and takes."""
        for name, arguments, how in self.calls:
            inspect.signature(getattr(kind, name)).bind(None, *arguments, **how)
        return self.calls


@pytest.mark.parametrize(
    ("profile", "attention", "compiled"),
    [("quality", "native", False), ("balanced", "_native_cudnn", True), ("fast", "_native_cudnn", True)],
)
def test_a_gpu_is_told_its_attention_and_to_compile(profile: Profile, attention: str, compiled: bool) -> None:
    """The calls on a GPU with room for all of it; both are what diffusers has."""
    from diffusers import WanTransformer3DModel
    from diffusers.models.attention_dispatch import AttentionBackendName

    recorder = Recorder()
    speed.hasten(recorder, profile, Offload.NONE)
    calls = recorder.held_against(WanTransformer3DModel)
    assert calls[0] == ("set_attention_backend", (AttentionBackendName(attention).value,), {})
    assert calls[1:] == [("compile_repeated_blocks", (), {"fullgraph": True})] * compiled


def test_the_attention_of_one_model_is_not_that_of_the_next(models: Path) -> None:
    """diffusers keeps the last one for the whole process; here each model is told its own."""
    balanced, quality = (
        load_wan(models / WORDS, "wan_t2v", CPU, "quality", Offload.NONE).transformer for _ in range(2)
    )
    try:
        speed.hasten(balanced, "quality", Offload.NONE)
        balanced.set_attention_backend("_native_cudnn")
        speed.hasten(quality, "quality", Offload.NONE)
        told = [
            {str(one.processor._attention_backend.value) for one in attentions(model)}
            for model in (balanced, quality)
        ]
        assert told == [{"_native_cudnn"}, {"native"}]
    finally:
        quality.set_attention_backend("native")


def attentions(transformer: Any) -> list[Any]:
    return [one for one in transformer.modules() if hasattr(one, "processor")]


def test_a_gpu_fetches_layers_in_a_stream_of_its_own() -> None:
    """Group offload overlaps with the arithmetic there, layer by layer; model offload is told the device."""
    import torch
    from diffusers import DiffusionPipeline

    machine = Machine("cuda", "a card", 24.0)
    recorder = Recorder()
    spread(recorder, machine, Offload.MODEL)
    spread(recorder, machine, Offload.GROUP)
    names = [name for name, _, _ in recorder.held_against(DiffusionPipeline)]
    assert names == [
        "remove_all_hooks", "enable_model_cpu_offload", "remove_all_hooks", "to", "enable_group_offload",
    ]  # fmt: skip
    assert recorder.calls[1][2] == {"device": torch.device("cuda")}
    assert recorder.calls[-1][2] == {
        "onload_device": torch.device("cuda"),
        "offload_device": torch.device("cpu"),
        "offload_type": "leaf_level",
        "use_stream": True,
        "exclude_modules": "vae",
    }


# -- weights as they are published ---------------------------------------------------------------------


def test_both_kinds_of_pictures_share_one_set_of_weights(models: Path) -> None:
    """Words to pictures and pictures to pictures: the same parts in memory, but a scheduler each."""
    words, pictures = load_sdxl(models / "sdxl", CPU)
    shared = {name for name, part in words.components.items() if part is not None} - {"scheduler"}
    assert {"unet", "vae", "text_encoder", "text_encoder_2"} <= shared
    assert all(getattr(words, name) is getattr(pictures, name) for name in shared)
    assert words.scheduler is not pictures.scheduler


def test_the_half_sized_files_that_are_published_are_read(gpu: Any, tmp_path: Path) -> None:
    """SDXL's fp16 variant, which is what is pulled, gives the picture of the whole one."""
    plain = gpu.make("sdxl", T2I, num_inference_steps=2).outputs[0].still
    words, _ = load_sdxl(gpu.models / "sdxl", CPU)
    words.save_pretrained(tmp_path / "m/sdxl", variant="fp16")
    gpu.models = tmp_path / "m"
    gpu.provider = gpu.another()
    assert apart(plain, gpu.make("sdxl", T2I, num_inference_steps=2).outputs[0].still) == 0
